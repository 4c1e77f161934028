import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Facts } from '../model/decision.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { FoundRecord, OpenRecord } from '../store/record-source.ts'
import type { Settled } from './record-fetch.ts'
import type { Closure, VisibilityVerdict } from './record-visibility.ts'

/** The result for one record as a whole, with the details that the audit needs. */
export type Disposition =
  | { readonly kind: 'FOUND'; readonly opened: OpenedRecord }
  /**
   * The record does not exist, or belongs to another tenant. ABSENT: the caller may know of all records of its patient. The client cannot
   * distinguish an edge to such a record from one to a closed record (P5).
   */
  | { readonly kind: 'NOT_FOUND'; readonly record?: 'ABSENT' }
  /** The caller may not know that the record or its patient exists. The client cannot distinguish it from NOT_FOUND (P5). */
  | { readonly kind: 'HIDDEN' }
  /** CONSENT: the patient's consents close the record. RELATIONSHIP: it is outside the limits of every relationship. */
  | { readonly kind: 'CLOSED'; readonly version: number; readonly reason: 'CONSENT' | 'RELATIONSHIP' }
  | { readonly kind: 'UNAVAILABLE'; readonly reason: OutcomeReason }
  /** UNAVAILABLE, for a failure that is neither classified nor reported yet. */
  | { readonly kind: 'FAILED'; readonly failure: unknown }

/** The circumstances in which the request reached the record. */
interface Reached {
  readonly visibility: VisibilityVerdict
  /** Whether the caller may learn that patients exist. */
  readonly seesExistence: boolean
  /** The version that a list names; undefined if no list names the record. */
  readonly listed: number | undefined
  /** The version that this request found earlier; undefined if it found none. */
  readonly earlierVersion: number | undefined
  /** A patient has exactly one record of the patient type; its id equals the patient id. Any other id names nothing. */
  readonly cannotExist: boolean
}

/** All that is known of a record before it is opened. */
export interface Lookup extends Reached {
  readonly attributes: Settled<SubjectAttributes>
  readonly found: Settled<FoundRecord | undefined>
}

/** A record that may be opened. */
export interface Openable extends Reached {
  readonly kind: 'OPENABLE'
  readonly attributes: SubjectAttributes
  readonly record: FoundRecord
}

/** An opened record, and the verdicts that depend on its metadata. */
export interface OpenedRecord {
  readonly record: OpenRecord
  /** Relationships of the caller to this record only. */
  readonly own: ReadonlySet<Relationship>
  readonly facts: Facts
  readonly closure: Closure
}

/** Decides whether a record may be opened. A result other than OPENABLE is final, and nothing is opened. Pure and total. */
export function beforeOpening(lookup: Lookup): Openable | Exclude<Disposition, { kind: 'FOUND' }> {
  const { attributes, found, ...reached } = lookup
  if ('failure' in attributes) return unavailable(attributes.failure)
  if ('failure' in found) return unavailable(found.failure)
  const { damage } = attributes.value
  const record = found.value
  // without intact relationships there is no verdict, and no verdict is not a denial (P6)
  if (damage === 'TAMPERED' || (damage === 'NO_MANIFEST' && record !== undefined)) return integrityFailure()
  if (record === undefined || reached.visibility.kind === 'HIDDEN') return withoutRecord(reached, attributes.value, record)
  return { ...reached, kind: 'OPENABLE', attributes: attributes.value, record }
}

/** Concludes from the opened record, or from the failure to open it. Pure and total. */
export function afterOpening(openable: Openable, opening: OpenedRecord | { readonly failure: unknown }): Disposition {
  const { visibility, listed, earlierVersion, cannotExist } = openable
  // if only its metadata can make the record visible, an unreadable record stays hidden
  const isByRecord = visibility.kind === 'BY_RECORD'
  const hidden = () => withoutRecord(openable, openable.attributes, openable.record)
  if ('failure' in opening) return isByRecord ? hidden() : { kind: 'FAILED', failure: opening.failure }
  const { record, own, closure } = opening
  const isErased = record.erased === true
  // an older version than the list names was put back; an erased record has no version
  if (listed !== undefined && !isErased && record.version < listed) return isByRecord ? hidden() : integrityFailure()
  if (isErased && cannotExist) return { kind: 'NOT_FOUND' }
  if (isByRecord && own.size === 0) return hidden()
  switch (closure) {
    case 'UNKNOWN':
      return unavailable('STORE')
    case 'CONSENT':
    case 'RELATIONSHIP':
      return { kind: 'CLOSED', version: record.version, reason: closure }
    case 'OPEN':
      // one answer must not mix two versions of a record
      if (earlierVersion !== undefined && earlierVersion !== record.version) return unavailable('VERSION')
      return { kind: 'FOUND', opened: opening }
    default:
      return closure satisfies never
  }
}

/** The result for a record that is absent, or that the caller may not know of. */
function withoutRecord(
  { visibility, seesExistence, listed, earlierVersion }: Reached,
  { hasManifest }: Pick<SubjectAttributes, 'hasManifest'>,
  record: FoundRecord | undefined,
): Exclude<Disposition, { kind: 'FOUND' }> {
  const isVisible = visibility.kind === 'VISIBLE'
  // a service that failed might have made the record visible: this is not a denial
  if (!isVisible && visibility.doubt !== undefined) return unavailable(visibility.doubt)
  // the list names a record that was removed behind the gateway's back (P6)
  if (listed !== undefined) return integrityFailure()
  // the record existed earlier in this request, and the answer does not report changes since then
  if (earlierVersion !== undefined) return unavailable('VERSION')
  if (isVisible && record === undefined) return { kind: 'NOT_FOUND', record: 'ABSENT' }
  // for such a caller the record was not fetched: a patient with a manifest exists
  const isKnownToExist = record !== undefined || (!isVisible && !seesExistence && hasManifest === true)
  return { kind: isKnownToExist ? 'HIDDEN' : 'NOT_FOUND' }
}

const unavailable = (reason: OutcomeReason) => ({ kind: 'UNAVAILABLE', reason }) as const

const integrityFailure = () => ({ kind: 'FAILED', failure: new IntegrityFailure() }) as const
