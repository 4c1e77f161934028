import type { SchemaPath } from '../../directives/coordinates.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant, RecordId, RecordRef } from '../model/ids.ts'
import type { RecordFacts, TypeRules } from '../model/record-rules.ts'
import type { Json, NewRecord, RecordedChange, RecordMetadata } from '../model/record.ts'
import type { RecordPatch } from '../store/record-units.ts'
import { faultyValues } from './faulty-values.ts'

/** The parts of a new version, checked and decided. */
interface VersionParts {
  readonly ref: RecordRef
  /** The references that the change gives, by edge. Null removes one. */
  readonly references: ReadonlyMap<string, RecordRef | null>
  /** Undefined for a type without rules: such records have no date, codes or labels of their own. */
  readonly rules: TypeRules | undefined
  readonly caller: Caller
  readonly now: Instant
}

/** The first version of a record. Its author is the caller. */
export function newRecord(parts: VersionParts & { readonly values: ReadonlyMap<SchemaPath, Json> }): NewRecord {
  const { ref, values, references, rules, caller } = parts
  const metadata: RecordMetadata = {
    open: {},
    references: merged({}, references),
    ...rules?.factsOf(values),
    ...(caller.fhirUser !== undefined && { author: caller.fhirUser }),
    change: changeOf(parts),
  }
  return { ref, values, metadata }
}

/** The next version of a record. Its facts follow from its values, so that a corrected code gets the labels of the new code. */
export function patchOf(parts: VersionParts & { readonly given: ReadonlyMap<SchemaPath, Json | null> }): RecordPatch {
  const { ref, given, references, rules } = parts
  const isGiven = (path: SchemaPath): boolean => given.has(path)
  const concerns = rules?.from.some(isGiven) === true
  const compares = rules?.compared.some(isGiven) === true
  const opened = [...new Set([...(concerns ? rules.from : []), ...(compares ? rules.compared : [])])]
  return {
    ref,
    values: given,
    from: opened,
    metadataOf(former, before, after) {
      const kept = { ...former, references: merged(former.references, references), change: changeOf(parts) }
      if (rules === undefined) return kept
      const valuesOf = (valueOf: typeof after) => new Map(opened.flatMap((path) => entryOf(path, valueOf(path))))
      if (compares) refuseNewFaults(rules, valuesOf(before), valuesOf(after), parts.now)
      return concerns ? withFacts(kept, rules.factsOf(valuesOf(before)), rules.factsOf(valuesOf(after))) : kept
    },
  }
}

/**
 * Checks the given values with those that stay. A fault that the record had before is no reason to refuse the change: an import accepts more.
 *
 * @throws BadUserInput
 */
function refuseNewFaults(
  rules: TypeRules,
  before: ReadonlyMap<SchemaPath, Json>,
  after: ReadonlyMap<SchemaPath, Json>,
  now: Instant,
): void {
  const known = new Set(rules.check(before, now).map(({ path }) => path))
  const faults = rules.check(after, now).filter(({ path }) => !known.has(path))
  if (faults.length > 0) throw faultyValues(faults)
}

const entryOf = (path: SchemaPath, value: Json | undefined): [SchemaPath, Json][] => (value === undefined ? [] : [[path, value]])

/**
 * Replaces the facts that change with the values. A fact that its values do not change stays as it is: an import knows more of a record
 * than its values. A label that an import gave stays too, because the source of the record may have marked it.
 */
function withFacts(former: RecordMetadata, before: RecordFacts, after: RecordFacts): RecordMetadata {
  const { labels: gone = [] } = before
  const { labels: given = [] } = after
  const isImported = former.source !== undefined
  const staying = (former.labels ?? []).filter((label) => isImported || !gone.includes(label))
  const labels = [...new Set([...staying, ...given])].toSorted()
  const changed = (['date', 'datePrecision', 'codes', 'categories'] as const).filter(
    (fact) => canonicalText(before[fact] ?? null) !== canonicalText(after[fact] ?? null),
  )
  const facts = Object.fromEntries(changed.flatMap((fact) => (after[fact] === undefined ? [] : [[fact, after[fact]]])))
  const kept = Object.fromEntries(Object.entries(former).filter(([member]) => !changed.some((fact) => fact === member)))
  return { ...(kept as unknown as RecordMetadata), ...facts, labels }
}

function merged(former: RecordMetadata['references'], given: ReadonlyMap<string, RecordRef | null>): Record<string, RecordId> {
  const references = new Map(Object.entries(former))
  for (const [edge, ref] of given) {
    if (ref === null) references.delete(edge)
    else references.set(edge, ref.id)
  }
  return Object.fromEntries(references)
}

const changeOf = ({ caller, now }: Pick<VersionParts, 'caller' | 'now'>): RecordedChange => ({
  user: caller.user,
  at: new Date(now).toISOString(),
})
