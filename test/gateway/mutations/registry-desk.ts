import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import { entriesOf } from '../../../gateway/audit/item.ts'
import type { ClinicAnswer, RunningClinic } from '../../harness/running-clinic.ts'

export const PATHS = ['Patient.familyName', 'Patient.birthDate'] as const

/** A contract of a client as JSON, with one path more or less. */
export const contractFor = (client: string, paths: readonly string[] = PATHS, change: object = {}): string =>
  JSON.stringify({
    client,
    recipient: { name: 'Lab One', address: '1 Main Street, Springfield' },
    roles: ['PARTNER'],
    purposes: ['HPAYMT'],
    paths,
    categories: ['DEMOGRAPHIC', 'IDENTITY', 'COVERAGE', 'FINANCIAL', 'CLINICAL'],
    sensitivities: [],
    maxPage: 50,
    valuesPerDay: 1000,
    expires: '2040-01-01T00:00:00Z',
    networks: ['127.0.0.0/8'],
    ...change,
  })

/** A manifest of Relay with one operation for each selection of a patient, and the ids of the operations. */
export function manifestOf(...selections: readonly string[]): { readonly text: string; readonly ids: readonly string[] } {
  const pairs = selections.map((selection, number) => {
    const text = `query Read${number}($id: ID!) { patient(id: $id) { ${selection} } }`
    return [createHash('sha256').update(text).digest('hex'), text] as const
  })
  return { text: JSON.stringify(Object.fromEntries(pairs)), ids: pairs.map(([id]) => id) }
}

const CHANGE = `done refusal messages exceedingCount exceeding { clientId name faults { kind path reason message } }
  widened narrowed report reportJson`
export const APPROVE = `mutation Approve($contract: String!, $dryRun: Boolean, $newClient: Boolean = true) { approveContract(contract: $contract, newClient: $newClient, dryRun: $dryRun) { ${CHANGE} } }`
export const PUBLISH = `mutation Publish($clientId: ID!, $manifest: String!, $app: String, $version: String, $dryRun: Boolean,
  $newClient: Boolean = true, $newApp: Boolean) {
  publishOperations(clientId: $clientId, manifest: $manifest, app: $app, version: $version, newClient: $newClient, newApp: $newApp, dryRun: $dryRun) { ${CHANGE} } }`
export const ACTIVATE = `mutation Activate($clientId: ID!, $app: String!, $version: String!) {
  activateOperations(clientId: $clientId, app: $app, version: $version) { ${CHANGE} } }`
export const RETIRE = `mutation Retire($clientId: ID!, $app: String!, $version: String!, $force: Boolean) {
  retireOperations(clientId: $clientId, app: $app, version: $version, force: $force) { ${CHANGE} } }`
export const REVOKE = `mutation Revoke($clientId: ID!, $operationId: ID!) { revokeOperation(clientId: $clientId, operationId: $operationId) { ${CHANGE} } }`
export const SHOW = `query Show($clientId: ID!) { registeredClient(clientId: $clientId) {
  clientId contract contractDigest contractExpires approvedBy versions { app version state }
  operations { id name text versions { app version state } approvedBy contractDigest policyDigest revokedBy } } }`
export const LIST = `{ registeredClients { clientId contractDigest } }`
export const CHECK = `{ checkOperations { sound clients operations exceedingCount exceeding { clientId name faults { kind path reason } }
  contracts { clientId messages } } }`

/** The members of a `RegistryChange` that tests compare. */
export interface Change {
  readonly done: boolean
  readonly refusal: string | null
  readonly messages: readonly string[]
  readonly exceedingCount: number
  readonly exceeding: readonly { readonly faults: readonly { readonly path: string | null; readonly reason: string | null }[] }[]
  readonly widened: readonly string[]
  readonly narrowed: readonly string[]
  readonly report: string | null
  readonly reportJson: string | null
}

/** The only root of an answer without errors. */
export function rootOf({ data, errors }: ClinicAnswer): unknown {
  if (errors.length > 0 || data === null || data === undefined) throw new Error(JSON.stringify(errors))
  return Object.values(data)[0]
}

export const resultOf = (answer: ClinicAnswer): Change => rootOf(answer) as Change

export const codesOf = ({ errors }: ClinicAnswer): readonly unknown[] => errors.map(({ extensions }) => extensions['code'])

/** The audit records of a request. */
export async function auditOf({ stack }: Pick<RunningClinic, 'stack'>, { phi }: ClinicAnswer): Promise<readonly object[]> {
  const { Items } = await stack.dynamodb.send(
    new ScanCommand({
      TableName: stack.env.PHI_TABLE_AUDIT,
      FilterExpression: 'contains(e, :id)',
      ExpressionAttributeValues: { ':id': { S: phi.requestId } },
    }),
  )
  return (Items ?? [])
    .flatMap(entriesOf)
    .map(({ path, action, outcome, reason, recordId, user }) => ({ path, action, outcome, reason, of: recordId, user }))
}
