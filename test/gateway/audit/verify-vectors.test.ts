import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type AuditEntry, entryHash } from '../../../gateway/audit/entry.ts'
import { verifyCheckpoint } from '../../../gateway/audit/verify/checkpoint.ts'
import { chainHash } from '../../../gateway/audit/verify/entry.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import { verifyConsistency, verifyInclusion } from '../../../gateway/audit/verify/proofs.ts'
import { consistencyRanges, inclusionRanges, type Range } from '../../../gateway/audit/verify/ranges.ts'
import { parseReceipts, recordLeaf, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import { verifySeals } from '../../../gateway/audit/verify/seals.ts'
import { positionIn, type Span } from '../../../gateway/audit/verify/span.ts'
import { rootOf } from '../../../gateway/audit/verify/tree.ts'
import { type LogKey, parseVerifierKey, type WitnessKey } from '../../../gateway/audit/verify/verifier-key.ts'

// The files stay as they are: what was written once has to be verified for good. They were computed by another program, from
// docs/audit-log.md and docs/checkpoints.md alone.

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const vectors = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/audit/${name}.json`, import.meta.url), 'utf8'))

interface Chain {
  accept: { comment: string; entries: AuditEntry[] }[]
  refuse: { why: string; entries: AuditEntry[]; findings: unknown[] }[]
  registry: { why: string; entries: AuditEntry[]; registered: string[]; findings: unknown[] }[]
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
  trust: { origin: string; keys: string[]; witnesses: string[] }
  accept: { comment: string; note: string; checkpoint: Head; cosignatures: unknown[]; quorum?: number }[]
  refuse: { why: string; note: string; reason: string; quorum?: number }[]
  keys: { refuse: { why: string; key: string }[] }
}
interface Head {
  origin: string
  size: number
  root: string
  time: number
}
interface Seals {
  seals: {
    why: string
    entries: AuditEntry[]
    spans: Span[]
    checkpoints: Head[]
    sealed: number
    unsealed: number
    findings: unknown[]
  }[]
  receipts: { comment: string; receipt: string; position: number; proof: string[]; size: number; root: string }[]
  refusedReceipts: { why: string; receipt: string }[]
}

describe('chains', () => {
  const { accept, refuse, registry } = vectors('chain') as Chain

  it.each(accept)('P7: nothing is wrong: $comment', ({ entries }) => {
    expect(verifyLanes(entries)).toMatchObject({ count: entries.length, findings: [] })
  })

  it.each(accept)('P7: writer and verifier compute one hash: $comment', ({ entries }) => {
    for (const entry of entries) {
      const { prev, hash, ...content } = entry
      expect(chainHash(entry)).toBe(hash)
      expect(entryHash(content, prev)).toBe(hash)
    }
  })

  it.each(refuse)('P7: reports $why', ({ entries, findings }) => {
    expect(verifyLanes(entries).findings).toEqual(findings)
  })

  it.each(registry)('P7: compared with the registry: $why', ({ entries, registered, findings }) => {
    expect(verifyLanes(entries, new Map([['riverside', registered]])).findings).toEqual(findings)
  })

  it.each([...accept, ...refuse])('P7: an export says the same: $comment$why', ({ entries }) => {
    const text = entries.map((entry) => JSON.stringify(entry)).join('\n')
    expect(parseExport(text)).toEqual({ entries, malformed: [] })
  })

  it('holds as many as it did', () => {
    expect([accept.length, refuse.length, registry.length]).toEqual([6, 21, 3])
  })
})

describe('trees', () => {
  const { records, leaves, roots, inclusion, consistency } = vectors('tree') as Tree
  const hashes = leaves.map(hex)
  const rangeRoot = ({ start, end }: Range): Uint8Array => rootOf(hashes.slice(start, end))

  it('P7: a leaf is the hash of a zero byte and the 32 bytes of a record hash', () => {
    expect(records.map((hash) => Buffer.from(recordLeaf({ hash })).toString('hex'))).toEqual(leaves)
  })

  it.each(roots.map((root, size) => ({ root, size })))('P7: the root of $size leaves', ({ root, size }) => {
    expect(rootOf(hashes.slice(0, size))).toEqual(hex(root))
  })

  it.each(inclusion.accept)('P7: proves $comment, and makes the same proof', ({ index, size, leaf, proof, root }) => {
    expect(verifyInclusion(index, size, hex(leaf), proof.map(hex), hex(root))).toBe(true)
    expect(inclusionRanges(index, { start: 0, end: size }).map(rangeRoot)).toEqual(proof.map(hex))
  })

  it.each(inclusion.refuse)('P7: refuses a proof with $why', ({ index, size, leaf, proof, root }) => {
    expect(verifyInclusion(index, size, hex(leaf), proof.map(hex), hex(root))).toBe(false)
  })

  it.each(consistency.accept)('P7: proves $comment, and makes the same proof', (test) => {
    const { earlier, later, earlierRoot, laterRoot, proof } = test
    expect(verifyConsistency(earlier, later, hex(earlierRoot), hex(laterRoot), proof.map(hex))).toBe(true)
    expect(consistencyRanges({ start: 0, end: earlier }, later).map(rangeRoot)).toEqual(proof.map(hex))
  })

  it.each(consistency.refuse)('P7: refuses a proof of consistency: $why', (test) => {
    const { earlier, later, earlierRoot, laterRoot, proof } = test
    expect(verifyConsistency(earlier, later, hex(earlierRoot), hex(laterRoot), proof.map(hex))).toBe(false)
  })

  it('holds as many as it did', () => {
    const { accept, refuse } = inclusion
    expect([accept.length, refuse.length]).toEqual([15, 16])
    expect([consistency.accept.length, consistency.refuse.length]).toEqual([18, 9])
  })
})

describe('checkpoints', () => {
  const { trust, accept, refuse, keys } = vectors('checkpoints') as Checkpoints
  const known = [...trust.keys, ...trust.witnesses].map((text) => {
    const key = parseVerifierKey(text)
    if (key === undefined) throw new Error('a key of the vectors cannot be read')
    return key
  })
  const trusted = (quorum = 0) => ({
    origin: trust.origin,
    keys: known.filter((key): key is LogKey => key.type !== 'COSIGNATURE'),
    witnesses: known.filter((key): key is WitnessKey => key.type === 'COSIGNATURE'),
    quorum,
  })

  it.each(accept)('P7: believes $comment', async ({ note, checkpoint, cosignatures, quorum }) => {
    const expected = { ...checkpoint, root: hex(checkpoint.root) }
    expect(await verifyCheckpoint(note, trusted(quorum))).toEqual({ outcome: 'VERIFIED', checkpoint: expected, cosignatures })
  })

  it.each(refuse)('P7: refuses $why', async ({ note, reason, quorum }) => {
    expect(await verifyCheckpoint(note, trusted(quorum))).toEqual({ outcome: 'REFUSED', reason })
  })

  it.each(keys.refuse)('P7: takes no key with $why', ({ key }) => {
    expect(parseVerifierKey(key)).toBeUndefined()
  })

  it('holds as many as it did', () => {
    expect([accept.length, refuse.length, keys.refuse.length]).toEqual([7, 53, 9])
  })
})

describe('seals', () => {
  const { seals, receipts, refusedReceipts } = vectors('seals') as Seals

  it.each(seals)('P7: says what was sealed: $why', ({ entries, spans, checkpoints, ...expected }) => {
    const heads = checkpoints.map((head) => ({ ...head, root: hex(head.root) }))
    const { sealed, unsealed, findings } = expected
    expect(verifySeals(entries, spans, heads)).toEqual({ sealed, unsealed, findings })
  })

  it.each(receipts)('P7: proves a receipt: $comment', ({ receipt, position, proof, size, root }) => {
    const [parsed, ...others] = parseReceipts(receipt) ?? []
    if (parsed === undefined || others.length > 0) throw new Error('a receipt of the vectors cannot be read')
    const head = { origin: 'o', size, root: hex(root), time: 0 }
    // the first of the seals holds what the tree is over
    expect(seals[0]?.spans.map((span) => positionIn(span, parsed))).toEqual([undefined, position])
    expect(verifyReceipt(parsed, position, proof.map(hex), head)).toBe(true)
    expect(verifyReceipt(parsed, position - 1, proof.map(hex), head)).toBe(false)
    expect(verifyReceipt({ ...parsed, hash: 'ab'.repeat(32) }, position, proof.map(hex), head)).toBe(false)
  })

  it.each(refusedReceipts)('P7: reads no receipt from $why', ({ receipt }) => {
    expect(parseReceipts(receipt)).toBeUndefined()
  })

  it('holds as many as it did', () => {
    expect([seals.length, receipts.length, refusedReceipts.length]).toEqual([17, 1, 6])
  })
})
