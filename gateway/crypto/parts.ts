/** Returns `size` random bytes. Production uses `node:crypto`; test vectors need a source of their own. */
export type RandomBytes = (size: number) => Uint8Array

/** Whether a number can be the version of a key or record: an integer from 1 that fits four bytes. */
export const isVersion = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff

/** Four bytes, big-endian. @throws RangeError outside 0 to 2^32 - 1 */
export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/**
 * Concatenates the parts, each as `u16 length | bytes`, texts in UTF-8. The result can be read in one way only, so that no
 * two places share an AAD. See `docs/sealed-field.md`, conventions.
 *
 * @throws RangeError if a part is longer than 65,535 bytes
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
