import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseSegmentLine, segmentLine } from '../../../gateway/audit/verify/segment-line.ts'

const HASH = '0'.repeat(64)
const item = (text: string) => ({ lane: 'kakjK50G.1', sequence: 1, prev: HASH, hash: HASH, text })

it('P7: every text of an item comes back from its line, line separators of Unicode included', () => {
  // a client can send these characters: JSON does not escape them, and a dot of a pattern does not match them
  for (const text of ['\u2028', '\u2029', '{"on":"a\u2028b"}', '\u0085', '\n']) {
    expect(parseSegmentLine(segmentLine(item(text)).slice(0, -1))).toEqual(item(text))
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(text.isWellFormed())
      const line = segmentLine(item(text))
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(parseSegmentLine(line.slice(0, -1))).toEqual(item(text))
    }),
  )
})

it('P7: a second spelling of a line is no line', () => {
  const line = segmentLine(item('a')).slice(0, -1)
  for (const other of [
    `${line} `,
    line.replace('"a"', '"\\u0061"'),
    line.replace('"n":1', '"n":01'),
    line.replace('"l"', '"L"'),
    `${line}\n`,
  ]) {
    expect(parseSegmentLine(other)).toBeUndefined()
  }
})
