import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { RunningClinic } from '../../harness/running-clinic.ts'
import { at } from '../asking.ts'
import { commit } from '../admitted.ts'
import { RIVERSIDE } from '../asking.ts'
import { ErasureFile, type StoredErasure } from '../../../gateway/store/erasure-file.ts'
import { randomBytes } from 'node:crypto'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { refOf } from '../store/database-hand.ts'

// The requests of tests that erase patients.

const ERASURE = `id patientId state refusal erasableFrom requestedBy requestedAt expiresAt approvedBy erasedAt completeAt certificate
  certificateRequestId`
export const REQUEST = `mutation ($id: ID!, $reason: String = "asked by the patient") { requestErasure(patientId: $id, reason: $reason) { ${ERASURE} } }`
export const APPROVE = `mutation ($id: ID!) { approveErasure(id: $id) { ${ERASURE} } }`
export const READ = `query ($id: ID!) { erasure(id: $id) { ${ERASURE} reason } }`
export const LIST = `query ($first: Int = 20, $after: String) { erasures(first: $first, after: $after) { edges { cursor node { ${ERASURE} reason } } pageInfo { hasNextPage endCursor } } }`
export const HOLD = `mutation ($id: ID!, $reason: String = "a claim") { placeLegalHold(patientId: $id, reason: $reason) { id patientId released placedBy } }`
export const RELEASE = 'mutation ($id: ID!) { releaseLegalHold(id: $id) { id released } }'
export const HOLDS = 'query ($id: ID!) { legalHolds(patientId: $id) { id reason placedBy released } }'

/** Retention that has ended for every patient of the demo. */
export const NO_RETENTION = JSON.stringify({ default: { years: 0 } })

type Asking = Pick<RunningClinic, 'ask'>

/** The id of a requested erasure. */
export const requested = async ({ ask }: Asking, id: string): Promise<string> =>
  String(at((await ask('admin', REQUEST, { id })).data, 'requestErasure', 'id'))

/** The rows of the search index and of the comparisons that name a patient. */
export async function entriesOf({ stack }: Pick<RunningClinic, 'stack'>, id: string): Promise<string[]> {
  const { patient } = refOf(id)
  const rows: string[] = []
  for (const TableName of [stack.env.PHI_TABLE_SEARCH, stack.env.PHI_TABLE_COMPARISONS]) {
    const { Items = [] } = await stack.dynamodb.send(new ScanCommand({ TableName, ConsistentRead: true }))
    rows.push(...Items.map(({ pk, sk }) => `${pk?.S ?? ''} ${sk?.S ?? ''}`).filter((row) => row.includes(patient)))
  }
  return rows
}

/** Stores a request with other facts than the API would store. Returns its id. */
export async function storedErasure(
  { services }: Pick<RunningClinic, 'services'>,
  id: string,
  facts: Partial<StoredErasure>,
): Promise<string> {
  const { patient } = refOf(id)
  const file = await ErasureFile.open(services, RIVERSIDE, patient)
  const own = randomBytes(16).toString('base64url')
  const erasure = { id: own, reason: 'a test', requested: { by: 'somebody', at: 1 }, until: Date.now() + 60_000, ...facts }
  await commit(services, file.write({ ...file.content, erasure }), patient)
  return encodeNodeId({ type: 'Erasure' as TypeName, patient, id: own as RecordId })
}
