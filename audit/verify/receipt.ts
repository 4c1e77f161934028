import { hexToBytes } from '@noble/hashes/utils.js'
import type { Checkpoint } from './checkpoint.ts'
import type { ChainedEntry } from './entry.ts'
import { verifyInclusion } from './proofs.ts'
import { type Hash, leafHash } from './tree.ts'

/** What a caller was given: the last record of the request. */
export interface Receipt {
  readonly lane: string
  readonly sequence: number
  /** 32 bytes, lower-case hex. */
  readonly hash: string
}

/** The parts of `lane.sequence.hash`, where the lane's name has dots of its own, or undefined. */
export function parseReceipt(text: string): Receipt | undefined {
  const [, lane, digits, hash] = /^([^\s/]+)\.([1-9]\d{0,15})\.([0-9a-f]{64})$/.exec(text) ?? []
  const sequence = Number(digits)
  if (lane === undefined || hash === undefined || !Number.isSafeInteger(sequence)) return undefined
  return { lane, sequence, hash }
}

/** The leaf of a record, or of a receipt: the hash of the tree's leaf over the record's hash, 32 raw bytes. */
export const recordLeaf = ({ hash }: Pick<Receipt, 'hash'>): Hash => leafHash(hexToBytes(hash))

/** That the record of a receipt stands at `position` of the log that a verified checkpoint is of. */
export function verifyReceipt(receipt: Receipt, position: number, proof: readonly Hash[], checkpoint: Checkpoint): boolean {
  return verifyInclusion(position, checkpoint.size, recordLeaf(receipt), proof, checkpoint.root)
}

/** That the record of a receipt is among the records of a tenant. */
export const holdsReceipt = (entries: readonly ChainedEntry[], { lane, sequence, hash }: Receipt): boolean =>
  entries.some((entry) => entry.lane === lane && entry.sequence === sequence && entry.hash === hash)
