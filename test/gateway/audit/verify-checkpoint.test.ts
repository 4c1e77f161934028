import fc from 'fast-check'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../gateway/audit/verify/base64.ts'
import {
  type Checkpoint,
  checkpointText,
  type CheckpointVerdict,
  verifyCheckpoint,
} from '../../../gateway/audit/verify/checkpoint.ts'
import { rawFromDer } from '../../../gateway/audit/verify/ecdsa-signature.ts'
import { parseNote } from '../../../gateway/audit/verify/note.ts'
import { compareHeads } from '../../../gateway/audit/verify/seals.ts'
import { emptyRoot, leafHash } from '../../../gateway/audit/verify/tree.ts'
import { isSignedBy, type LogKey, parseVerifierKey } from '../../../gateway/audit/verify/verifier-key.ts'

const ORIGIN = 'phi.example.com/audit/riverside'
const head: Checkpoint = { origin: ORIGIN, size: 7, root: leafHash(new Uint8Array()), time: 1_772_366_460 }

/** A key as KMS serves it: KMS returns the public key as DER, and signs messages. */
function signer(curve: 'ed25519' | 'P-256') {
  const { publicKey, privateKey } =
    curve === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = publicKey.export({ type: 'spki', format: 'der' })
  // the last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410, section 4)
  const material = curve === 'ed25519' ? Buffer.concat([Buffer.of(1), der.subarray(-32)]) : Buffer.concat([Buffer.of(2), der])
  const hashed = curve === 'ed25519' ? Buffer.concat([Buffer.from(`${ORIGIN}\n`), material]) : der
  const id = createHash('sha256').update(hashed).digest().subarray(0, 4)
  const key = parseVerifierKey(`${ORIGIN}+${id.toString('hex')}+${material.toString('base64')}`)
  if (key === undefined || key.type === 'COSIGNATURE') throw new Error('the key cannot be read')
  return { key, privateKey, line: (text: string) => `\u2014 ${ORIGIN} ${signature(id, privateKey, curve, text)}\n` }
}
function signature(id: Uint8Array, key: KeyObject, curve: string, text: string): string {
  const signed = sign(curve === 'ed25519' ? null : 'sha256', Buffer.from(text), key)
  return Buffer.concat([id, signed]).toString('base64')
}
const believe = (note: string, ...keys: LogKey[]): Promise<CheckpointVerdict> =>
  verifyCheckpoint(note, { origin: ORIGIN, keys, witnesses: [], quorum: 0 })

describe.each(['ed25519', 'P-256'] as const)('P7: checkpoints signed with %s', (curve) => {
  const { key, line } = signer(curve)
  const text = checkpointText(head)
  const note = `${text}\n${line(text)}`

  it('P7: a written checkpoint reads back unchanged', async () => {
    expect(await believe(note, key)).toEqual({ outcome: 'VERIFIED', checkpoint: head, cosignatures: [] })
  })

  it('P7: no other text verifies: any changed character invalidates the signature', async () => {
    for (let at = 0; at < note.length; at++) {
      const other = `${note.slice(0, at)}${note[at] === 'A' ? 'B' : 'A'}${note.slice(at + 1)}`
      expect((await believe(other, key)).outcome, `character ${at}`).toBe('REFUSED')
      expect((await believe(note.slice(0, at) + note.slice(at + 1), key)).outcome, `without character ${at}`).toBe('REFUSED')
    }
  })

  it('P7: a signature by a key of another log or another curve does not verify', async () => {
    const others = [signer(curve), signer(curve === 'P-256' ? 'ed25519' : 'P-256')]
    for (const other of others) expect(await believe(note, other.key)).toEqual({ outcome: 'REFUSED', reason: 'KEY' })
    expect(await believe(note)).toEqual({ outcome: 'REFUSED', reason: 'KEY' })
  })
})

