import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bundle, idFor, map, observation, patient, practitioner, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const BASE = 'https://clinic.example.org/fhir'
const OTHER = 'https://elsewhere.example.org/fhir'
const uuid = 'urn:uuid:8f14e45f-ceea-4672-9a3b-0b6f3c2d1e00'
const without = (resource: object): object => ({ ...resource, id: undefined })
const entries = (...all: (readonly [fullUrl: string | undefined, resource: object])[]): object => ({
  resourceType: 'Bundle',
  type: 'collection',
  entry: all.map(([fullUrl, resource]) => ({ fullUrl, resource })),
})
const of = (reference: string): object => observation({ subject: { reference } })
const request = (changes: object): object => ({
  resourceType: 'MedicationRequest',
  id: 'm1',
  status: 'active',
  intent: 'order',
  subject: { reference: 'Patient/ada' },
  medicationCodeableConcept: { text: 'a drug' },
  ...changes,
})

describe('the id of an entry without one in its resource', () => {
  it.each([
    [`${BASE}/Patient/ada`, 'ada', 'Patient/ada'],
    [`${BASE}/Patient/ada/_history/3`, 'ada', `${BASE}/Patient/ada`],
    ['Patient/ada', 'ada', 'Patient/ada'],
    [uuid, uuid.slice(9), uuid.toUpperCase().replace('URN:UUID', 'urn:uuid')],
    ['urn:oid:2.25.1234567890', '2.25.1234567890', 'urn:oid:2.25.1234567890'],
  ])('is that of its full URL: %s', (fullUrl, id, reference) => {
    const mapped = map(entries([fullUrl, without(patient())], [undefined, of(reference)]))
    expect(reasonsOf(mapped)).toEqual([])
    expect(recordsOf(mapped, 'Observation')[0]?.ref.patient).toBe(idFor('Patient', id))
  })

  it.each([`${BASE}/Practitioner/ada`, `${BASE}/Patient`, `${BASE}/Patient/a b`, 'urn:oid:9.1', 'resource:0'])(
    'does not come from %s',
    (fullUrl) => {
      expect(reasonsOf(map(entries([fullUrl, without(patient())])))).toEqual(['Patient.id: missing, or not a FHIR id'])
    },
  )

  it('is refused if full URL and resource differ, and references to either lead nowhere', () => {
    const mapped = map(entries([`${BASE}/Patient/bob`, patient()], [undefined, of('Patient/ada')], [undefined, of('Patient/bob')]))
    expect(mapped.patients).toEqual([])
    expect(reasonsOf(mapped)[0]).toBe('Patient.id: differs from the one that its full URL names')
  })
})

describe('references to a server', () => {
  it.each([
    `${BASE}/Patient/ada`,
    `${BASE}/Patient/ada/_history/7`,
    `${BASE.replace('https', 'http')}/Patient/ada`,
    'Patient/ada',
    'Patient/ada/_history/7',
  ])('leads to the entry: %s', (reference) => {
    const mapped = map(entries([`${BASE}/Patient/ada`, patient()], [`${BASE}/Observation/o1`, of(reference)]))
    expect(reasonsOf(mapped)).toEqual([])
    expect(recordsOf(mapped, 'Observation')).toHaveLength(1)
  })

  it.each([`${OTHER}/Patient/ada`, `${BASE}/Patient/ada?x=1`, `${BASE}x/Patient/ada`, `${BASE}/Person/ada`])(
    'does not lead to it: %s',
    (reference) => {
      const mapped = map(entries([`${BASE}/Patient/ada`, patient()], [undefined, of(reference)]))
      expect(recordsOf(mapped, 'Observation')).toEqual([])
      expect(reasonsOf(mapped)).toEqual(['Observation.subject: its patient is not among the imported ones'])
    },
  )

  it('two servers with one id give no record to either patient', () => {
    const references = ['Patient/ada', `${BASE}/Patient/ada`, `${OTHER}/Patient/ada`]
    fc.assert(
      fc.property(
        fc.constantFrom(...references),
        fc.constantFrom(BASE, OTHER, undefined),
        fc.boolean(),
        (reference, base, swapped) => {
          const patients = [BASE, OTHER].map(
            (one) => [`${one}/Patient/ada`, patient({ birthDate: one === BASE ? '1970' : '1980' })] as const,
          )
          const fullUrl = base === undefined ? undefined : `${base}/Observation/o1`
          const mapped = map(entries(...(swapped ? patients.toReversed() : patients), [fullUrl, of(reference)]))
          expect(mapped.patients).toEqual([])
          expect(mapped.outcomes.map(({ kind }) => kind)).toEqual(['issue', 'issue', 'issue'])
        },
      ),
      { numRuns: 30 },
    )
  })

  it('a relative reference does not lead to another server', () => {
    const mapped = map(entries([`${BASE}/Patient/ada`, patient()], [`${OTHER}/Observation/o1`, of('Patient/ada')]))
    expect(recordsOf(mapped, 'Observation')).toEqual([])
  })

  it('two practitioners with one id open nothing', () => {
    const team = { resourceType: 'CareTeam', id: 't', status: 'active', subject: { reference: 'Patient/ada' } }
    const participant = [{ member: { reference: 'Practitioner/p1' } }]
    const mapped = map(
      entries(
        [undefined, patient()],
        [`${BASE}/Practitioner/p1`, practitioner()],
        [`${OTHER}/Practitioner/p1`, practitioner()],
        [undefined, { ...team, participant }],
      ),
    )
    expect(mapped.patients[0]?.memberships.filter(({ relationship }) => relationship === 'CARE_TEAM')).toEqual([])
    expect(reasonsOf(mapped)).toContain('CareTeam.participant.member: does not lead to one resource')
  })
})

