import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toResult } from '../../../gateway/http/lambda-event.ts'
import { isCertainlyLonger, isWithin, mostCarriedBytes } from '../../../gateway/http/response-size.ts'

const bodyOf = (value: unknown): string => `${JSON.stringify(value)}\n`
/** The bytes of the body in the result of a function, without the quotes around it. */
const carried = (body: string, isBase64: boolean): number =>
  Buffer.byteLength(JSON.stringify(isBase64 ? Buffer.from(body).toString('base64') : body)) - 2

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u0001', 'é', '😀') }))

describe('the size of a response', () => {
  it('is that of its body in the result of a function: as text, or as base64 if that is shorter', () => {
    fc.assert(
      fc.property(fc.array(text), (values) => {
        const body = bodyOf(values)
        const size = Math.min(carried(body, false), carried(body, true))
        expect([isWithin(body, size), isWithin(body, size - 1)]).toEqual([true, false])
        expect(size).toBeLessThanOrEqual(mostCarriedBytes(Buffer.byteLength(body)))
      }),
    )
  })

  it('is judged without making the text, and only if that is certain', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(200), (value, bytes) => {
        if (isCertainlyLonger(value, bytes)) expect(Buffer.byteLength(JSON.stringify(value))).toBeGreaterThan(bytes)
      }),
    )
    const note = 'x'.repeat(1_000_000)
    expect(isCertainlyLonger(Array(10_000).fill({ note }), 5_000_000)).toBe(true)
  })

  it.each([
    ['a short body of quotes', '"'.repeat(1_000), false],
    ['a long text', 'x'.repeat(4_900_000), false],
    ['a long body of quotes', '"'.repeat(1_900_000), true],
  ])('lets a function return %s within the 6 MB of Lambda', async (_, value, isBase64Encoded) => {
    const body = bodyOf(value)
    expect(isWithin(body, 6_000_000)).toBe(true)
    const result = await toResult({ status: 200, headers: {}, body }, { headers: {} })
    expect(result.isBase64Encoded).toBe(isBase64Encoded)
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(6_291_556)
    expect(Buffer.from(result.body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString() === body).toBe(true)
  })
})
