import { accessDigest } from '../crypto/access-seal.ts'
import type { AbsentPatientAccess } from '../crypto/decoy-openings.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { type Chunk, chunkHolding } from '../crypto/chunk.ts'
import { type Memberships, openMembershipChunk, type PatientAccess, type SealedPatientAccess } from '../crypto/patient-access.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type AccessTable, membershipChunkKey } from '../store/access.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { Json } from '../model/record.ts'

export interface PatientAccessParts {
  readonly table: AccessTable
  readonly keyring: Keyring
  /** Gets lasting faults. Leave it out for a writer, which throws them. */
  readonly events?: EventSink
}

/** The result of reading a patient's access manifest. */
export type PatientAccessRead =
  | {
      readonly kind: 'FOUND'
      readonly access: PatientAccess
      /** The memberships, as far as they were read: all that have a requested name are among them. */
      readonly members: Memberships
    }
  /** The patient has no manifest. This holds only for a patient that does not exist. */
  | { readonly kind: 'NO_MANIFEST' }
  | { readonly kind: 'FAULT'; readonly what: AccessFault }

const fault = (what: AccessFault): PatientAccessRead => ({ kind: 'FAULT', what })

/** The names of the memberships to read, by patient. Without a name, only the patient's manifest is read. */
export type WantedMemberships = ReadonlyMap<PatientId, readonly string[]>

/**
 * Reads the access manifests of patients, and the chunks of the wanted memberships. A faulty read is repeated, because a write in
 * between looks the same; a lasting fault is reported to operators.
 *
 * Reads with the same signal in one tick share the manifests, so that each is opened once.
 *
 * @throws StoreUnavailable, KeyUnavailable
 */
export async function readPatientAccess(
  { table, keyring, events }: PatientAccessParts,
  tenant: TenantId,
  wanted: WantedMemberships,
  signal?: AbortSignal,
): Promise<ReadonlyMap<PatientId, PatientAccessRead>> {
  const key = await keyring.purposeKey(tenant, 'access')
  const reads = new Map<PatientId, PatientAccessRead>()
  let pending = wanted
  const read = async () => {
    const faulty = new Map<PatientId, AccessFault>()
    for (const [patient, result] of await readOnce({ table, key, tenant }, pending, signal)) {
      reads.set(patient, result)
      if (result.kind === 'FAULT') faulty.set(patient, result.what)
    }
    pending = new Map([...pending].filter(([patient]) => faulty.has(patient)))
    return faulty.size === 0 ? { value: reads } : { torn: faulty }
  }
  return await retryOptimisticRead(
    read,
    (faulty) => {
      for (const [patient, what] of faulty) events?.({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what })
      return reads
    },
    BUSY_READS,
  )
}

interface Place {
  readonly table: AccessTable
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
}

async function readOnce(
  { table, key, tenant }: Place,
  wanted: WantedMemberships,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<PatientId, PatientAccessRead>> {
  const manifests = await table.load(tenant, [...wanted.keys()], signal)
  const reads = new Map<PatientId, PatientAccessRead>()
  const chunked = new Map<PatientId, { readonly manifest: Found; readonly chunks: readonly Chunk[] }>()
  for (const [patient, names] of wanted) {
    const manifest = opened(key, manifests.get(patient))
    reads.set(patient, manifest)
    if (manifest.kind !== 'FOUND') continue
    const chunks = new Set(names.flatMap((name) => chunkHolding(manifest.access.chunks ?? [], name) ?? []))
    if (chunks.size > 0) chunked.set(patient, { manifest, chunks: [...chunks] })
  }
  // only a patient with many memberships has chunks
  const numbers = new Map([...chunked].map(([patient, { chunks }]) => [patient, chunks.map(({ number }) => number)]))
  const stored = await table.chunks(tenant, numbers, signal)
  for (const [patient, { manifest, chunks }] of chunked) {
    reads.set(patient, withChunks({ key, tenant, patient }, manifest, chunks, stored.get(patient) ?? new Map()))
  }
  return reads
}

type Found = Extract<PatientAccessRead, { kind: 'FOUND' }>

/** @throws KeyUnavailable */
function opened(key: PurposeKey<'access'>, manifest: SealedPatientAccess | AbsentPatientAccess | undefined): PatientAccessRead {
  try {
    const access = manifest?.open(key)
    if (access === undefined) return { kind: 'NO_MANIFEST' }
    return { kind: 'FOUND', access, members: access.members ?? new Map() }
  } catch (error) {
    if (error instanceof IntegrityFailure) return fault('MANIFEST_ALTERED')
    throw error
  }
}

/** @throws KeyUnavailable */
function withChunks(
  { key, tenant, patient }: Omit<Place, 'table'> & { readonly patient: PatientId },
  manifest: Found,
  chunks: readonly Chunk[],
  stored: ReadonlyMap<number, Uint8Array>,
): PatientAccessRead {
  const members = new Map<string, Json>()
  for (const { number, digest } of chunks) {
    const sealed = stored.get(number)
    if (sealed === undefined) return fault('MISSING')
    if (accessDigest(sealed) !== digest) return fault('ALTERED')
    try {
      const place = { tenant, ...membershipChunkKey(tenant, patient, number) }
      for (const [name, content] of openMembershipChunk(key, place, sealed)) members.set(name, content)
    } catch (error) {
      if (error instanceof IntegrityFailure) return fault('ALTERED')
      throw error
    }
  }
  return { ...manifest, members }
}
