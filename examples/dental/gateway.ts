import {
  createGateway,
  type Gateway,
  type RecordSource,
  type Relationship,
  SealedSource,
  type Services,
  tokenIdentity,
  type TokenIssuer,
  upstreamSource,
} from '../../gateway/index.ts'
import { dentalComputed } from './computed.ts'
import { PracticeServer } from './practice-server.ts'
import { dentalResolvers } from './resolvers.ts'
import { type PracticeRoster, samePractice } from './same-practice.ts'
import { dentalLock, dentalTypeDefs } from './schema.ts'

export interface DentalParts {
  /** Tables, keys and audit of this process, from `openServices(process.env)`. */
  readonly services: Services
  readonly issuer: TokenIssuer
  readonly roster: PracticeRoster
  readonly practiceServer: URL
}

/** Creates the gateway of the dental practices. */
export async function dentalGateway({ services, issuer, roster, practiceServer }: DentalParts): Promise<Gateway> {
  return await createGateway({
    typeDefs: dentalTypeDefs(),
    resolvers: dentalResolvers,
    lock: dentalLock(),
    relationships: new Map([['SAME_PRACTICE' as Relationship, samePractice(roster)]]),
    sources: new Map<string, RecordSource>([
      ['dynamodb', new SealedSource(services.records, services.keyring)],
      ['practiceServer', upstreamSource(new PracticeServer(practiceServer))],
    ]),
    computed: dentalComputed,
    identity: (policy) => tokenIdentity(issuer, policy),
    keys: services.keyring,
    audit: { log: services.audit, process: services.process },
    events: services.events,
    now: services.now,
  })
}
