import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { Deadline } from '../model/deadline.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import type { ListedPage, ListRequest } from '../model/list.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { RecordChangePort } from './record-changes.ts'

/** The name of the gateway's own store in `@record(source:)`, and the default there. */
export const OWN_SOURCE = 'dynamodb'

/** A record with readable metadata. Its values are opened one by one. */
export interface OpenRecord {
  /** 0 for an erased record. */
  readonly version: number
  readonly metadata: RecordMetadata
  /** The patient's keys were destroyed: nothing of the record can be read, and every value is erased. */
  readonly erased?: true
  /** The digest of the content in its sealed form, for signatures. Left out: records of the source have no signature. Opens nothing. */
  sealedDigest?(): string
  /**
   * Returns the length of a value that the load requested, before it is opened: bytes of its JSON text at most, 0 if the record has none.
   * The gateway refuses an answer that would be too large before it opens any value.
   */
  maxBytes(path: SchemaPath): number
  /**
   * Returns a value that the load requested; undefined if the record has none.
   *
   * @throws IntegrityFailure, Erased
   */
  value(path: SchemaPath): Json | undefined
  /**
   * Returns a text for each value that the record has, requested or not. Two versions of a record have the same text for a value that no
   * change gave. Opens nothing. Left out: the source cannot compare versions.
   */
  readonly seals?: () => ReadonlyMap<SchemaPath, string>
}

/** A record that was found. Nothing of it is readable before `open`. Call `open` only if the caller may know of the record. */
export interface FoundRecord {
  readonly ref: RecordRef
  /** The record names a newer access manifest than the decision. Load the patient's attributes again, or treat it as tampering. */
  readonly outdated?: true
  /** @throws IntegrityFailure, KeyUnavailable */
  open(counter: OpeningCounter): OpenRecord
}

/** The access manifest that a decision rests on. */
export interface DecidedManifest {
  /** Increases with every change. A record names the version that was current when it was written. */
  readonly version: number
  /** The version of the patient's own record that the manifest names. */
  readonly own?: number
}

export interface LoadOptions {
  /** `uniform` if an absent record must cost as much as an existing one (P5). */
  readonly timing: 'fast' | 'uniform'
  /** The end of the wait for the records. */
  readonly deadline: Deadline
  /** The versions at which lists of this request named records, by `recordKey`. Other records have no entry. */
  readonly listed: ReadonlyMap<string, number>
  /** Patients' own records on a page of patients, by `recordKey`. The decision names their versions. */
  readonly paged: ReadonlySet<string>
  /**
   * The decision of the layers above, which a source awaits after its first batch. With `fast` timing the decision is made while that
   * batch is read. A source may ignore it, because the layers above enforce it again.
   */
  readonly decision: Promise<LoadDecision>
  /** Counts the openings that verify whether a record is current. */
  readonly counter: OpeningCounter
}

/** The decision about the existence of the records of one load. */
export interface LoadDecision {
  /**
   * The records that the caller may know of, by `recordKey`. A record without an entry is hidden: nothing is read or opened for it
   * beyond the first batch (P5). If a record has a test, its opened metadata must pass the test before anything further is read.
   */
  readonly visible: ReadonlyMap<string, 'VISIBLE' | MetadataTest>
  /** Whether a record is closed to the caller. It is then checked like an absent record, so that both cost the same (P5). */
  readonly isClosed?: (ref: RecordRef, metadata: RecordMetadata) => boolean
  /** Patients whose keys are known to be destroyed. Keys that are found nevertheless were restored (P6), or come from memory. */
  readonly erased: ReadonlySet<PatientId>
  /** The access manifests that the decision rests on. A patient without an entry was decided without a manifest. */
  readonly manifests: ReadonlyMap<PatientId, DecidedManifest>
}

/** A pure test of the metadata of one record. */
export type MetadataTest = (metadata: RecordMetadata) => boolean

/**
 * A source of records, one for each `@record(source:)`. DynamoDB is the shipped source; an upstream FHIR or REST server is another.
 * The layers above decide about the caller. A source gives only the requested values.
 */
export interface RecordSource {
  /**
   * Returns the requested records that exist. A record that is missing, outdated or inserted by another writer is returned too, and does
   * not open. For an erased patient every requested record is returned, because it is no longer known which of them existed.
   *
   * @param paths the values that some record could grant. The source fetches no other value if it can tell them apart
   * @throws StoreUnavailable
   */
  load(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    options: LoadOptions,
  ): Promise<readonly FoundRecord[]>
  /**
   * Returns a page of the records of one type of one patient, newest first. The page is complete, or the call throws.
   *
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  list(tenant: TenantId, request: ListRequest, counter: OpeningCounter, deadline: Deadline): Promise<ListedPage>
  /** Stores changes. Left out: the source gives records and takes none, and a schema that lets somebody change them is refused. */
  readonly changes?: RecordChangePort
}

/** All patients of a tenant, for callers that see every patient. */
export interface PatientDirectory {
  /**
   * Returns up to `limit` patients after the given one, in the order of their ids as text.
   *
   * @throws StoreUnavailable
   */
  patients(tenant: TenantId, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
}
