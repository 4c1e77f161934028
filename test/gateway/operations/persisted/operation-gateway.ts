import type { Relationship } from '../../../../directives/policy.ts'
import type { GatewayParts } from '../../../../gateway/gateway-parts.ts'
import type { HttpRequest, HttpResponse } from '../../../../gateway/http/messages.ts'
import type { Contract } from '../../../../gateway/model/contract.ts'
import type { Caller } from '../../../../gateway/model/decision.ts'
import type { AdoptionMode } from '../../../../gateway/operations/persisted/adoption.ts'
import type { ClientOf } from '../../../../gateway/operations/persisted/operation-registry.ts'
import { contractFor } from '../../../harness/contracts.ts'
import { MemoryOperations } from '../../../harness/operation-registry.ts'
import { compile, connection, NOT_PHI } from '../../../directives/clinic-fixture.ts'
import { KeyHouse, RIVERSIDE } from '../../crypto/key-fixtures.ts'
import { callerWith, NOW } from '../../decide/clinic-policy.ts'
import { bodyOf, type GatewayUnderTest, gatewayOver } from '../../stand-ins.ts'

const GRANT = '@minimumNecessary(roles: [PARTNER, BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)'

/** A value in each way that an operation can read one: selected, counted, computed, masked with an input, given to an argument. */
const SDL = `type Query {
  me: Me
  person(id: ID!): Person
  people(first: Int = 20, after: String, name: String @reads(field: "Person.name"), filter: Filter): PersonConnection
  plans(kind: Kind, first: Int = 20): [Plan!] ${NOT_PHI}
}
type Mutation { touch(times: Int): Me @mayCall(roles: [PARTNER, BILLING]) }
type Me { user: String! ${NOT_PHI} roles: [String!]! ${NOT_PHI} }
type Plan { name: String! ${NOT_PHI} }
enum Kind { PUBLIC PRIVATE }
input Filter { size: Int inner: Inner }
input Inner { born: String @reads(field: "Person.born") active: Boolean }
type Person @record(patient: "id") {
  id: ID! ${NOT_PHI}
  name: String @phi(category: IDENTITY) ${GRANT}
  born: String @phi(category: DEMOGRAPHIC) ${GRANT}
  age: String @phi(category: DEMOGRAPHIC) @computed(from: ["Person.born"]) ${GRANT}
  hiv: String @phi(category: LABORATORY, sensitivity: [HIV]) ${GRANT}
}
${connection('Person')}`

export const { policy, schema } = compile(SDL)

export const ACME: ClientOf = { tenant: RIVERSIDE, client: 'acme' }
export const IP = '192.0.2.7'

export const partner = (more: Partial<Caller> = {}): Caller => callerWith(['PARTNER'], 'HPAYMT', { client: ACME.client, ...more })
/** A caller of a first-party client; null for a token without one. */
export const billing = (client: string | null = 'web'): Caller =>
  callerWith(['BILLING'], 'HPAYMT', client === null ? {} : { client })

export const contract = (changes: Partial<Omit<Contract, 'digest'>> = {}): Contract =>
  contractFor(policy, ACME.client, { networks: ['192.0.2.0/24', '2001:db8::/32'], ...changes })

/** Everything about an answer that a client could compare, and the work for it. */
export interface Observed {
  readonly status: number
  readonly headers: HttpResponse['headers']
  /** The body without the request id. */
  readonly bytes: string
  readonly code: unknown
  readonly data: unknown
  readonly calls: readonly string[]
  readonly kms: number
  /** The audit records, and the context of the first one. */
  readonly records: readonly { readonly path: string; readonly outcome: string; readonly reason?: string }[]
  readonly context: GatewayUnderTest['log']['contexts'][number] | undefined
  readonly events: readonly string[]
}

export interface Sending {
  readonly caller?: Caller
  readonly headers?: Record<string, string>
  readonly sourceIp?: string | undefined
  /** Sends a GET with this query string. */
  readonly url?: string
}

/** A gateway with a registry in memory. */
export async function operationGateway(
  modes: Readonly<Record<string, AdoptionMode>> = {},
  register: readonly string[] = [],
  parts: Partial<GatewayParts> = {},
) {
  const operations = new MemoryOperations()
  const house = new KeyHouse()
  let caller = partner()
  const nobody = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
  const me = (_source: unknown, _args: object, { scope }: { scope: { caller: Caller } }) => ({
    user: scope.caller.user,
    roles: [...scope.caller.roles],
  })
  const { gateway, log, events } = await gatewayOver(SDL, {
    relationships: new Map([['ORGANIZATION' as Relationship, nobody]]),
    resolvers: {
      Query: { me, person: () => null, people: () => null, plans: () => [{ name: 'gold' }] },
      Mutation: { touch: me },
    },
    computed: { 'Person.age': () => 'old' },
    identity: () => ({ callerOf: () => Promise.resolve(caller) }),
    keys: house.ring,
    operations: { registry: operations, automatic: operations, modes: new Map(Object.entries(modes)), register: new Set(register) },
    ...parts,
  })
  /** Posts a body, or sends a GET. A text is the body itself. */
  const send = async (body: object | string, sending: Sending = {}): Promise<Observed> => {
    caller = sending.caller ?? partner()
    operations.calls.length = log.records.length = log.contexts.length = events.length = 0
    const before = house.kms.decrypts
    const { url } = sending
    const request: HttpRequest = {
      method: url === undefined ? 'POST' : 'GET',
      headers: {
        ...(url === undefined ? { 'content-type': 'application/json' } : { accept: 'application/graphql-response+json' }),
        ...sending.headers,
      },
      body: url === undefined ? (typeof body === 'string' ? body : JSON.stringify(body)) : '',
      ...(url !== undefined && { queryString: url }),
      ...('sourceIp' in sending ? sending.sourceIp !== undefined && { sourceIp: sending.sourceIp } : { sourceIp: IP }),
    }
    const response = await gateway.handle(request)
    const answer = bodyOf(response)
    return {
      status: response.status,
      headers: response.headers,
      bytes: response.body.replace(String(answer.extensions.phi['requestId']), 'REQUEST'),
      code: answer.errors?.[0]?.extensions['code'],
      data: answer.data,
      calls: operations.calls.map(([method]) => method),
      kms: house.kms.decrypts - before,
      records: log.records.map(({ path, outcome, reason }) => ({ path, outcome, ...(reason && { reason }) })),
      context: log.contexts[0],
      events: events.map(({ event }) => event).filter((event) => event !== 'REQUEST'),
    }
  }
  return { gateway, operations, send, log, now: NOW }
}
