import { decoyOpenings } from '../crypto/decoy-openings.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { type ChunkSummary, chunkFits, type IndexEntry, type IndexRoot, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { Failure } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { type ChunkReads, chunksHolding, chunksOfType } from './patient-index.ts'
import type { DecidedManifest } from './record-source.ts'
import type { RecordTable } from './records.ts'

type ChunkReader = Pick<RecordTable, 'chunksOf'>

/** A record as it was read. Without `found`, the table has no such record. */
export interface ReadRecord {
  readonly ref: RecordRef
  readonly found: FoundVersion | undefined
}

export interface FoundVersion {
  readonly version: number
  readonly date: string
  readonly isLabeled: boolean
  /** Whether the record is closed to the caller. It is then looked up like an absent one, so that both cost the same (P5). */
  readonly isClosed: boolean
}

/**
 * The result of comparing a record with the index of its patient:
 * - SOUND: the index lists the record at exactly its version.
 * - ABSENT: neither the index nor the table has the record.
 * - BROKEN: the record was removed, rolled back or inserted, or it was written between two reads.
 * - OUTDATED: the index names a newer access manifest than the decision.
 */
export type IndexVerdict = 'SOUND' | 'ABSENT' | 'BROKEN' | 'OUTDATED' | Failure

/** The data that records are compared with. */
export interface IndexContext {
  readonly tenant: TenantId
  /** The roots that were read with the records. */
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
  readonly keys: ReadonlyMap<PatientId, PatientKeys>
  /** The access manifests that the decision rests on. */
  readonly manifests: ReadonlyMap<PatientId, DecidedManifest>
}

interface Asked extends ChunkReads {
  readonly at: number
  readonly record: ReadRecord
}

/**
 * Compares records with the indexes of their patients. The root suffices for a patient's own record. The chunks for other records
 * are read in one batch.
 *
 * @param counter `metadata` increases with every opened root and chunk
 * @returns a verdict for each record, in order; a failure if root or chunk does not open
 * @throws StoreUnavailable
 */
export async function verifyAgainstIndex(
  table: ChunkReader,
  { tenant, roots, keys, manifests }: IndexContext,
  records: readonly ReadRecord[],
  counter: OpeningCounter,
  signal?: AbortSignal,
): Promise<readonly IndexVerdict[]> {
  const opened = new Map<PatientId, IndexRoot | Failure>()
  const rootOf = (patient: PatientId, patientKeys: PatientKeys, sealed: Uint8Array): IndexRoot | Failure => {
    const known = opened.get(patient) ?? failureOr(() => openRoot(patientKeys, { tenant, patient }, sealed))
    if (!opened.has(patient)) counter.metadata++
    opened.set(patient, known)
    return known
  }
  const asked: Asked[] = []
  const verdicts = records.map(({ ref, found }, at): IndexVerdict => {
    const [patientKeys, sealed] = [keys.get(ref.patient), roots.get(ref.patient)]
    // the index is created in one transaction with the patient's key and first record
    if (sealed === undefined || patientKeys === undefined) {
      return found === undefined && sealed === undefined && patientKeys === undefined ? 'ABSENT' : 'BROKEN'
    }
    const root = rootOf(ref.patient, patientKeys, sealed)
    if (root instanceof Failure) return root
    const decided = manifests.get(ref.patient)
    if (decided !== undefined && isOutdated(decided, root.access)) return 'OUTDATED'
    if (root.own?.type === ref.type) return ownVerdict(root.own.version, ref, found?.version)
    const reads = readsFor(root, ref, found)
    if (reads !== undefined) asked.push({ at, record: { ref, found }, ...reads })
    return 'BROKEN'
  })
  const entries = await entriesOf(table, { tenant, keys }, asked, counter, signal)
  for (const { at, record, chunks } of asked) verdicts[at] = verdictOf(record, chunks, entries)
  return verdicts
}

