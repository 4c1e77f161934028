import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { TimedAccess } from '../../../gateway/audit/entry.ts'
import { entriesOf, type ItemParts, toItem } from '../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { type ChainedItem, chainHash } from '../../../gateway/audit/verify/item.ts'
import { verifyLane } from '../../../gateway/audit/verify/lane.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { linked } from './audit-arbitraries.ts'
import { access, context, NOON } from './examples.ts'

/** Lines of an export. */
const exported = (items: readonly ItemParts[]): string[] =>
  items.flatMap((item) => entriesOf(toItem(item)).map((entry) => JSON.stringify(entry)))
const read = (lines: readonly string[]): readonly ChainedItem[] => parseExport(lines.join('\n')).items

/** A lane in the form that its writer makes. Each item has two records. */
function lane(name: string, count: number, succeeds?: string): readonly ChainedItem[] {
  const packer = new ItemPacker(context())
  const drafts = Array.from({ length: count }, (_, at) => {
    const records: TimedAccess[] = [access(at + 1), access(at + 1, { path: 'Patient.ssn' as SchemaPath })]
    return packer.ofWrite(records)
  })
  return read(exported(linked(drafts.flat(), name, succeeds)))
}
const kinds = (items: readonly ChainedItem[]): string[] => verifyLanes(items).findings.map(({ kind }) => kind)

/** The item with another outcome in its first record. */
const altered = (item: ChainedItem): ChainedItem => ({
  ...item,
  records: item.records.map((record, at) => (at === 0 ? { ...record, outcome: 'DENIED' } : record)),
})
/** The item with its hash recomputed. */
const relinked = (item: ChainedItem): ChainedItem => ({ ...item, hash: chainHash(item) ?? '' })

describe('P7: one lane', () => {
  const items = lane('p.1', 12)

  it('P7: an unaltered lane has no findings, and the report states its end', () => {
    const last = items.at(-1)
    expect(verifyLane(items)).toEqual({
      count: 12,
      end: { lane: 'p.1', sequence: 12, hash: last?.hash },
      times: { first: NOON, last: NOON },
      findings: [],
    })
    expect(verifyLane([])).toEqual({ count: 0, findings: [] })
  })

  it('P7: if an item is altered, deleted, doubled or moved, the first finding names it or the next one', () => {
    fc.assert(
      fc.property(fc.nat(11), fc.constantFrom('alter', 'relink', 'shorten', 'delete', 'double', 'move', 'foreign'), (at, how) => {
        const item = items[at]
        if (item === undefined) throw new Error('no such item')
        // for the last item, a successor, a receipt or a checkpoint shows the change
        fc.pre(at < 11 || how === 'alter' || how === 'shorten' || how === 'double' || how === 'foreign')
        expect(relinked(item)).toEqual(item)
        const changed = {
          alter: [altered(item)],
          relink: [relinked(altered(item))],
          shorten: [{ ...item, records: item.records.slice(0, 1) }],
          delete: [],
          double: [item, item],
          move: [...items.slice(at + 1, at + 2), item],
          foreign: [{ ...item, tenant: 'lakeside' }],
        }[how]
        const lines = items.toSpliced(at, how === 'move' ? 2 : 1, ...changed)
        const [first] = verifyLane(lines).findings
        expect(first).toBeDefined()
        // if the first item belongs to another tenant, all others are foreign
        if (how !== 'foreign') expect([at + 1, at + 2]).toContain(first?.sequence)
      }),
      { numRuns: 100 },
    )
  })

  it('P7: an item that is no JSON has no hash, not even the hash of an empty text', () => {
    const hash = createHash('sha256').update(Buffer.alloc(32)).digest('hex')
    const [first] = items.map((item) => ({ ...item, hash, records: item.records.map((record) => ({ ...record, user: '\ud83e' })) }))
    if (first === undefined) throw new Error('there is no item')
    expect(verifyLane([first]).findings).toMatchObject([{ kind: 'ALTERED', sequence: 1 }])
  })

  it('P7: an item of a later format has its own finding and is chained to the next item', () => {
    const later = items.map((item) => (item.sequence === 4 ? { ...item, format: 2 } : item))
    expect(kinds(later)).toEqual(['FORMAT'])
    expect(kinds(later.map((item) => (item.sequence === 4 ? { ...item, hash: 'ab'.repeat(32) } : item)))).toEqual([
      'FORMAT',
      'UNLINKED',
    ])
  })

  it('P7: every gap is reported', () => {
    const { findings } = verifyLane(items.filter(({ sequence }) => ![1, 4, 5, 9].includes(sequence)))
    expect(findings).toEqual([
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 2, after: 0 },
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 6, after: 3 },
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 10, after: 8 },
    ])
  })
})

