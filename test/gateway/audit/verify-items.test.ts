import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuditContext, userAgentHash } from '../../../gateway/audit/entry.ts'
import { entriesOf, type Item, type ItemParts, toItem, writeUnits } from '../../../gateway/audit/item.ts'
import { receiptText } from '../../../gateway/audit/receipt.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { chainHash } from '../../../gateway/audit/verify/item.ts'
import { itemText, type RecordMembers, recordsOf } from '../../../gateway/audit/verify/item-text.ts'
import { isWholeRequest, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { access, context } from './examples.ts'
import { linked, packed, type PlacedAccess, type RequestSample, samples } from './audit-arbitraries.ts'

/** Members of an item that the accesses do not determine. */
const OF_ITEM = ['time', 'part', 'parts', 'userAgentText']

/** The record that an access leaves, in the form of an export. This code does not use the gateway's. */
function recordFor(context: AuditContext, { record: { at: _, ...access } }: PlacedAccess): RecordMembers {
  const { authTime, userAgent } = context
  const instants = Object.entries({ authTime, since: access.since }).filter(([, time]) => time !== undefined)
  return wellFormed({
    ...without(context as unknown as RecordMembers, ['tenant', 'authTime', 'userAgent']),
    ...access,
    format: 1,
    mfa: context.mfa === true,
    listed: access.listed === true,
    ...Object.fromEntries(instants.map(([name, time]) => [name, new Date(Number(time)).toISOString()])),
    ...(userAgent !== undefined && { userAgent: userAgentHash(userAgent.toWellFormed()) }),
  }) as RecordMembers
}

/** The value with U+FFFD for each half of a surrogate pair. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, wellFormed(member)]))
}

const without = (record: RecordMembers, names: readonly string[]): RecordMembers =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)))
/** Lists of records in one order, as texts. */
const multiset = (records: readonly RecordMembers[]): string[] => records.map((record) => canonicalize(record) ?? '').sort()

/** The items of a request, alternating between two lanes. */
function inTwoLanes(sample: RequestSample): ItemParts[] {
  const drafts = packed(sample)
  const half = (rest: number) => drafts.filter((_, at) => at % 2 === rest)
  return [...linked(half(0), 'kakjK50G.10'), ...linked(half(1), 'kakjK50G.2')]
}
const exported = (items: readonly ItemParts[]): string[] =>
  items.flatMap((item) => entriesOf(toItem(item)).map((entry) => JSON.stringify(entry)))

/** The bytes as DynamoDB counts them: the trailing zeros of a number are free. */
function bytesOf(item: Item): number {
  const values = Object.values(item).map(({ S, B, N }) =>
    S === undefined ? (B?.length ?? Math.ceil(String(N).replace(/0+$/, '').length / 2) + 1) : Buffer.byteLength(S),
  )
  return [...Object.keys(item).map((name) => name.length), ...values].reduce((sum, bytes) => sum + bytes, 0)
}

describe('P7: items hold the records of a request', () => {
  it('P7: any accesses yield the same records, and the records of an item yield its text and hash', () => {
    fc.assert(
      fc.property(samples(40), (sample) => {
        const items = inTwoLanes(sample)
        const { items: read, malformed } = parseExport(exported(items).join('\n'))
        expect(malformed).toEqual([])
        expect(multiset(items.flatMap(({ text }) => recordsOf(text)).map((record) => without(record, OF_ITEM)))).toEqual(
          multiset(sample.accesses.map((access) => recordFor(sample.context, access))),
        )
        for (const item of items) expect(itemText(recordsOf(item.text))).toBe(item.text)
        expect(read.map(chainHash)).toEqual(items.map(({ hash }) => hash))
        expect(isWholeRequest(read, sample.context.requestId)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('P7: a patient with more records than an item holds has several items below 24 KB, in order', () => {
    const accesses = Array.from({ length: 1_500 }, (_, number): PlacedAccess => {
      const recordId = `record-${number}`
      return {
        record: access(number % 3, { recordId, path: `Patient.field${number % 40}` as SchemaPath }),
        placement: { kind: 'WITH_PATIENT' },
      }
    })
    const items = linked(packed({ context: context(), leftOut: 'NEVER', accesses }), 'kakjK50G.1')
    expect(items.length).toBeGreaterThan(1)
    expect(Math.max(...items.map(({ text }) => text.length))).toBeLessThan(24_000)
    expect(items.flatMap(({ text }) => recordsOf(text)).map(({ recordId }) => recordId)).toEqual(
      accesses.map(({ record }) => record.recordId),
    )
    expect(items.map(({ text }) => itemText(recordsOf(text)))).toEqual(items.map(({ text }) => text))
    expect(isWholeRequest(parseExport(exported(items).join('\n')).items, context().requestId)).toBe(true)
  })

  it('P7: the planned units of an item suffice, and its length is a whole number of KiB', () => {
    fc.assert(
      fc.property(samples(15), (sample) => {
        const about = without(sample.context as unknown as RecordMembers, ['userAgent']) as unknown as AuditContext
        const drafts = packed({ ...sample, context: about })
        const planned = drafts.map(({ units }) => units)
        for (const [at, item] of linked(drafts, 'kakjK50G.Yk3xQ0bF.99999999').entries()) {
          const stored = toItem(item)
          const bytes = bytesOf(stored)
          expect(bytes % 1_024).toBe(0)
          expect(writeUnits(bytes, stored['gp'] === undefined ? 1 : 2)).toBeLessThanOrEqual(planned[at] ?? 0)
        }
      }),
      { numRuns: 40 },
    )
  })
})

/** A line of an export with one member changed. */
function altered(line: string, choice: number): string {
  const record = JSON.parse(line) as Record<string, unknown>
  const names = [...Object.keys(record), 'note']
  const name = names[choice % names.length] ?? ''
  const value = record[name]
  const isRemoved = choice % 3 === 0 && value !== undefined
  const other =
    typeof value === 'string'
      ? `${value}x`
      : typeof value === 'number'
        ? value + 1
        : typeof value === 'boolean'
          ? !value
          : Array.isArray(value)
            ? [...(value as unknown[]), 'x']
            : 'x'
  return JSON.stringify({ ...record, [name]: isRemoved ? undefined : other })
}

describe('P7: receipts', () => {
  it('P7: a receipt fails if any item of its request is removed, altered or added, from an export alone', () => {
    fc.assert(
      fc.property(samples(8), samples(2), fc.nat(1_000_000), (sample, other, choice) => {
        const items = inTwoLanes(sample)
        const { requestId } = sample.context
        const receipt = receiptText(requestId, items)
        const holds = (lines: readonly string[]): boolean => verifyReceipt(parseExport(lines.join('\n')).items, requestId, receipt)
        const lines = exported(items)
        expect(holds(lines)).toBe(true)
        expect(holds(lines.toReversed())).toBe(true)

        for (const item of items) expect(holds(exported(items.filter((one) => one !== item)))).toBe(false)
        for (const [at, line] of lines.entries()) {
          expect(holds(lines.with(at, altered(line, choice + at)))).toBe(false)
          expect(holds(lines.toSpliced(at, 1))).toBe(false)
        }
        for (const added of linked(packed({ ...other, context: { ...other.context, requestId } }), 'kakjK50G.3'))
          expect(holds([...lines, ...exported([added])])).toBe(false)
      }),
      { numRuns: 20 },
    )
  })
})
