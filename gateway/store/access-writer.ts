import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { accessDigest } from '../crypto/access-seal.ts'
import { chunkHolding } from '../crypto/chunk.ts'
import {
  type Memberships,
  openMembershipChunk,
  openPatientAccess,
  type PatientAccess,
  sameConsents,
  sealMembershipChunk,
  sealPatientAccess,
  SealedPatientAccess,
} from '../crypto/patient-access.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import { type AccessChange, accessManifestKey, type AccessTable, membershipChunkKey, membershipName } from './access.ts'
import type { ChunkedList } from './chunked-list.ts'
import { membershipList } from './membership-list.ts'

/** The table, the key and the patient of a writer. */
interface AccessPlace {
  readonly table: AccessTable
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
  readonly patient: PatientId
}

/** The manifest as it was read, and the chunks that the changes touch. */
interface StoredAccess {
  readonly sealed: Uint8Array | undefined
  readonly content: PatientAccess
  readonly chunks: ReadonlyMap<number, Memberships>
}

const NOTHING: StoredAccess = { sealed: undefined, content: { version: 0, consents: [] }, chunks: new Map() }

/** Writes a patient's access manifest with its memberships and consents, one transaction after the other. */
export class AccessWriter {
  readonly #place: AccessPlace
  readonly #members: ChunkedList<Json>
  readonly #digests: Map<number, string>
  #content: Pick<PatientAccess, 'version' | 'own' | 'consents' | 'destroyed' | 'erasure'>
  /** The sealed manifest as stored, and as it will be after the pending transaction commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew whether the patient had no key before this write
   * @param changes all changes that a later `write` gets
   * @throws IntegrityFailure if manifest or chunk are not authentic, or the manifest is missing for an existing patient
   * @throws VersionConflict if a new patient already has a manifest
   * @throws StoreUnavailable, KeyUnavailable
   */
  static async open(place: AccessPlace, isNew: boolean, changes: readonly AccessChange[]): Promise<AccessWriter> {
    const names = changes.flatMap((change) => (change.kind === 'CONSENTS' ? [] : [membershipName(change)]))
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    const stored = await retryOptimisticRead(() => readStored(place, isNew, names), damaged, BUSY_READS)
    return new AccessWriter(place, stored)
  }

  private constructor(place: AccessPlace, { sealed, content, chunks }: StoredAccess) {
    this.#place = place
    this.#stored = sealed
    this.#content = content
    this.#members = membershipList(content, chunks)
    this.#digests = new Map(content.chunks?.map(({ number, digest }) => [number, digest]))
  }

  /** Whether these changes, or this version of the patient's own record, need another manifest. A new patient needs the first one. */
  isNeeded(changes: readonly AccessChange[], own: number | undefined): boolean {
    return this.#stored === undefined || changes.length > 0 || (own !== undefined && own !== this.#content.own)
  }

  /** The upper bound of the items that these changes write, without the manifest. */
  maxItems(changes: readonly AccessChange[]): number {
    const memberships = changes.filter(({ kind }) => kind !== 'CONSENTS').length
    // each membership has an entry in the index by user
    return memberships + this.#members.maxChunks(memberships)
  }

