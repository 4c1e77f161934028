import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Counts the ciphertexts that this process opens from now on. Every contestant opens them by `createDecipheriv`, once for each
 * ciphertext.
 *
 * @returns a function that returns the count
 */
export function countOpenings(): () => number {
  let count = 0
  const original = crypto.createDecipheriv
  crypto.createDecipheriv = ((...args: Parameters<typeof original>) => {
    count++
    return original(...args)
  }) as typeof original
  // modules that import the function by name see the replacement only after this
  syncBuiltinESMExports()
  return () => count
}
