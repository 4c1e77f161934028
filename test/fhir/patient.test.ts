import { describe, expect, it } from 'vitest'
import { bundle, idFor, map, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const MR = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] }
const US_CORE = 'http://hl7.org/fhir/us/core/StructureDefinition'

const values = (changes: Record<string, unknown>): Record<string, unknown> =>
  valuesOf(recordsOf(map(bundle(patient({ name: [], birthDate: undefined, ...changes }))), 'Patient')[0])

describe('a patient resource becomes the record of the patient', () => {
  it('has the id of the patient', () => {
    const [mapped] = map(bundle(patient())).patients
    expect(mapped?.patient).toBe(idFor('Patient', 'ada'))
    expect(mapped?.records[0]?.ref).toEqual({ type: 'Patient', patient: mapped?.patient, id: mapped?.patient })
  })

  it('reads every field of the API', () => {
    expect(
      values({
        identifier: [
          { type: { coding: [{ code: 'DL' }] }, value: 'license' },
          { type: MR, value: 'mrn-1' },
          { system: 'http://hl7.org/fhir/sid/us-ssn', value: '900-12-3456' },
        ],
        name: [
          { use: 'maiden', family: 'Maiden' },
          { use: 'official', family: 'Byron', given: ['Ada', null, 'Augusta'] },
        ],
        telecom: [
          { system: 'phone', value: '555-0100', use: 'old' },
          { system: 'phone', value: '555-0101', use: 'work' },
          { system: 'phone', value: '555-0102', use: 'home' },
          { system: 'email', value: 'ada@example.org' },
        ],
        gender: 'female',
        birthDate: '1975-12',
        deceasedDateTime: '2020-01-02T03:04:05-05:00',
        address: [
          { use: 'old', city: 'Before' },
          {
            line: ['1 Main Street', 'Apt 2'],
            city: 'Boston',
            district: 'Suffolk',
            state: 'MA',
            postalCode: '02101',
            country: 'US',
          },
        ],
        maritalStatus: { text: 'Married', coding: [{ code: 'M', userSelected: true }] },
        communication: [{ language: { coding: [{ code: 'fr' }] } }, { language: { coding: [{ code: 'en-US' }] }, preferred: true }],
        extension: [
          { url: `${US_CORE}/us-core-race`, extension: [{ url: 'text', valueString: 'White' }] },
          { url: `${US_CORE}/us-core-ethnicity`, extension: [{ url: 'text', valueString: 'Not Hispanic or Latino' }] },
        ],
        photo: [{ data: 'AAAA' }],
      }),
    ).toEqual({
      'Patient.mrn': 'mrn-1',
      'Patient.ssn': '900-12-3456',
      'Patient.familyName': 'Byron',
      'Patient.givenName': ['Ada', 'Augusta'],
      'Patient.birthDate': '1975-12',
      'Patient.deceasedDate': '2020-01-02',
      'Patient.gender': 'female',
      'Patient.phone': '555-0102',
      'Patient.email': 'ada@example.org',
      'Patient.address.line': ['1 Main Street', 'Apt 2'],
      'Patient.address.city': 'Boston',
      'Patient.address.district': 'Suffolk',
      'Patient.address.state': 'MA',
      'Patient.address.postalCode': '02101',
      'Patient.address.country': 'US',
      'Patient.maritalStatus': { text: 'Married', coding: [{ code: 'M' }] },
      'Patient.language': 'en-US',
      'Patient.race': 'White',
      'Patient.ethnicity': 'Not Hispanic or Latino',
    })
  })

  it('omits absent or empty elements, which are ABSENT and never empty values', () => {
    expect(
      values({ telecom: [{ system: 'phone', value: ' ' }], name: [{ family: '', given: [null] }], maritalStatus: {} }),
    ).toEqual({})
  })

  it('uses the UUID of the full URL for a resource without an id', () => {
    const uuid = '8f14e45f-ceea-4672-9a3b-0b6f3c2d1e00'
    const mapped = map({ resourceType: 'Bundle', entry: [{ fullUrl: `urn:uuid:${uuid}`, resource: patient({ id: undefined }) }] })
    expect(mapped.patients[0]?.patient).toBe(idFor('Patient', uuid))
  })

  it.each([
    [{ birthDate: '1975-02-30' }, 'Patient.birthDate: not a FHIR date'],
    [{ birthDate: 19751210 }, 'Patient.birthDate: missing or of the wrong type'],
    [{ gender: 'other-text' }, 'Patient.gender: not a code of its value set'],
    [{ name: 'Byron' }, 'Patient.name: missing or of the wrong type'],
    [{ name: [{ family: 'x'.repeat(210_000) }] }, 'Patient.name[0].family: longer than 200 KB'],
    [{ id: 'no id!' }, 'Patient.id: missing, or not a FHIR id'],
    [
      { modifierExtension: [{ url: 'https://example.org/not' }] },
      'Patient: carries a modifierExtension, which must not be ignored',
    ],
  ])('refuses %j', (changes, reason) => {
    const mapped = map(bundle(patient(changes)))
    expect(mapped.patients).toEqual([])
    expect(reasonsOf(mapped)).toEqual([reason])
  })
})

describe('the digest of the source', () => {
  const digest = (changes: Record<string, unknown>): string | undefined =>
    recordsOf(map(bundle(patient(changes))), 'Patient')[0]?.metadata.source

  it('ignores the order of keys, and changes with any value', () => {
    const { name, ...rest } = patient()
    expect(digest({ ...rest, name })).toBe(digest({}))
    expect(digest({ birthDate: '1975-12-11' })).not.toBe(digest({}))
    expect(digest({})).toMatch(/^[\w-]{43}$/)
  })
})
