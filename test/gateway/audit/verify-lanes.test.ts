import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type AuditEntry, FIRST_PREV, linkEntry, type Unlinked } from '../../../gateway/audit/entry.ts'
import { chainedEntry } from '../../../gateway/audit/verify/entry.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyLane } from '../../../gateway/audit/verify/lane.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import { holdsReceipt, parseReceipts } from '../../../gateway/audit/verify/receipt.ts'
import { access, context, NOON } from './examples.ts'

/** A lane as its writer makes it. */
function lane(name: string, count: number, succeeds?: string): AuditEntry[] {
  const entries: AuditEntry[] = []
  for (let sequence = 1; sequence <= count; sequence++) {
    const { at, ...record } = access(sequence)
    const entry: Unlinked = {
      ...context(),
      ...record,
      lane: name,
      sequence,
      time: new Date(at).toISOString(),
      ...(sequence === 1 && succeeds !== undefined && { succeeds }),
    }
    entries.push(linkEntry(entry, entries.at(-1)?.hash ?? FIRST_PREV))
  }
  return entries
}
const kinds = (entries: readonly AuditEntry[]): string[] => verifyLanes(entries).findings.map(({ kind }) => kind)

describe('P7: one lane', () => {
  const entries = lane('p.1', 12)

  it('P7: an unaltered lane has no findings, and says where it ends', () => {
    const last = entries.at(-1)
    expect(verifyLane(entries)).toEqual({ count: 12, end: { lane: 'p.1', sequence: 12, hash: last?.hash }, findings: [] })
    expect(verifyLane([])).toEqual({ count: 0, findings: [] })
  })

  it('P7: whichever record is altered, deleted, doubled or moved, the first finding is about it or the one after', () => {
    fc.assert(
      fc.property(fc.nat(11), fc.constantFrom('alter', 'relink', 'delete', 'double', 'move', 'foreign'), (at, how) => {
        const entry = entries[at]
        if (entry === undefined) throw new Error('no such record')
        // what happens to the last one is seen by its successor, a receipt or a checkpoint
        fc.pre(at < 11 || how === 'alter' || how === 'double' || how === 'foreign')
        const { prev, hash, ...content } = entry
        expect(linkEntry(content, prev).hash).toBe(hash)
        const changed = {
          alter: [{ ...entry, outcome: 'DENIED' }],
          relink: [linkEntry({ ...content, outcome: 'DENIED' }, prev)],
          delete: [],
          double: [entry, entry],
          move: [...entries.slice(at + 1, at + 2), entry],
          foreign: [{ ...entry, tenant: 'lakeside' }],
        }[how]
        const altered = entries.toSpliced(at, how === 'move' ? 2 : 1, ...changed)
        const [first] = verifyLane(altered).findings
        expect(first).toBeDefined()
        // the first record of another tenant makes all the others foreign
        if (how !== 'foreign') expect([at + 1, at + 2]).toContain(first?.sequence)
      }),
      { numRuns: 100 },
    )
  })

  it('P7: a record that is no JSON has no hash, not even that of nothing', () => {
    const hash = createHash('sha256').update(Buffer.alloc(32)).digest('hex')
    const [first] = entries.map((entry) => ({ ...entry, user: '\ud83e', hash }))
    if (first === undefined) throw new Error('there is no record')
    expect(verifyLane([first]).findings).toMatchObject([{ kind: 'ALTERED', sequence: 1 }])
  })

  it('P7: every gap is reported', () => {
    const { findings } = verifyLane(entries.filter(({ sequence }) => ![1, 4, 5, 9].includes(sequence)))
    expect(findings).toEqual([
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 2, after: 0 },
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 6, after: 3 },
      { kind: 'GAP', tenant: 'riverside', lane: 'p.1', sequence: 10, after: 8 },
    ])
  })
})

describe('P7: lanes that succeed each other', () => {
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
    'P7: of two that succeed one, one may hold more than a transaction: $second and $third',
    ({ second, third, kinds: expected }) => {
      expect(kinds([...lane('p.1', 2), ...lane('p.2', second, 'p.1/2'), ...lane('p.3', third, 'p.1/2')])).toEqual(expected)
    },
  )

  it('P7: a lane that nobody succeeded is OPEN: its end is vouched for by a receipt', () => {
    const entries = [...lane('p.1', 5), ...lane('p.2', 3, 'p.1/5')]
    expect(verifyLanes(entries).lanes.map(({ lane: name, fate, count }) => ({ name, fate, count }))).toEqual([
      { name: 'p.1', fate: 'SUCCEEDED', count: 5 },
      { name: 'p.2', fate: 'OPEN', count: 3 },
    ])
    const last = entries.at(-1)
    const [receipt] = parseReceipts(`p.2.3.${last?.hash ?? ''}`) ?? []
    if (receipt === undefined) throw new Error('a receipt is lane.sequence.hash')
    expect(kinds(entries.slice(0, -1))).toEqual([])
    expect(holdsReceipt(entries, receipt)).toBe(true)
    expect(holdsReceipt(entries.slice(0, -1), receipt)).toBe(false)
  })

  it('P7: lanes of different tenants do not mix', () => {
    const other = lane('p.1', 2).map((entry) => ({ ...entry, tenant: 'lakeside' }))
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
  const [entry] = lane('p.1', 1)
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
    'a time without milliseconds': { time: '2026-03-01T12:00:00Z' },
    'a time that is none': { time: '2026-13-01T12:00:00.000Z' },
    'a time as a number': { time: NOON },
    'an upper-case hash': { hash: 'AB'.repeat(32) },
    'a short prev': { prev: '00' },
    'succeeds as a number': { succeeds: 1 },
  }

  it.each(Object.keys(bad) as (keyof typeof bad)[])('P7: a line with %s is reported and not passed over', (name) => {
    const line = typeof bad[name] === 'string' ? bad[name] : JSON.stringify({ ...entry, ...bad[name] })
    const text = `${JSON.stringify(entry)}\n\n${line}\n`
    expect(parseExport(text)).toEqual({ entries: [entry], malformed: [3] })
  })

  it('P7: a member that the verifier does not know is covered all the same', () => {
    expect(chainedEntry(entry)).toEqual(entry)
    const [first] = verifyLanes(parseExport(JSON.stringify({ ...entry, note: 'x' })).entries).findings
    expect(first).toMatchObject({ kind: 'ALTERED', sequence: 1 })
    const named = JSON.stringify(entry).replace('{', '{"__proto__":{"outcome":"DENIED"},')
    expect(verifyLanes(parseExport(named).entries).findings).toMatchObject([{ kind: 'ALTERED', sequence: 1 }])
  })
})
