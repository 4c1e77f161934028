import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { Deadline } from '../model/deadline.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import type { ListedPage, ListRequest } from '../model/list.ts'
import type { Json, RecordMetadata } from '../model/record.ts'

/** A record whose facts are known and whose values are given one by one. */
export interface OpenRecord {
  /** 0 of a record that was erased. */
  readonly version: number
  readonly metadata: RecordMetadata
  /** Nothing of the record can be read any more, its metadata included, and every value is erased. */
  readonly erased?: true
  /**
   * One value, which must have been asked for when the record was loaded; undefined when the record has none there.
   * @throws IntegrityFailure, Erased
   */
  value(path: SchemaPath): Json | undefined
}

/** A record that was found. Nothing of it is readable before `open`, which is called once it may be known to exist. */
export interface FoundRecord {
  readonly ref: RecordRef
  /** @throws IntegrityFailure, KeyUnavailable */
  open(counter: OpeningCounter): OpenRecord
}

export interface LoadOptions {
  /** `always` where a record that is not there must cost what one that is there costs (P5). */
  readonly timing: 'fast' | 'uniform'
  /** Until when somebody waits for the records. */
  readonly deadline: Deadline
  /** The version at which a list of this request named the record; undefined where it is asked for in another way. */
  readonly listed: (ref: RecordRef) => number | undefined
  /**
   * Whether the caller may know that the record exists. Nothing is read or opened beyond the first batch for one who may not (P5).
   * BY_RECORD: what is sealed beside the record says so, and `mayKnowOpened` is asked of it before anything further is read.
   */
  readonly isVisible: (ref: RecordRef) => Promise<boolean | 'BY_RECORD'>
  readonly isVisibleOpened: (ref: RecordRef, metadata: RecordMetadata) => boolean
  /** Whether the patient's keys are known to be destroyed: keys that are found all the same were put back (P6), or remembered. */
  readonly erased: (ref: RecordRef) => Promise<boolean>
  /** What is opened to find out whether a record is the present one, is counted here. */
  readonly counter: OpeningCounter
}

/**
 * The seam to where records come from: one for each `@record(source:)`. DynamoDB is the shipped one; an upstream FHIR or
 * REST service is another. What a caller may see of a record is decided above; a source gives no more than it is asked for.
 */
export interface RecordSource {
  /**
   * The records that exist among those asked for; one that is missing, older than it should be or put in by somebody else is
   * found as well, and does not open. Of a patient who was erased every record is found: which there were is not known any more.
   * `paths` are the values that some record could grant: no other is fetched
   * where the source can tell them apart, and none leaves it before `value` asks.
   * @throws StoreUnavailable
   */
  load(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    options: LoadOptions,
  ): Promise<readonly FoundRecord[]>
  /**
   * A page of the records of one type of one patient, newest first. Complete, or an error.
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  list(tenant: TenantId, request: ListRequest, counter: OpeningCounter, deadline: Deadline): Promise<ListedPage>
}

/** All patients of a tenant, for those who see every one of them. */
export interface PatientDirectory {
  /**
   * Up to `limit` patients in the order of their ids as text, after the one given.
   * @throws StoreUnavailable
   */
  patients(tenant: TenantId, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
}
