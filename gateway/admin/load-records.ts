import type { CompiledPolicy } from '../../directives/compile.ts'
import { type PatientId, recordKey } from '../model/ids.ts'
import type { Membership, NewRecord } from '../model/record.ts'
import type { SealedStore } from './open-store.ts'
import { LineRefused, type LoadedRecord, recordOfLine } from './record-lines.ts'

/** Records of one write. A transaction of DynamoDB has at most 100 items, and a record takes several. */
const MAX_RECORDS = 20
/** Characters of a line. A character has up to 3 bytes, and an item of DynamoDB at most 400 KB. */
const MAX_LINE = 100_000
/** A decoder writes it in place of bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD'

export interface LoadCounts {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  /** The lines that were refused, counted from 1, each with the reason. The reason repeats no value. */
  readonly refused: readonly { readonly line: number; readonly why: string }[]
}

export interface LoadParts {
  readonly compiled: CompiledPolicy
  readonly store: Pick<SealedStore, 'idFor' | 'write'>
}

/**
 * Writes records of any schema to the sealed store, one patient at a time. A refused line stops nothing. Repeating it with the same lines
 * changes nothing.
 *
 * @throws as `SealedStore.write`
 */
export async function loadRecords(
  lines: AsyncIterable<string> | Iterable<string>,
  { compiled, store }: LoadParts,
): Promise<LoadCounts> {
  const refused: { line: number; why: string }[] = []
  const counts = { created: 0, updated: 0, unchanged: 0 }
  let batch: { readonly patient: PatientId; records: NewRecord[]; memberships: Membership[] } | undefined
  const write = async (): Promise<void> => {
    if (batch === undefined) return
    const { created, updated, unchanged } = await store.write(batch)
    counts.created += created
    counts.updated += updated
    counts.unchanged += unchanged
    batch = undefined
  }
  let line = 0
  for await (const text of lines) {
    line++
    // also the byte order mark of a file
    const trimmed = text.trim()
    if (trimmed === '') continue
    const loaded = readLine(trimmed, { compiled, store }, (why) => refused.push({ line, why }))
    if (loaded === undefined) continue
    const { patient } = loaded.record.ref
    // a write has a record once: a later line of it is a new version
    const isRepeated = batch?.records.some(({ ref }) => recordKey(ref) === recordKey(loaded.record.ref)) === true
    if (isRepeated || batch?.patient !== patient || batch.records.length >= MAX_RECORDS) await write()
    batch ??= { patient, records: [], memberships: [] }
    batch.records.push(loaded.record)
    batch.memberships.push(...loaded.memberships)
  }
  await write()
  return { ...counts, refused }
}

function readLine(text: string, { compiled, store }: LoadParts, refuse: (why: string) => void): LoadedRecord | undefined {
  try {
    if (text.length > MAX_LINE) throw new LineRefused(`The line has more than ${MAX_LINE} characters.`)
    if (text.includes(REPLACEMENT)) throw new LineRefused('The line is not UTF-8.')
    return recordOfLine(text, { compiled, idFor: store.idFor })
  } catch (error) {
    if (!(error instanceof LineRefused)) throw error
    refuse(error.message)
    return undefined
  }
}