describe('P7: lanes with successors', () => {
  it.each([
    { held: 4, kinds: ['CUT_SHORT'] },
    { held: 5, kinds: [] },
    { held: 104, kinds: [] },
    { held: 105, kinds: ['WENT_ON'] },
  ])('P7: a lane retired at 5 that holds $held records: $kinds', ({ held, kinds: expected }) => {
    expect(kinds([...lane('p.1', held), ...lane('p.2', 3, 'p.1/5')])).toEqual(expected)
  })

  it.each([
    { second: 99, third: 120, kinds: [] },
    { second: 100, third: 99, kinds: [] },
    { second: 100, third: 100, kinds: ['FORKED'] },
  ])(
    'P7: of two successors of one lane, only one may hold more than a transaction: $second and $third',
    ({ second, third, kinds: expected }) => {
      expect(kinds([...lane('p.1', 2), ...lane('p.2', second, 'p.1/2'), ...lane('p.3', third, 'p.1/2')])).toEqual(expected)
    },
  )

  it('P7: a lane without a successor is OPEN, which is no finding', () => {
    const items = [...lane('p.1', 5), ...lane('p.2', 3, 'p.1/5')]
    expect(verifyLanes(items).lanes.map(({ lane: name, fate, count }) => ({ name, fate, count }))).toEqual([
      { name: 'p.1', fate: 'SUCCEEDED', count: 5 },
      { name: 'p.2', fate: 'OPEN', count: 3 },
    ])
    expect(kinds(items)).toEqual([])
    // a receipt or a checkpoint shows this change
    expect(kinds(items.slice(0, -1))).toEqual([])
  })

  it('P7: lanes of different tenants do not mix', () => {
    const other = lane('p.1', 2).map((item) => ({ ...item, tenant: 'lakeside' }))
    const { lanes, findings } = verifyLanes([...lane('p.1', 3), ...other])
    expect(lanes.map(({ tenant, count }) => [tenant, count])).toEqual([
      ['lakeside', 2],
      ['riverside', 3],
    ])
    expect(findings.map(({ kind, tenant }) => [kind, tenant])).toEqual([
      ['ALTERED', 'lakeside'],
      ['ALTERED', 'lakeside'],
    ])
  })
})

describe('P7: exports', () => {
  const [line = ''] = exported(linked(new ItemPacker(context()).ofWrite([access(1)]), 'p.1'))
  const entry = JSON.parse(line) as Record<string, unknown>
  const bad = {
    'no object': 'null',
    'no JSON': '{"tenant":',
    'a list': '[]',
    'no tenant': { tenant: undefined },
    'an empty lane': { lane: '' },
    'sequence 0': { sequence: 0 },
    'half a sequence': { sequence: 1.5 },
    'a sequence as a text': { sequence: '1' },
    'a sequence of 2^53': { sequence: 2 ** 53 },
    'no index': { index: undefined },
    'index 0': { index: 0 },
    'no format': { format: undefined },
    'a format as a text': { format: '1' },
    'no request id': { requestId: undefined },
    'no part': { part: undefined },
    'half a part': { part: 0.5 },
    'parts as a text': { parts: '1' },
    'a time without milliseconds': { time: '2026-03-01T12:00:00Z' },
    'an invalid time': { time: '2026-13-01T12:00:00.000Z' },
    'a time as a number': { time: NOON },
    'an upper-case hash': { hash: 'AB'.repeat(32) },
    'a short prev': { prev: '00' },
    'succeeds as a number': { succeeds: 1 },
  }

  it.each(Object.keys(bad) as (keyof typeof bad)[])('P7: a line with %s is reported and not skipped', (name) => {
    const other = typeof bad[name] === 'string' ? bad[name] : JSON.stringify({ ...entry, ...bad[name] })
    const { items, malformed } = parseExport(`${line}\n\n${other}\n`)
    expect(items.map(({ records }) => records)).toEqual([[entry]])
    expect(malformed).toEqual([3])
  })

  it('P7: a member that the verifier does not know is covered by the hash', () => {
    expect(kinds(read([line]))).toEqual([])
    expect(kinds(read([JSON.stringify({ ...entry, note: 'x' })]))).toEqual(['ALTERED'])
    const named = line.replace('{', '{"__proto__":{"outcome":"DENIED"},')
    expect(kinds(read([named]))).toEqual(['ALTERED'])
  })

  it('P7: the records of an item are joined for any order of the lines', () => {
    const lines = exported(linked(new ItemPacker(context()).ofWrite([access(1), access(2), access(3)]), 'p.1'))
    expect(kinds(read([lines[2], lines[0], lines[1]] as string[]))).toEqual([])
    expect(kinds(read(lines.slice(1)))).toEqual(['ALTERED'])
    expect(kinds(read([...lines, lines[1] ?? '']))).toEqual(['ALTERED'])
  })
})