  /**
   * Returns the writes of the changes and of the manifest, and the version by which records name the new manifest.
   *
   * @param own the version of the patient's own record if the same transaction writes the record
   * @throws VersionConflict if the stored consents or memberships are not the ones that a change was made from
   */
  write(changes: readonly AccessChange[], own: number | undefined): { items: TransactWriteItem[]; version: number } {
    const { table, key, tenant, patient } = this.#place
    const entries: TransactWriteItem[] = []
    let { consents } = this.#content
    for (const change of changes) {
      if (change.kind === 'CONSENTS') {
        if (!sameConsents(consents, change.before)) throw new VersionConflict()
        consents = change.consents
        continue
      }
      const name = membershipName(change)
      if (change.before !== undefined && !isEqual(this.#members.get(name) ?? null, change.before)) throw new VersionConflict()
      this.#members.put(name, change.content)
      entries.push(table.putEntry(tenant, change))
    }
    const chunks = this.#members.changes().written.map(({ number, entries: members }) => {
      const sealed = sealMembershipChunk(key, { tenant, ...membershipChunkKey(tenant, patient, number) }, members)
      this.#digests.set(number, accessDigest(sealed))
      return table.putChunk(tenant, patient, number, sealed)
    })
    this.#content = { ...this.#content, version: this.#content.version + 1, consents, ...(own !== undefined && { own }) }
    return { items: [this.#putManifest(), ...chunks, ...entries], version: this.#content.version }
  }

  /** Whether the manifest records the destruction of the patient's keys. */
  get isDestroyed(): boolean {
    return this.#content.destroyed !== undefined
  }

  /** The digest of the item with the patient's legal holds and erasure. */
  get erasure(): string | undefined {
    return this.#content.erasure
  }

  /** Returns the write of the manifest that names another item with the patient's legal holds and erasure. */
  writeErasure(sealed: Uint8Array): TransactWriteItem {
    this.#content = { ...this.#content, version: this.#content.version + 1, erasure: accessDigest(sealed) }
    return this.#putManifest()
  }

  /**
   * Returns the write of the manifest that records the destruction of the patient's keys.
   *
   * @param erasure the item with the patient's erasure, if the same transaction writes it
   */
  writeKeyDestruction(tombstone: Uint8Array, erasure?: Uint8Array): TransactWriteItem {
    const { version, consents, erasure: before } = this.#content
    const named = erasure === undefined ? before : accessDigest(erasure)
    this.#content = {
      version: version + 1,
      consents,
      destroyed: accessDigest(tombstone),
      ...(named !== undefined && { erasure: named }),
    }
    return this.#putManifest()
  }

  #putManifest(): TransactWriteItem {
    const { table, key, tenant, patient } = this.#place
    const { version, own, consents, destroyed, erasure } = this.#content
    const { inline: members, chunks, next } = this.#members.form(this.#digests)
    const content: PatientAccess = {
      version,
      consents,
      ...(own !== undefined && { own }),
      ...(destroyed !== undefined && { destroyed }),
      ...(erasure !== undefined && { erasure }),
      ...(members && { members }),
      ...(chunks && { chunks }),
      ...(next !== undefined && { next }),
    }
    const sealed = sealPatientAccess(key, { tenant, ...accessManifestKey(tenant, patient) }, content)
    this.#pending = sealed
    return table.putManifest(tenant, patient, sealed, this.#stored)
  }

  /** Call this after the transaction committed. The next transaction then requires the new manifest. */
  written(): void {
    this.#stored = this.#pending ?? this.#stored
  }
}

const isEqual = (one: Json, other: Json): boolean => canonicalText(one) === canonicalText(other)

/** Reads the manifest, and then the chunks that these names belong to. A write between the two tears the read. */
async function readStored({ table, key, tenant, patient }: AccessPlace, isNew: boolean, names: readonly string[]) {
  const manifest = (await table.load(tenant, [patient])).get(patient)
  if (!(manifest instanceof SealedPatientAccess)) {
    // the manifest is created with the patient: a second one would lose the memberships, perhaps a denial of consent
    if (!isNew) throw new IntegrityFailure()
    return { value: NOTHING }
  }
  if (isNew) throw new VersionConflict()
  const content = openPatientAccess(key, manifest.place, manifest.sealed)
  const touched = new Map(
    names.flatMap((name) => {
      const chunk = chunkHolding(content.chunks ?? [], name)
      return chunk === undefined ? [] : [[chunk.number, chunk.digest]]
    }),
  )
  const stored = (await table.chunks(tenant, new Map([[patient, touched.keys()]]))).get(patient)
  const chunks = new Map<number, Memberships>()
  for (const [number, digest] of touched) {
    const sealed = stored?.get(number)
    if (sealed === undefined || accessDigest(sealed) !== digest) return { torn: undefined }
    chunks.set(number, openMembershipChunk(key, { tenant, ...membershipChunkKey(tenant, patient, number) }, sealed))
  }
  return { value: { sealed: manifest.sealed, content, chunks } }
}
