const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/**
 * The bytes of a base64 text, or undefined. Each byte sequence has exactly one valid text: with padding, without spaces, unused bits
 * zero. Otherwise one checkpoint would have several spellings.
 *
 * @source RFC 4648, sections 3.5 and 4
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const digits = text.replace(/={1,2}$/, '')
  if (text.length % 4 !== 0 || digits.length % 4 === 1) return undefined
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let [held, bits, at] = [0, 0, 0]
  for (const digit of digits) {
    const value = ALPHABET.indexOf(digit)
    if (value < 0) return undefined
    held = held * 64 + value
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = Math.floor(held / 2 ** bits)
    held %= 2 ** bits
  }
  return held === 0 ? bytes : undefined
}

/** @source RFC 4648, section 4 */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const [one = 0, two, three] = bytes.subarray(at, at + 3)
    const group = one * 65_536 + (two ?? 0) * 256 + (three ?? 0)
    const digits = [262_144, 4_096, 64, 1].map((unit) => ALPHABET.charAt(Math.floor(group / unit) % 64))
    text += digits
      .slice(0, two === undefined ? 2 : three === undefined ? 3 : 4)
      .join('')
      .padEnd(4, '=')
  }
  return text
}
