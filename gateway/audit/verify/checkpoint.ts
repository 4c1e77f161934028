import { decodeBase64, encodeBase64 } from './base64.ts'
import { type NoteSignature, parseNote } from './note.ts'
import type { Hash } from './tree.ts'
import { isSignedBy, type LogKey, type VerifierKey, type WitnessKey } from './verifier-key.ts'

/** The statement of the notary about a log at one moment. */
export interface Checkpoint {
  /** The name of the log: `example.com/audit/riverside`. */
  readonly origin: string
  /** Number of leaves. */
  readonly size: number
  readonly root: Hash
  /** When the notary sealed, in seconds since the epoch. */
  readonly time: number
}

/** The keys of trusted logs and witnesses. */
export interface CheckpointTrust {
  readonly origin: string
  /** The log's own keys, past and present: one of them must have signed. */
  readonly keys: readonly LogKey[]
  readonly witnesses: readonly WitnessKey[]
  /** How many of the witnesses must have signed. */
  readonly quorum: number
}

interface Cosignature {
  readonly witness: string
  /** When the witness saw it, in seconds since the epoch. */
  readonly time: number
}

export type CheckpointVerdict =
  | { readonly outcome: 'VERIFIED'; readonly checkpoint: Checkpoint; readonly cosignatures: readonly Cosignature[] }
  | {
      readonly outcome: 'REFUSED'
      /**
       * FORM: no checkpoint of ours. ORIGIN: of another log. KEY: no known key signed. SIGNATURE: a known key's signature does
       * not verify, or occurs twice. WITNESS: too few witnesses signed.
       */
      readonly reason: 'FORM' | 'ORIGIN' | 'KEY' | 'SIGNATURE' | 'WITNESS'
    }

const ORIGIN = /^[^\s+\p{White_Space}]+$/u
const NUMBER = /^(?:0|[1-9]\d{0,15})$/

/**
 * The text that is signed: origin, size, root, time, a line each.
 *
 * @throws RangeError if a part has no valid form in a checkpoint
 * @source C2SP tlog-checkpoint, "Note text"
 */
export function checkpointText({ origin, size, root, time }: Checkpoint): string {
  const text = `${origin}\n${size}\n${encodeBase64(root)}\ntime ${time}\n`
  if (parseText(text) === undefined) throw new RangeError('a checkpoint has an origin, a size, a root and a time')
  return text
}

function parseText(text: string): Checkpoint | undefined {
  const [origin = '', size = '', base64 = '', extension = '', end, ...more] = text.split('\n')
  const root = decodeBase64(base64)
  const time = extension.startsWith('time ') ? number(extension.slice(5)) : undefined
  const leaves = number(size)
  if (!ORIGIN.test(origin) || leaves === undefined || root?.length !== 32 || time === undefined) return undefined
  return end === '' && more.length === 0 ? { origin, size: leaves, root, time } : undefined
}

function number(digits: string): number | undefined {
  const value = NUMBER.test(digits) ? Number(digits) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

/**
 * Reads and verifies a checkpoint. Signatures of unknown keys are skipped. Each signature of a known key must verify.
 *
 * @source C2SP signed-note, tlog-checkpoint, tlog-cosignature
 */
export async function verifyCheckpoint(text: string, trust: CheckpointTrust): Promise<CheckpointVerdict> {
  const note = parseNote(text)
  const checkpoint = note === undefined ? undefined : parseText(note.text)
  if (note === undefined || checkpoint === undefined) return refused('FORM')
  if (checkpoint.origin !== trust.origin) return refused('ORIGIN')

  const seen = new Set<VerifierKey>()
  const cosignatures: Cosignature[] = []
  for (const line of note.signatures) {
    const key = [...trust.keys, ...trust.witnesses].find(({ name, keyId }) => name === line.name && keyId === line.keyId)
    if (key === undefined) continue
    if (seen.has(key)) return refused('SIGNATURE')
    seen.add(key)
    if (key.type === 'COSIGNATURE') {
      const cosigned = cosignedText(line, note.text)
      if (cosigned === undefined || !(await isSignedBy(key, line.signature.slice(8), cosigned.text))) return refused('SIGNATURE')
      cosignatures.push({ witness: key.name, time: cosigned.time })
    } else if (!(await isSignedBy(key, line.signature, new TextEncoder().encode(note.text)))) {
      return refused('SIGNATURE')
    }
  }
  if (!trust.keys.some((key) => seen.has(key))) return refused('KEY')
  if (trust.witnesses.filter((key) => seen.has(key)).length < trust.quorum) return refused('WITNESS')
  return { outcome: 'VERIFIED', checkpoint, cosignatures }
}

const refused = (reason: Extract<CheckpointVerdict, { outcome: 'REFUSED' }>['reason']): CheckpointVerdict => ({
  outcome: 'REFUSED',
  reason,
})

/**
 * The text that a witness signs: its time, which precedes the signature in the line, then the checkpoint.
 *
 * @source C2SP tlog-cosignature, "Ed25519 signed message"
 */
function cosignedText({ signature }: NoteSignature, text: string): { time: number; text: Uint8Array<ArrayBuffer> } | undefined {
  if (signature.length !== 72) return undefined
  const time = Number(new DataView(signature.buffer).getBigUint64(0))
  if (!Number.isSafeInteger(time)) return undefined
  return { time, text: new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${text}`) }
}
