import { encodeBase64 } from '../../audit/verify/base64.ts'
import { openCheckpoint } from '../../audit/verify/checkpoint.ts'
import { parseCheckpointText } from '../../audit/verify/checkpoint-text.ts'
import type { LogPolicy } from '../../audit/verify/log-policy.ts'
import { parseNote } from '../../audit/verify/note.ts'
import type { TimedNote } from '../log/stored-log.ts'
import { timeOf } from './report-span.ts'

/** The latest checkpoint. The type `CheckpointReport` of the schema. */
export interface CheckpointReport {
  readonly origin?: string
  readonly size: number
  readonly at?: string
  readonly ageSeconds?: number
  readonly root?: string
  readonly signed: boolean
  readonly fault?: string
  readonly signatures: readonly { readonly name: string; readonly keyId: string; readonly known: boolean }[]
  readonly witnesses: readonly string[]
  readonly knownWitnesses: number
  readonly quorum: boolean
}

/**
 * @param policy of the log; undefined if it has none that can be read
 * @param now milliseconds since the epoch
 */
export async function checkpointReport(
  { text, size, time }: TimedNote,
  policy: LogPolicy | undefined,
  now: number,
): Promise<CheckpointReport> {
  const note = parseNote(text)
  const stated = parseCheckpointText(note?.text ?? '')
  const opened = policy === undefined || stated === undefined ? undefined : await openCheckpoint(text, stated.origin, policy)
  const keys = policy === undefined ? [] : [...policy.logs, ...policy.witnesses].map(({ key }) => key)
  const at = time * 1_000
  return {
    size,
    at: timeOf(at),
    ageSeconds: Math.max(0, Math.floor((now - at) / 1_000)),
    ...(stated !== undefined && { origin: stated.origin, root: encodeBase64(stated.root) }),
    signed: opened?.outcome === 'OPENED',
    ...(opened?.outcome !== 'OPENED' && { fault: stated === undefined ? 'FORM' : (opened?.reason ?? 'POLICY') }),
    signatures: (note?.signatures ?? []).map(({ name, keyId }) => ({
      name,
      keyId: keyId.toString(16).padStart(8, '0'),
      known: keys.some((key) => key.name === name && key.keyId === keyId),
    })),
    witnesses: opened?.outcome === 'OPENED' ? opened.cosignatures.map(({ witness }) => witness) : [],
    knownWitnesses: new Set(policy?.witnesses.map(({ key }) => key.name).filter((name) => name !== stated?.origin)).size,
    quorum: opened?.outcome === 'OPENED' && opened.isWitnessed,
  }
}
