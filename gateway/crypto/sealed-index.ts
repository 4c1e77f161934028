import { randomBytes } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { DatePrecision } from '../model/date-span.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { ListPosition } from '../model/list.ts'
import { sha256 } from './derive.ts'
import { envelopeKeyVersion, openEnvelope, sealEnvelope } from './envelope.ts'
import { fromPaddedBytes, toPaddedBytes } from './padded-text.ts'
import type { RandomBytes } from './parts.ts'
import type { PatientKeys } from './patient-keys.ts'
import { indexAad } from './record-binding.ts'

// The sealed index of a patient's records: `docs/sealed-field.md` section 10.

/** The index entry of a record. It suffices to order and filter lists, and to detect a missing or outdated record. */
export interface IndexEntry extends ListPosition {
  readonly version: number
  readonly codes: readonly string[]
  readonly categories: readonly string[]
  /** The sensitivities of the record. A page skips closed records without opening them, and still has its full length. */
  readonly labels: readonly string[]
  /** The encounter that the record belongs to. A denial of an encounter closes its records. */
  readonly encounter?: RecordId
  /** The FHIR identity of the author. */
  readonly author?: string
  /** The unit of a partial date. Absent for a time. */
  readonly datePrecision?: DatePrecision
}

/** The entry of the index root for a chunk. */
export interface ChunkSummary {
  /** Identifies the chunk within the patient. A number is never used again. */
  readonly number: number
  /** The first 16 bytes of the SHA-256 of the sealed chunk, base64url. An older chunk or another one does not match. */
  readonly digest: string
  readonly count: number
  readonly first: ListPosition
  readonly last: ListPosition
}

export interface IndexRoot {
  /** Increases by one with every change. */
  readonly version: number
  /** The number of the next chunk. */
  readonly next: number
  /** The patient's own record, the one with the patient's id. Its version needs no chunk. Absent until that record is written. */
  readonly own?: { readonly type: TypeName; readonly version: number }
  /** The version of the patient's access manifest that the same transaction wrote, or an earlier one. */
  readonly access?: number
  /** The chunks of records without labels. By type, newest first. */
  readonly types: ReadonlyMap<string, readonly ChunkSummary[]>
  /** The chunks of records with labels, which can be closed. No list of the others depends on them. By type, newest first. */
  readonly labeled: ReadonlyMap<string, readonly ChunkSummary[]>
}

export interface IndexPlace {
  readonly tenant: TenantId
  readonly patient: PatientId
}

type PositionRow = readonly [date: string, id: string]
type SummaryRow = readonly [number: number, digest: string, count: number, first: PositionRow, last: PositionRow]

const isPosition = (row: unknown): boolean =>
  Array.isArray(row) && row.length === 2 && typeof row[0] === 'string' && typeof row[1] === 'string'
const isSummary = (row: unknown): boolean =>
  Array.isArray(row) &&
  row.length === 5 &&
  typeof row[0] === 'number' &&
  typeof row[1] === 'string' &&
  typeof row[2] === 'number' &&
  isPosition(row[3]) &&
  isPosition(row[4])
/** Checked by hand: a schema of tuples took most of the time of an opening, which then grew with the number of lists. */
const Chunks = z.custom<Readonly<Record<string, readonly SummaryRow[]>>>(
  (lists) =>
    typeof lists === 'object' &&
    lists !== null &&
    Object.values(lists).every((rows: unknown) => Array.isArray(rows) && rows.every(isSummary)),
)
const Root = z.object({
  version: z.number(),
  next: z.number(),
  own: z.tuple([z.string(), z.number()]).optional(),
  access: z.number().optional(),
  types: Chunks,
  labeled: Chunks.optional(),
})
const texts = z.array(z.string())
const Unit = z.enum(['', 'YEAR', 'MONTH', 'DAY'])
/** One text for one category, an empty text for none: most records have one, and a list costs two bytes more. */
const Categories = z.union([z.string(), texts])
const Chunk = z.array(
  z.tuple([
    z.string(),
    z.string(),
    z.number(),
    texts,
    Categories,
    texts.optional(),
    z.string().optional(),
    z.string().optional(),
    Unit.optional(),
  ]),
)

const ROOT = '#index'
const chunkPart = (number: number): string => `${ROOT}/${number}`
/** Bounds the inflated size of a forged text. 250 entries need far less. */
const MAX_INFLATED_BYTES = 4_000_000

export const chunkDigest = (sealed: Uint8Array): string => sha256(sealed).toString('base64url', 0, 16)

/** Whether these bytes are the chunk of the root's entry. */
export const chunkFits = ({ digest }: ChunkSummary, sealed: Uint8Array | undefined): boolean =>
  sealed !== undefined && chunkDigest(sealed) === digest

