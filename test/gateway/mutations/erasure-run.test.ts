import { describe, expect, it } from 'vitest'
import { isSamePerson } from '../../../gateway/mutations/erasure-run.ts'

describe('C26: a second person approves an erasure', () => {
  it.each([
    ['one account', { by: 'ann' }, { by: 'ann' }, true],
    [
      'two accounts with one FHIR identity',
      { by: 'ann', person: 'Practitioner/1' },
      { by: 'ann2', person: 'Practitioner/1' },
      true,
    ],
    ['two FHIR identities', { by: 'ann', person: 'Practitioner/1' }, { by: 'bob', person: 'Practitioner/2' }, false],
    ['two accounts without one', { by: 'ann' }, { by: 'bob' }, false],
  ])('%s', (_name, one, other, isSame) => {
    expect(isSamePerson({ ...one, at: 1 }, { ...other, at: 2 })).toBe(isSame)
  })
})
