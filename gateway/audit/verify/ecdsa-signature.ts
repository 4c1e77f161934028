// KMS and signed notes have an ECDSA signature in DER. WebCrypto takes the two numbers side by side.

const SEQUENCE = 0x30
const INTEGER = 0x02
const NUMBER_BYTES = 32

/**
 * `r | s`, 32 bytes each, from the DER of a P-256 signature; undefined for anything but the one shortest encoding of two
 * positive numbers below 2^256.
 *
 * @source RFC 3279, section 2.2.3; X.690, sections 8.3 and 10.1
 */
export function rawFromDer(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  // two numbers of 33 bytes at most: the length always fits in one byte
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) return undefined
  const raw = new Uint8Array(2 * NUMBER_BYTES)
  let at = 2
  for (const end of [NUMBER_BYTES, 2 * NUMBER_BYTES]) {
    const length = der[at + 1] ?? 0
    const number = der.subarray(at + 2, at + 2 + length)
    if (der[at] !== INTEGER || length === 0 || number.length !== length) return undefined
    const [first = 0, second = 0] = number
    const padded = first === 0 && length > 1
    // a negative number, or a leading zero that is not needed
    if (first >= 0x80 || (padded && second < 0x80)) return undefined
    const digits = padded ? number.subarray(1) : number
    if (digits.length > NUMBER_BYTES) return undefined
    raw.set(digits, end - digits.length)
    at += 2 + length
  }
  return at === der.length ? raw : undefined
}
