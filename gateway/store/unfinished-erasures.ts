import { accessDigest } from '../crypto/access-seal.ts'
import { openPatientAccess, SealedPatientAccess } from '../crypto/patient-access.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { ErasureFile, type FileParts, openErasure, type StoredErasure } from './erasure-file.ts'

/** A patient with an unfinished erasure. An unanswered request stays unfinished after its end. */
export interface UnfinishedErasure {
  readonly patient: PatientId
  readonly erasure: StoredErasure | 'DAMAGED'
}

/** A part of the unfinished erasures of a tenant. */
export interface UnfinishedPage {
  readonly erasures: readonly UnfinishedErasure[]
  /** The last patient that was read, which the next part follows; undefined if nothing follows. */
  readonly next: PatientId | undefined
}

/**
 * Reads the unfinished erasures of a tenant in the order of the patients' ids, by the index of the access table. The index can be a moment
 * behind the table. An entry without an unfinished erasure is left out, so that a page can be short.
 *
 * @throws StoreUnavailable, KeyUnavailable
 */
export async function unfinishedErasures(
  parts: FileParts,
  tenant: TenantId,
  { after, limit, deadline }: { readonly after?: PatientId | undefined; readonly limit: number; readonly deadline: Deadline },
): Promise<UnfinishedPage> {
  const { access, keyring } = parts
  const listed = await access.unfinishedErasures(tenant, after, limit + 1, deadline)
  const patients = listed.slice(0, limit)
  const key = await keyring.purposeKey(tenant, 'access')
  const [manifests, items] = await Promise.all([access.load(tenant, patients), access.erasures(tenant, patients)])
  const one = async (patient: PatientId): Promise<StoredErasure | 'DAMAGED' | undefined> => {
    try {
      const manifest = manifests.get(patient)
      const sealed = items.get(patient)
      const isNamed =
        manifest instanceof SealedPatientAccess &&
        sealed !== undefined &&
        openPatientAccess(key, manifest.place, manifest.sealed).erasure === accessDigest(sealed)
      // a write between the two reads looks like a fault
      const file = isNamed
        ? openErasure({ key, tenant, patient }, sealed)
        : (await ErasureFile.open(parts, tenant, patient)).content
      return file.erasure
    } catch (error) {
      if (error instanceof IntegrityFailure) return 'DAMAGED'
      throw error
    }
  }
  const read = await Promise.all(patients.map(async (patient) => ({ patient, erasure: await one(patient) })))
  const erasures = read.flatMap(({ patient, erasure }) =>
    erasure === undefined || (erasure !== 'DAMAGED' && erasure.erased !== undefined) ? [] : [{ patient, erasure }],
  )
  return { erasures, next: listed.length > limit ? patients.at(-1) : undefined }
}
