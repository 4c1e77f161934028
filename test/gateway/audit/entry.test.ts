import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { entryHash, FIRST_PREV, linkEntry, type Unlinked, userAgentHash } from '../../../gateway/audit/entry.ts'

const first: Unlinked = {
  tenant: 'riverside',
  lane: 'cHJvY2Vz.1',
  sequence: 1,
  time: '2026-03-01T12:00:00.000Z',
  requestId: 'cmVxdWVzdHJlcXVlc3RyZXF1',
  user: 'dr#müller "é"\n',
  roles: ['PHYSICIAN', 'NURSE'],
  path: 'Patient.familyName',
  action: 'READ',
  outcome: 'DISCLOSED',
  purpose: 'TREAT',
  persisted: false,
  count: 12,
  policy: 'ab'.repeat(32),
}

/** RFC 8785 by its own words, for an object of texts, whole numbers, booleans and lists of texts: members by UTF-16 units. */
function canonical(entry: Unlinked): string {
  const members = Object.entries(entry).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
}

const sha256 = (...parts: (string | Buffer)[]): string =>
  createHash('sha256')
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest('hex')

describe('P7: each record covers the one before', () => {
  it('P7: the hash is SHA-256 over 32 raw bytes of the previous one and the canonical JSON', () => {
    const one = linkEntry(first, FIRST_PREV)
    expect(one.prev).toBe('0'.repeat(64))
    expect(one.hash).toBe(sha256(Buffer.alloc(32), canonical(first)))

    const next: Unlinked = { ...first, sequence: 2, path: 'Patient.birthDate' }
    const two = linkEntry(next, one.hash)
    expect(two).toEqual({ ...next, prev: one.hash, hash: sha256(Buffer.from(one.hash, 'hex'), canonical(next)) })
  })

  it('P7: a fixed record has a fixed hash, so that what is stored today can be verified in ten years', () => {
    expect(canonical({ ...first, user: 'u' })).toBe(
      '{"action":"READ","count":12,"lane":"cHJvY2Vz.1","outcome":"DISCLOSED","path":"Patient.familyName","persisted":false,' +
        `"policy":"${'ab'.repeat(32)}","purpose":"TREAT","requestId":"cmVxdWVzdHJlcXVlc3RyZXF1","roles":["PHYSICIAN","NURSE"],` +
        '"sequence":1,"tenant":"riverside","time":"2026-03-01T12:00:00.000Z","user":"u"}',
    )
    expect(entryHash({ ...first, user: 'u' }, FIRST_PREV)).toBe(sha256(Buffer.alloc(32), canonical({ ...first, user: 'u' })))
  })

  it.each(Object.keys(first) as (keyof Unlinked)[])('P7: a changed %s changes the hash', (name) => {
    const value = first[name]
    const other =
      typeof value === 'number'
        ? value + 1
        : typeof value === 'boolean'
          ? !value
          : Array.isArray(value)
            ? ['NURSE']
            : `${String(value)}x`
    expect(entryHash({ ...first, [name]: other }, FIRST_PREV)).not.toBe(entryHash(first, FIRST_PREV))
  })

  it('P7: another previous hash changes the hash', () => {
    expect(entryHash(first, '1'.repeat(64))).not.toBe(entryHash(first, FIRST_PREV))
  })
})

it('names a user agent by the first 8 bytes of its SHA-256', () => {
  const agent = 'Mozilla/5.0 (X11; Linux x86_64)'
  expect(userAgentHash(agent)).toBe(Buffer.from(sha256(agent), 'hex').subarray(0, 8).toString('base64url'))
  expect(userAgentHash(agent)).toHaveLength(11)
})
