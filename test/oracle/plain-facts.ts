import ETH from '../../fhir/code-lists/ETH.json' with { type: 'json' }
import HIV from '../../fhir/code-lists/HIV.json' with { type: 'json' }
import type { Json, RecordMetadata } from '../../gateway/model/record.ts'

// The facts that follow from the values of a written record: `docs/changing-records.md` and `docs/consent.md`, written a second time.

interface PlainType {
  readonly required: string
  readonly dates?: string
  readonly codes?: string
  readonly category?: string
  readonly labels?: string
}

const TYPES: Readonly<Record<string, PlainType>> = {
  Patient: { required: '' },
  Encounter: { required: 'status class', dates: 'period', codes: 'type', labels: 'type reasonCode' },
  Condition: { required: 'code', dates: 'onsetDateTime recordedDate', codes: 'code', labels: 'code' },
  Observation: {
    required: 'code',
    dates: 'effectiveDateTime',
    codes: 'code',
    category: 'category',
    labels: 'code valueQuantity valueCodeableConcept component',
  },
  MedicationRequest: { required: 'status medication', dates: 'authoredOn', codes: 'medication', labels: 'medication' },
  AllergyIntolerance: { required: 'code', dates: 'recordedDate', codes: 'code', labels: 'code reaction' },
  Immunization: {
    required: 'status vaccineCode occurrenceDateTime',
    dates: 'occurrenceDateTime',
    codes: 'vaccineCode',
    labels: 'vaccineCode',
  },
  Procedure: { required: 'status code', dates: 'performedPeriod', codes: 'code', labels: 'code' },
  DocumentReference: { required: 'text', dates: 'date', codes: 'type', labels: 'type' },
  Coverage: { required: 'payor', dates: 'period', codes: 'type' },
  Claim: { required: 'status created', dates: 'created', codes: 'diagnosis', labels: 'diagnosis' },
}

/** The units of the vital signs that the demo has, by LOINC code. */
const UNITS: Readonly<Record<string, string>> = {
  '8867-4': '/min',
  '9279-1': '/min',
  '2708-6': '%',
  '8310-5': 'Cel [degF]',
  '8302-2': 'cm [in_i]',
  '29463-7': 'g kg [lb_av]',
  '39156-5': 'kg/m2',
  '8480-6': 'mm[Hg]',
  '8462-4': 'mm[Hg]',
}

type Values = ReadonlyMap<string, Json>
type Facts = Pick<RecordMetadata, 'date' | 'datePrecision' | 'codes' | 'categories'> & { readonly labels: readonly string[] }

/** The fields that a record cannot be without. */
export const requiredOf = (type: string): string[] => namesOf(TYPES[type]?.required).map((name) => `${type}.${name}`)

/** Whether a change of these paths changes facts. */
export function concernsFacts(type: string, paths: Iterable<string>): boolean {
  const { dates, codes, category, labels } = TYPES[type] ?? { required: '' }
  const from = new Set([dates, codes, category, labels].flatMap(namesOf).map((name) => `${type}.${name}`))
  return [...paths].some((path) => from.has(path))
}

/** The path of the value that does not go with another one of the record; undefined if all go together. */
export function unfit(type: string, values: Values): string | undefined {
  if (type !== 'Observation') return undefined
  const given = ['valueQuantity', 'valueString', 'valueCodeableConcept'].filter((name) => values.has(`Observation.${name}`))
  if (given[1] !== undefined) return `Observation.${given[1]}`
  const unit = member(values.get('Observation.valueQuantity'), 'code')
  if (!values.has('Observation.valueQuantity')) return undefined
  const allowed = codings(values.get('Observation.code')).flatMap(({ system, code }) =>
    system === 'http://loinc.org' ? namesOf(UNITS[String(code)]) : [],
  )
  return allowed.length === 0 || allowed.includes(String(unit)) ? undefined : 'Observation.valueQuantity'
}

/** The date, codes, categories and labels of these values. */
export function plainFacts(type: string, values: Values): Facts {
  const { dates, codes, category, labels } = TYPES[type] ?? { required: '' }
  const valuesOf = (names: string | undefined): Json[] => namesOf(names).flatMap((name) => values.get(`${type}.${name}`) ?? [])
  const time = valuesOf(dates).flatMap((value) =>
    typeof value === 'string' ? value : (member(value, 'start') ?? member(value, 'end') ?? []),
  )[0]
  // of a coverage only the start counts
  const dated = type === 'Coverage' ? member(valuesOf(dates)[0], 'start') : time
  const found = [
    ...new Set(
      valuesOf(codes).flatMap((value) => (typeof value === 'string' ? [value] : codings(value).map(({ code }) => String(code)))),
    ),
  ]
  const categories = valuesOf(category).filter((value) => typeof value === 'string')
  return {
    ...(typeof dated === 'string' && dateOf(dated)),
    ...(found.length > 0 && { codes: found }),
    ...(categories.length > 0 && { categories }),
    labels: [...new Set(valuesOf(labels).flatMap(codings).flatMap(labelsOf))].toSorted(),
  }
}

function dateOf(text: string): Pick<Facts, 'date' | 'datePrecision'> {
  const precision = ({ 4: 'YEAR', 7: 'MONTH', 10: 'DAY' } as const)[text.length]
  return { date: new Date(text).toISOString(), ...(precision !== undefined && { datePrecision: precision }) }
}

function labelsOf({ system, code }: Coding): string[] {
  return [...ETH, ...HIV].flatMap(({ label, lists }) =>
    lists.some(
      (list) =>
        (list.system === null || list.system === system) &&
        list.codes.some(
          ([one = '']) => one === code || ('withChildren' in list && list.withChildren && String(code).startsWith(one)),
        ),
    )
      ? [label]
      : [],
  )
}

interface Coding {
  readonly system?: unknown
  readonly code?: unknown
}

function codings(value: unknown): Coding[] {
  if (Array.isArray(value)) return value.flatMap(codings)
  if (typeof value !== 'object' || value === null) return []
  const own =
    'coding' in value && Array.isArray(value.coding) ? (value.coding as Coding[]).filter(({ code }) => code !== undefined) : []
  const inside = Object.entries(value).filter(([name]) => name !== 'coding')
  return [...own, ...inside.flatMap(([, one]) => codings(one))]
}

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
const namesOf = (names: string | undefined): string[] => (names === undefined || names === '' ? [] : names.split(' '))
