import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rewritableFrom, tokenVersions, WRITTEN_TOGETHER_MS } from '../../../gateway/crypto/token-versions.ts'

const SEALS_FROM = 10_000_000
const VERSIONS = [
  { version: 2, sealsFrom: SEALS_FROM },
  { version: 1, sealsFrom: 0 },
]
const MINUTE = 60_000

describe('the versions of tokens', () => {
  it('are one for a key without a second version', () => {
    expect(tokenVersions([{ version: 1, sealsFrom: 0 }], SEALS_FROM)).toEqual({ searched: [1], written: [1] })
    // the former version was destroyed
    expect(tokenVersions([{ version: 2, sealsFrom: SEALS_FROM }], SEALS_FROM + WRITTEN_TOGETHER_MS)).toEqual({
      searched: [2],
      written: [2],
    })
  })

  it('are searched from the beginning, the older one first, and written in turn', () => {
    const at = (now: number) => tokenVersions(VERSIONS, now)
    expect(at(SEALS_FROM - 1)).toEqual({ searched: [1, 2], written: [1] })
    expect(at(SEALS_FROM)).toEqual({ searched: [1, 2], written: [1, 2] })
    expect(at(SEALS_FROM + WRITTEN_TOGETHER_MS - 1).written).toEqual([1, 2])
    expect(at(SEALS_FROM + WRITTEN_TOGETHER_MS)).toEqual({ searched: [1, 2], written: [2] })
  })

  it('have one in common in two processes whose clocks and writes are minutes apart', () => {
    const time = fc.integer({ min: SEALS_FROM - 20 * MINUTE, max: SEALS_FROM + 20 * MINUTE })
    // a minute between the clocks, and a write that commits eight minutes after it was prepared
    const apart = fc.integer({ min: -9 * MINUTE, max: 9 * MINUTE })
    fc.assert(
      fc.property(time, apart, (now, by) => {
        const [one, other] = [tokenVersions(VERSIONS, now), tokenVersions(VERSIONS, now + by)]
        expect(one.written.some((version) => other.written.includes(version))).toBe(true)
      }),
    )
  })

  it('are the newest one only, in every process, before rows are rewritten', () => {
    const from = rewritableFrom({ sealsFrom: SEALS_FROM })
    expect(tokenVersions(VERSIONS, from - MINUTE).written).toEqual([2])
  })
})
