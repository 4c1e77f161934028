import { createHash } from 'node:crypto'

/** A number of [0, 1), a new one each time. */
export type Random = () => number

/**
 * Numbers that are the same for the same seed and name (splitmix32 over a hash of both). Each kind of call has numbers of its
 * own, so that one more call of another kind does not change what becomes of this one.
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
