import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../../../gateway/model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../../../gateway/model/node-id.ts'

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
const ref: fc.Arbitrary<RecordRef> = fc.record({
  type: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/) as fc.Arbitrary<TypeName>,
  patient: id as fc.Arbitrary<PatientId>,
  id: id as fc.Arbitrary<RecordId>,
})

describe('a node id locates a record', () => {
  it('every record has a node id, which decodes to the record', () => {
    fc.assert(
      fc.property(ref, (record) => {
        expect(decodeNodeId(encodeNodeId(record))).toEqual(record)
      }),
    )
  })

  it('two records never share a node id', () => {
    fc.assert(
      fc.property(ref, ref, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        expect(encodeNodeId(one)).not.toBe(encodeNodeId(other))
      }),
    )
  })

  it('P1: no second spelling decodes: neither other padding bits nor another alphabet', () => {
    fc.assert(
      fc.property(ref, (record) => {
        const text = encodeNodeId(record)
        const last = BASE64URL.indexOf(text.at(-1) ?? '')
        const respelled = [1, 2, 3, 4, 8, 15].map((bits) => text.slice(0, -1) + (BASE64URL[last ^ bits] ?? ''))
        const others = [
          `${text}=`,
          `${text}==`,
          ` ${text}`,
          `${text}\n`,
          text.replaceAll('-', '+').replaceAll('_', '/'),
          `${text}A`,
        ]
        for (const other of [...respelled, ...others]) {
          if (other === text) continue
          // another last character can be the canonical spelling of another record
          const decoded = decodeNodeId(other)
          if (decoded !== undefined) expect(encodeNodeId(decoded)).toBe(other)
          expect(decoded).not.toEqual(record)
        }
      }),
    )
  })

  it('any text that decodes is the canonical spelling', () => {
    const near = fc.tuple(ref, fc.nat(90), fc.constantFrom(...Array.from(BASE64URL))).map(([record, at, letter]) => {
      const text = encodeNodeId(record)
      return text.slice(0, at % text.length) + letter + text.slice((at % text.length) + 1)
    })
    fc.assert(
      fc.property(fc.oneof(near, fc.string(), fc.base64String()), (text) => {
        const decoded = decodeNodeId(text)
        if (decoded !== undefined) expect(encodeNodeId(decoded)).toBe(text)
      }),
    )
  })

  it.each<[string, string]>([
    ['nothing', ''],
    ['a text', 'patient-1'],
    ['a long text', 'A'.repeat(100_000)],
    ['a format of later', bytes(2, 7, 'Patient')],
    ['a type longer than there is', bytes(1, 200, 'Patient')],
    ['a type that is no name', bytes(1, 7, 'Pat#ent')],
    ['no type', bytes(1, 0, '')],
    ['a byte too many', bytes(1, 7, 'Patient', 33)],
    ['a byte too few', bytes(1, 7, 'Patient', 31)],
  ])('%s is not a node id', (_what, text) => {
    expect(decodeNodeId(text)).toBeUndefined()
  })
})

function bytes(format: number, length: number, type: string, rest = 32): string {
  return Buffer.concat([Buffer.of(format, length), Buffer.from(type), Buffer.alloc(rest, 7)]).toString('base64url')
}
