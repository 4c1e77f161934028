import { type Checkpoint, parseCheckpointText } from './checkpoint-text.ts'
import { cosignedAt } from './cosignature.ts'
import { parseNote } from './note.ts'
import { isQuorum, type LogPolicy } from './log-policy.ts'
import type { VerifierKey } from './verifier-key.ts'

/** A checkpoint with the time at which the log signed it. */
export interface SignedCheckpoint extends Checkpoint {
  /** The time in the log's own cosignatures, in seconds since the epoch. */
  readonly time: number
}

interface Cosignature {
  readonly witness: string
  /** When the witness signed, in seconds since the epoch. */
  readonly time: number
}

/**
 * FORM: no checkpoint of ours. ORIGIN: of a log that the policy does not name. KEY: no known key of the log signed. SIGNATURE: a known
 * key's signature does not verify, or occurs twice. TIME: the log's signatures have different times, or no time.
 */
export type CheckpointFault = 'FORM' | 'ORIGIN' | 'KEY' | 'SIGNATURE' | 'TIME'

/** A note that the log signed. `isWitnessed` states whether the quorum of the policy signed too. */
interface OpenedCheckpoint {
  readonly outcome: 'OPENED'
  readonly checkpoint: SignedCheckpoint
  /** Those of known witnesses. */
  readonly cosignatures: readonly Cosignature[]
  readonly isWitnessed: boolean
}

export type CheckpointVerdict =
  | { readonly outcome: 'VERIFIED'; readonly checkpoint: SignedCheckpoint; readonly cosignatures: readonly Cosignature[] }
  | {
      readonly outcome: 'REFUSED'
      /** WITNESS: the quorum of the policy did not sign. */
      readonly reason: CheckpointFault | 'WITNESS'
    }

/**
 * Reads and verifies a checkpoint of one log. Signatures of unknown keys are skipped. Each signature of a known key must verify.
 *
 * @param origin the name of the log, which the policy must have
 * @source C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy
 */
export async function verifyCheckpoint(note: string, origin: string, policy: LogPolicy): Promise<CheckpointVerdict> {
  const opened = await openCheckpoint(note, origin, policy)
  if (opened.outcome === 'REFUSED') return opened
  const { checkpoint, cosignatures, isWitnessed } = opened
  return isWitnessed ? { outcome: 'VERIFIED', checkpoint, cosignatures } : { outcome: 'REFUSED', reason: 'WITNESS' }
}

/** As `verifyCheckpoint`, for a reader that also accepts a note without the quorum because a later note has it. */
export async function openCheckpoint(
  note: string,
  origin: string,
  { logs, witnesses, quorum }: LogPolicy,
): Promise<OpenedCheckpoint | { readonly outcome: 'REFUSED'; readonly reason: CheckpointFault }> {
  const read = parseNote(note)
  const checkpoint = read === undefined ? undefined : parseCheckpointText(read.text)
  if (read === undefined || checkpoint === undefined) return refused('FORM')
  const ofLog = logs.flatMap(({ key }) => (key.name === origin ? [key] : []))
  if (checkpoint.origin !== origin || ofLog.length === 0) return refused('ORIGIN')

  const signed = new Map<string, Cosignature>()
  for (const { name, keyId, signature } of read.signatures) {
    // a policy may name a key of the log among the witnesses too, to require it
    const key = [...ofLog, ...witnesses.map((witness) => witness.key)].find((one) => one.name === name && one.keyId === keyId)
    if (key === undefined) continue
    const time = signed.has(idOf(key)) ? undefined : await cosignedAt(key, signature, checkpoint)
    if (time === undefined) return refused('SIGNATURE')
    signed.set(idOf(key), { witness: name, time })
  }
  const times = ofLog.flatMap((key) => signed.get(idOf(key))?.time ?? [])
  const [time] = times
  if (time === undefined) return refused('KEY')
  if (time === 0 || times.some((other) => other !== time)) return refused('TIME')
  return {
    outcome: 'OPENED',
    checkpoint: { ...checkpoint, time },
    cosignatures: [...signed.values()].filter(({ witness }) => witness !== origin),
    isWitnessed: isQuorum(quorum, (key) => signed.has(idOf(key))),
  }
}

const idOf = ({ name, keyId }: VerifierKey): string => `${name} ${keyId}`

const refused = (reason: CheckpointFault): { readonly outcome: 'REFUSED'; readonly reason: CheckpointFault } => ({
  outcome: 'REFUSED',
  reason,
})