export function sealRoot(
  keys: PatientKeys,
  place: IndexPlace,
  { version, next, own, access, types, labeled }: IndexRoot,
  random: RandomBytes = randomBytes,
): Uint8Array {
  const value = {
    version,
    next,
    ...(own && { own: [own.type, own.version] }),
    ...(access !== undefined && { access }),
    types: rowsOf(types),
    ...(labeled.size > 0 && { labeled: rowsOf(labeled) }),
  }
  return seal(keys, place, ROOT, value, random)
}

function rowsOf(lists: IndexRoot['types']): unknown {
  const rows = [...lists].map(([type, summaries]) => [
    type,
    summaries.map(({ number, digest, count, first, last }) => [
      number,
      digest,
      count,
      [first.date, first.id],
      [last.date, last.id],
    ]),
  ])
  return Object.fromEntries(rows) as unknown
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable */
export function openRoot(keys: PatientKeys, place: IndexPlace, sealed: Uint8Array): IndexRoot {
  const { version, next, own, access, types, labeled = {} } = read(Root, open(keys, place, ROOT, sealed))
  return {
    version,
    next,
    ...(own && { own: { type: own[0] as TypeName, version: own[1] } }),
    ...(access !== undefined && { access }),
    types: listsOf(types),
    labeled: listsOf(labeled),
  }
}

function listsOf(rows: z.infer<typeof Chunks>): IndexRoot['types'] {
  const lists = Object.entries(rows).map(
    ([type, chunks]) =>
      [
        type,
        chunks.map(([number, digest, count, first, last]) => ({
          number,
          digest,
          count,
          first: position(first),
          last: position(last),
        })),
      ] as const,
  )
  return new Map(lists)
}

export function sealChunk(
  keys: PatientKeys,
  place: IndexPlace,
  number: number,
  entries: readonly IndexEntry[],
  random: RandomBytes = randomBytes,
): Uint8Array {
  const rows = entries.map((entry) => {
    const { date, id, version, codes, categories, labels, encounter = '', author = '', datePrecision = '' } = entry
    const row = [date, id, version, codes, writtenCategories(categories), labels, encounter, author, datePrecision]
    // most records have neither labels nor an author nor a partial date: what is empty at the end is omitted
    return row.slice(0, datePrecision !== '' ? 9 : author !== '' ? 8 : encounter !== '' ? 7 : labels.length > 0 ? 6 : 5)
  })
  return seal(keys, place, chunkPart(number), rows, random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable */
export function openChunk(keys: PatientKeys, place: IndexPlace, number: number, sealed: Uint8Array): readonly IndexEntry[] {
  const rows = read(Chunk, open(keys, place, chunkPart(number), sealed))
  return rows.map(([date, id, version, codes, categories, labels = [], encounter = '', author = '', unit = '']) => ({
    date,
    id: id as RecordId,
    version,
    codes,
    categories: readCategories(categories),
    labels,
    ...(encounter !== '' && { encounter: encounter as RecordId }),
    ...(author !== '' && { author }),
    ...(unit !== '' && { datePrecision: unit }),
  }))
}

const writtenCategories = (categories: readonly string[]): string | readonly string[] =>
  categories.length > 1 ? categories : (categories[0] ?? '')

function readCategories(categories: string | readonly string[]): readonly string[] {
  if (typeof categories !== 'string') return categories
  return categories === '' ? [] : [categories]
}

function seal(keys: PatientKeys, { tenant, patient }: IndexPlace, part: string, value: unknown, random: RandomBytes): Uint8Array {
  const { version, seal: key } = keys.current()
  const packed = deflateRawSync(JSON.stringify(value))
  return sealEnvelope({ version, key }, indexAad(tenant, patient, part, version), toPaddedBytes(packed), random)
}

function open(keys: PatientKeys, { tenant, patient }: IndexPlace, part: string, sealed: Uint8Array): string {
  const version = envelopeKeyVersion(sealed)
  const key = keys.byVersion(version)
  if (key === undefined) throw new IntegrityFailure()
  const packed = fromPaddedBytes(openEnvelope(key.seal, indexAad(tenant, patient, part, version), sealed))
  try {
    return inflateRawSync(packed, { maxOutputLength: MAX_INFLATED_BYTES }).toString('utf8')
  } catch {
    throw new IntegrityFailure()
  }
}

function read<T>(shape: z.ZodType<T>, text: string): T {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // the parser's message quotes the text, so it must not become the cause
    throw new IntegrityFailure()
  }
  const parsed = shape.safeParse(json)
  if (!parsed.success) throw new IntegrityFailure()
  return parsed.data
}

const position = ([date, id]: PositionRow): ListPosition => ({ date, id: id as RecordId })
