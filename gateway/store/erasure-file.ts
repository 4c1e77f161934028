import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import * as z from 'zod'
import { accessDigest, openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import { type AccessTable, erasureKey } from './access.ts'
import { AccessWriter } from './access-writer.ts'
import type { KeyDestruction } from './key-destruction.ts'

const text = z.string()
/** Milliseconds since the epoch. */
const time = z.int().positive()
/** `person` is the FHIR identity of the user, if the token has one. */
const Act = z.strictObject({ by: text, person: text.optional(), at: time })
const Hold = z.strictObject({ id: text, reason: text, act: Act })
const Erasure = z.strictObject({
  id: text,
  /** Absent after the erasure: it can name the patient. */
  reason: text.optional(),
  requested: Act,
  /** An unanswered request ends then. */
  until: time,
  /** Some entries of the search index are removed, and the erasure must be continued. */
  approved: Act.optional(),
  /** `statement` is the certificate, and `requestId` finds the audit record that contains it. */
  erased: z.strictObject({ at: time, statement: text, requestId: text, completeAt: time }).optional(),
})
const Content = z.strictObject({ holds: z.array(Hold), erasure: Erasure.optional() })

/** A user's part in an erasure or in a hold. */
export type ErasureAct = Readonly<z.infer<typeof Act>>
/** A legal hold. While a patient has one, nobody erases the patient. */
export type LegalHold = Readonly<z.infer<typeof Hold>>
/** The latest erasure of a patient. */
export type StoredErasure = Readonly<z.infer<typeof Erasure>>
/** The legal holds of a patient and the latest erasure. */
export interface ErasureContent {
  readonly holds: readonly LegalHold[]
  readonly erasure?: StoredErasure | undefined
}

export interface FileParts {
  readonly access: AccessTable
  readonly keyring: Keyring
}

/**
 * The item of the access table with the legal holds and the erasure of a patient, `docs/sealed-field.md` section 7. It is sealed under a
 * key of the tenant, so that it survives the keys of the patient. The access manifest names its digest: a hold that was removed from the
 * database is an integrity failure, and not "no hold".
 */
export class ErasureFile {
  readonly #place: { readonly access: AccessTable; readonly key: PurposeKey<'access'>; tenant: TenantId; patient: PatientId }
  readonly #manifest: AccessWriter
  readonly content: ErasureContent

  /** @throws IntegrityFailure if item and manifest disagree in repeated reads; StoreUnavailable, KeyUnavailable */
  static async open({ access, keyring }: FileParts, tenant: TenantId, patient: PatientId): Promise<ErasureFile> {
    const key = await keyring.purposeKey(tenant, 'access')
    const place = { access, key, tenant, patient }
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    const read = async () => {
      const manifest = await AccessWriter.open({ table: access, key, tenant, patient }, false, [])
      const sealed = await access.erasure(tenant, patient)
      if (manifest.erasure !== (sealed && accessDigest(sealed))) return { torn: undefined }
      return { value: new ErasureFile(place, manifest, sealed === undefined ? { holds: [] } : openErasure(place, sealed)) }
    }
    return await retryOptimisticRead(read, damaged, BUSY_READS)
  }

  private constructor(
    place: { readonly access: AccessTable; readonly key: PurposeKey<'access'>; tenant: TenantId; patient: PatientId },
    manifest: AccessWriter,
    content: ErasureContent,
  ) {
    this.#place = place
    this.#manifest = manifest
    this.content = content
  }

  /** Whether the manifest records the destruction of the patient's keys. */
  get isErased(): boolean {
    return this.#manifest.isDestroyed
  }

  /** Returns the writes of another content. They fail if the manifest changed after it was read. */
  write(content: ErasureContent): TransactWriteItem[] {
    const sealed = this.#seal(content)
    return [this.#manifest.writeErasure(sealed), this.#put(content, sealed)]
  }

  /** Call this after the transaction committed. The next transaction then requires the new manifest. */
  written(): void {
    this.#manifest.written()
  }

  /** Returns the writes that destroy the patient's keys, with the content that records the erasure. */
  destroy(content: ErasureContent, { tombstone, item }: KeyDestruction): TransactWriteItem[] {
    const sealed = this.#seal(content)
    return [item, this.#manifest.writeKeyDestruction(tombstone, sealed), this.#put(content, sealed)]
  }

  #seal(content: ErasureContent): Uint8Array {
    const { key, tenant, patient } = this.#place
    return sealAccessItem(key, { tenant, ...erasureKey(tenant, patient) }, JSON.parse(JSON.stringify(content)) as Json)
  }

  #put({ erasure }: ErasureContent, sealed: Uint8Array): TransactWriteItem {
    const { access, tenant, patient } = this.#place
    return access.putErasure(tenant, patient, sealed, erasure !== undefined && erasure.erased === undefined)
  }
}

/** Opens the item of a patient. @throws IntegrityFailure */
export function openErasure(
  { key, tenant, patient }: { readonly key: PurposeKey<'access'>; readonly tenant: TenantId; readonly patient: PatientId },
  sealed: Uint8Array,
): ErasureContent {
  const content = Content.safeParse(openAccessItem(key, { tenant, ...erasureKey(tenant, patient) }, sealed))
  if (!content.success) throw new IntegrityFailure()
  return content.data
}
