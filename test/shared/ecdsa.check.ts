import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isSignedBy } from '../../gateway/audit/verify/verifier-key.ts'

// Runs Project Wycheproof's ECDSA vectors through the verification of checkpoints that P-256 keys sign. PHI_SHARED names the folder
// with `data/vectors/wycheproof`. Without it, this check fails, so that it cannot be skipped unnoticed.

interface File {
  readonly numberOfTests: number
  readonly testGroups: readonly {
    readonly publicKeyDer: string
    readonly tests: readonly { tcId: number; msg: string; sig: string; result: 'valid' | 'invalid' | 'acceptable' }[]
  }[]
}

const hex = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'hex'))

it('P7: Wycheproof: 484 ECDSA P-256 signatures with SHA-256 verify as the vectors state', async () => {
  const shared = process.env['PHI_SHARED']
  if (shared === undefined || shared === '') throw new Error('PHI_SHARED must name the folder with data/vectors/wycheproof.')
  const path = join(shared, 'data/vectors/wycheproof/ecdsa_secp256r1_sha256_test.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as File
  const counts = { valid: 0, invalid: 0, acceptable: 0 }
  for (const { publicKeyDer, tests } of file.testGroups) {
    for (const { tcId, msg, sig, result } of tests) {
      const verified = await isSignedBy({ type: 'ECDSA_P256', publicKey: hex(publicKeyDer) }, hex(sig), hex(msg))
      expect(verified, `case ${tcId}`).toBe(result === 'valid')
      counts[result]++
    }
  }
  process.stdout.write(`ECDSA P-256: ${JSON.stringify(counts)}\n`)
  expect(counts).toEqual({ valid: 174, invalid: 310, acceptable: 0 })
  expect(file.numberOfTests).toBe(484)
})
