import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newProcessId, newRequestId, readRequestId } from '../../../gateway/audit/request-id.ts'

const process = newProcessId((size) => Buffer.alloc(size, 7))

describe('a request id', () => {
  it('names the process that wrote its records, and its time', () => {
    const at = Date.parse('2026-03-01T12:00:00.123Z')
    const id = newRequestId(process, at, randomBytes)
    expect(id).toMatch(/^[A-Za-z0-9_-]{24}$/)
    expect(readRequestId(id)).toEqual({ id, process, at })
    expect(id.startsWith(process)).toBe(true)
  })

  it('begins with no hyphen, so that a command does not read it as an option', () => {
    const drawn = [Buffer.from('-AAAAAAA', 'base64url'), Buffer.from('-_______', 'base64url'), Buffer.alloc(6, 7)]
    expect(newProcessId(() => drawn.shift() ?? Buffer.alloc(0))).toBe(process)
    expect(drawn).toEqual([])
  })

  it('differs for each request of the same moment', () => {
    const ids = Array.from({ length: 100 }, () => newRequestId(process, 1, randomBytes))
    expect(new Set(ids).size).toBe(100)
  })

  it('holds any future time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (at) => {
        expect(readRequestId(newRequestId(process, at, randomBytes))?.at).toBe(at)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    '',
    'x',
    'A'.repeat(23),
    'A'.repeat(25),
    `${'A'.repeat(23)}=`,
    `${'A'.repeat(23)}+`,
    ` ${'A'.repeat(23)}`,
    'ä'.repeat(24),
  ])('rejects %j', (text) => {
    expect(readRequestId(text)).toBeUndefined()
  })
})
