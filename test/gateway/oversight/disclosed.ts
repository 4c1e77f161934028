import { randomBytes } from 'node:crypto'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { Trail } from '../../../gateway/audit/trail.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { RecordRef } from '../../../gateway/model/ids.ts'
import { contractJson, parseContractText } from '../../../gateway/operations/contracts/contract-text.ts'
import { contractFor } from '../../harness/contracts.ts'
import type { ClinicAnswer, RunningClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { APPROVE, resultOf } from '../mutations/registry-desk.ts'

/** The contract of a client that narrows nothing, approved by the administrator. */
export async function approved(
  clinic: RunningClinic,
  client: string,
  changes: Parameters<typeof contractFor>[2] = {},
): Promise<Contract> {
  const recipient = { name: `${client} of the county`, address: `1 ${client} Street` }
  const text = JSON.stringify(
    contractJson(contractFor(compiled.policy, client, { recipient, purposes: new Set(['HRESCH', 'HPAYMT']), ...changes })),
  )
  const { done, messages } = resultOf(await clinic.ask('admin', APPROVE, { contract: text }))
  if (!done) throw new Error(messages.join())
  return parseContractText(text)
}

/** A request of a partner, as the log has it. */
export interface PartnerRequest {
  readonly contract: Contract
  readonly values: readonly (readonly [RecordRef, string])[]
  readonly purpose?: 'PUBHLTH' | 'HRESCH' | 'TREAT'
  readonly study?: string
}

/** Writes the records of a partner's request to the log. */
export async function disclose(
  { services }: RunningClinic,
  { contract, values, purpose = 'PUBHLTH', study }: PartnerRequest,
): Promise<void> {
  const { audit: log, process, now } = services
  const { client, digest } = contract
  const context = {
    tenant: RIVERSIDE,
    requestId: newRequestId(process, now(), randomBytes),
    user: client,
    client,
    contract: digest,
    roles: ['PARTNER'],
    purpose,
    ...(study !== undefined && { study }),
    persisted: true,
    policy: '0'.repeat(64),
  } as const
  const deadline = new Deadline(Date.now() + 5_000, { now: Date.now, monotonic: () => performance.now() })
  const roots = ['Query.patient' as SchemaPath]
  const trail = new Trail({ log, context, now, deadline, roots, leftOut: 'NEVER', origins: new Map() })
  for (const [{ patient, type, id }, path] of values) {
    const at = { patient, recordType: type, recordId: id, recordVersion: 1 }
    trail.record({ ...at, path: path as SchemaPath, action: 'READ', outcome: 'DISCLOSED', basis: 'ORGANIZATION' })
  }
  await trail.settle()
}

const ENTRY = 'at recipient { name address } description purpose statement repeated { count last frequency }'
const CONTACT = '{ name address phone }'
export const DISCLOSURES = `query ($id: ID!, $from: DateTime!, $to: DateTime!) {
  disclosuresOfMyRecord(patientId: $id, from: $from, to: $to) { from to at entries { ${ENTRY} }
    protocols { protocol description information from to sponsor ${CONTACT} researcher ${CONTACT} } mayBeIncomplete } }`

export interface ShownEntry {
  readonly at: string
  readonly recipient: { readonly name: string; readonly address: string | null }
  readonly description: string
  readonly purpose: string
  readonly statement: string | null
  readonly repeated: { readonly count: number } | null
}
export interface Shown {
  readonly entries: readonly ShownEntry[]
  readonly protocols: readonly { readonly protocol: string }[]
  readonly mayBeIncomplete: boolean
}

/** The content of an answer. One that could not be given is a fault of the test. */
export function shownIn({ data, errors }: ClinicAnswer): Shown {
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return data?.['disclosuresOfMyRecord'] as Shown
}
