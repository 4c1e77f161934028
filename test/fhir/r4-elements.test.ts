import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unfit } from '../../fhir/inspect.ts'
import { isUnderstood } from '../../fhir/modifiers.ts'
import { elementsOf, r4Types } from '../../fhir/r4-elements.ts'
import {
  type Resource,
  bundle,
  careTeam,
  map,
  observation,
  patient,
  practitioner,
  reasonsOf,
  recordsOf,
  valuesOf,
} from './clinic.ts'

const subject = { reference: 'Patient/ada' }
const REASON = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
const because = (code: string): object => ({ extension: [{ url: REASON, valueCode: code }] })
const noted = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'unknown' }], text: 'Unknown' }

/** One resource of each imported type, with structures below. */
const resources: readonly Resource[] = [
  patient({
    contact: [{ name: { family: 'Byron' }, telecom: [{ system: 'phone', value: '555-0100' }] }],
    extension: [{ url: 'urn:example:x', valueQuantity: { value: 1, unit: 'a' } }],
  }),
  observation({
    component: [{ code: { text: 'part' }, valueQuantity: { value: 1, unit: 'u' } }],
    referenceRange: [{ low: { value: 1 } }],
  }),
  {
    resourceType: 'Encounter',
    id: 'e',
    subject,
    status: 'finished',
    participant: [{ individual: { reference: 'Practitioner/p1' } }],
  },
  { resourceType: 'Condition', id: 'c', subject, code: { text: 'x' }, stage: [{ summary: { text: 'II' } }] },
  {
    resourceType: 'AllergyIntolerance',
    id: 'a',
    patient: subject,
    code: { text: 'x' },
    reaction: [{ manifestation: [{ text: 'y' }] }],
  },
  { resourceType: 'Immunization', id: 'i', patient: subject, status: 'completed', vaccineCode: { text: 'x' } },
  {
    resourceType: 'Procedure',
    id: 'pr',
    subject,
    status: 'completed',
    code: { text: 'x' },
    performer: [{ actor: { reference: 'Practitioner/p1' } }],
  },
  {
    resourceType: 'MedicationRequest',
    id: 'm',
    subject,
    status: 'active',
    intent: 'order',
    medicationReference: { reference: '#drug' },
    contained: [{ resourceType: 'Medication', id: 'drug', code: { text: 'x' } }],
    dosageInstruction: [{ text: 'daily', doseAndRate: [{ doseQuantity: { value: 1 } }] }],
  },
  {
    resourceType: 'DocumentReference',
    id: 'd',
    subject,
    status: 'current',
    content: [{ attachment: { contentType: 'text/plain', data: 'YQ==' } }],
  },
  { resourceType: 'DiagnosticReport', id: 'r', subject, status: 'final', code: { text: 'x' }, conclusion: 'y' },
  { resourceType: 'Coverage', id: 'v', status: 'active', beneficiary: subject, payor: [{ display: 'Plan' }] },
  { resourceType: 'Claim', id: 'l', status: 'active', use: 'claim', patient: subject, item: [{ sequence: 1 }] },
  careTeam(),
]

/** The paths of all objects in a resource. */
function objectsIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([key, item]) =>
    objectsIn(item, [...path, Array.isArray(value) ? Number(key) : key]),
  )
  return Array.isArray(value) ? inside : [path, ...inside]
}

function changed(value: unknown, path: readonly (string | number)[], change: object): unknown {
  const [step, ...rest] = path
  if (step === undefined) return { ...(value as object), ...change }
  if (typeof step === 'number')
    return (value as readonly unknown[]).map((item, at) => (at === step ? changed(item, rest, change) : item))
  return { ...(value as object), [step]: changed((value as Record<string, unknown>)[step], rest, change) }
}

const places = resources.flatMap((resource) => objectsIn(resource).map((path) => ({ resource, path })))

