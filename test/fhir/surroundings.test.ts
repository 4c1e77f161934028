import { describe, expect, it } from 'vitest'
import { bundle, map, observation, patient, practitioner, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

// An issue around a resource, or of the resource as a whole, refuses it.

const V = { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'V' }
const subject = { reference: 'Patient/ada' }
const within = (changes: object, entry: object = {}): object => ({
  resource: { resourceType: 'Bundle', type: 'searchset', entry: [{ resource: observation() }], ...changes },
  ...entry,
})
const consent = { resourceType: 'Consent', id: 'n', status: 'active', patient: subject }

describe('a bundle within a bundle', () => {
  const mapped = (inner: object) => map({ ...bundle(), entry: [{ resource: patient() }, inner] })

  it.each([
    [within({}), undefined],
    [within({ implicitRules: 'https://rules.example' }), 'Bundle: carries implicitRules, which must be known to read the resource'],
    [within({ modifierExtension: [{ url: 'x' }] }), 'Bundle: carries a modifierExtension, which must not be ignored'],
    [
      within({ link: [{ relation: 'self', url: 'https://s.example/x?_format=json;fhirVersion=5.0' }] }),
      'Bundle: of another version of FHIR than R4 and R4B',
    ],
    [
      within({ meta: { profile: ['http://hl7.org/fhir/3.0/StructureDefinition/Bundle'] } }),
      'Bundle.meta: of another version of FHIR than R4 and R4B',
    ],
    [within({ issues: {} }), 'Bundle: holds an element that FHIR R4 does not have there'],
    [within({}, { modifierExtension: [{ url: 'x' }] }), 'Bundle.entry: carries a modifierExtension, which must not be ignored'],
    [
      within({
        entry: [
          { resource: { resourceType: 'Bundle', type: 'collection', implicitRules: 'x', entry: [{ resource: observation() }] } },
        ],
      }),
      'Bundle: carries implicitRules, which must be known to read the resource',
    ],
  ])('with a fault refuses each of its entries: %#', (inner, reason) => {
    const result = mapped(inner)
    expect(reasonsOf(result)).toEqual(reason === undefined ? [] : [reason])
    expect(recordsOf(result, 'Observation')).toHaveLength(reason === undefined ? 1 : 0)
  })

  it('with a fault closes the patients of its consents', () => {
    expect(mapped(within({ implicitRules: 'x', entry: [{ resource: consent }] })).closed.size).toBe(1)
  })
})

describe('a document', () => {
  const composed = (composition: object, ...resources: readonly unknown[]) => ({
    ...bundle({ resourceType: 'Composition', id: 'c', subject, ...composition }, patient(), ...resources),
    type: 'document',
  })
  const labelsOf = (result: ReturnType<typeof map>): unknown =>
    recordsOf(result, 'Observation').map(({ metadata }) => metadata.labels)

  it('that was entered in error gives nothing', () => {
    const input = composed({ status: 'entered-in-error' }, observation())
    const reason = 'Composition.status: entered-in-error, so that nothing of the document is read'
    expect(map(input)).toMatchObject({ patients: [] })
    expect(reasonsOf(map(input))).toEqual([reason, reason])
    const inner = map({ ...bundle(patient()), entry: [{ resource: patient({ id: 'eve' }) }, { resource: input }] })
    expect(inner.patients).toHaveLength(1)
  })

  it.each(['V', 'R'])('with the confidentiality %s labels all of its records', (confidentiality) => {
    const input = composed({ status: 'final', confidentiality }, observation())
    expect(labelsOf(map(input))).toEqual([[confidentiality]])
    expect(labelsOf(map({ ...bundle(), entry: [{ resource: input }] }))).toEqual([[confidentiality]])
    const labeled = observation({ id: 'o2', meta: { security: [V] } })
    expect(labelsOf(map({ ...composed({ status: 'final', confidentiality }, labeled), meta: { security: [V] } }))).toEqual([
      confidentiality === 'V' ? ['V'] : ['R', 'V'],
    ])
  })

  it('with an unknown confidentiality closes its records', () => {
    const result = map(composed({ status: 'final', confidentiality: 'secret' }, observation()))
    expect(labelsOf(result)).toEqual([['?']])
    expect(reasonsOf(result)).toContain('Bundle: carries a security label that is not known here, so that its record is closed')
  })

  it('with a usual confidentiality labels nothing', () => {
    expect(labelsOf(map(composed({ status: 'final', confidentiality: 'N' }, observation())))).toEqual([undefined])
  })
})

describe('a resource of which a server left elements out', () => {
  const meta = { tag: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }] }
  const reason = (type: string) => `${type}.meta: a part of a resource: its tag SUBSETTED shows that the server left elements out`

  it('is refused', () => {
    expect(reasonsOf(map(bundle(patient(), observation({ meta }))))).toEqual([reason('Observation')])
    expect(map(bundle(patient({ meta }))).patients).toEqual([])
    expect(recordsOf(map(bundle(patient(), observation({ meta: { tag: [{ code: 'other' }] } }))), 'Observation')).toHaveLength(1)
  })

  it('closes its patient if it is a consent', () => {
    expect(map(bundle(patient(), { ...consent, meta })).closed.size).toBe(1)
  })

  it('is a party without a name', () => {
    const visit = { resourceType: 'Encounter', id: 'e', status: 'finished', class: { code: 'AMB' }, subject }
    const participant = [{ individual: { reference: 'Practitioner/p1' } }]
    const [record] = recordsOf(map(bundle(patient(), practitioner({ meta }), { ...visit, participant })), 'Encounter')
    expect(valuesOf(record)['Encounter.practitioner']).toBeUndefined()
  })
})