/** The chunks that can list a record; undefined if none can list a record that exists. */
function readsFor(root: IndexRoot, { type, id }: RecordRef, found: FoundVersion | undefined): ChunkReads | undefined {
  if (found === undefined || found.isClosed) return chunksOfType(root, type)
  const chunks = chunksHolding(root, type, { date: found.date, id }, found.isLabeled)
  return chunks.length === 0 ? undefined : { chunks, decoys: [] }
}

/**
 * A patient has exactly one record of the patient type; its id equals the patient id. Another id of that type costs as much as an id
 * of no patient (P5).
 */
function ownVerdict(listed: number, { patient, id }: RecordRef, found: number | undefined): IndexVerdict {
  const version = (id as string) === (patient as string) ? listed : undefined
  if (version !== found) return 'BROKEN'
  return found === undefined ? 'ABSENT' : 'SOUND'
}

/** The entries of each chunk by record. BROKEN: the chunk is missing, or is not the one that the root names. */
type Chunks = ReadonlyMap<string, ReadonlyMap<string, IndexEntry> | 'BROKEN' | Failure>

function verdictOf({ ref, found }: ReadRecord, chunks: readonly ChunkSummary[], entries: Chunks): IndexVerdict {
  let listed: number | undefined
  for (const { number } of chunks) {
    const chunk = entries.get(chunkName(ref.patient, number)) ?? 'BROKEN'
    if (chunk === 'BROKEN' || chunk instanceof Failure) return chunk
    listed ??= chunk.get(ref.id)?.version
  }
  if (listed !== found?.version) return 'BROKEN'
  return found === undefined ? 'ABSENT' : 'SOUND'
}

async function entriesOf(
  table: ChunkReader,
  { tenant, keys }: Pick<IndexContext, 'tenant' | 'keys'>,
  asked: readonly Asked[],
  counter: OpeningCounter,
  signal: AbortSignal | undefined,
): Promise<Chunks> {
  const wanted = new Map<PatientId, Map<number, ChunkSummary>>()
  const numbers = new Map<PatientId, Set<number>>()
  for (const { record, chunks, decoys } of asked) {
    const ofPatient = wanted.get(record.ref.patient) ?? new Map<number, ChunkSummary>()
    const read = numbers.get(record.ref.patient) ?? new Set(decoys)
    for (const chunk of chunks) ofPatient.set(chunk.number, chunk)
    for (const number of [...ofPatient.keys(), ...decoys]) read.add(number)
    wanted.set(record.ref.patient, ofPatient)
    numbers.set(record.ref.patient, read)
  }
  const stored = await table.chunksOf(tenant, numbers, signal)
  for (const [patient, read] of numbers) {
    for (const number of read) if (wanted.get(patient)?.has(number) !== true) decoyOpenings().chunk(counter)
  }
  const entries = new Map<string, ReadonlyMap<string, IndexEntry> | 'BROKEN' | Failure>()
  for (const [patient, chunks] of wanted) {
    const patientKeys = keys.get(patient)
    for (const chunk of chunks.values()) {
      const sealed = stored.get(patient)?.get(chunk.number)
      if (patientKeys === undefined || sealed === undefined || !chunkFits(chunk, sealed)) {
        entries.set(chunkName(patient, chunk.number), 'BROKEN')
        continue
      }
      counter.metadata++
      const open = (): ReadonlyMap<string, IndexEntry> =>
        new Map(openChunk(patientKeys, { tenant, patient }, chunk.number, sealed).map((entry) => [entry.id, entry]))
      entries.set(chunkName(patient, chunk.number), failureOr(open))
    }
  }
  return entries
}

const chunkName = (patient: PatientId, number: number): string => `${patient} ${number}`

/**
 * Whether a decision rests on an older access manifest than a record or index names. The manifest was then rolled back, or written
 * after it was read.
 */
export const isOutdated = ({ version }: DecidedManifest, named: number | undefined): boolean =>
  named === undefined || version < named

export function failureOr<T>(work: () => T): T | Failure {
  try {
    return work()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
