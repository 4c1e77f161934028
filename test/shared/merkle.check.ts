import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../gateway/audit/verify/proofs.ts'

// The proofs of transparency-dev/merkle, one in each file. PHI_SHARED names the folder with `data/vectors/merkle`. Without it, this
// check fails, so that it cannot be skipped unnoticed.

interface Proof {
  readonly leafIdx: number
  readonly treeSize: number
  readonly start: number
  readonly end: number
  readonly size: number
  readonly size1: number
  readonly size2: number
  readonly root: string
  readonly leafHash: string
  readonly root1: string
  readonly root2: string
  readonly proof: readonly string[] | null
  readonly wantErr: boolean
}

const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64')

/** The parser of each folder's files, and their number. */
const KINDS: Record<string, { of: number; refused: number; verify: (test: Proof, proof: Uint8Array[]) => boolean }> = {
  inclusion: {
    of: 98,
    refused: 92,
    verify: (t, proof) => verifyInclusion(t.leafIdx, t.treeSize, bytes(t.leafHash), proof, bytes(t.root)),
  },
  consistency: {
    of: 98,
    refused: 92,
    verify: (t, proof) => verifyConsistency(t.size1, t.size2, bytes(t.root1), bytes(t.root2), proof),
  },
  subtreeinclusion: {
    of: 204,
    refused: 192,
    verify: (t, proof) => verifySubtreeInclusion(t.leafIdx, t, bytes(t.leafHash), proof, bytes(t.root)),
  },
  subtreeconsistency: {
    of: 118,
    refused: 106,
    verify: (t, proof) => verifySubtreeConsistency(t, t.size, bytes(t.root1), bytes(t.root2), proof),
  },
}

describe('Merkle proofs', () => {
  it('P7: all 518 proofs pass or fail as stated, and 482 of them are refused', () => {
    const shared = process.env['PHI_SHARED']
    if (shared === undefined || shared === '') throw new Error('PHI_SHARED must name the folder with data/vectors/merkle.')
    const root = join(shared, 'data/vectors/merkle/testdata')
    const tally = new Map<string, { of: number; refused: number }>()
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))) {
      const name = file.split(sep)[0] ?? ''
      const kind = KINDS[name]
      if (kind === undefined) throw new Error(`no parser reads ${file}`)
      const test = JSON.parse(readFileSync(join(root, file), 'utf8')) as Proof
      expect(kind.verify(test, (test.proof ?? []).map(bytes)), file).toBe(!test.wantErr)
      const count = tally.get(name) ?? { of: 0, refused: 0 }
      tally.set(name, { of: count.of + 1, refused: count.refused + Number(test.wantErr) })
    }
    process.stdout.write(`Merkle proofs: ${JSON.stringify(Object.fromEntries(tally))}\n`)
    for (const [name, { of, refused }] of Object.entries(KINDS)) expect(tally.get(name), name).toEqual({ of, refused })
    expect([...tally.values()].reduce((sum, { of }) => sum + of, 0)).toBe(518)
    expect([...tally.values()].reduce((sum, { refused }) => sum + refused, 0)).toBe(482)
  })
})
