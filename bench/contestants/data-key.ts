import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'

/** The data key of both hand-built contestants, which KMS opens once, during initialization. `BENCH_DATA_KEY` holds it wrapped. */
export async function dataKey(env: NodeJS.ProcessEnv): Promise<Uint8Array> {
  const kms = new KMSClient({})
  const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob: Buffer.from(env['BENCH_DATA_KEY'] ?? '', 'base64') }))
  if (!Plaintext) throw new RangeError('KMS returned no key.')
  return Plaintext
}
