import type { RunningClinic } from '../../harness/running-clinic.ts'
import { first, madeUpId, patientsOf } from '../../gateway/asking.ts'

/** A query of a user. Every object of an answer has its type and id, so that values can be attributed to records. */
export interface Question {
  readonly user: string
  readonly tenant: 'riverside' | 'lakeside'
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
}

const CHART = `query Chart($id: ID!) { patient(id: $id) { __typename id mrn ssn familyName givenName birthDate deceasedDate gender
  address { line city postalCode } maritalStatus { text } conditions(first: 2) { __typename edges { node { __typename id code { text } clinicalStatus } } }
  allergyIntolerances { __typename edges { node { __typename id code { text } criticality } } } } }`
const RESULTS = `query Results($id: ID!) { patient(id: $id) { __typename id familyName observations(first: 4) { __typename
  edges { node { __typename id code { text } effectiveDateTime valueQuantity { value unit } patient { __typename id familyName } } } } } }`
const PANEL = `query Panel { patients(first: 5) { edges { node { __typename id familyName givenName birthDate gender } } } }`
export const WIDE = `query Wide { patients(first: 10) { edges { node { __typename id familyName observations(first: 5) { __typename
  edges { node { __typename id code { text } effectiveDateTime valueQuantity { value } } } } } } } }`
const BILLS = `query Bills { patients(first: 3) { edges { node { __typename id familyName ssn birthDate race
  claims(first: 2) { __typename edges { node { __typename id status total created } } } } } } }`
const STUDY = `query Study { patients(first: 4) { edges { node { __typename id familyName birthDate gender address { postalCode country state } } } } }`
const DESK = `query Desk { patients(first: 3) { edges { node { __typename id familyName phone email ssn
  careTeam { __typename edges { node { __typename id role } } } } } } }`
const NODE = `query Node($id: ID!) { node(id: $id) { __typename id ... on Patient { familyName phone } } }`

/** The queries of the campaign: by id, in lists, over edges, denied, masked, with unknown ids, and with ids of another tenant. */
export async function questionsOf(clinic: RunningClinic): Promise<readonly Question[]> {
  const panel = await patientsOf(clinic, 'physician')
  const own = first(await patientsOf(clinic, 'patient'))
  const elsewhere = first(await patientsOf(clinic, 'lakeside-physician'))
  const beyond = (await patientsOf(clinic, 'billing')).find((id) => !panel.includes(id)) ?? ''
  const nobody = madeUpId()
  const here = (user: string, query: string, id?: string): Question => ({
    user,
    tenant: 'riverside',
    query,
    ...(id !== undefined && { variables: { id } }),
  })
  return [
    ...panel.slice(0, 3).flatMap((id) => [here('physician', CHART, id), here('physician', RESULTS, id)]),
    here('physician', PANEL),
    here('physician', WIDE),
    here('physician', NODE, first(panel)),
    here('physician', CHART, nobody),
    here('physician', CHART, elsewhere),
    here('physician', CHART, beyond),
    here('nurse', PANEL),
    here('nurse', RESULTS, first(panel)),
    here('billing', BILLS),
    here('billing', CHART, first(panel)),
    here('researcher', STUDY),
    here('researcher', CHART, nobody),
    here('frontdesk', DESK),
    here('patient', CHART, own),
    here('patient', CHART, first(panel.filter((id) => id !== own))),
    here('acme', BILLS),
    ...[
      { query: PANEL },
      { query: CHART, variables: { id: elsewhere } },
      { query: RESULTS, variables: { id: elsewhere } },
      { query: CHART, variables: { id: first(panel) } },
    ].map((asked) => ({ user: 'lakeside-physician', tenant: 'lakeside' as const, ...asked })),
  ]
}