describe('P7: the content of a checkpoint', () => {
  it.each([
    { size: -1 },
    { size: 1.5 },
    { size: 2 ** 53 },
    { time: -1 },
    { time: 0.5 },
    { origin: '' },
    { origin: 'a b' },
    { origin: 'a\nb' },
    { root: new Uint8Array(31) },
  ])('P7: the writer refuses a value that a reader would refuse: %o', (change) => {
    expect(() => checkpointText({ ...head, ...change })).toThrow(RangeError)
  })

  it('P7: two roots for one size, and a larger log at an earlier time, are reported', () => {
    const later = { ...head, size: 9, time: head.time + 60 }
    expect(compareHeads([later, head, head])).toEqual([])
    expect(compareHeads([head, later, { ...head, root: emptyRoot() }])).toEqual([{ kind: 'TWO_ROOTS', size: 7 }])
    expect(compareHeads([head, { ...later, time: head.time - 1 }])).toEqual([{ kind: 'BACKWARDS', size: 9 }])
  })

  it('P7: a note of more than 256 Ki characters, or with a control character, is rejected', () => {
    const line = `\u2014 a ${Buffer.alloc(8).toString('base64')}\n`
    expect(parseNote(`text\n\n${line}`)?.signatures).toHaveLength(1)
    expect(parseNote(`${'x'.repeat(262_144)}\n\n${line}`)).toBeUndefined()
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

  it('P7: the DER signature of KMS becomes the two numbers that WebCrypto takes', async () => {
    const { key, privateKey } = signer('P-256')
    for (let round = 0; round < 300; round++) {
      const message = new Uint8Array(Buffer.from(`message ${round}`))
      const der = sign('sha256', message, privateKey)
      const raw = rawFromDer(der)
      expect(raw).toHaveLength(64)
      const other = await crypto.subtle.verify(
        { name: 'ECDSA', hash: 'SHA-256' },
        await crypto.subtle.importKey('spki', key.publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']),
        raw ?? new Uint8Array(),
        message,
      )
      expect(other).toBe(true)
      expect(await isSignedBy(key, new Uint8Array(der), message)).toBe(true)
      expect(await isSignedBy(key, new Uint8Array(der), new Uint8Array([...message, 0]))).toBe(false)
    }
  })

  it('P7: only the shortest DER of two numbers is accepted', () => {
    const read = (hex: string): string | undefined => rawFromDer(Buffer.from(hex, 'hex'))?.toString()
    const pair = (r: number, s: number): string => new Uint8Array(64).with(31, r).with(63, s).toString()
    expect(read('3006020101020102')).toBe(pair(1, 2))
    expect(read('30080202008102020082')).toBe(pair(0x81, 0x82))
    expect(read(`3026022100${'ff'.repeat(32)}020101`)).toBe(new Uint8Array(64).fill(255, 0, 32).with(63, 1).toString())
    const refused = {
      'a zero in front that nothing needs': '300702020001020102',
      'a negative number': '3006020181020102',
      'a byte after the numbers': '300702010102010200',
      'a byte after the sequence': '300602010102010200',
      'one number': '3003020101',
      'three numbers': '3009020101020102020103',
      'a number of no bytes': '30050200020102',
      'a number that ends after the text': '3006020101020202',
      'a number of 33 bytes': `302602210${'1'.repeat(65)}020101`,
      'another type': '3006030101020102',
      'no sequence': '3106020101020102',
      nothing: '',
    }
    for (const [why, hex] of Object.entries(refused)) expect(read(hex), why).toBeUndefined()
  })

  it('P7: a key with a point that is not on the curve verifies nothing and does not throw', async () => {
    const { key, privateKey } = signer('P-256')
    const message = new Uint8Array(8)
    const der = new Uint8Array(sign('sha256', message, privateKey))
    const publicKey = key.publicKey.slice()
    publicKey.fill(1, -32)
    expect(await isSignedBy(key, der, message)).toBe(true)
    expect(await isSignedBy({ type: 'ECDSA_P256', publicKey }, der, message)).toBe(false)
  })
})
