import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { itemHash } from '../../../gateway/audit/entry.ts'
import { entriesOf, type Item, type ItemParts, toItem } from '../../../gateway/audit/item.ts'
import { verifyCheckpoint } from '../../../gateway/audit/verify/checkpoint.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { chainHash } from '../../../gateway/audit/verify/item.ts'
import { itemText, type RecordMembers, recordsOf } from '../../../gateway/audit/verify/item-text.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import { isQuorum, type LogPolicy, parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { verifyConsistency, verifyInclusion } from '../../../gateway/audit/verify/proofs.ts'
import { consistencyRanges, inclusionRanges, type Range } from '../../../gateway/audit/verify/ranges.ts'
import { isWholeRequest, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import type { RegisteredLane } from '../../../gateway/audit/verify/registry.ts'
import { parseProof, proofText, verifyProof } from '../../../gateway/audit/verify/tlog-proof.ts'
import { leafHash, rootOf } from '../../../gateway/audit/verify/tree.ts'
import { parseVerifierKey, verifierKeyText } from '../../../gateway/audit/verify/verifier-key.ts'

// The files never change, because a log that was written once must verify forever. Another program computed them from
// docs/audit-log.md and docs/checkpoints.md alone.

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const vectors = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/audit/${name}.json`, import.meta.url), 'utf8'))

/** Lines that several cases share. A case refers to lines by position. */
interface Lines {
  lines: object[]
}
interface Case {
  lines: number[]
}
interface Items {
  accept: (ItemParts & { comment: string; records: RecordMembers[] })[]
  rejectRecords: { why: string; records: RecordMembers[] }[]
  rejectTexts: { why: string; text: string }[]
}
interface StoredItems {
  accept: { comment: string; parts: ItemParts; attributes: Item; records: RecordMembers[] }[]
  reject: { why: string; attributes: Item }[]
}
interface Lanes extends Lines {
  accept: (Case & { comment: string; count: number })[]
  reject: (Case & { why: string; findings: unknown[] })[]
  registry: (Case & { why: string; registered: RegisteredLane[]; findings: unknown[] })[]
}
interface Receipts extends Lines {
  accept: (Case & { comment: string; requestId: string; receipt: string })[]
  reject: (Case & { why: string; requestId: string; receipt: string })[]
  whole: (Case & { comment: string; requestId: string; isWhole: boolean })[]
}
interface Inclusion {
  comment?: string
  why?: string
  index: number
  size: number
  leaf: string
  proof: string[]
  root: string
}
interface Consistency {
  comment?: string
  why?: string
  earlier: number
  later: number
  earlierRoot: string
  laterRoot: string
  proof: string[]
}
interface Tree {
  records: string[]
  leaves: string[]
  roots: string[]
  inclusion: { accept: Inclusion[]; refuse: Inclusion[] }
  consistency: { accept: Consistency[]; refuse: Consistency[] }
}
interface Checkpoints {
  origin: string
  policies: Record<string, string>
  accept: { comment: string; policy: string; note: string; checkpoint: Head; cosignatures: unknown[] }[]
  refuse: { why: string; policy: string; note: string; reason: string }[]
  keys: { accept: string[]; refuse: { why: string; key: string }[] }
  policyFiles: {
    accept: { comment: string; policy: string; signed: string[]; isQuorum: boolean }[]
    refuse: { why: string; policy: string; line: number; reason: string }[]
  }
}
interface Proofs {
  policy: string
  accept: { comment: string; proof: string; item: string; index: number; size: number; records: number }[]
  refuse: { why: string; proof: string; item: string; reason: string }[]
}
interface Head {
  origin: string
  size: number
  root: string
  time: number
}
const exported = ({ lines }: Lines, { lines: positions }: Case): string =>
  positions.map((position) => JSON.stringify(lines[position])).join('\n')
const itemsIn = (file: Lines, test: Case) => {
  const { items, malformed } = parseExport(exported(file, test))
  expect(malformed).toEqual([])
  return items
}

describe('items', () => {
  const { accept, rejectRecords, rejectTexts } = vectors('items') as Items

  it.each(accept)('P7: text and records of an item determine each other: $comment', ({ text, records }) => {
    expect(itemText(records)).toBe(text)
    expect(recordsOf(text)).toEqual(records)
  })

  it.each(accept)(
    'P7: writer and verifier compute the same hash: $comment',
    ({ tenant, lane, sequence, prev, hash, text, records }) => {
      expect(itemHash({ tenant, lane, sequence }, text, prev)).toBe(hash)
      const lines = records.map((record, at) => JSON.stringify({ tenant, lane, sequence, index: at + 1, ...record, prev, hash }))
      expect(parseExport(lines.join('\n')).items.map(chainHash)).toEqual([hash])
    },
  )

  it.each(rejectRecords)('P7: gives no text for $why', ({ records }) => {
    expect(itemText(records)).toBeUndefined()
  })

  it.each(rejectTexts)('P7: gives no records for a text with $why', ({ text }) => {
    expect(() => recordsOf(text)).toThrow(TypeError)
  })

  it('holds as many as it did', () => {
    expect([accept.length, rejectRecords.length, rejectTexts.length]).toEqual([19, 30, 33])
  })
})

describe('items of the table', () => {
  const { accept, reject } = vectors('stored-items') as StoredItems
  /** Binary attributes are base64 in the file. */
  const bytes = (item: Item): Item =>
    Object.fromEntries(
      Object.entries(item).map(([name, value]) => [
        name,
        value.B === undefined ? value : { B: Buffer.from(String(value.B), 'base64') },
      ]),
    )

  it.each(accept)('P7: writes the attributes: $comment', ({ parts, attributes }) => {
    expect(toItem(parts)).toEqual(bytes(attributes))
  })

  it.each(accept)('P7: reads the records: $comment', ({ parts: { tenant, lane, sequence, prev, hash }, attributes, records }) => {
    expect(entriesOf(bytes(attributes))).toEqual(
      records.map((record, at) => ({ tenant, lane, sequence, index: at + 1, ...record, prev, hash })),
    )
  })

  it.each(reject)('P7: rejects an item with $why', ({ attributes }) => {
    expect(() => entriesOf(bytes(attributes))).toThrow(TypeError)
  })

  it('holds the expected number of vectors', () => {
    expect([accept.length, reject.length]).toEqual([8, 18])
  })
})

describe('lanes', () => {
  const file = vectors('lanes') as Lanes
  const { accept, reject, registry } = file

  it.each(accept)('P7: finds nothing: $comment', (test) => {
    expect(verifyLanes(itemsIn(file, test))).toMatchObject({ count: test.count, findings: [] })
  })

  it.each(reject)('P7: reports $why', (test) => {
    expect(verifyLanes(itemsIn(file, test)).findings).toEqual(test.findings)
  })

  it.each(registry)('P7: compares with the registry: $why', (test) => {
    expect(verifyLanes(itemsIn(file, test), test.registered).findings).toEqual(test.findings)
  })

  it('holds the expected number of vectors', () => {
    expect([accept.length, reject.length, registry.length]).toEqual([9, 33, 14])
  })
})

describe('receipts', () => {
  const file = vectors('receipts') as Receipts
  const { accept, reject, whole } = file

  it.each(accept)('P7: holds: $comment', (test) => {
    expect(verifyReceipt(itemsIn(file, test), test.requestId, test.receipt)).toBe(true)
  })

  it.each(reject)('P7: fails: $why', (test) => {
    expect(verifyReceipt(itemsIn(file, test), test.requestId, test.receipt)).toBe(false)
  })

  it.each(whole)('P7: a whole request: $comment: $isWhole', (test) => {
    expect(isWholeRequest(itemsIn(file, test), test.requestId)).toBe(test.isWhole)
  })

  it('holds the expected number of vectors', () => {
    expect([accept.length, reject.length, whole.length]).toEqual([5, 29, 10])
  })
})

describe('trees', () => {
  const { records, leaves, roots, inclusion, consistency } = vectors('tree') as Tree
  const hashes = leaves.map(hex)
  const rangeRoot = ({ start, end }: Range): Uint8Array => rootOf(hashes.slice(start, end))

  it('P7: a leaf is the hash of a zero byte and the 32 bytes of an item hash', () => {
    expect(records.map((hash) => Buffer.from(leafHash(hex(hash))).toString('hex'))).toEqual(leaves)
  })

  it.each(roots.map((root, size) => ({ root, size })))('P7: the root of $size leaves', ({ root, size }) => {
    expect(rootOf(hashes.slice(0, size))).toEqual(hex(root))
  })

  it.each(inclusion.accept)('P7: proves $comment, and computes the same proof', ({ index, size, leaf, proof, root }) => {
    expect(verifyInclusion(index, size, hex(leaf), proof.map(hex), hex(root))).toBe(true)
    expect(inclusionRanges(index, { start: 0, end: size }).map(rangeRoot)).toEqual(proof.map(hex))
  })

  it.each(inclusion.refuse)('P7: refuses a proof with $why', ({ index, size, leaf, proof, root }) => {
    expect(verifyInclusion(index, size, hex(leaf), proof.map(hex), hex(root))).toBe(false)
  })

  it.each(consistency.accept)('P7: proves $comment, and computes the same proof', (test) => {
    const { earlier, later, earlierRoot, laterRoot, proof } = test
    expect(verifyConsistency(earlier, later, hex(earlierRoot), hex(laterRoot), proof.map(hex))).toBe(true)
    expect(consistencyRanges({ start: 0, end: earlier }, later).map(rangeRoot)).toEqual(proof.map(hex))
  })

  it.each(consistency.refuse)('P7: refuses a proof of consistency: $why', (test) => {
    const { earlier, later, earlierRoot, laterRoot, proof } = test
    expect(verifyConsistency(earlier, later, hex(earlierRoot), hex(laterRoot), proof.map(hex))).toBe(false)
  })

  it('holds the expected number of vectors', () => {
    const { accept, refuse } = inclusion
    expect([accept.length, refuse.length]).toEqual([15, 16])
    expect([consistency.accept.length, consistency.refuse.length]).toEqual([18, 9])
  })
})

describe('checkpoints', () => {
  const { origin, policies, accept, refuse, keys, policyFiles } = vectors('checkpoints') as Checkpoints
  const policyOf = (text: string): LogPolicy => {
    const read = parseLogPolicy(text)
    if (read.outcome === 'REFUSED') throw new Error(`line ${read.line}: ${read.reason}`)
    return read.policy
  }
  const verified = (note: string, policy: string) => verifyCheckpoint(note, origin, policyOf(policies[policy] ?? ''))

  it.each(accept)('P7: accepts $comment', async ({ note, policy, checkpoint, cosignatures }) => {
    const expected = { ...checkpoint, root: hex(checkpoint.root) }
    expect(await verified(note, policy)).toEqual({ outcome: 'VERIFIED', checkpoint: expected, cosignatures })
  })

  it.each(refuse)('P7: refuses $why', async ({ note, policy, reason }) => {
    expect(await verified(note, policy)).toEqual({ outcome: 'REFUSED', reason })
  })

  it.each(keys.refuse)('P7: refuses a key with $why', ({ key }) => {
    expect(parseVerifierKey(key)).toBeUndefined()
  })

  it.each(keys.accept)('P7: reads and writes a key', (text) => {
    const key = parseVerifierKey(text)
    expect(key && verifierKeyText(key.name, key.algorithm, key.publicKey)).toBe(text)
  })

  it.each(policyFiles.accept)('P7: reads a policy: $comment', ({ policy, signed, isQuorum: expected }) => {
    expect(isQuorum(policyOf(policy).quorum, ({ name }) => signed.includes(name))).toBe(expected)
  })

  it.each(policyFiles.refuse)('P7: refuses a policy with $why', ({ policy, line, reason }) => {
    expect(parseLogPolicy(policy)).toEqual({ outcome: 'REFUSED', line, reason })
  })

  it('holds the expected number of vectors', () => {
    expect([accept.length, refuse.length, keys.accept.length, keys.refuse.length]).toEqual([12, 70, 4, 12])
    expect([policyFiles.accept.length, policyFiles.refuse.length]).toEqual([14, 37])
  })
})

describe('proofs', () => {
  const { policy, accept, refuse } = vectors('proofs') as Proofs
  const read = parseLogPolicy(policy)
  if (read.outcome === 'REFUSED') throw new Error('the policy of the vectors cannot be read')
  const trusted = read.policy

  it.each(accept)('P7: accepts a proof: $comment', async ({ proof, item, index, size, records }) => {
    const verdict = await verifyProof(proof, item, trusted)
    expect(verdict).toMatchObject({ outcome: 'PROVEN', index, checkpoint: { size } })
    expect(verdict.outcome === 'PROVEN' && verdict.records.length).toBe(records)
    const parsed = parseProof(proof)
    if (!proof.includes('extra ')) expect(parsed && proofText(parsed)).toBe(proof)
  })

  it.each(refuse)('P7: refuses a proof with $why', async ({ proof, item, reason }) => {
    expect(await verifyProof(proof, item, trusted)).toEqual({ outcome: 'REFUSED', reason })
  })

  it('holds the expected number of vectors', () => {
    expect([accept.length, refuse.length]).toEqual([7, 35])
  })
})
