import { describe, expect, it } from 'vitest'
import { bundle, map, observation, patient, practitioner, recordsOf, type Resource } from './clinic.ts'

const subject = { reference: 'Patient/ada' }
const p1 = { reference: 'Practitioner/p1' }
const p2 = { reference: 'Practitioner/p2' }
const text = { contentType: 'text/plain', data: Buffer.from('a note').toString('base64') }
const RESOURCES: Readonly<Record<string, Resource>> = {
  AllergyIntolerance: { resourceType: 'AllergyIntolerance', id: 'a', code: { text: 'latex' }, patient: subject },
  Condition: { resourceType: 'Condition', id: 'c', code: { text: 'asthma' }, subject },
  DiagnosticReport: { resourceType: 'DiagnosticReport', id: 'r', status: 'final', subject, conclusion: 'well' },
  DocumentReference: { resourceType: 'DocumentReference', id: 'd', subject, content: [{ attachment: text }] },
  MedicationRequest: { resourceType: 'MedicationRequest', id: 'm', subject, medicationCodeableConcept: { text: 'aspirin' } },
  Observation: observation(),
  Procedure: { resourceType: 'Procedure', id: 'p', code: { text: 'biopsy' }, subject },
}

const written = (type: string, changes: object, ...others: readonly Resource[]) => {
  const mapped = map(bundle(patient(), practitioner(), { ...RESOURCES[type], ...changes }, ...others))
  expect(mapped.faults).toEqual([])
  return recordsOf(mapped, type === 'DiagnosticReport' ? 'DocumentReference' : type)[0]?.metadata
}
const authorOf = (type: string, changes: object, ...others: readonly Resource[]) => written(type, changes, ...others)?.author

describe('C06: the author of a record', () => {
  it.each([
    ['AllergyIntolerance', { recorder: p1, asserter: p2 }],
    ['Condition', { recorder: p1, asserter: p2 }],
    ['DiagnosticReport', { resultsInterpreter: [p1], performer: [p2] }],
    ['DiagnosticReport', { performer: [p1, { reference: 'Organization/lab' }] }],
    ['DocumentReference', { author: [{ reference: 'Organization/o' }, p1] }],
    ['MedicationRequest', { requester: p1, recorder: p2 }],
    ['Procedure', { recorder: p1, performer: [{ actor: p2 }] }],
  ])('of %s: %j', (type, changes) => {
    expect(authorOf(type, changes)).toBe('Practitioner/p1')
  })

  it.each([
    ['Condition', { asserter: p1 }],
    ['Observation', { performer: [p1] }],
    ['Procedure', { performer: [{ actor: p1 }] }],
  ])('P3: is unknown if a person only asserted, measured or performed: %s %j', (type, changes) => {
    expect(authorOf(type, changes)).toBeUndefined()
  })

  it.each([
    ['two practitioners', [p1, p2]],
    ['an unresolvable reference', [p1, { reference: 'urn:uuid:00000000-0000-4000-8000-000000000000' }]],
    ['a name without a reference', [{ display: 'Dr. Grace Hopper' }]],
    ['a business identifier alone', [{ reference: 'Practitioner?identifier=urn:npi|7' }]],
    ['a patient or a relative', [subject, { reference: 'RelatedPerson/r' }]],
    ['a value that is no reference', 'p1'],
  ])('P3: is unknown if the element contains %s', (_, author) => {
    const mapped = map(bundle(patient(), { ...RESOURCES['DocumentReference'], author }))
    expect(recordsOf(mapped, 'DocumentReference').map(({ metadata }) => metadata.author)).toEqual(
      typeof author === 'string' ? [] : [undefined],
    )
  })

  it('P3: the id of a contained practitioner is no identity', () => {
    const contained = [{ resourceType: 'Practitioner', id: 'p1' }]
    expect(authorOf('Condition', { contained, recorder: { reference: '#p1' } })).toBeUndefined()
  })

  it('follows a role, and is part of the digest that a second import compares', () => {
    const role = (reference: string): Resource => ({ resourceType: 'PractitionerRole', id: 'r1', practitioner: { reference } })
    const recorder = { reference: 'PractitionerRole/r1' }
    const [one, other] = ['Practitioner/p1', 'Practitioner/p2'].map((who) => written('Condition', { recorder }, role(who)))
    expect([one?.author, other?.author]).toEqual(['Practitioner/p1', 'Practitioner/p2'])
    expect(one?.source).not.toBe(other?.source)
    expect(written('Condition', { recorder }, role('Practitioner/p1'))?.source).toBe(one?.source)
  })
})
