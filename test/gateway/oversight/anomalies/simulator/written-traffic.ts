import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { join } from 'node:path'
import type { SchemaPath } from '../../../../../directives/coordinates.ts'
import { type Item, type ItemParts, laneKey } from '../../../../../gateway/audit/item.ts'
import { LaneLog } from '../../../../../gateway/audit/log.ts'
import { newProcessId, newRequestId } from '../../../../../gateway/audit/request-id.ts'
import { Trail } from '../../../../../gateway/audit/trail.ts'
import { Deadline } from '../../../../../gateway/model/deadline.ts'
import type { TenantId } from '../../../../../gateway/model/ids.ts'
import { DAY_MS } from '../../../../../gateway/oversight/anomalies/local-day.ts'
import type { AuditTables } from '../../../../../gateway/oversight/tables/audit-tables.ts'
import { TableWriter } from '../../../../../gateway/oversight/tables/table-writer.ts'
import { FolderObjects } from '../../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../../gateway/store/folder-tables.ts'
import { LOCK_DIGEST, SealedLog } from '../../../audit/sealed-log.ts'
import type { SeededRandom } from './random.ts'
import { simulatedTables } from './simulated-tables.ts'
import type { Request } from './traffic.ts'

const TENANT = 'riverside' as TenantId
const SEED_BYTES = (random: SeededRandom) => (size: number) => random.bytes(size)

/**
 * Writes traffic as the gateway does: a trail for each request, to the lanes of a real log with a clock that follows the traffic. The table
 * is in memory. Then it seals the items day by day, and derives the audit tables.
 *
 * @param folder where the objects of the log and the tables are
 * @returns the audit tables
 */
export async function writeTraffic(requests: readonly Request[], random: SeededRandom, folder: string): Promise<AuditTables> {
  let now = 0
  const clock = (): number => now
  const items: ItemParts[] = []
  const bytes = SEED_BYTES(random)
  const process = newProcessId(bytes)
  const log = new LaneLog({
    client: memoryTable(items),
    table: 'audit',
    process,
    now: clock,
    monotonic: clock,
    random: bytes,
    events: (event) => {
      throw new Error(`the writer reports ${JSON.stringify(event)}`)
    },
  })
  for (const { at, member, operation, accesses } of requests.toSorted((one, other) => one.at - other.at)) {
    now = at
    const { user, role, purpose, contract } = member
    const context = {
      tenant: TENANT,
      requestId: newRequestId(process, at, bytes),
      user,
      roles: [role],
      purpose,
      operation,
      persisted: contract !== undefined,
      policy: LOCK_DIGEST,
      ...(contract !== undefined && { contract, client: user }),
    }
    const deadline = new Deadline(at + 10_000, { now: clock, monotonic: clock })
    const roots = ['Query.patient' as SchemaPath]
    const trail = new Trail({ log, context, now: clock, deadline, roots, leftOut: 'NEVER', origins: new Map() })
    for (const access of accesses) trail.record(access)
    await trail.settle()
  }
  return await tablesOf(items, folder, now)
}

/** Keeps the audit items of transactions. The conditions hold: one process writes, and each item has a key of its own. */
function memoryTable(items: ItemParts[]): Pick<DynamoDBClient, 'send'> {
  const send = async ({ input }: { input: { TransactItems?: TransactWriteItem[] } }): Promise<object> => {
    for (const { Put } of input.TransactItems ?? []) if (Put?.Item?.['e'] !== undefined) items.push(partsOf(Put.Item))
    return await Promise.resolve({})
  }
  // the writer sends transactions only
  return { send } as Pick<DynamoDBClient, 'send'>
}

function partsOf(item: Item): ItemParts {
  const [tenant = '', lane = ''] = (item['l']?.S ?? '').split('#')
  if (laneKey(tenant, lane) !== item['l']?.S) throw new TypeError('an item has a lane')
  const text = item['e']?.S ?? ''
  const hex = (name: string): string => Buffer.from(item[name]?.B ?? new Uint8Array()).toString('hex')
  return {
    tenant,
    lane,
    sequence: Number(item['n']?.S),
    time: Number(item['at']?.N),
    user: '',
    patient: undefined,
    text,
    bytes: text.length,
    prev: hex('pv'),
    hash: hex('h'),
  }
}

async function tablesOf(items: readonly ItemParts[], folder: string, now: number): Promise<AuditTables> {
  const log = new SealedLog()
  const days = Map.groupBy(items, ({ time }) => Math.floor(time / DAY_MS))
  for (const [day, ofDay] of [...days].sort(([one], [other]) => one - other)) log.seal(ofDay, ((day + 1) * DAY_MS) / 1_000 + 20)
  const [objects, tables] = [new FolderObjects(join(folder, 'log')), new FolderTables(join(folder, 'tables'))]
  for (const [name, bytes] of log.files)
    if (name === 'checkpoint' || /^(?:segments|checkpoints)\//.test(name)) await objects.put(`${TENANT}/${name}`, bytes)
  await new TableWriter({ log: objects, tables, now: () => now + 2 * DAY_MS }).pass(TENANT, Number.POSITIVE_INFINITY)
  return simulatedTables(tables, objects)
}
