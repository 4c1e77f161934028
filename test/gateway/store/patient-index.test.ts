import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChunkSummary, IndexEntry, IndexRoot } from '../../../gateway/crypto/sealed-index.ts'
import { CHUNK_ENTRIES, chunksAfter, chunksFor, passes, PatientIndex } from '../../../gateway/store/patient-index.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { type ListFilter, type ListPosition, newestFirst } from '../../../gateway/model/list.ts'

const OBSERVATION = 'Observation' as TypeName

const entryAt = (minute: number, id: number, code = 'a', labels: readonly string[] = []): IndexEntry => ({
  date: minute < 0 ? '' : new Date(Date.UTC(2020, 0, 1, 0, minute)).toISOString(),
  id: `r${String(id).padStart(6, '0')}` as RecordId,
  version: 1,
  codes: [code],
  categories: id % 5 === 0 ? ['c', 'second'] : ['c'],
  labels,
})
/** A third of the records has labels. */
const mixedAt = (minute: number, id: number, code?: string): IndexEntry => entryAt(minute, id, code, id % 3 === 0 ? ['ETH'] : [])

/** An index that is written and read back before each write. */
class Written {
  readonly chunks = new Map<number, readonly IndexEntry[]>()
  root: IndexRoot | undefined

  write(entries: readonly IndexEntry[]): number {
    const index = new PatientIndex(this.root, this.chunks)
    for (const entry of entries) index.put(OBSERVATION, entry)
    const changed = index.changes()
    for (const { number, entries: now } of changed) this.chunks.set(number, [...now])
    this.root = index.root(
      new Map([...this.chunks.keys()].map((number) => [number, `digest ${number}`])),
      (this.root?.version ?? 0) + 1,
    )
    return changed.length
  }

  get summaries(): readonly ChunkSummary[] {
    return [...(this.root?.types.get(OBSERVATION) ?? []), ...(this.root?.labeled.get(OBSERVATION) ?? [])]
  }

  all(): IndexEntry[] {
    return this.summaries.flatMap(({ number }) => [...(this.chunks.get(number) ?? [])]).toSorted(newestFirst)
  }

  /** A page in the form that the source makes from the chunks of the index. */
  page(size: number, after?: ListPosition, filter: ListFilter = {}): { entries: IndexEntry[]; more: boolean; read: number } {
    if (this.root === undefined) return { entries: [], more: false, read: 0 }
    const { chunks } = chunksFor(this.root, { type: OBSERVATION, size, filter, ...(after && { after }) })
    const ahead = chunks
      .flatMap(({ number }) => [...(this.chunks.get(number) ?? [])])
      .toSorted(newestFirst)
      .filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
    return { entries: ahead.slice(0, size), more: ahead.length > size, read: chunks.length }
  }
}

const idsOf = (entries: readonly IndexEntry[]): string[] => entries.map(({ id }) => id)

