import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { WritePolicy } from '../../../directives/policy.ts'
import { givenValues } from '../../../gateway/mutations/input-values.ts'

const path = (text: string): SchemaPath => text as SchemaPath
const PATIENT: WritePolicy = {
  type: 'Patient' as TypeName,
  paths: ['Patient.phone', 'Patient.givenName', 'Patient.address.city', 'Patient.address.line', 'Patient.status'].map(path),
  references: new Map([['encounterId', { edge: 'encounter', type: 'Encounter' as TypeName }]]),
}
const read = (input: Record<string, unknown>, writable = (_path: SchemaPath): boolean => true) => {
  const { values, references } = givenValues(input, PATIENT, writable)
  return { ...Object.fromEntries(values), ...Object.fromEntries(references) }
}

describe('the values that an input gives', () => {
  it('a member that is left out is absent, and null clears', () => {
    expect(read({ phone: null })).toEqual({ 'Patient.phone': null })
    expect(read({})).toEqual({})
    expect(read({ phone: undefined })).toEqual({})
  })

  it('each member of an embedded object is a value of its own', () => {
    expect(read({ address: { city: 'Springfield' } })).toEqual({ 'Patient.address.city': 'Springfield' })
    expect(read({ address: { city: null } })).toEqual({ 'Patient.address.city': null })
    expect(read({ address: null })).toEqual({ 'Patient.address.city': null, 'Patient.address.line': null })
    expect(read({ address: {} })).toEqual({})
  })

  it('a composite loses its null members, because absent and null are one value', () => {
    expect(read({ status: { coding: [{ system: null, code: 'M' }], text: null } })).toEqual({
      'Patient.status': { coding: [{ code: 'M' }] },
    })
    expect(read({ givenName: ['Ada', null] })).toEqual({ 'Patient.givenName': ['Ada', null] })
  })

  it('a reference is no value', () => {
    expect(read({ encounterId: 'id' })).toEqual({ encounter: 'id' })
    expect(read({ encounterId: null })).toEqual({ encounter: null })
    expect(read({ encounterId: 1 })).toEqual({})
  })

  it('a value that nobody may write is not read, and neither is an inherited member', () => {
    expect(read({ phone: '1', address: { city: 'S' } }, (one) => one !== 'Patient.phone')).toEqual({ 'Patient.address.city': 'S' })
    expect(read(Object.create({ phone: '1' }) as Record<string, unknown>)).toEqual({})
    expect(read({ address: 'text' })).toEqual({})
  })
})
