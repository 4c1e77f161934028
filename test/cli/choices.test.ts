import { describe, expect, it } from 'vitest'
import { chosen, unknownText } from '../../cli/choices.ts'

const roles = { noun: 'role', of: 'the schema', known: ['BILLING', 'NURSE'], option: '--role' }

describe('a value that is none of the choices', () => {
  it('is refused with the nearest ones and all', () => {
    expect(unknownText('BILING', roles)).toBe(
      'the schema has no such role (--role). Did you mean BILLING? The roles are: BILLING, NURSE.',
    )
  })

  it('is refused with all if none is near, and is not repeated', () => {
    expect(unknownText('521-11-2233', roles)).toBe('the schema has no such role (--role). The roles are: BILLING, NURSE.')
  })

  it('is refused with the command that lists the choices if they are too many', () => {
    const known = Array.from({ length: 41 }, (_, number) => `Patient.field${number}`)
    expect(unknownText('nothing', { ...roles, noun: 'field', known, list: 'phi policy table' })).toBe(
      'the schema has no such field (--role). List the fields with: phi policy table',
    )
  })

  it('states that there are no choices', () => {
    expect(unknownText('a', { ...roles, known: [] })).toBe('the schema has no such role (--role). It has no roles.')
  })

  it('is compared with choices that can be read once only', () => {
    const known = new Map([['BILLING', 1]]).keys()
    expect(() => chosen('BILING', { ...roles, known })).toThrow('The roles are: BILLING.')
    expect(chosen('NURSE', roles)).toBe('NURSE')
  })
})
