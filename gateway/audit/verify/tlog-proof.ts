import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { type CheckpointVerdict, type SignedCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { parseNumber } from './checkpoint-text.ts'
import { type RecordMembers, recordsOf } from './item-text.ts'
import { itemFacts } from './item-facts.ts'
import { tenantOf } from './layout.ts'
import type { LogPolicy } from './log-policy.ts'
import { verifyInclusion } from './proofs.ts'
import { parseSegmentLine, type SegmentItem } from './segment-line.ts'
import { type Hash, leafHash } from './tree.ts'

const HEADER = 'c2sp.org/tlog-proof@v1'
const HASH_BYTES = 32
/** A tree of 2^53 leaves has proofs of this length. */
const MAX_HASHES = 53

/** A statement that an entry is at a position of a log, with its proof. */
export interface LogProof {
  /** Position of the leaf, from 0. */
  readonly index: number
  /** From the sibling of the leaf to the child of the root. */
  readonly hashes: readonly Hash[]
  /** The signed note. */
  readonly note: string
}

/**
 * The text of a proof.
 *
 * @source C2SP tlog-proof, "Format"
 */
export const proofText = ({ index, hashes, note }: LogProof): string =>
  [HEADER, `index ${index}`, ...hashes.map((hash) => encodeBase64(hash)), '', note].join('\n')

/** Reads a proof. Returns undefined for any other text. Extra data is skipped, because nothing proves it. */
export function parseProof(text: string): LogProof | undefined {
  const blank = text.indexOf('\n\n')
  if (blank < 0) return undefined
  const [header, ...lines] = text.slice(0, blank).split('\n')
  if (header !== HEADER) return undefined
  if (lines[0]?.startsWith('extra ') === true && decodeBase64(lines.shift()?.slice(6) ?? '') === undefined) return undefined
  const index = parseNumber(/^index (\d+)$/.exec(lines.shift() ?? '')?.[1] ?? '')
  const hashes = lines.map(decodeBase64)
  if (index === undefined || hashes.length > MAX_HASHES) return undefined
  if (!hashes.every((hash): hash is Uint8Array<ArrayBuffer> => hash?.length === HASH_BYTES)) return undefined
  return { index, hashes, note: text.slice(blank + 2) }
}

export type ProofVerdict =
  | {
      readonly outcome: 'PROVEN'
      readonly checkpoint: SignedCheckpoint
      readonly cosignatures: Extract<CheckpointVerdict, { outcome: 'VERIFIED' }>['cosignatures']
      readonly index: number
      readonly item: SegmentItem
      /** All field-level records of the item: a proof shows the whole item. */
      readonly records: readonly RecordMembers[]
    }
  | {
      readonly outcome: 'REFUSED'
      /**
       * PROOF_FORM: no proof. ITEM_FORM: no item, or text that no item has. ITEM: the hash of the item is not that of its text. INCLUSION:
       * the item is not at this position of the signed tree. Others: those of the checkpoint.
       */
      readonly reason:
        | 'PROOF_FORM'
        | 'ITEM_FORM'
        | 'ITEM'
        | 'INCLUSION'
        | Extract<CheckpointVerdict, { outcome: 'REFUSED' }>['reason']
    }

/**
 * Verifies a proof of one item, offline.
 *
 * @param item the file beside the proof: a line of a segment
 * @source C2SP tlog-proof
 */
export async function verifyProof(proof: string, item: string, policy: LogPolicy): Promise<ProofVerdict> {
  const read = parseProof(proof)
  if (read === undefined) return { outcome: 'REFUSED', reason: 'PROOF_FORM' }
  const origin = read.note.split('\n', 1)[0] ?? ''
  const tenant = tenantOf(origin)
  const line = parseSegmentLine(item.replace(/\n$/, ''))
  if (line === undefined || itemFacts(line.text) === undefined) return { outcome: 'REFUSED', reason: 'ITEM_FORM' }
  const verdict = await verifyCheckpoint(read.note, origin, policy)
  if (verdict.outcome === 'REFUSED') return verdict
  if (tenant === undefined || itemHashOf(tenant, line) !== line.hash) return { outcome: 'REFUSED', reason: 'ITEM' }
  const { checkpoint, cosignatures } = verdict
  const { index, hashes } = read
  if (!verifyInclusion(index, checkpoint.size, leafHash(hexToBytes(line.hash)), hashes, checkpoint.root))
    return { outcome: 'REFUSED', reason: 'INCLUSION' }
  return { outcome: 'PROVEN', checkpoint, cosignatures, index, item: line, records: recordsOf(line.text) }
}

/** `SHA-256(prev, 32 raw bytes | tenant#lane/sequence, newline | exact text of the item)`, as lower-case hex. */
function itemHashOf(tenant: string, { lane, sequence, prev, text }: SegmentItem): string {
  return bytesToHex(sha256(concatBytes(hexToBytes(prev), utf8ToBytes(`${tenant}#${lane}/${sequence}\n${text}`))))
}
