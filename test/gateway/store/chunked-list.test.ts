import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkHolding, chunksWithin } from '../../../gateway/crypto/chunk.ts'
import { ChunkedList, type ListForm } from '../../../gateway/store/chunked-list.ts'

const LIMITS = { maxInline: 4, maxInChunk: 6 }

/** A stored list: its form, and its chunks by number. */
interface Stored {
  form: ListForm<number>
  readonly chunks: Map<number, ReadonlyMap<string, number>>
}

type Change = { readonly name: string; readonly content: number } | { readonly removed: string }

/** Applies changes of one write. It opens only the chunks that the names belong to. */
function write(stored: Stored, changes: readonly Change[]): void {
  const names = changes.map((change) => ('removed' in change ? change.removed : change.name))
  const touched = new Set(names.flatMap((name) => chunkHolding(stored.form.chunks ?? [], name)?.number ?? []))
  const opened = new Map([...touched].map((number) => [number, stored.chunks.get(number) ?? new Map<string, number>()]))
  const list = new ChunkedList(stored.form, opened, LIMITS)
  for (const change of changes) {
    if ('removed' in change) list.remove(change.removed)
    else list.put(change.name, change.content)
  }
  const { written, removed } = list.changes()
  for (const number of removed) stored.chunks.delete(number)
  for (const { number, entries } of written) stored.chunks.set(number, new Map(entries))
  stored.form = list.form(new Map([...stored.chunks.keys()].map((number) => [number, `digest ${number}`])))
}

function contentOf({ form, chunks }: Stored): ReadonlyMap<string, number> {
  return new Map([...(form.inline ?? []), ...(form.chunks ?? []).flatMap(({ number }) => [...(chunks.get(number) ?? [])])])
}

const name = fc.integer({ min: 0, max: 60 }).map((number) => `n${String(number).padStart(2, '0')}`)
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ name, content: fc.nat() }) },
  fc.record({ removed: name }),
)

describe('a chunked list', () => {
  it('has each entry once, in the chunk of its name, and drops none, after any changes', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { maxLength: 30 }), (writes) => {
        const stored: Stored = { form: {}, chunks: new Map() }
        const model = new Map<string, number>()
        for (const changes of writes) {
          write(stored, changes)
          for (const one of changes) {
            if ('removed' in one) model.delete(one.removed)
            else model.set(one.name, one.content)
          }
          expect(contentOf(stored)).toEqual(model)
          const { chunks, inline, next = 1 } = stored.form
          expect(inline?.size ?? 0).toBeLessThanOrEqual(LIMITS.maxInline)
          if (chunks === undefined) continue
          expect(chunks[0]?.first).toBe('')
          expect(chunks.map(({ first }) => first)).toEqual(chunks.map(({ first }) => first).toSorted())
          // no chunk is left behind in the table, and no number is used again
          expect([...stored.chunks.keys()].toSorted()).toEqual(chunks.map(({ number }) => number).toSorted())
          expect(Math.max(...stored.chunks.keys())).toBeLessThan(next)
          for (const { number, first } of chunks) {
            const entries = stored.chunks.get(number)
            expect(entries?.size).toBeLessThanOrEqual(LIMITS.maxInChunk)
            if (chunks.length > 1) expect(entries?.size).toBeGreaterThan(0)
            for (const one of entries?.keys() ?? []) expect(chunkHolding(chunks, one)?.first).toBe(first)
          }
        }
      }),
    )
  })

  it('divides a list of an earlier form that is longer than a chunk', () => {
    const inline = new Map(Array.from({ length: 50 }, (_, index) => [`n${String(index).padStart(2, '0')}`, index]))
    const stored: Stored = { form: { inline }, chunks: new Map() }
    write(stored, [{ name: 'n50', content: 50 }])
    expect(contentOf(stored).size).toBe(51)
    for (const entries of stored.chunks.values()) expect(entries.size).toBeLessThanOrEqual(LIMITS.maxInChunk)
  })

  it('finds the chunks that can hold a name of a range', () => {
    const chunks = [{ first: '' }, { first: 'd' }, { first: 'h' }, { first: 'p' }]
    const within = (from: string, to: string): string[] => chunksWithin(chunks, { from, to }).map(({ first }) => first)
    expect(within('a', 'b')).toEqual([''])
    expect(within('c', 'd')).toEqual(['', 'd'])
    expect(within('e', 'i')).toEqual(['d', 'h'])
    expect(within('h', 'h')).toEqual(['h'])
    expect(within('q', 'z')).toEqual(['p'])
  })
})
