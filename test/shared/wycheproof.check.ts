import { createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decrypt, encrypt } from '../../gateway/crypto/aead.ts'
import { hkdfSha256, hmacMatches, hmacSha256 } from '../../gateway/crypto/derive.ts'
import { IntegrityFailure } from '../../gateway/model/failures.ts'

// Runs Project Wycheproof's vectors through the cryptographic primitives of the gateway. PHI_SHARED names the folder with
// `data/vectors/wycheproof`. Without it, this check fails, so that it cannot be skipped unnoticed.

interface File<Group> {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}
interface Case {
  readonly tcId: number
  readonly result: 'valid' | 'invalid' | 'acceptable'
}
interface AeadGroup {
  readonly keySize: number
  readonly ivSize: number
  readonly tagSize: number
  readonly tests: readonly (Case & { key: string; iv: string; aad: string; msg: string; ct: string; tag: string })[]
}
interface HkdfGroup {
  readonly tests: readonly (Case & { ikm: string; salt: string; info: string; size: number; okm: string })[]
}
interface MacGroup {
  readonly tagSize: number
  readonly tests: readonly (Case & { key: string; msg: string; tag: string })[]
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

function vectors<Group>(name: string): File<Group> {
  const shared = process.env['PHI_SHARED']
  if (shared === undefined || shared === '') throw new Error('PHI_SHARED must name the folder with data/vectors/wycheproof.')
  return JSON.parse(readFileSync(join(shared, 'data/vectors/wycheproof', name), 'utf8')) as File<Group>
}

/** The number of occurrences, by name. */
class Tally {
  readonly counts: Record<string, number> = {}
  add(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }
  print(title: string): void {
    process.stdout.write(`${title}: ${JSON.stringify(this.counts)}\n`)
  }
}

describe('Wycheproof', () => {
  it('AES-GCM: 256-bit keys with 96-bit nonces behave as the vectors state, every other size is refused', () => {
    const file = vectors<AeadGroup>('aes_gcm_test.json')
    const tally = new Tally()
    for (const { keySize, ivSize, tagSize, tests } of file.testGroups) {
      expect(tagSize).toBe(128)
      for (const test of tests) {
        const [key, nonce, aad] = [createSecretKey(hex(test.key)), hex(test.iv), hex(test.aad)]
        const open = () => decrypt(key, nonce, aad, hex(test.ct + test.tag)).toString('hex')
        const seal = () => encrypt(key, nonce, aad, hex(test.msg)).toString('hex')
        if (keySize !== 256 || ivSize !== 96) {
          expect(open, `case ${test.tcId}`).toThrow(IntegrityFailure)
          expect(seal, `case ${test.tcId}`).toThrow(RangeError)
          tally.add(keySize === 256 ? 'refused for its nonce' : 'refused for its key')
        } else if (test.result === 'valid') {
          expect(open(), `case ${test.tcId}`).toBe(test.msg)
          expect(seal(), `case ${test.tcId}`).toBe(test.ct + test.tag)
          tally.add('valid')
        } else {
          expect(open, `case ${test.tcId}`).toThrow(IntegrityFailure)
          tally.add('invalid')
        }
      }
    }
    tally.print('AES-GCM')
    expect(tally.counts).toEqual(AES_GCM)
    expect(file.numberOfTests).toBe(316)
  })

  it('AES-GCM: no tag that is a byte or more shorter opens', () => {
    let refused = 0
    for (const { keySize, ivSize, tests } of vectors<AeadGroup>('aes_gcm_test.json').testGroups) {
      if (keySize !== 256 || ivSize !== 96) continue
      for (const test of tests.filter(({ result }) => result === 'valid')) {
        const sealed = hex(test.ct + test.tag)
        for (const cut of [1, 4, 12]) {
          expect(() => decrypt(createSecretKey(hex(test.key)), hex(test.iv), hex(test.aad), sealed.subarray(0, -cut))).toThrow(
            IntegrityFailure,
          )
          refused++
        }
      }
    }
    expect(refused).toBe(39 * 3)
  })

  it('HKDF-SHA-256', () => {
    const file = vectors<HkdfGroup>('hkdf_sha256_test.json')
    const tally = new Tally()
    for (const test of file.testGroups.flatMap(({ tests }) => tests)) {
      const derive = () => hkdfSha256(hex(test.ikm), hex(test.salt), hex(test.info), test.size).toString('hex')
      if (test.result === 'valid') expect(derive(), `case ${test.tcId}`).toBe(test.okm)
      else expect(derive, `case ${test.tcId}`).toThrow(RangeError)
      tally.add(test.result)
    }
    tally.print('HKDF-SHA-256')
    expect(tally.counts).toEqual({ valid: 83, invalid: 3 })
    expect(file.numberOfTests).toBe(86)
  })

  it('HMAC-SHA-256: full tags behave as the vectors state, shortened ones never verify', () => {
    const file = vectors<MacGroup>('hmac_sha256_test.json')
    const tally = new Tally()
    for (const { tagSize, tests } of file.testGroups) {
      for (const test of tests) {
        const [key, message, tag] = [createSecretKey(hex(test.key)), hex(test.msg), hex(test.tag)]
        const matches = hmacMatches(key, tag, message)
        if (tagSize === 256) {
          expect(matches, `case ${test.tcId}`).toBe(test.result === 'valid')
          tally.add(test.result)
        } else {
          expect(matches, `case ${test.tcId}`).toBe(false)
          // the gateway's tokens are shortened in the same way
          expect(
            hmacSha256(key, message)
              .subarray(0, tagSize / 8)
              .equals(tag),
            `case ${test.tcId}`,
          ).toBe(test.result === 'valid')
          tally.add(`${test.result}, shortened`)
        }
      }
    }
    tally.print('HMAC-SHA-256')
    expect(tally.counts).toEqual(HMAC)
    expect(file.numberOfTests).toBe(174)
  })
})

const AES_GCM = { valid: 39, invalid: 27, 'refused for its key': 211, 'refused for its nonce': 39 }
const HMAC = { valid: 33, invalid: 54, 'valid, shortened': 33, 'invalid, shortened': 54 }
