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
  /** `uniform` if an absent record must cost as much as an existing one (P5). */
  readonly timing: 'fast' | 'uniform'
  /** The end of the wait for the records. */
  readonly deadline: Deadline
  /** The versions at which lists of this request named records, by `recordKey`. Other records have no entry. */
  readonly listed: ReadonlyMap<string, number>
  /**
   * The decision of the layers above, which a source awaits after its first batch. With `fast` timing the decision is made while that
   * batch is read. A source may ignore it, because the layers above enforce it again.
   */
  readonly decision: Promise<LoadDecision>
  /** Counts the values that are opened to find out whether a record is the present one. */
  readonly counter: OpeningCounter
}

/** The decision about the existence of the records of one load. */
export interface LoadDecision {
  /**
   * The records that the caller may know of, by `recordKey`. A record without an entry is hidden: nothing is read or opened for it
   * beyond the first batch (P5). If a record has a test, its opened metadata must pass the test before anything further is read.
   */
  readonly visible: ReadonlyMap<string, 'VISIBLE' | MetadataTest>
  /** Patients whose keys are known to be destroyed. Keys that are found nevertheless were put back (P6), or come from memory. */
  readonly erased: ReadonlySet<PatientId>
}

/** A pure test of the metadata of one record. */
export type MetadataTest = (metadata: RecordMetadata) => boolean

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
