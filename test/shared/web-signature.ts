import { createHash, createHmac, createPrivateKey, sign } from 'node:crypto'

/** A key of a vector, with all its members as text or lists. */
export type VectorKey = Readonly<Record<string, unknown>>

/** The three parts of a token that a vector calls valid, and the key that signed it. */
export interface Genuine {
  readonly header: string
  readonly payload: string
  readonly signature: string
  readonly key: VectorKey
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const HASHES = ['sha256', 'sha384', 'sha512']

export const encoded = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url')
const decoded = (text: string): Buffer => Buffer.from(text, 'base64url')
const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)
const member = (key: VectorKey, name: string): string => String(key[name])

/** Signs a text with the algorithm of a token's header. The key is one of a vector, secret members included. */
export function signed(input: string, algorithm: string, key: VectorKey): string {
  const hash = `sha${algorithm.slice(2)}`
  if (key['kty'] === 'oct')
    return createHmac(hash, decoded(member(key, 'k')))
      .update(input)
      .digest('base64url')
  const secret = createPrivateKey({ key: key, format: 'jwk' })
  if (key['kty'] === 'EC') return encoded(sign(hash, Buffer.from(input), { key: secret, dsaEncoding: 'ieee-p1363' }))
  const pss = algorithm.startsWith('PS') && { padding: 6, saltLength: -1 }
  return encoded(sign(hash, Buffer.from(input), { key: secret, ...pss }))
}

/**
 * Moves the fault of an RSA signature to another text: opens the padding, replaces the digest of the one text by that of the other,
 * and closes the padding again with the secret exponent. A padding without the digest stays as it is.
 */
export function withPaddingOf(signature: string, from: string, to: string, key: VectorKey): string {
  const [modulus, open, close] = ['n', 'e', 'd'].map((name) => numberOf(decoded(member(key, name)))) as [bigint, bigint, bigint]
  const length = decoded(member(key, 'n')).length
  const padded = hexOf(power(numberOf(decoded(signature)), open, modulus), length)
  for (const hash of HASHES) {
    const [old, fresh] = [from, to].map((text) => createHash(hash).update(text).digest('hex')) as [string, string]
    // a vector may lack the first or the last byte of the digest, or have another one
    for (const [start, end] of [
      [0, old.length],
      [0, old.length - 2],
      [2, old.length],
      [2, old.length - 2],
    ]) {
      if (!padded.includes(old.slice(start, end))) continue
      const moved = padded.replace(old.slice(start, end), fresh.slice(start, end))
      return encoded(Buffer.from(hexOf(power(BigInt(`0x${moved}`), close, modulus), length), 'hex'))
    }
  }
  return signature
}

/** Moves the fault of a P-256 signature, relative to a valid one of the same text, to another valid signature. */
export function withNumbersOf(signature: string, from: string, to: string): string {
  const numbers = (text: string): [bigint, bigint] => [
    numberOf(decoded(text).subarray(0, 32)),
    numberOf(decoded(text).subarray(32)),
  ]
  const [[r, s], [nextR, nextS]] = [numbers(from), numbers(to)]
  const text = decoded(signature).toString('hex')
  const moves: readonly (readonly [bigint, bigint])[] = [
    [r + ORDER, nextR + ORDER],
    [s + ORDER, nextS + ORDER],
    [2n * ORDER - s, 2n * ORDER - nextS],
    [r, nextR],
    [s, nextS],
    [ORDER - s, ORDER - nextS],
  ]
  const moved = moves.reduce((all, [old, fresh]) => all.replace(hexOf(old, 32), hexOf(fresh, 32)), text)
  return encoded(Buffer.from(moved, 'hex'))
}

/** Repeats a change of single characters in another text. A character that is no base64url stays what it is. */
export function withCharactersOf(changed: string, from: string, to: string): string | undefined {
  const places = Array.from(from).flatMap((letter, index) => (letter === changed[index] ? [] : [index]))
  if (changed.length !== from.length || places.length > 4) return undefined
  const letters = Array.from(to)
  for (const place of places) {
    const letter = changed[place] ?? ''
    letters[place] = /[\w-]/.test(letter) ? (letters[place] === 'X' ? 'Y' : 'X') : letter
  }
  return letters.join('')
}

const hexOf = (value: bigint, bytes: number): string => value.toString(16).padStart(bytes * 2, '0')

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base % modulus, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}
