import { storedConsents } from '../../gateway/access/consents.ts'
import { storedStudies } from '../../gateway/access/studies.ts'
import { tokenIdentity } from '../../gateway/access/identity.ts'
import { openServices } from '../../gateway/compose.ts'
import { createGateway } from '../../gateway/create-gateway.ts'
import type { Contract } from '../../gateway/model/contract.ts'
import type { Caller } from '../../gateway/model/decision.ts'
import type { Clock } from '../../gateway/model/record.ts'
import { LimitsText } from '../../gateway/operations/value-limits.ts'
import { OWN_SOURCE } from '../../gateway/store/record-source.ts'
import { SealedSource } from '../../gateway/store/sealed-source.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { clinic as served } from '../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../schema/clinic.ts'
import { read, type RunningClinic } from './running-clinic.ts'

type Process = Awaited<ReturnType<RunningClinic['another']>>

interface Contracted {
  /** The contract of a caller; undefined for a caller without one. Asked for each request. */
  readonly contractOf: (caller: Caller) => Contract | undefined
  /** The clock of decisions and budgets. Tokens are checked by the clock of the machine. */
  readonly now?: Clock
  readonly env?: Readonly<Record<string, string>>
}

/**
 * A process of the gateway over the tables of a clinic, in which a caller already has its contract when it arrives. It shows what a
 * contract opens without the checks that a registry makes before.
 */
export async function contractedProcess(
  { stack, requestOf }: Pick<RunningClinic, 'stack' | 'requestOf'>,
  { contractOf, now = Date.now, env = {} }: Contracted,
): Promise<Process & { stop(): Promise<void> }> {
  const events: GatewayEvent[] = []
  const environment = { ...stack.env, ...env }
  const services = openServices(environment, { now, events: (event) => void events.push(event) })
  const { PHI_ISSUER = '', PHI_AUDIENCE = '', PHI_JWKS_URI = '', PHI_LIMITS = '{}' } = environment as Record<string, string>
  const gateway = await createGateway({
    typeDefs: clinicTypeDefs(),
    lock: clinicLock(),
    resolvers: served.resolvers,
    relationships: served.relationships(services),
    breakGlass: served.breakGlass(services),
    studies: storedStudies(services),
    consents: storedConsents({ table: services.access, keyring: services.keyring, events: services.events }),
    sources: new Map([[OWN_SOURCE, new SealedSource(services.records, services.keyring)]]),
    budgets: services.budgets,
    search: services.search,
    limits: LimitsText.parse(PHI_LIMITS),
    identity: (policy) => {
      const issuer = { issuer: PHI_ISSUER, audience: PHI_AUDIENCE, jwksUri: PHI_JWKS_URI, now: Date.now }
      const identity = tokenIdentity(issuer, policy)
      return {
        callerOf: async (headers) => {
          const caller = await identity.callerOf(headers)
          const contract = contractOf(caller)
          return contract === undefined ? caller : { ...caller, client: contract.client, contract }
        },
      }
    },
    keys: services.keyring,
    audit: { log: services.audit, process: services.process },
    events: services.events,
    now,
    introspection: false,
  })
  return {
    services,
    gateway,
    events,
    ask: async (user, query, variables, headers) => read(await gateway.handle(await requestOf(user, query, variables, headers))),
    stop: async () => {
      await gateway.stop()
      services.close()
    },
  }
}
