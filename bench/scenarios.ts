import type { BenchTenant } from './data.ts'
import { CARE_TEAM, LONG_CHART, OWN_RECORD } from './data.ts'
import type { StackUser } from '../infra/local/users.ts'

/** The users of the bench. */
export const BENCH_USERS = [
  { name: 'panel-physician', tenant: 'panel', role: 'PHYSICIAN', fhirUser: CARE_TEAM.panel, description: 'a panel of 100' },
  { name: 'panel-billing', tenant: 'panel', role: 'BILLING', fhirUser: 'Practitioner/panel-billing', description: 'claims' },
  { name: 'chart-physician', tenant: 'charts', role: 'PHYSICIAN', fhirUser: CARE_TEAM.charts, description: '100 charts' },
  { name: 'chart-patient', tenant: 'charts', role: 'PATIENT', fhirUser: OWN_RECORD, description: 'a patient of a portal' },
] as const satisfies readonly StackUser[]

type BenchUser = (typeof BENCH_USERS)[number]['name']

/** One request that every contestant answers. */
export interface Scenario {
  readonly name: string
  readonly describes: string
  readonly user: BenchUser
  readonly query: string
  /** The patient of the variable `id`: the first of the tenant, or the one with the long chart. */
  readonly patient?: { readonly tenant: BenchTenant; readonly which: 'first' | 'long' }
  readonly variables?: Readonly<Record<string, number>>
  /** Values that the request resolves, and those of them that the caller may see. */
  readonly values: number
  readonly disclosed: number
}

const OBSERVATION =
  'code{text} category effectiveDateTime valueQuantity{value unit} valueString valueCodeableConcept{text} component{valueQuantity{value}} interpretation'
const PANEL =
  'query($first:Int){patients(first:$first){edges{node{id familyName givenName birthDate gender phone email language race}}}}'
const first = { tenant: 'panel', which: 'first' } as const
const long = { tenant: 'charts', which: 'long' } as const

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'S1',
    describes: '1 patient x 5 fields',
    user: 'panel-physician',
    query: 'query($id:ID!){patient(id:$id){id familyName givenName birthDate gender phone}}',
    patient: first,
    values: 5,
    disclosed: 5,
  },
  {
    name: 'S2',
    describes: '100 patients x 8 fields',
    user: 'panel-physician',
    query: PANEL,
    variables: { first: 100 },
    values: 800,
    disclosed: 800,
  },
  {
    name: 'S3',
    describes: '100 patients x 8 fields, with grants for 4 of them',
    user: 'panel-billing',
    query: PANEL,
    variables: { first: 100 },
    values: 800,
    disclosed: 400,
  },
  {
    name: 'S4',
    describes: `1 patient with ${LONG_CHART} observations x 8 fields`,
    user: 'chart-physician',
    query: `query($id:ID!){patient(id:$id){id observations(first:${LONG_CHART}){edges{node{id ${OBSERVATION}}}}}}`,
    patient: long,
    values: 8 * LONG_CHART,
    disclosed: 8 * LONG_CHART,
  },
  {
    name: 'S5',
    describes: '1 patient, 1 field',
    user: 'panel-physician',
    query: 'query($id:ID!){patient(id:$id){id birthDate}}',
    patient: first,
    values: 1,
    disclosed: 1,
  },
  {
    name: 'S6',
    describes: 'a patient reads the own record: 4 fields and 20 observations x 4',
    user: 'chart-patient',
    query:
      'query($id:ID!){patient(id:$id){id familyName birthDate phone language observations(first:20){edges{node{id code{text} effectiveDateTime valueQuantity{value unit} interpretation}}}}}',
    patient: long,
    values: 84,
    disclosed: 84,
  },
]

/** Patients with charts of 96 values and 4 values of their own. */
const chartsOf = (patients: number): Scenario => ({
  name: `${patients * 100} values`,
  describes: `${patients} charts of 12 observations x 8 fields, and 4 fields of each patient`,
  user: 'chart-physician',
  query: `query($first:Int){patients(first:$first){edges{node{id familyName birthDate gender phone observations(first:12){edges{node{id ${OBSERVATION}}}}}}}}`,
  variables: { first: patients },
  values: patients * 100,
  disclosed: patients * 100,
})

/** One shape in three sizes, and a small request before them. */
export const SCALING: readonly Scenario[] = [
  {
    name: '10 values',
    describes: '1 patient x 10 fields',
    user: 'panel-physician',
    query:
      'query($id:ID!){patient(id:$id){id mrn familyName givenName birthDate gender phone email maritalStatus{text} language race}}',
    patient: first,
    values: 10,
    disclosed: 10,
  },
  chartsOf(1),
  chartsOf(10),
  chartsOf(100),
]
