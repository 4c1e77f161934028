import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { RecordRef } from '../model/ids.ts'
import type { RecordMetadata } from '../model/record.ts'
import type { RecordState } from './record-view.ts'
import { type Closure, type RecordVisibility, subjectOf } from './record-visibility.ts'

/** What an earlier version is decided with, and whether the caller may know of it. UNKNOWN: a service failed. */
export interface VersionFacts extends Pick<RecordState, 'facts' | 'also'> {
  readonly closure: Closure
}

/**
 * The facts of an earlier version. Its values may have been written under other labels, for another encounter and by another author than
 * those of the present version, so the stricter of both counts: the labels of both versions, only relationships that hold by both authors,
 * and a decision under each of two encounters.
 */
export function versionFacts(
  visibility: RecordVisibility,
  attributes: SubjectAttributes,
  ref: RecordRef,
  earlier: RecordMetadata,
  { metadata: present, listed, version }: Pick<RecordState, 'metadata' | 'listed' | 'version'>,
): VersionFacts {
  const ofPresent = visibility.byRecord(ref.type, present)
  const own = new Set([...visibility.byRecord(ref.type, earlier)].filter((name) => ofPresent.has(name)))
  const labels = new Set([...subjectOf(ref, present).labels, ...subjectOf(ref, earlier).labels])
  const factsIn = ({ references }: RecordMetadata) => {
    const { encounter } = references
    return visibility.factsOf(attributes, { id: ref.id, labels, ...(encounter !== undefined && { encounter }) }, own)
  }
  const facts = factsIn(present)
  const also = present.references['encounter'] === earlier.references['encounter'] ? undefined : factsIn(earlier)
  const { kind } = visibility.verdictFor(ref, listed ? version : undefined, attributes)
  const isReached = kind === 'VISIBLE' || own.size > 0
  const closures = [facts, ...(also === undefined ? [] : [also])].map((one) => visibility.closed(ref.type, one))
  return { facts, ...(also && { also }), closure: isReached ? strictest(closures) : 'RELATIONSHIP' }
}

function strictest(closures: readonly Closure[]): Closure {
  return (['CONSENT', 'RELATIONSHIP', 'UNKNOWN'] as const).find((closure) => closures.includes(closure)) ?? 'OPEN'
}