describe('an element that FHIR R4 does not have', () => {
  it.each(resources.map((resource) => [resource.resourceType, resource] as const))('%s is fit without one', (type, resource) => {
    expect(unfit(type, resource)).toBeUndefined()
  })

  it('refuses its resource at every place, and the reason has no word of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.stringMatching(/^[a-z][A-Za-z]{3,12}\d$/),
        fc.constantFrom<unknown>(true, 'CANARY', 7, {}, [], { CANARY: 'CANARY' }),
        ({ resource, path }, key, value) => {
          const found = unfit(resource.resourceType, changed(resource, path, { [key]: value }) as object)
          expect(found?.reason).toMatch(/: holds an element that FHIR R4 does not have there$/)
          expect(found?.reason).not.toContain(key)
          expect(found?.reason).not.toContain('CANARY')
        },
      ),
    )
  })

  it.each([
    ['Procedure', { notDone: true, notDoneReason: { text: 'refused' } }],
    ['Immunization', { notGiven: true, date: '2019-01-01' }],
    ['MedicationRequest', { context: { reference: 'Encounter/e' } }],
    ['Observation', { triggeredBy: [] }],
    ['DocumentReference', { indexed: '2019-01-01T00:00:00Z' }],
    ['Encounter', { actualPeriod: { start: '2019' } }],
    ['Procedure', { occurrenceDateTime: '2019' }],
    ['Patient', { animal: {} }],
  ])('of another version refuses %s with %j', (type, elements) => {
    const resource = { ...resources.find((one) => one.resourceType === type), ...elements }
    const mapped = map(bundle(...(type === 'Patient' ? [] : [patient()]), resource))
    expect(reasonsOf(mapped)).toEqual([`${type}: holds an element that FHIR R4 does not have there`])
    expect(mapped.patients.flatMap(({ records }) => records.filter(({ ref }) => ref.type === type))).toEqual([])
  })

  it('refuses a care team, so that a period of FHIR R5 gives no membership without an end', () => {
    const participant = [{ member: { reference: 'Practitioner/p1' }, coveragePeriod: { start: '2020-01-01', end: '2020-02-01' } }]
    const mapped = map(bundle(patient(), careTeam({ participant })))
    expect(mapped.patients[0]?.memberships.map(({ relationship }) => relationship)).toEqual(['SELF'])
    expect(reasonsOf(mapped)).toEqual(['CareTeam.participant[0]: holds an element that FHIR R4 does not have there'])
  })

  it('refuses the name of a practitioner, and the membership stays', () => {
    const mapped = map(bundle(patient(), careTeam(), practitioner({ deceasedBoolean: false })))
    expect(recordsOf(mapped, 'CareTeamMember')[0]?.metadata.open).toEqual({ userId: 'Practitioner/p1' })
    expect(reasonsOf(mapped)).toEqual(['Practitioner: holds an element that FHIR R4 does not have there'])
  })
})

describe('a value of a kind that its element does not have', () => {
  it.each([
    [observation({ status: { text: 'entered-in-error' } }), 'Observation.status: missing or of the wrong type'],
    [observation({ method: 'by hand' }), 'Observation.method: missing or of the wrong type'],
    [observation({ category: { text: 'laboratory' } }), 'Observation.category: missing or of the wrong type'],
    [{ ...resources[3], verificationStatus: 'refuted' }, 'Condition.verificationStatus: missing or of the wrong type'],
    [{ ...resources[3], verificationStatus: [{ text: 'refuted' }] }, 'Condition.verificationStatus: missing or of the wrong type'],
    [observation({ valueReference: { reference: 'Device/1' } }), 'Observation: holds an element that FHIR R4 does not have there'],
    [observation({ note: [null] }), 'Observation.note[0]: missing or of the wrong type'],
    [observation({ contained: [{ resourceType: 'CANARY' }] }), 'Observation.contained: not a FHIR R4 resource type'],
    [observation({ _code: {} }), 'Observation.code: holds an element that FHIR R4 does not have there'],
    [observation({ _status: 'x' }), 'Observation.status: missing or of the wrong type'],
  ])('is refused: %#', (resource, reason) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([reason])
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })
})

describe('a modifier element', () => {
  const modifiers = r4Types().flatMap((type) =>
    [...(elementsOf(type)?.values() ?? [])].filter(({ isModifier }) => isModifier).map(({ name }) => `${type}.${name}`),
  )

  it('of a resource that is read is understood or refused', () => {
    const open = modifiers.filter((path) => !isUnderstood(path, undefined) && !/modifierExtension|implicitRules/.test(path))
    expect([...new Set(open)]).toEqual(['Immunization.isSubpotent', 'Medication.status'])
  })

  it.each([
    [
      observation({ implicitRules: 'urn:example:targets' }),
      'Observation: carries implicitRules, which must be known to read the resource',
    ],
    [
      observation({ contained: [{ resourceType: 'ServiceRequest', implicitRules: 'urn:example:x' }] }),
      'Observation: carries implicitRules, which must be known to read the resource',
    ],
    [{ ...resources[5], isSubpotent: true }, 'Immunization.isSubpotent: a modifier element that is not understood here'],
    [
      { ...resources[7], contained: [{ resourceType: 'Medication', id: 'drug', status: 'entered-in-error', code: { text: 'x' } }] },
      'Medication.status: a modifier element that is not understood here',
    ],
  ])('that is not read refuses its resource: %#', (resource, reason) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([reason])
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })

  it('with its harmless value changes nothing', () => {
    const mapped = map(bundle(patient({ active: true }), { ...resources[5], isSubpotent: false }))
    expect(reasonsOf(mapped)).toEqual([])
    expect(recordsOf(mapped, 'Immunization')).toHaveLength(1)
  })
})

