import { describe, expect, it } from 'vitest'
import { isCovered, resourceScope } from '../../../gateway/access/smart-scopes.ts'

const LABORATORY = 'category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory'

describe('the grammar of SMART scopes for FHIR resources', () => {
  it.each<[string, string, string, string, string[]?]>([
    ['patient/Observation.rs', 'patient', 'Observation', 'rs'],
    ['user/*.cruds', 'user', '*', 'cruds'],
    ['system/Patient.r', 'system', 'Patient', 'r'],
    ['patient/Coverage.cd', 'patient', 'Coverage', 'cd'],
    ['patient/Coverage.s', 'patient', 'Coverage', 's'],
    ['patient/Observation.read', 'patient', 'Observation', 'rs'],
    ['patient/Observation.write', 'patient', 'Observation', 'cud'],
    ['patient/*.*', 'patient', '*', 'cruds'],
    [`patient/Observation.rs?${LABORATORY}`, 'patient', 'Observation', 'rs', [LABORATORY]],
    ['user/Observation.rs?code=b&category=a&code=b', 'user', 'Observation', 'rs', ['category=a', 'code=b']],
    ['user/Observation.rs?code=a=b', 'user', 'Observation', 'rs', ['code=a=b']],
  ])('%s', (text, context, type, letters, parameters = []) => {
    const scope = resourceScope(text)
    expect(scope).toEqual({ context, type, interactions: new Set(letters.match(/./g)), parameters })
  })

  it.each([
    ...['openid', 'fhirUser', 'offline_access', 'launch', 'launch/patient', 'launch/Encounter', ''],
    // letters out of order, repeated, missing, or of another convention
    ...[
      'patient/Observation.dus',
      'patient/Observation.rr',
      'patient/Observation.',
      'patient/Observation',
      'patient/Observation.R',
    ],
    ...['patient/Observation.reads', 'patient/Observation.rsx', 'patient/Observation.execute', 'patient/Observation.write.read'],
    // another context or type
    ...['Patient/Observation.rs', 'practitioner/Observation.rs', '/Observation.rs', 'Observation.rs', 'patient.Observation.rs'],
    ...['patient/observation.rs', 'patient/.rs', 'patient/**.rs', 'patient/Obs*.rs', 'patient/Observation/1.rs', 'patient/_.rs'],
    // parameters
    ...['?', '?category', '?category=', '?=x', '?a=b&', '?&a=b', '?a=b&&c=d', '?a=b?c=d'].map(
      (query) => `user/Observation.rs${query}`,
    ),
    ...['patient/Observation.read?category=x', 'patient/Observation.*?category=x', 'patient/Observation?category=x.rs'],
    // characters that no scope has
    ...[
      ' patient/*.rs',
      'patient/*.rs ',
      'patient/*.rs\n',
      'patient/*.rs?a="b"',
      'patient/*.rs?a=b\\',
      'patient/*.rs?a=b c',
      'patient/*.rs?a=ä',
    ],
  ])('P3: %j is no scope for resources', (text) => {
    expect(resourceScope(text)).toBeUndefined()
  })
})

describe('the cover of scopes', () => {
  const scopesOf = (texts: string) =>
    texts.split(' ').map((text) => {
      const scope = resourceScope(text)
      if (scope === undefined) throw new Error('Use scopes for resources.')
      return scope
    })
  const covers = (wanted: string, granted: string): boolean => {
    const [scope] = scopesOf(wanted)
    return scope !== undefined && isCovered(scope, granted === '' ? [] : scopesOf(granted))
  }

  it.each([
    ['patient/Observation.rs', 'patient/Observation.rs'],
    ['patient/Observation.r', 'patient/Observation.cruds'],
    ['patient/Observation.rs', 'patient/*.rs'],
    ['patient/*.rs', 'patient/*.read'],
    ['patient/Observation.read', 'patient/Observation.rs'],
    ['patient/Observation.cud', 'patient/Observation.write'],
    ['patient/Observation.cruds', 'patient/Observation.*'],
    // "Observation.rs is interchangeable with Observation.r Observation.s"
    ['patient/Observation.rs', 'patient/Observation.r patient/Observation.s'],
    ['patient/Observation.rs', 'patient/*.r patient/Observation.s'],
    ['patient/Observation.rs?category=a', 'patient/Observation.rs'],
    ['patient/Observation.rs?category=a', 'patient/*.r patient/Observation.s?category=a'],
    ['patient/Observation.rs?category=a&code=b', 'patient/Observation.rs?code=b&category=a'],
  ])('%s by %s', (wanted, granted) => {
    expect(covers(wanted, granted)).toBe(true)
  })

  it.each([
    ['patient/Observation.rs', ''],
    ['patient/Observation.rs', 'patient/Observation.r'],
    ['patient/Observation.rs', 'patient/Observation.cud'],
    ['patient/Observation.write', 'patient/Observation.read'],
    ['patient/Observation.rs', 'user/Observation.rs'],
    ['user/Observation.rs', 'system/Observation.rs'],
    ['patient/Observation.rs', 'patient/Condition.rs'],
    ['patient/Observation.rs', 'patient/Observation.r patient/Condition.s'],
    ['patient/Observation.rs', 'patient/Observation.r user/Observation.s'],
    // a wanted wildcard is not the sum of types
    ['patient/*.rs', 'patient/Observation.rs patient/Condition.rs'],
    // a granular scope is narrower than one without parameters
    ['patient/Observation.rs', 'patient/Observation.rs?category=a'],
    ['patient/Observation.rs', 'patient/Observation.r patient/Observation.s?category=a'],
    ['patient/Observation.rs?category=a', 'patient/Observation.rs?category=b'],
    ['patient/Observation.rs?category=a', 'patient/Observation.rs?category=a&code=b'],
    ['patient/Observation.rs?category=a&code=b', 'patient/Observation.rs?category=a'],
    // two granular scopes do not add up to a scope with the parameters of both
    ['patient/Observation.rs?category=a&code=b', 'patient/Observation.rs?category=a patient/Observation.rs?code=b'],
  ])('P3: %s not by %j', (wanted, granted) => {
    expect(covers(wanted, granted)).toBe(false)
  })
})
