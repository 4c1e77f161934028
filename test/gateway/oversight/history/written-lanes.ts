import { BatchWriteItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createHash, randomBytes } from 'node:crypto'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import { hourOf } from '../../../../gateway/audit/hour.ts'
import { type Item, type ItemParts, registryKey, toItem } from '../../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../../gateway/audit/item-packer.ts'
import { newProcessId, newRequestId } from '../../../../gateway/audit/request-id.ts'
import type { Instant, PatientId, RequestId, TenantId, UserId } from '../../../../gateway/model/ids.ts'
import { linked } from '../../audit/audit-arbitraries.ts'
import { access, context } from '../../audit/examples.ts'

/** One request about one patient. */
export interface WrittenRequest {
  readonly time: number
  readonly patient: PatientId
  readonly user: UserId
  /** The number of field-level records. */
  readonly records: number
}

/** A lane as it is stored: its items, its name and the ids of its requests, in their order. */
export interface WrittenLane {
  readonly lane: string
  readonly items: readonly ItemParts[]
  readonly requestIds: readonly RequestId[]
}

/** The tenant of all lanes: the item builder of the tests has no other. */
export const TENANT = 'riverside' as TenantId

const PATHS = ['birthDate', 'familyName', 'givenName', 'ssn', 'mrn', 'address', 'gender', 'phone'].map(
  (name) => `Patient.${name}` as SchemaPath,
)
/** The most items of a `BatchWriteItem`. */
const BATCH = 25

export const patientNumber = (number: number): PatientId =>
  createHash('sha256').update(`patient ${number}`).digest('base64url').slice(0, 22) as PatientId

/** The lane of a new process, with an item for each request. */
export function laneOfRequests(requests: readonly WrittenRequest[], lanesBefore = 0): WrittenLane {
  const process = newProcessId(randomBytes)
  const lane = `${process}.${lanesBefore + 1}`
  const requestIds = requests.map(({ time }) => newRequestId(process, time, randomBytes))
  const drafts = requests.flatMap(({ time, patient, user, records }, number) => {
    const packer = new ItemPacker(context({ tenant: TENANT, user, requestId: requestIds[number] as RequestId, operation: 'Chart' }))
    return packer.ofWrite(
      Array.from({ length: records }, (_, at) => {
        const path = PATHS[at % PATHS.length] as SchemaPath
        const refused = path === 'Patient.ssn' && ({ outcome: 'DENIED', reason: 'ROLE' } as const)
        return access(number + 1, { at: time as Instant, patient, recordId: patient as never, path, rule: `${path}#1`, ...refused })
      }),
    )
  })
  return { lane, items: linked(drafts, lane), requestIds }
}

/** Stores lanes with their registry, past the writer of the gateway. */
export async function writeLanes(
  client: Pick<DynamoDBClient, 'send'>,
  table: string,
  lanes: readonly WrittenLane[],
): Promise<void> {
  const items = lanes.flatMap(({ lane, items: parts }): Item[] => {
    const [first] = parts
    const time = first?.time ?? 0
    const registered = { l: { S: registryKey(TENANT, hourOf(time)) }, n: { S: lane }, at: { N: String(time) } }
    return [registered, ...parts.map(toItem)]
  })
  const batches = Array.from({ length: Math.ceil(items.length / BATCH) }, (_, at) => items.slice(at * BATCH, (at + 1) * BATCH))
  const workers = Array.from({ length: 8 }, async () => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      let wanted = batch.map((Item) => ({ PutRequest: { Item } }))
      while (wanted.length > 0) {
        const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: wanted } }))
        wanted = (answer.UnprocessedItems?.[table] ?? []) as typeof wanted
      }
    }
  })
  await Promise.all(workers)
}