describe('the version of FHIR', () => {
  const base = 'http://hl7.org/fhir/StructureDefinition/Observation'

  it.each([`${base}|5.0.0`, `${base}|3.0.2`, 'http://hl7.org/fhir/5.0/StructureDefinition/Observation'])(
    '%s is refused',
    (profile) => {
      const mapped = map(bundle(patient(), observation({ meta: { profile: [profile] } })))
      expect(reasonsOf(mapped)).toEqual(['Observation.meta: of another version of FHIR than R4 and R4B'])
    },
  )

  it.each([base, `${base}|4.0.1`, `${base}|4.3.0`, 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|7.0.0'])(
    '%s is read',
    (profile) => {
      expect(reasonsOf(map(bundle(patient(), observation({ meta: { profile: [profile] } }))))).toEqual([])
    },
  )

  it.each([
    [
      { link: [{ relation: 'self', url: 'https://x.example/Patient?_format=application/fhir+json;fhirVersion=3.0' }] },
      'of another version of FHIR than R4 and R4B',
    ],
    [{ meta: { profile: ['http://hl7.org/fhir/StructureDefinition/Bundle|5.0.0'] } }, 'of another version of FHIR than R4 and R4B'],
    [{ implicitRules: 'urn:example:x' }, 'carries implicitRules, which must be known to read the resource'],
    [{ issues: { resourceType: 'OperationOutcome' } }, 'holds an element that FHIR R4 does not have there'],
  ])('of a bundle refuses each entry, and a consent closes its patient: %j', (shell, reason) => {
    const consent = { resourceType: 'Consent', id: 'k', status: 'inactive', patient: subject }
    const mapped = map({ ...bundle(patient(), observation(), consent), ...shell })
    expect(mapped.patients).toEqual([])
    expect(mapped.faults.filter((fault) => fault.reason.endsWith(reason)).map(({ entry }) => entry)).toEqual([0, 1, 2])
    expect(mapped.stored[0]?.consents.given).toMatchObject([{ effect: 'DENY' }])
  })

  it.each([
    ['inactive', {}, 0],
    ['active', {}, 1],
    ['inactive', { implicitRules: 'urn:example:x' }, 1],
  ])('a consent of FHIR R5 that is %s, with %j, closes %i patients', (status, more, closed) => {
    const consent = { resourceType: 'Consent', id: 'k', status, subject, decision: 'deny', ...more }
    const mapped = map(bundle(patient(), consent))
    expect(mapped.closed.size).toBe(closed)
    expect(mapped.faults.length).toBeGreaterThan(0)
  })

  it('refuses an entry for a modifier around its resource', () => {
    const { entry, ...shell } = bundle(patient(), observation())
    const mapped = map({ ...shell, entry: [entry[0], { ...entry[1], modifierExtension: [{ url: 'urn:example:not' }] }] })
    expect(mapped.faults).toEqual([{ entry: 1, reason: 'Bundle.entry: carries a modifierExtension, which must not be ignored' }])
  })
})

describe('a value that is absent for a reason', () => {
  it.each([
    [patient({ birthDate: undefined, _birthDate: because('masked') })],
    [patient({ name: [because('masked')] })],
    [patient({ name: [{ _family: because('unknown'), given: ['Ada', null], _given: [null, because('unknown')] }] })],
    [patient({ maritalStatus: noted })],
    [patient({ address: [{ city: 'Boston', ...because('unknown') }] })],
  ])('is absent: %#', (resource) => {
    expect(reasonsOf(map(bundle(resource)))).toEqual([])
  })

  it('is a placeholder if it is given all the same, and is not shown', () => {
    const address = [
      { line: ['x', '2 Main Street'], _line: [because('masked'), null], postalCode: '00000-1234', _postalCode: because('masked') },
    ]
    const values = valuesOf(recordsOf(map(bundle(patient({ _birthDate: because('masked'), address }))), 'Patient')[0])
    expect(values).toEqual({
      'Patient.familyName': 'Byron',
      'Patient.givenName': ['Ada'],
      'Patient.address.line': ['2 Main Street'],
    })
  })

  it.each([
    [patient({ maritalStatus: { text: 'Married', ...because('unknown') } }), 'Patient.maritalStatus'],
    [patient({ maritalStatus: { coding: [...noted.coding, { code: 'M' }] } }), 'Patient.maritalStatus'],
  ])('contradicts itself with a coded value: %#', (resource, where) => {
    expect(reasonsOf(map(bundle(resource)))).toEqual([`${where}: a value beside the reason of its absence`])
  })

  it.each([
    [observation({ status: undefined, _status: because('masked') }), 'Observation.status'],
    [{ ...resources[3], verificationStatus: because('unknown') }, 'Condition.verificationStatus'],
    [{ ...resources[3], clinicalStatus: noted }, 'Condition.clinicalStatus'],
    [observation({ _status: because('masked') }), 'Observation.status'],
    [careTeam({ period: { start: '2020', _end: because('unknown') } }), 'CareTeam.period.end'],
  ])('refuses its resource if it is a modifier, or the end of a period: %#', (resource, where) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([`${where}: absent for a reason, so that the meaning of the resource is unknown`])
  })
})
