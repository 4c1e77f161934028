import type { IdentifierDigests } from './identifier-digests.ts'
import { MEMBER_NAMES, MEMBERS, type Treatment } from './members.ts'
import type { ExportRecord } from './item-batches.ts'

/** The path of a folded record. No path of a schema begins with `#`. */
const WITHHELD = '#withheld'
/** The path of a change of consents, memberships or studies. */
const ACCESS_CHANGE = '#access-change'

/**
 * The reasons of a denial that depend on no consent, whatever the patient and the record. Every other denial is folded, also one with a
 * reason of a later version.
 */
const KEPT_REASONS: ReadonlySet<string | undefined> = new Set([
  'MFA',
  'STEP_UP',
  'UNKNOWN_FIELD',
  'BUDGET',
  'SIZE',
  'CONTRACT',
  'NOT_FOUND',
])

/** The paths of writes that change who has access. Their records have no record type, and an edge has one. */
const ACCESS_CHANGES: ReadonlySet<string> = new Set(['Consent', 'Patient.careTeam', 'ResearchStudy'])

/**
 * The records of an item for a receiver outside of the boundary. Patient and record ids are digests. Nothing depends on a consent: a
 * denial by consent equals one by role, purpose or relationship, in its members and in its place.
 *
 * @param item the records of one item, in the order of `index`
 */
export function outsideBoundary(item: readonly ExportRecord[], digests: IdentifierDigests): readonly ExportRecord[] {
  const kept = item.filter((entry) => !isFolded(entry)).map((entry) => open(entry, digests))
  // the place among the others would tell whether a record was denied before it was read or after
  const folded = item.filter(isFolded).map((entry) => fold(entry, digests))
  folded.sort((one, other) => compare(orderOf(one), orderOf(other)))
  return [...kept, ...folded].map((entry, at) => ({ ...entry, index: at + 1 }))
}

/** The outcomes of an access that the decision permits, and of a review of the log. */
const PERMITTED: ReadonlySet<string> = new Set(['DISCLOSED', 'MASKED', 'ABSENT', 'ERASED', 'WRITTEN', 'REVIEWED'])

/** A value that is unavailable can show that the decision needed a consent, and so that the record has a label. */
function isFolded({ outcome, reason }: ExportRecord): boolean {
  return outcome === 'DENIED' ? !KEPT_REASONS.has(reason) : !PERMITTED.has(outcome)
}

function open(entry: ExportRecord, digests: IdentifierDigests): ExportRecord {
  const { basis, path, recordType, outcome } = entry
  const changesAccess = recordType === undefined && ACCESS_CHANGES.has(path)
  const shown = membersOf(entry, (treatment) => treatment !== 'REMOVE', digests)
  // break-glass comes before a consent, so only this basis says nothing about one
  if (basis !== 'BREAK_GLASS') delete shown['basis']
  if (outcome !== 'DENIED') delete shown['reason']
  if (changesAccess) delete shown['count']
  return entryOf({ ...shown, ...(changesAccess && { path: ACCESS_CHANGE }) })
}

function fold(entry: ExportRecord, digests: IdentifierDigests): ExportRecord {
  const shown = membersOf(entry, (treatment) => treatment === 'KEEP' || treatment === 'PATIENT', digests)
  if (entry.outcome !== 'UNAVAILABLE') delete shown['reason']
  return entryOf({ ...shown, listed: false, path: WITHHELD })
}

/** The members that pass. A member of a later version of the writer does not. */
function membersOf(
  entry: ExportRecord,
  passes: (treatment: Treatment) => boolean,
  digests: IdentifierDigests,
): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const name of MEMBER_NAMES) {
    const value = entry[name]
    const treatment = MEMBERS[name]
    if (value === undefined || !passes(treatment)) continue
    if (treatment === 'PATIENT') shown[name] = digests.digestOf('patient', entry.tenant, textOf(value))
    else if (treatment === 'RECORD') shown[name] = digests.digestOf('record', entry.tenant, textOf(value))
    else shown[name] = value
  }
  return shown
}

// `prev` and `hash` are missing: no format of an export reads them by name, and a verifier needs the log itself
const entryOf = (shown: Readonly<Record<string, unknown>>): ExportRecord => shown as unknown as ExportRecord

/** @throws TypeError for an id that is no text: nothing is passed on in its place */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('an audit record has an id that is no text')
  return value
}

const orderOf = ({ outcome, reason, action }: ExportRecord): string => JSON.stringify([outcome, reason ?? '', action])
const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other))
