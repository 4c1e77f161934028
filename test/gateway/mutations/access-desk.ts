import { openStore } from '../../../gateway/admin/open-store.ts'
import { lockDigest } from '../../../directives/compile.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import type { PatientId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Membership, NewRecord } from '../../../gateway/model/record.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import type { ClinicAnswer, RunningClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'

// The requests of tests that change care teams and consents, and the patients that these tests store.

export const ADD = `mutation ($id: ID!, $user: ID!, $role: String = "Consultant", $start: DateTime, $end: DateTime) {
  addCareTeamMember(patientId: $id, userId: $user, role: $role, start: $start, end: $end) { id userId }
}`
export const END = 'mutation ($id: ID!, $reason: String) { endCareTeamMembership(id: $id, reason: $reason) { id userId } }'
export const RECORD = `mutation ($id: ID!, $input: ConsentInput!) {
  recordConsent(patientId: $id, input: $input) {
    id patientId withdrawn effect sensitivities actor roles purposes records start end
  }
}`
export const WITHDRAW = 'mutation ($id: ID!) { withdrawConsent(id: $id) { id patientId withdrawn effect sensitivities } }'
const NAME = 'query ($id: ID!) { patient(id: $id) { familyName } }'
const CONDITIONS = 'query ($id: ID!) { patient(id: $id) { conditions(first: 50) { edges { node { id code { text } } } } } }'
const TEAM =
  'query ($id: ID!) { patient(id: $id) { careTeam(first: 50) { edges { node { id userId role period { start end } } } } } }'

export const codesOf = (answer: ClinicAnswer): unknown[] =>
  answer.errors.map(({ extensions: { code, reason } }) => [code, reason].filter((part) => typeof part === 'string').join(' '))

export interface Member {
  readonly id: string
  readonly userId: string
  readonly role: string | null
  readonly period: { readonly start: string | null; readonly end: string | null } | null
}

type Asking = Pick<RunningClinic, 'ask'>

/** Whether a user reads the name of a patient. */
export const reads = async ({ ask }: Asking, user: string, id: string, headers?: Record<string, string>): Promise<boolean> =>
  typeof at((await ask(user, NAME, { id }, headers)).data, 'patient', 'familyName') === 'string'

/** The texts of the conditions that a user reads. */
export const conditionsOf = async ({ ask }: Asking, user: string, id: string): Promise<string[]> =>
  nodesAt((await ask(user, CONDITIONS, { id })).data, 'patient', 'conditions')
    .map((node) => String(at(node, 'code', 'text')))
    .toSorted()

/** The members that a user reads. */
export const teamOf = async ({ ask }: Asking, user: string, id: string): Promise<Member[]> =>
  nodesAt((await ask(user, TEAM, { id })).data, 'patient', 'careTeam') as Member[]

export interface Admitted {
  readonly id: string
  /** The node id of the condition with these labels, such as `PSY ETH`. */
  readonly conditionOf: (labels: string) => string
}

/** Stores a patient with one condition for each list of labels, and memberships. The text of a condition is its labels. */
export async function admitted(
  { stack }: Pick<RunningClinic, 'stack'>,
  name: string,
  labels: readonly (readonly string[])[],
  memberships: readonly Omit<Membership, 'patient'>[] = [],
): Promise<Admitted> {
  const store = await openStore(RIVERSIDE, lockDigest(clinicLock()), stack.env)
  try {
    const id = store.idFor('Patient', name)
    const patient = id as string as PatientId
    const self = { type: 'Patient' as TypeName, patient, id }
    const place = (text: string) => ({ type: 'Condition' as TypeName, patient, id: store.idFor('Condition', `${name} ${text}`) })
    const metadata = { open: {}, references: {}, date: '2026-01-01T00:00:00.000Z' }
    const conditions = labels.map((of): NewRecord => {
      const text = of.join(' ')
      return {
        ref: place(text),
        values: new Map([['Condition.code' as SchemaPath, { coding: [], text }]]),
        metadata: { ...metadata, labels: of as readonly Sensitivity[] },
      }
    })
    const record: NewRecord = { ref: self, values: new Map([['Patient.familyName' as SchemaPath, name]]), metadata }
    await store.write({
      patient,
      records: [record, ...conditions],
      memberships: memberships.map((one) => ({ ...one, patient })),
    })
    const nodes = new Map(labels.map((of) => [of.join(' '), encodeNodeId(place(of.join(' ')))]))
    return { id: encodeNodeId(self), conditionOf: (text) => nodes.get(text) ?? '' }
  } finally {
    await store.close()
  }
}
