/** Gives so many random bytes. Passed in, so that test vectors can be made; `node:crypto` in production. */
export type RandomBytes = (size: number) => Uint8Array

/** Versions of keys and records: they start at 1 and fit four bytes. */
export const isVersion = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff

/** Four bytes, big-endian. @throws RangeError outside 0 to 2^32 - 1 */
export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/**
 * Each part as `u16 length | bytes`, texts in UTF-8: a sequence that can be read in one way only, so that no two places
 * share an AAD. See `docs/sealed-field.md`, conventions.
 *
 * @throws RangeError when a part is longer than 65,535 bytes
 */
export function lengthPrefixed(...parts: readonly (string | Uint8Array)[]): Buffer {
  const pieces: Uint8Array[] = []
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(bytes.length)
    pieces.push(length, bytes)
  }
  return Buffer.concat(pieces)
}