describe('the index of a patient`s records', () => {
  it('holds every record once, newest first, in chunks of bounded size, for any sequence of writes', () => {
    const writes = fc.array(
      fc.array(fc.tuple(fc.integer({ min: -1, max: 400 }), fc.integer({ min: 0, max: 600 })), { maxLength: 120 }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(writes, (batches) => {
        const index = new Written()
        const model = new Map<string, IndexEntry>()
        for (const batch of batches) {
          const entries = batch.map(([minute, id], at) => entryAt(minute, id, 'a', (id + at) % 3 === 0 ? ['ETH'] : []))
          index.write(entries)
          for (const entry of entries) model.set(entry.id, entry)
        }
        expect(index.all()).toEqual([...model.values()].toSorted(newestFirst))
        for (const { number, count, first, last } of index.summaries) {
          const entries = index.chunks.get(number) ?? []
          expect(entries.length).toBe(count)
          expect(count).toBeGreaterThan(0)
          expect(count).toBeLessThanOrEqual(CHUNK_ENTRIES)
          expect([first, last]).toEqual([entries[0], entries.at(-1)].map((entry) => ({ date: entry?.date, id: entry?.id })))
        }
      }),
      { numRuns: 60, seed: 7 },
    )
  })

  it('gives the same pages as a list of all records, for any filter', () => {
    const index = new Written()
    const entries = Array.from({ length: 1_200 }, (_, id) => mixedAt((id * 7919) % 900, id, id % 11 === 0 ? 'rare' : 'a')).concat(
      Array.from({ length: 20 }, (_, id) => entryAt(-1, 5_000 + id)),
    )
    for (let start = 0; start < entries.length; start += 45) index.write(entries.slice(start, start + 45))
    const all = entries.toSorted(newestFirst)
    const moment = (minute: number): number => Date.UTC(2020, 0, 1, 0, minute)
    const filters: ListFilter[] = [
      {},
      { code: 'rare' },
      { since: moment(200), until: moment(500) },
      { until: moment(3) },
      { since: moment(890) },
      { code: 'rare', since: moment(450) },
      { category: 'none' },
      { category: 'c' },
      { category: 'second' },
      { category: 'second', code: 'rare' },
    ]
    for (const filter of filters) {
      const wanted = all.filter((entry) => passes(filter, entry))
      const seen: string[] = []
      let after: ListPosition | undefined
      for (;;) {
        const page = index.page(37, after, filter)
        seen.push(...idsOf(page.entries))
        after = page.entries.at(-1)
        if (!page.more || after === undefined) break
      }
      expect(seen).toEqual(idsOf(wanted))
    }
  })

  it('gives every record with a partial date that a time span touches, from whatever chunk', () => {
    const index = new Written()
    const day = 24 * 60
    const entries = Array.from({ length: 1_500 }, (_, id): IndexEntry => {
      const entry = entryAt(((id * 7919) % 800) * day, id)
      if (id % 97 !== 0) return entry
      const datePrecision = (['YEAR', 'MONTH', 'DAY'] as const)[id % 3] ?? 'DAY'
      const text = entry.date.slice(0, { YEAR: 4, MONTH: 7, DAY: 10 }[datePrecision])
      return { ...entry, date: new Date(text).toISOString(), datePrecision }
    })
    for (let start = 0; start < entries.length; start += 45) index.write(entries.slice(start, start + 45))
    const days = fc.integer({ min: -20, max: 900 }).map((at) => Date.UTC(2020, 0, 1 + at))
    fc.assert(
      fc.property(fc.option(days, { nil: undefined }), fc.option(days, { nil: undefined }), (since, until) => {
        const filter = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
        const wanted = entries.toSorted(newestFirst).filter((entry) => passes(filter, entry))
        expect(idsOf(index.page(2_000, undefined, filter).entries)).toEqual(idsOf(wanted))
      }),
      { numRuns: 100, seed: 3 },
    )
  })

  it('reads a bounded number of chunks for a page of any history', () => {
    const index = new Written()
    for (let start = 0; start < 10_000; start += 50)
      index.write(Array.from({ length: 50 }, (_, id) => entryAt(start + id, start + id)))
    expect(index.all()).toHaveLength(10_000)
    // if entries are written in order of time, a chunk is filled before the next one begins
    expect(index.summaries).toHaveLength(10_000 / CHUNK_ENTRIES)
    const all = index.all()
    for (const place of [undefined, all[3], all[4_998], all[9_990]]) expect(index.page(100, place).read).toBeLessThanOrEqual(2)
    const year = { since: Date.UTC(2020, 0, 2), until: Date.UTC(2020, 0, 3) }
    expect(index.page(10, undefined, year).read).toBeLessThanOrEqual(2)
  })

  it('changes at most the planned number of chunks, for any fill and any place of the entries', () => {
    const minutes = fc.integer({ min: 0, max: 60 })
    const steps = fc.array(fc.array(fc.tuple(minutes, fc.integer({ min: 0, max: 3_000 })), { minLength: 1, maxLength: 49 }), {
      minLength: 5,
      maxLength: 30,
    })
    fc.assert(
      fc.property(steps, (batches) => {
        const index = new Written()
        // full chunks are the critical case
        index.write(Array.from({ length: 490 }, (_, id) => entryAt(id % 61, 10_000 + id)))
        for (const batch of batches) {
          const entries = batch.map(([minute, id], at) => entryAt(minute, id, 'a', (id + at) % 3 === 0 ? ['ETH'] : []))
          const plan = new PatientIndex(index.root, index.chunks)
          const touched = new Map<string, { count: number; added: number }>()
          for (const entry of entries) {
            for (const { name, count } of plan.touches(OBSERVATION, entry))
              touched.set(name, { count, added: (touched.get(name)?.added ?? 0) + 1 })
          }
          const foreseen = [...touched.values()].reduce((sum, { count, added }) => sum + chunksAfter(count, added), 0)
          expect(index.write(entries)).toBeLessThanOrEqual(foreseen)
        }
      }),
      { numRuns: 150, seed: 11 },
    )
  })

  it('P5: the chunks that a page needs of the records without labels are the same with any records with labels', () => {
    const minutes = fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 20 })
    const request = fc.record({
      size: fc.integer({ min: 1, max: 100 }),
      from: fc.integer({ min: -1, max: 599 }),
      span: fc.constantFrom<ListFilter>({}, { since: Date.UTC(2020, 0, 1, 8) }, { until: Date.UTC(2020, 0, 1, 20) }, { code: 'a' }),
    })
    fc.assert(
      fc.property(minutes, minutes, request, (before, after, { size, from, span }) => {
        const open = Array.from({ length: 600 }, (_, id) => entryAt((id * 7919) % 1_500, id))
        const labeled = (all: readonly number[], first: number) =>
          all.map((minute, at) => entryAt(minute, 10_000 + first + at, 'a', ['ETH']))
        const [plain, mixed] = [new Written(), new Written()]
        plain.write(open)
        mixed.write([...labeled(before, 0), ...open.slice(0, 300)])
        mixed.write([...labeled(after, before.length), ...open.slice(300)])
        const position = open.toSorted(newestFirst)[from]
        const asked = { type: OBSERVATION, size, filter: span, ...(position && { after: position }) }
        const needed = (index: Written) => {
          const labeledChunks = new Set(index.root?.labeled.get(OBSERVATION)?.map(({ number }) => number))
          const { chunks, decoys } = chunksFor(index.root ?? { version: 0, next: 0, types: new Map(), labeled: new Map() }, asked)
          const unlabeled = chunks.filter(({ number }) => !labeledChunks.has(number))
          const entries = unlabeled.map(({ number }) => idsOf(index.chunks.get(number) ?? []))
          return { entries, reads: chunks.length + decoys.length }
        }
        expect(needed(mixed)).toEqual(needed(plain))
      }),
      { numRuns: 60, seed: 5 },
    )
  })

  it('P6: overwrites a chunk that loses its last entry, so that no older root can name it', () => {
    const index = new Written()
    index.write([entryAt(1, 1)])
    const [chunk] = index.summaries
    index.write([entryAt(1, 1, 'a', ['ETH'])])
    expect(index.chunks.get(chunk?.number ?? 0)).toEqual([])
    expect(index.all()).toEqual([entryAt(1, 1, 'a', ['ETH'])])
  })

  it('changes one or two chunks for a new record, and moves a record with a changed date', () => {
    const index = new Written()
    index.write(Array.from({ length: 1_000 }, (_, id) => entryAt(id, id)))
    expect(index.write([entryAt(500, 2_000)])).toBeLessThanOrEqual(2)
    expect(index.write([{ ...entryAt(3, 2_000), version: 2 }])).toBeLessThanOrEqual(3)
    expect(index.all().filter(({ id }) => id === entryAt(0, 2_000).id)).toEqual([{ ...entryAt(3, 2_000), version: 2 }])
  })
})
