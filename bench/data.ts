import type { Json, Membership, NewRecord, PatientId, RecordId, SchemaPath, TypeName } from '../gateway/index.ts'

// Synthetic patients, the same for every contestant. A patient's values follow from the tenant and the patient's number.

/** A tenant of the bench. */
export type BenchTenant = 'panel' | 'charts'

export interface BenchPatient {
  readonly tenant: BenchTenant
  readonly patient: PatientId
  /** The patient's own record first, then its observations. */
  readonly records: readonly NewRecord[]
  readonly memberships: readonly Membership[]
}

/** The patients of each tenant, and the number of observations of each patient. The last patient of `charts` has a long chart. */
export const PANEL_PATIENTS = 100
const CHART_OBSERVATIONS = 12
export const LONG_CHART = 100

export const CARE_TEAM: Readonly<Record<BenchTenant, string>> = {
  panel: 'Practitioner/panel-physician',
  charts: 'Practitioner/chart-physician',
}
/** The patient of the long chart, as a user. */
export const OWN_RECORD = 'Patient/chart-patient'

const FAMILY = ['Nguyen', 'Okafor', 'Lindqvist', 'Garcia', 'Kowalski', 'Haddad', 'Tanaka', 'Moreau', 'Petrov', 'Silva']
const GIVEN = ['Amara', 'Bruno', 'Chiara', 'Dmitri', 'Elena', 'Farid', 'Grace', 'Hiro', 'Ines', 'Jonas', 'Karin']
const STREETS = ['Maple Avenue', 'Harbor Street', 'Mill Road', 'Chestnut Lane']
const RACES = ['White', 'Asian', 'Black or African American', 'American Indian or Alaska Native']
const TESTS = [
  ['4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood', '%'],
  ['2339-0', 'Glucose [Mass/volume] in Blood', 'mg/dL'],
  ['2160-0', 'Creatinine [Mass/volume] in Serum or Plasma', 'mg/dL'],
  ['8867-4', 'Heart rate', '/min'],
] as const

const pick = <T>(from: readonly T[], number: number): T => {
  const picked = from[number % from.length]
  if (picked === undefined) throw new RangeError('an empty list')
  return picked
}
const two = (number: number): string => String(number).padStart(2, '0')

const concept = (system: string, code: string, display: string): Json => ({ coding: [{ system, code, display }], text: display })

const valuesOf = (type: string, values: Readonly<Record<string, Json>>): ReadonlyMap<SchemaPath, Json> =>
  new Map(Object.entries(values).map(([field, value]) => [`${type}.${field}` as SchemaPath, value]))

function patientValues(number: number): ReadonlyMap<SchemaPath, Json> {
  const family = pick(FAMILY, number * 7)
  const given = [pick(GIVEN, number), pick(GIVEN, number * 3 + 1)]
  return valuesOf('Patient', {
    mrn: `MRN-${String(40_000_000 + number * 7_919)}`,
    familyName: family,
    givenName: given,
    birthDate: `${1940 + (number % 64)}-${two(1 + (number % 12))}-${two(1 + (number % 28))}`,
    gender: number % 2 === 0 ? 'female' : 'male',
    // numbers of the fictional range, addresses of RFC 2606
    phone: `${200 + (number % 700)}-555-01${two(number % 100)}`,
    email: `${given[0]?.toLowerCase() ?? ''}.${family.toLowerCase()}.${number}@example.org`,
    'address.line': [`${10 + number} ${pick(STREETS, number)}`],
    'address.city': 'Springfield',
    'address.postalCode': `0110${number % 10}`,
    maritalStatus: concept('http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', 'M', 'Married'),
    language: number % 5 === 0 ? 'es-US' : 'en-US',
    race: pick(RACES, number),
  })
}

function observationValues(number: number, at: string): ReadonlyMap<SchemaPath, Json> {
  const [code, display, unit] = pick(TESTS, number)
  const value = 40 + (number % 90) / 10
  return valuesOf('Observation', {
    code: concept('http://loinc.org', code, display),
    category: 'laboratory',
    effectiveDateTime: at,
    valueQuantity: { value, unit, code: unit },
    // an observation of FHIR has one kind of value; here all eight fields are present, so that each of them is opened
    valueString: 'Sample drawn after a fast of eight hours.',
    valueCodeableConcept: concept('http://snomed.info/sct', '17621005', 'Normal'),
    component: [{ code: concept('http://loinc.org', code, display), valueQuantity: { value, unit, code: unit } }],
    interpretation: pick(['N', 'H', 'L'], number),
  })
}

/**
 * Generates the patients of a tenant.
 *
 * @param idFor derives the id of a record from its type and a name, as the store of the tenant does
 */
export function* benchPatients(
  tenant: BenchTenant,
  idFor: (type: string, source: string) => RecordId,
  count = PANEL_PATIENTS,
): Generator<BenchPatient> {
  const chart = tenant === 'charts'
  for (let number = 0; number < count; number++) {
    const own = idFor('Patient', `${tenant}-${number}`)
    const patient = own as string as PatientId
    const long = chart && number === count - 1
    const observations = chart ? (long ? LONG_CHART : CHART_OBSERVATIONS) : 0
    yield {
      tenant,
      patient,
      records: [
        {
          ref: { type: 'Patient' as TypeName, patient, id: own },
          values: patientValues(number),
          metadata: { open: {}, references: {} },
        },
        ...Array.from({ length: observations }, (_, index) => observation(idFor, tenant, patient, number, index)),
      ],
      memberships: [
        { patient, relationship: 'CARE_TEAM', fhirUser: CARE_TEAM[tenant], periods: [{}] },
        ...(long ? [{ patient, relationship: 'SELF', fhirUser: OWN_RECORD, periods: [{}] } as const] : []),
      ],
    }
  }
}

function observation(
  idFor: (type: string, source: string) => RecordId,
  tenant: string,
  patient: PatientId,
  number: number,
  index: number,
): NewRecord {
  const date = new Date(Date.UTC(2025, 11, 31) - (number * 131 + index * 7) * 3_600_000).toISOString()
  const id = idFor('Observation', `${tenant}-${number}-${index}`)
  return {
    ref: { type: 'Observation' as TypeName, patient, id },
    values: observationValues(number + index, date),
    metadata: { open: {}, references: {}, date, codes: [pick(TESTS, number + index)[0]], categories: ['laboratory'] },
  }
}
