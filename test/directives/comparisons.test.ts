import { describe, expect, it } from 'vitest'
import { workforceComparison } from '../../directives/comparisons.ts'
import { LockUnreadable } from '../../directives/lock.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { compile, faultsOf, PHI, sdl } from './clinic-fixture.ts'

const as = (part: string): string => `${PHI} @workforceComparison(as: ${part})`

describe('the comparison with the workforce that a lock lists', () => {
  it('is of the type of the own record, and includes fields of embedded types', () => {
    const fields = `home: Home\nnumber: ID ${as('PATIENT_NUMBER')}`
    const text = sdl(fields, `type Home { lines: [String!] ${as('STREET_ADDRESS')} code: String ${as('POSTAL_CODE')} }`)
    expect(faultsOf(text)).toEqual([])
    const found = workforceComparison(compile(text).lock)
    expect(found?.type).toBe('Person')
    expect(Object.fromEntries(found?.parts ?? [])).toEqual({
      PATIENT_NUMBER: 'Person.number',
      STREET_ADDRESS: 'Person.home.lines',
      POSTAL_CODE: 'Person.home.code',
    })
  })

  it('is the one of the policy of the compiled schema', () => {
    const text = sdl(`a: String ${as('PHONE')}\nb: String ${as('FAMILY_NAME')}`)
    const parts = workforceComparison(compile(text).lock)?.parts ?? new Map<string, string>()
    expect([...parts].toSorted()).toEqual([
      ['FAMILY_NAME', 'Person.b'],
      ['PHONE', 'Person.a'],
    ])
  })

  it('is undefined for a schema without the directive, and there for the clinic', () => {
    expect(workforceComparison(compile(sdl(`a: String ${PHI}`)).lock)).toBeUndefined()
    expect(workforceComparison(clinicLock())?.parts.size).toBe(5)
  })

  it('is not that of a lock that cannot be read', () => {
    expect(() => workforceComparison('')).toThrow(LockUnreadable)
  })
})
