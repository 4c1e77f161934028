import { describe, expect, it } from 'vitest'
import { openCursor, sealCursor, type CursorBound } from '../../../gateway/crypto/cursor.ts'
import { BadUserInput } from '../../../gateway/model/failures.ts'
import type { Coordinate } from '../../../directives/coordinates.ts'
import type { TenantId, UserId } from '../../../gateway/model/ids.ts'
import { OTHER_PATIENT, PATIENT, rawKey, purposeKey } from './place-fixtures.ts'

const key = purposeKey('cursor')
const caller = { tenant: 'riverside' as TenantId, user: 'u1' as UserId, purpose: 'TREAT' } as const
const bound: CursorBound = {
  caller,
  coordinate: 'Patient.observations' as Coordinate,
  patient: PATIENT,
  filter: { code: ['4548-4'], to: null },
}
const unbound: CursorBound = { caller, coordinate: bound.coordinate, filter: bound.filter }
const position = ['2024-01-01T00:00:00.000Z', 'AAECAwQFBgcICQoLDA0ODw']
const cursor = sealCursor(key, bound, position)

describe('a cursor', () => {
  it('returns its position, and accepts an equal filter however it is written', () => {
    expect(openCursor(key, bound, cursor)).toEqual(position)
    expect(openCursor(key, { ...bound, filter: { to: null, code: ['4548-4'] } }, cursor)).toEqual(position)
  })

  it('P8: shows nothing of the position, not even two equal ones', () => {
    const bytes = Buffer.from(cursor, 'base64url').toString('latin1')
    expect(bytes).not.toContain('2024')
    expect(bytes).not.toContain(position[1])
    expect(sealCursor(key, bound, position)).not.toBe(cursor)
  })

  it.each<[string, CursorBound]>([
    ['tenant', { ...bound, caller: { ...caller, tenant: 'lakeside' as TenantId } }],
    ['user', { ...bound, caller: { ...caller, user: 'u2' as UserId } }],
    ['purpose', { ...bound, caller: { ...caller, purpose: 'HPAYMT' } }],
    ['field', { ...bound, coordinate: 'Patient.conditions' as Coordinate }],
    ['patient', { ...bound, patient: OTHER_PATIENT }],
    ['patient, left out', unbound],
    ['filter', { ...bound, filter: {} }],
  ])('does not serve another %s', (_name, other) => {
    expect(() => openCursor(key, other, cursor)).toThrow(BadUserInput)
  })

  it.each([
    ['nothing', ''],
    ['a word', 'cursor'],
    ['an accented word', 'é'.repeat(120)],
    ['a very long text', 'A'.repeat(100_000)],
    ['padding of base64', `${cursor}=`],
    ['a space at the end', `${cursor} `],
    ['a character more', `${cursor}A`],
    ['a character less', cursor.slice(0, -1)],
    ['another spelling of the alphabet', Buffer.from(cursor, 'base64url').toString('base64')],
  ])('refuses %s', (_name, text) => {
    expect(() => openCursor(key, bound, text)).toThrow(BadUserInput)
  })

  it('refuses every text that differs by one character', () => {
    for (let i = 0; i < cursor.length; i++) {
      const other = cursor.slice(0, i) + (cursor[i] === 'A' ? 'B' : 'A') + cursor.slice(i + 1)
      expect(() => openCursor(key, bound, other)).toThrow(BadUserInput)
    }
  })

  it('refuses a cursor of a removed key version', () => {
    expect(() => openCursor(purposeKey('cursor', rawKey(0x60), 2), bound, cursor)).toThrow(BadUserInput)
  })
})