describe('a reference by identifier', () => {
  const identifier = { system: 'urn:mrn', value: 'A 7/ü' }
  const known = patient({ identifier: [identifier] })
  it.each([
    { identifier },
    { identifier, type: 'Patient' },
    { identifier, type: 'http://hl7.org/fhir/StructureDefinition/Patient' },
  ])('leads to the one patient that has it: %j', (subject) => {
    const mapped = map(bundle(known, observation({ subject })))
    expect(reasonsOf(mapped)).toEqual([])
    expect(recordsOf(mapped, 'Observation')).toHaveLength(1)
  })

  it.each([
    ['another system', { identifier: { ...identifier, system: 'urn:other' } }],
    ['no system', { identifier: { value: identifier.value } }],
    ['another type', { identifier, type: 'Group' }],
  ])('leads nowhere with %s', (_case, subject) => {
    expect(recordsOf(map(bundle(known, observation({ subject }))), 'Observation')).toEqual([])
  })

  it('of two patients leads nowhere', () => {
    const mapped = map(bundle(known, patient({ id: 'bob', identifier: [identifier] }), observation({ subject: { identifier } })))
    expect(recordsOf(mapped, 'Observation')).toEqual([])
    expect(reasonsOf(mapped)).toEqual(['Observation.subject: its patient is not among the imported ones'])
  })

  it('gives a requester and an encounter', () => {
    const own = [{ system: 'urn:npi', value: '9' }]
    const encounter = { resourceType: 'Encounter', id: 'e1', status: 'finished', subject: { reference: 'Patient/ada' } }
    const input = request({ requester: { identifier: own[0] }, encounter: { identifier: { system: 'urn:visit', value: '1' } } })
    const visit = [{ system: 'urn:visit', value: '1' }]
    const mapped = map(bundle(patient(), practitioner({ identifier: own }), { ...encounter, identifier: visit }, input))
    expect(reasonsOf(mapped)).toEqual([])
    const [record] = recordsOf(mapped, 'MedicationRequest')
    expect(valuesOf(record)['MedicationRequest.requester']).toBe('Dr. Grace Hopper')
    expect(record?.metadata.references).toEqual({ encounter: idFor('Encounter', 'e1') })
  })
})

describe('a reference that leads nowhere', () => {
  const lost = { reference: 'urn:uuid:00000000-0000-4000-8000-000000000000' }
  it.each([
    ['MedicationRequest.requester', request({ requester: lost })],
    ['MedicationRequest.requester', request({ requester: { reference: '#p' } })],
    ['MedicationRequest.encounter', request({ encounter: { reference: `${OTHER}/Encounter/1`, display: 'a visit' } })],
    ['Observation.encounter', observation({ encounter: lost })],
    ['Observation.encounter', observation({ encounter: { identifier: { system: 'urn:visit', value: '2' } } })],
    [
      'Encounter.serviceProvider',
      { resourceType: 'Encounter', id: 'e', subject: { reference: 'Patient/ada' }, serviceProvider: lost },
    ],
    [
      'Encounter.participant.individual',
      { resourceType: 'Encounter', id: 'e', subject: { reference: 'Patient/ada' }, participant: [{}, { individual: lost }] },
    ],
    [
      'Claim.item.encounter',
      { resourceType: 'Claim', id: 'l', use: 'claim', patient: { reference: 'Patient/ada' }, item: [{ encounter: [lost] }] },
    ],
  ])('%s: is an issue beside the record', (path, resource) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([`${path}: does not lead to one resource`])
    expect(mapped.outcomes.map(({ kind }) => kind)).toEqual(['records', 'records'])
  })

  it.each([
    request({ requester: { reference: 'Practitioner/p9', display: 'Dr. Who' } }),
    request({ requester: { reference: `${OTHER}/Practitioner/p9`, display: 'Dr. Who' } }),
    request({ requester: { identifier: { system: 's', value: 'v' }, display: 'Dr. Who' } }),
    request({ requester: { display: 'Dr. Who' } }),
    request({ requester: { reference: 'Practitioner/p9' } }),
    observation({ encounter: { reference: 'Encounter/e9' } }),
    observation({ encounter: { display: 'a visit' } }),
  ])('is none if it names a resource outside of the bundle by id or by text: %#', (resource) => {
    expect(reasonsOf(map(bundle(patient(), resource)))).toEqual([])
  })

  it('refuses a record without its subject or its medication', () => {
    const medicationReference = { reference: 'urn:uuid:00000000-0000-4000-8000-000000000000' }
    const mapped = map(
      bundle(patient(), of(lost.reference), request({ medicationCodeableConcept: undefined, medicationReference })),
    )
    expect(mapped.outcomes.map(({ kind }) => kind)).toEqual(['records', 'issue', 'issue'])
  })
})
