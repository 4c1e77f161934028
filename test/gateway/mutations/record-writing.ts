import { QueryCommand } from '@aws-sdk/client-dynamodb'
import type { Services } from '../../../gateway/compose.ts'
import type { ClinicAnswer, RunningClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'
import { refOf } from '../store/database-hand.ts'

/** A heart rate, as a client gives it. */
export const HEART_RATE = {
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }], text: 'Heart rate' },
  category: 'vital-signs',
  effectiveDateTime: '2026-11-01T10:00:00Z',
  valueQuantity: { value: 71, unit: 'beats/minute', code: '/min' },
}

export const CREATE_OBSERVATION = `mutation ($patient: ID!, $input: ObservationInput!, $key: String!) {
  createObservation(patientId: $patient, input: $input, idempotencyKey: $key) { version record { id } }
}`
export const UPDATE_OBSERVATION = `mutation ($id: ID!, $version: Int!, $patch: ObservationPatch!, $key: String!) {
  updateObservation(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version }
}`
export const RETRACT_OBSERVATION = `mutation ($id: ID!, $version: Int!, $reason: String!) {
  retractObservation(id: $id, expectedVersion: $version, reason: $reason) { version }
}`

/** The stored earlier versions of a record, in their order. */
export async function versionsOf({ stack }: Pick<RunningClinic, 'stack'>, id: string): Promise<number[]> {
  const { patient, type, id: record } = refOf(id)
  const { Items = [] } = await stack.dynamodb.send(
    new QueryCommand({
      TableName: stack.env.PHI_TABLE_HISTORY,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :record)',
      ExpressionAttributeValues: { ':pk': { S: `${RIVERSIDE}#${patient}` }, ':record': { S: `${type}#${record}#` } },
      ConsistentRead: true,
    }),
  )
  return Items.map(({ sk }) => Number(sk?.S?.slice(-10)))
}

/** The versions that the audit names as written, by record, in their order. Each value of a change has an entry of its own. */
export async function auditedVersions({ history }: Pick<Services, 'history'>, id: string): Promise<number[]> {
  const { patient, id: record } = refOf(id)
  const versions = new Set<number>()
  for (const entry of await history.entriesBy('patient', RIVERSIDE, patient)) {
    if (entry.recordId === record && entry.outcome === 'WRITTEN' && entry.recordVersion !== undefined)
      versions.add(entry.recordVersion)
  }
  return [...versions].toSorted((one, two) => one - two)
}

/** The versions at which the lists of a patient name observations, by id. */
export async function listedVersions({ ask }: Pick<RunningClinic, 'ask'>, patient: string): Promise<ReadonlyMap<string, number>> {
  const listed = new Map<string, number>()
  let after: unknown = null
  for (;;) {
    const answer: ClinicAnswer = await ask(
      'physician',
      `query ($id: ID!, $after: String) {
        patient(id: $id) { observations(first: 100, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id version } } } }
      }`,
      { id: patient, after },
    )
    for (const node of nodesAt(answer.data, 'patient', 'observations'))
      listed.set(String(at(node, 'id')), Number(at(node, 'version')))
    const info = at(answer.data, 'patient', 'observations', 'pageInfo')
    if (at(info, 'hasNextPage') !== true) return listed
    after = at(info, 'endCursor')
  }
}
