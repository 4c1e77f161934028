import { createHash } from 'node:crypto'

/** Returns the next number in [0, 1). */
export type Random = () => number

/**
 * Numbers that depend only on seed and name (splitmix32 over a hash of both). Each kind of call has its own numbers, so that a
 * further call of another kind does not change the faults of this one.
 *
 * @source https://doi.org/10.1145/2714064.2660195 (splittable generators)
 */
export function seeded(seed: number, name: string): Random {
  let state = createHash('sha256').update(`${seed}\n${name}`).digest().readUInt32BE(0)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
