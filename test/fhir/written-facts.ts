import { isDeepStrictEqual } from 'node:util'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicRecordRules } from '../../fhir/record-rules.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import type { NewRecord } from '../../gateway/model/record.ts'
import { valueFaults } from '../../gateway/mutations/value-checks.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { clinicLabels } from './clinic.ts'

// Imported records compared with the rules of written ones: the same values must give the same metadata, and must be allowed.

const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const rules = clinicRecordRules(() => clinicLabels)
const FACTS = ['date', 'datePrecision', 'codes', 'categories', 'labels'] as const

/** Counts of differences and faults, each by a text without values. */
export interface Comparison {
  records: number
  /** `Condition.categories`: the import knows something else than the values say. */
  readonly facts: Record<string, number>
  /** The details of faults. */
  readonly faults: Record<string, number>
}

export const newComparison = (): Comparison => ({ records: 0, facts: {}, faults: {} })

export function compare(found: Comparison, { ref, values, metadata }: NewRecord, now: Instant): void {
  const typeRules = rules.get(ref.type)
  if (typeRules === undefined) return
  found.records++
  const facts = typeRules.factsOf(values)
  for (const fact of FACTS) if (!isDeepStrictEqual(facts[fact], metadata[fact])) add(found.facts, `${ref.type}.${fact}`)
  for (const { detail } of [...valueFaults(schema, ref.type, values), ...typeRules.check(values, now)])
    add(found.faults, detail.replaceAll(/\[\d+\]/g, '[]'))
}

function add(counts: Record<string, number>, text: string): void {
  counts[text] = (counts[text] ?? 0) + 1
}
