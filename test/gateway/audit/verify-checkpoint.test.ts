import fc from 'fast-check'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../gateway/audit/verify/base64.ts'
import { type CheckpointVerdict, verifyCheckpoint } from '../../../gateway/audit/verify/checkpoint.ts'
import { type Checkpoint, checkpointText } from '../../../gateway/audit/verify/checkpoint-text.ts'
import { cosignatureLine, cosignedMessage } from '../../../gateway/audit/verify/cosignature.ts'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { parseNote, splitNotes } from '../../../gateway/audit/verify/note.ts'
import { leafHash } from '../../../gateway/audit/verify/tree.ts'
import {
  ALGORITHMS,
  isSignedBy,
  parseVerifierKey,
  type SignatureAlgorithm,
  verifierKeyText,
} from '../../../gateway/audit/verify/verifier-key.ts'

const ORIGIN = 'phi.example.com/audit/riverside'
const TIME = 1_772_366_460
const head: Checkpoint = { origin: ORIGIN, size: 7, root: leafHash(new Uint8Array()) }
const note = (...lines: readonly string[]): string => `${checkpointText(head)}\n${lines.join('')}`

/** A key as KMS serves it: the public key is the end of a SubjectPublicKeyInfo, and the message is signed as it is. */
function signer(algorithm: SignatureAlgorithm, name = ORIGIN) {
  const { publicKey, privateKey } = algorithm === 'ED25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-ALGORITHMS[algorithm].keyBytes)
  const text = verifierKeyText(name, algorithm, raw)
  const key = parseVerifierKey(text)
  if (key === undefined) throw new Error('the key cannot be read')
  const sealed = (checkpoint: Checkpoint, time: number): Buffer => sign(null, cosignedMessage(key, checkpoint, time), privateKey)
  return { key, text, line: (time = TIME, checkpoint = head) => cosignatureLine(key, time, sealed(checkpoint, time)), sealed }
}

async function believe(text: string, ...policy: readonly string[]): Promise<CheckpointVerdict> {
  const read = parseLogPolicy([...policy, 'quorum none', ''].join('\n'))
  if (read.outcome === 'REFUSED') throw new Error(`line ${read.line}: ${read.reason}`)
  return await verifyCheckpoint(text, ORIGIN, read.policy)
}

describe.each(['ED25519', 'ML_DSA_44'] as const)('P7: checkpoints signed with %s', (algorithm) => {
  const { key, text, line, sealed } = signer(algorithm)
  const signed = note(line())

  it('P7: a written checkpoint reads back unchanged, with its time', async () => {
    const checkpoint = { ...head, time: TIME }
    expect(await believe(signed, `log ${text}`)).toEqual({ outcome: 'VERIFIED', checkpoint, cosignatures: [] })
  })

  it('P7: no other text verifies: any changed character invalidates the signature', async () => {
    // ML-DSA takes 2 ms, so of its 3,000 characters only some are changed
    const step = algorithm === 'ED25519' ? 1 : 41
    for (let at = 0; at < signed.length; at += step) {
      const other = `${signed.slice(0, at)}${signed[at] === 'A' ? 'B' : 'A'}${signed.slice(at + 1)}`
      expect((await believe(other, `log ${text}`)).outcome, `character ${at}`).toBe('REFUSED')
      const shorter = signed.slice(0, at) + signed.slice(at + 1)
      expect((await believe(shorter, `log ${text}`)).outcome, `without character ${at}`).toBe('REFUSED')
    }
  })

  it('P7: a signature by another key of the log does not verify', async () => {
    for (const other of [signer('ED25519'), signer('ML_DSA_44')])
      expect(await believe(signed, `log ${other.text}`)).toEqual({ outcome: 'REFUSED', reason: 'KEY' })
  })

  it('P7: node:crypto, which KMS agrees with, and the verifier agree on a signature', async () => {
    const message = cosignedMessage(key, head, TIME)
    const signature = new Uint8Array(sealed(head, TIME))
    expect(await isSignedBy(key, signature, message)).toBe(true)
    expect(await isSignedBy(key, signature.with(9, (signature[9] ?? 0) ^ 1), message)).toBe(false)
    expect(await isSignedBy({ ...key, publicKey: new Uint8Array(key.publicKey.length).fill(255) }, signature, message)).toBe(false)
  })
})

describe('P7: the content of a checkpoint', () => {
  it.each([
    { size: -1 },
    { size: 1.5 },
    { size: 2 ** 53 },
    { origin: '' },
    { origin: 'a b' },
    { origin: 'a\nb' },
    { root: new Uint8Array(31) },
  ])('P7: the writer refuses a value that a reader would refuse: %o', (change) => {
    expect(() => checkpointText({ ...head, ...change })).toThrow(RangeError)
  })

  it('P7: the writer refuses a time, a key and a signature that a reader would refuse', () => {
    const { key } = signer('ED25519')
    for (const time of [-1, 0.5, 2 ** 53]) expect(() => cosignedMessage(key, head, time)).toThrow(RangeError)
    expect(() => cosignedMessage({ algorithm: 'ML_DSA_44', name: 'x'.repeat(256) }, head, TIME)).toThrow(RangeError)
    expect(() => cosignatureLine(key, TIME, new Uint8Array(63))).toThrow(RangeError)
    expect(() => verifierKeyText('a b', 'ED25519', key.publicKey)).toThrow(RangeError)
    expect(() => verifierKeyText(ORIGIN, 'ML_DSA_44', key.publicKey)).toThrow(RangeError)
  })

  it('P7: a note of more than 256 Ki characters, or with a control character, is rejected', () => {
    const line = `\u2014 a ${Buffer.alloc(8).toString('base64')}\n`
    expect(parseNote(`text\n\n${line}`)?.signatures).toHaveLength(1)
    expect(parseNote(`${'x'.repeat(262_144)}\n\n${line}`)).toBeUndefined()
    expect(splitNotes(`a\n\n${line}${line}b\n\n${line}\n\nc\n\n${line}`)).toEqual([
      `a\n\n${line}${line}`,
      `b\n\n${line}`,
      `c\n\n${line}`,
    ])
    for (const control of ['\0', '\t', '\r', '\u001f']) expect(parseNote(`te${control}xt\n\n${line}`)).toBeUndefined()
  })
})

describe('P7: encodings', () => {
  it('P7: base64 encodes any bytes, and each byte sequence has one text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.string({ maxLength: 12 }), (bytes, text) => {
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(decodeBase64(encodeBase64(bytes))).toEqual(new Uint8Array(bytes))
        const read = decodeBase64(text)
        if (read !== undefined) expect(encodeBase64(read)).toBe(text)
      }),
      { numRuns: 2_000 },
    )
    for (const bad of [
      'A',
      'AA',
      'AAA',
      'AA=',
      'AB==',
      'AAB=',
      'A===',
      '====',
      '=',
      'AA-_',
      'AAAA\n',
      ' AAA',
      'AA==AA==',
      'AAAA====',
    ])
      expect(decodeBase64(bad), bad).toBeUndefined()
  })
})
