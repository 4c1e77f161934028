import type { Identity } from '../../gateway/access/identity.ts'
import type { AuditContext } from '../../gateway/audit/entry.ts'
import type { ItemDraft } from '../../gateway/audit/item-draft.ts'
import type { AuditLog } from '../../gateway/audit/log.ts'
import { newProcessId } from '../../gateway/audit/request-id.ts'
import type { ItemReceipt } from '../../gateway/audit/submission.ts'
import { createGateway, type Gateway } from '../../gateway/create-gateway.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import type { HttpResponse } from '../../gateway/http/messages.ts'
import type { RecordSource } from '../../gateway/store/record-source.ts'
import { AuditUnavailable } from '../../gateway/model/failures.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import type { AccessRecord } from '../../gateway/model/access-record.ts'
import { callerWith, NOW } from './decide/clinic-policy.ts'
import { KeyHouse } from './crypto/key-fixtures.ts'
import { contextsOf, draftedAccesses } from './drafted-accesses.ts'
import { compile } from '../directives/clinic-fixture.ts'

/** An audit log in memory that a test can make fail. */
class MemoryLog implements AuditLog {
  readonly records: AccessRecord[] = []
  readonly contexts: AuditContext[] = []
  down = false

  append(items: readonly ItemDraft[]): Promise<ItemReceipt[]> {
    if (this.down) return Promise.reject(new AuditUnavailable())
    this.contexts.push(...contextsOf(items))
    this.records.push(...draftedAccesses(items))
    return Promise.resolve(items.map((_, index) => ({ lane: 'memory.1', sequence: index + 1, hash: '0'.repeat(64) })))
  }

  commit(): Promise<ItemReceipt[]> {
    return Promise.reject(new TypeError('no test writes'))
  }
}

const NO_RECORDS: RecordSource = {
  load: () => Promise.resolve([]),
  list: () => Promise.resolve({ items: [], leftOut: [], more: false }),
}

export interface GatewayUnderTest {
  readonly gateway: Gateway
  readonly log: MemoryLog
  readonly events: GatewayEvent[]
  /** Posts a query as the caller that the identity returns. */
  readonly post: (query: string, variables?: Record<string, unknown>) => Promise<HttpResponse>
}

/** A gateway over a schema, without any service that needs a network. */
export async function gatewayOver(sdl: string, parts: Partial<GatewayParts> = {}): Promise<GatewayUnderTest> {
  const log = new MemoryLog()
  const events: GatewayEvent[] = []
  const identity: Identity = { callerOf: () => Promise.resolve(callerWith(['PHYSICIAN'], 'TREAT')) }
  const gateway = await createGateway({
    typeDefs: [{ name: 'test.graphql', sdl }],
    resolvers: {},
    lock: compile(sdl).lock,
    relationships: new Map(),
    sources: new Map([['dynamodb', NO_RECORDS]]),
    identity: () => identity,
    keys: new KeyHouse().ring,
    audit: { log, process: newProcessId((size) => Buffer.alloc(size, 1)) },
    events: (event) => void events.push(event),
    now: () => NOW,
    introspection: false,
    ...parts,
  })
  const post: GatewayUnderTest['post'] = (query, variables) =>
    gateway.handle({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, ...(variables && { variables }) }),
    })
  return { gateway, log, events, post }
}

export const bodyOf = ({ body }: HttpResponse) =>
  JSON.parse(body) as {
    data?: unknown
    errors?: { message: string; extensions: Record<string, unknown> }[]
    extensions: { phi: Record<string, unknown> }
  }
