import type { CheckpointSigner } from '../../model/checkpoint-signer.ts'
import { KeyUnavailable } from '../../model/failures.ts'
import type { Checkpoint } from '../verify/checkpoint-text.ts'
import { cosignatureLine, cosignedAt, cosignedMessage } from '../verify/cosignature.ts'
import { parseVerifierKey, type VerifierKey, verifierKeyText } from '../verify/verifier-key.ts'

/** The key of a signer as verifiers know it: under the origin of the log. @throws KeyUnavailable */
export async function logKey(signer: CheckpointSigner, origin: string): Promise<VerifierKey> {
  const key = parseVerifierKey(verifierKeyText(origin, signer.algorithm, await signer.publicKey()))
  if (key === undefined) throw new KeyUnavailable()
  return key
}

/**
 * The log's own cosignature: one line of the note.
 *
 * @param time seconds since the epoch
 * @throws KeyUnavailable, also if the signature does not verify: a stored note can never be replaced
 */
export async function cosign(signer: CheckpointSigner, checkpoint: Checkpoint, time: number): Promise<string> {
  const key = await logKey(signer, checkpoint.origin)
  const line = cosignatureLine(key, time, await signer.sign(cosignedMessage(key, checkpoint, time)))
  const bytes = new Uint8Array(Buffer.from(line.split(' ')[2] ?? '', 'base64').subarray(4))
  if ((await cosignedAt(key, bytes, checkpoint)) !== time) throw new KeyUnavailable()
  return line
}
