import { hexToBytes } from '@noble/hashes/utils.js'
import type { Checkpoint } from './checkpoint.ts'
import type { ChainedEntry } from './entry.ts'
import { verifyInclusion } from './proofs.ts'
import { type Hash, leafHash } from './tree.ts'

/** The last record of a request in one of the lanes that it used. */
export interface Receipt {
  readonly lane: string
  readonly sequence: number
  /** 32 bytes, lower-case hex. */
  readonly hash: string
}

/**
 * What a caller was given, `extensions.phi.receipt`: `lane.sequence.hash`, with a space between where the request used several
 * lanes.
 *
 * @returns one for each lane, or undefined when the text is no receipt
 */
export function parseReceipts(text: string): readonly Receipt[] | undefined {
  const receipts = text.split(' ').map(receiptOf)
  return receipts.every((receipt) => receipt !== undefined) ? receipts : undefined
}

function receiptOf(text: string): Receipt | undefined {
  // a lane's name has dots of its own
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
