import type { SchemaPath, TypeName } from '../directives/coordinates.ts'
import type { Json } from '../gateway/model/record.ts'
import type { RecordFacts, RecordRules, TypeRules, ValueFault } from '../gateway/model/record-rules.ts'
import { isDateTime } from './instant.ts'
import type { CodeLabels } from './labels.ts'
import { recordFacts } from './record-facts.ts'
import { conceptIn, itemsOf, textIn } from './stored-values.ts'
import { type ClinicType, type TypeTable, TABLES } from './type-tables.ts'

/**
 * The rules of values that clients write into the records of the shipped clinic: Patient and the ten clinical types. A written record
 * gets its date, codes, categories and labels from its values as an imported one does.
 *
 * @param labels the code lists. They are read when the first record gets its labels: the start does not need them
 */
export function clinicRecordRules(labels: () => CodeLabels): RecordRules {
  let read: CodeLabels | undefined
  const once = (): CodeLabels => (read ??= labels())
  return new Map(
    (Object.entries(TABLES) as [ClinicType, TypeTable][]).map(([type, table]) => [
      type as string as TypeName,
      rulesOf(type, table, once),
    ]),
  )
}

function rulesOf(type: ClinicType, table: TypeTable, labels: () => CodeLabels): TypeRules {
  const pathOf = (field: string): SchemaPath => `${type}.${field}` as SchemaPath
  const { dates = [], coded = [], codes, category, required, rules, across, compared = [] } = table
  const ruleOf = new Map(Object.entries(rules).map(([field, rule]) => [pathOf(field), rule]))
  const dated = dates.map((place) => place.split('.', 2) as [field: string, member?: string])
  const facts = [
    ...dated.map(([field]) => field),
    ...coded,
    ...(codes === undefined ? [] : [codes]),
    ...(category === undefined ? [] : [category]),
  ]
  return {
    from: [...new Set(facts)].map(pathOf),
    required: required.map(pathOf),
    compared: compared.map(pathOf),
    factsOf: (values): RecordFacts => {
      const valueOf = (field: string | undefined): Json | undefined => (field === undefined ? undefined : values.get(pathOf(field)))
      const found = coded.length === 0 ? [] : labels().labelsOf(...coded.map(valueOf))
      const categoryText = valueOf(category)
      return {
        ...recordFacts({
          time: dated.map(([field, member]) => timeIn(valueOf(field), member)).find((time) => time !== undefined),
          concepts: conceptsIn(valueOf(codes)),
          categories: typeof categoryText === 'string' ? [categoryText] : [],
        }),
        ...(found.length > 0 && { labels: found }),
      }
    },
    check: (values, now) => {
      const faults: ValueFault[] = []
      for (const [path, value] of values) {
        // null clears a value
        const detail = value === null ? undefined : ruleOf.get(path)?.(path, value, now)
        if (detail !== undefined) faults.push({ path, detail })
      }
      const found = faults.length === 0 ? across?.((field) => values.get(pathOf(field)) ?? undefined) : undefined
      return found === undefined ? faults : [...faults, { path: pathOf(found.field), detail: `${type}.${found.detail}` }]
    },
  }
}

/** The time of a date or of a member of a period. Undefined for a text that is no FHIR date. */
function timeIn(value: Json | undefined, member?: string): string | undefined {
  const time = member === undefined ? value : textIn(value, member)
  return typeof time === 'string' && isDateTime(time) ? time : undefined
}

/** A code of HL7 v3 ActCode or of self-payment. A coverage can also have the name of its kind, which is no code. */
const COVERAGE_CODE = /^(?:[A-Z]{3,}|pay)$/

/** The concepts of a value: one, a list, or a code as text. */
function conceptsIn(value: Json | undefined): ReturnType<typeof conceptIn>[] {
  if (typeof value === 'string') return COVERAGE_CODE.test(value) ? [{ coding: [{ code: value }] }] : []
  return Array.isArray(value) ? itemsOf(value).map(conceptIn) : [conceptIn(value)]
}
