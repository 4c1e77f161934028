import type { GraphQLResolveInfo } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { PathOutcome } from '../../../gateway/disclosure/path-outcome.ts'
import { ResponseErrors } from '../../../gateway/disclosure/response-errors.ts'
import type { Denial } from '../../../gateway/model/decision.ts'

/** A place of an answer in the form of GraphQL: a linked list of keys, from the last one. */
function place(...keys: readonly (string | number)[]): GraphQLResolveInfo['path'] {
  let path: GraphQLResolveInfo['path'] | undefined
  for (const key of keys) path = { prev: path, key, typename: undefined }
  if (path === undefined) throw new TypeError('a place has a key')
  return path
}

const denied = (more: Partial<Denial> = {}): PathOutcome => ({
  outcome: 'DENIED',
  denial: { outcome: 'DENIED', reason: 'ROLE', rule: 'Patient.ssn#1', breakGlass: false, ...more },
})
const masked: PathOutcome = { outcome: 'MASKED', value: '***-**-6858', view: 'LAST4' }
const row = (index: number, key: string) => place('patients', 'edges', index, 'node', key)

describe('P9: one entry for each path and reason', () => {
  it('counts records and lists every place', () => {
    const refusals = new ResponseErrors()
    refusals.record('Patient.ssn', 'anna', denied(), row(0, 'ssn'))
    refusals.record('Patient.ssn', 'bert', denied(), row(1, 'ssn'))
    refusals.record('Patient.ssn', 'bert', denied(), row(1, 'again'))
    expect(refusals.errors()).toEqual([
      {
        message: 'This may not be disclosed to you.',
        path: ['patients', 'edges', 0, 'node', 'ssn'],
        extensions: {
          code: 'UNAUTHORIZED_FIELD_OR_TYPE',
          coordinate: 'Patient.ssn',
          reason: 'ROLE',
          rule: 'Patient.ssn#1',
          breakGlass: false,
          count: 2,
          paths: [
            ['patients', 'edges', 0, 'node', 'ssn'],
            ['patients', 'edges', 1, 'node', 'ssn'],
            ['patients', 'edges', 1, 'node', 'again'],
          ],
        },
      },
    ])
  })

  it.each<[string, string, PathOutcome]>([
    ['another path', 'Patient.mrn', denied()],
    ['another reason', 'Patient.ssn', denied({ reason: 'RELATIONSHIP' })],
    ['another rule', 'Patient.ssn', denied({ rule: 'Patient.ssn#2' })],
    ['a denial that break-glass would open', 'Patient.ssn', denied({ breakGlass: true })],
    ['another outcome', 'Patient.ssn', { outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }],
    ['an erased value', 'Patient.ssn', { outcome: 'ERASED' }],
  ])('%s has its own entry', (_what, coordinate, other) => {
    const refusals = new ResponseErrors()
    refusals.record('Patient.ssn', 'anna', denied(), row(0, 'ssn'))
    refusals.record(coordinate, 'anna', other, row(0, 'other'))
    expect(refusals.errors()).toHaveLength(2)
  })

  it('a denial without a rule names none', () => {
    const refusals = new ResponseErrors()
    refusals.record(
      'Patient.new',
      'anna',
      { outcome: 'DENIED', denial: { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false } },
      row(0, 'x'),
    )
    expect(refusals.errors()[0]?.extensions).toEqual({
      code: 'UNAUTHORIZED_FIELD_OR_TYPE',
      coordinate: 'Patient.new',
      reason: 'UNKNOWN_FIELD',
      breakGlass: false,
      count: 1,
      paths: [['patients', 'edges', 0, 'node', 'x']],
    })
  })

  it('each of the six outcomes has its own form', () => {
    const refusals = new ResponseErrors()
    const outcomes: PathOutcome[] = [
      { outcome: 'DISCLOSED', value: 'x' },
      masked,
      denied(),
      { outcome: 'ABSENT' },
      { outcome: 'ERASED' },
      { outcome: 'UNAVAILABLE', reason: 'STORE' },
    ]
    for (const [index, outcome] of outcomes.entries()) refusals.record('Patient.ssn', 'anna', outcome, row(index, 'ssn'))
    expect(refusals.errors().map(({ extensions }) => extensions.code)).toEqual([
      'UNAUTHORIZED_FIELD_OR_TYPE',
      'FIELD_ERASED',
      'FIELD_UNAVAILABLE',
    ])
    expect(refusals.masked()).toHaveLength(1)
  })
})

describe('masked values', () => {
  it('are listed apart from errors, without the value', () => {
    const refusals = new ResponseErrors()
    refusals.record('Patient.ssn', 'anna', masked, row(0, 'ssn'))
    refusals.record('Patient.ssn', 'anna', masked, row(0, 'again'))
    refusals.record('Patient.ssn', 'bert', masked, row(1, 'ssn'))
    expect(refusals.errors()).toEqual([])
    expect(refusals.masked()).toEqual([
      {
        coordinate: 'Patient.ssn',
        view: 'LAST4',
        count: 2,
        paths: [
          ['patients', 'edges', 0, 'node', 'ssn'],
          ['patients', 'edges', 0, 'node', 'again'],
          ['patients', 'edges', 1, 'node', 'ssn'],
        ],
      },
    ])
    expect(JSON.stringify(refusals.masked())).not.toContain('6858')
  })
})

describe('P5: a missing record', () => {
  it('yields only its code, once for each place', () => {
    const refusals = new ResponseErrors()
    refusals.notFound(place('first'))
    refusals.notFound(place('second'))
    refusals.notFound(place('second'))
    expect(refusals.errors()).toEqual([
      { message: 'Not found.', path: ['first'], extensions: { code: 'NOT_FOUND' } },
      { message: 'Not found.', path: ['second'], extensions: { code: 'NOT_FOUND' } },
    ])
  })
})

describe('P8: an unavailable value', () => {
  it('yields no reason', () => {
    const refusals = new ResponseErrors()
    refusals.record('Patient.ssn', 'anna', { outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }, row(0, 'ssn'))
    refusals.record('Patient.ssn', 'bert', { outcome: 'UNAVAILABLE', reason: 'KEY' }, row(1, 'ssn'))
    const [entry] = refusals.errors()
    expect(entry).toMatchObject({ extensions: { code: 'FIELD_UNAVAILABLE', count: 2 } })
    expect(JSON.stringify(entry)).not.toMatch(/INTEGRITY|KEY|anna|bert/)
  })
})
