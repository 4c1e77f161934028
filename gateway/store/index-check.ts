import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { type ChunkSummary, chunkFits, type IndexEntry, type IndexRoot, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { Failure } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { chunksHolding } from './patient-index.ts'
import type { RecordTable } from './records.ts'

type ChunkReader = Pick<RecordTable, 'chunksOf'>

/** A record as it was read, or that there was none. */
export interface ReadRecord {
  readonly ref: RecordRef
  readonly found: { readonly version: number; readonly date: string } | undefined
}

/**
 * What the index says of a record. SOUND: it stands there at this very version. ABSENT: neither is it there nor listed. BROKEN:
 * it was removed, put back, or put in by somebody who could not list it; or it was written between two reads.
 */
export type IndexVerdict = 'SOUND' | 'ABSENT' | 'BROKEN' | Failure

/** What records are held against: the roots that were read with them, and the keys of their patients. */
export interface IndexContext {
  readonly tenant: TenantId
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
  readonly keys: ReadonlyMap<PatientId, PatientKeys>
}

interface Asked {
  readonly at: number
  readonly record: ReadRecord
  readonly chunks: readonly ChunkSummary[]
}

/**
 * Holds records against the indexes of their patients. A patient's own record is told by the root alone; chunks that others
 * need are read in one batch.
 *
 * @param counter `metadata` goes up with every root and chunk that is opened
 * @returns a verdict for each, in order; a failure where root or chunk do not open
 * @throws StoreUnavailable
 */
export async function verifyAgainstIndex(
  table: ChunkReader,
  { tenant, roots, keys }: IndexContext,
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
    // an index begins with the patient's key and first record, in one transaction
    if (sealed === undefined || patientKeys === undefined) {
      return found === undefined && sealed === undefined && patientKeys === undefined ? 'ABSENT' : 'BROKEN'
    }
    const root = rootOf(ref.patient, patientKeys, sealed)
    if (root instanceof Failure) return root
    if (root.own?.type === ref.type) return ownVerdict(root.own.version, ref, found?.version)
    const chunks = chunksHolding(root, ref.type, found && { date: found.date, id: ref.id })
    if (chunks.length === 0) return found === undefined ? 'ABSENT' : 'BROKEN'
    asked.push({ at, record: { ref, found }, chunks })
    return 'BROKEN'
  })
  const entries = await entriesOf(table, { tenant, keys }, asked, counter, signal)
  for (const { at, record, chunks } of asked) verdicts[at] = verdictOf(record, chunks, entries)
  return verdicts
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

/** By patient and chunk: what is in it by record, or that it cannot be had as the root names it. */
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
  { tenant, keys }: Omit<IndexContext, 'roots'>,
  asked: readonly Asked[],
  counter: OpeningCounter,
  signal: AbortSignal | undefined,
): Promise<Chunks> {
  const wanted = new Map<PatientId, Map<number, ChunkSummary>>()
  for (const { record, chunks } of asked) {
    const ofPatient = wanted.get(record.ref.patient) ?? new Map<number, ChunkSummary>()
    for (const chunk of chunks) ofPatient.set(chunk.number, chunk)
    wanted.set(record.ref.patient, ofPatient)
  }
  const numbers = new Map([...wanted].map(([patient, chunks]) => [patient, chunks.keys()]))
  const stored = await table.chunksOf(tenant, numbers, signal)
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

export function failureOr<T>(work: () => T): T | Failure {
  try {
    return work()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
