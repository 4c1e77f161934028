import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { sensitivities } from '../../directives/sensitivities.ts'
import { CodeListRefused, UnknownSensitivity, codeLabels } from '../../fhir/labels.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { MapOptions } from '../../fhir/mapped-bundle.ts'
import { clinicLock, clinicTypeDefs } from '../../schema/clinic.ts'
import { bundle, clinicLabels, idFor, map, now, observation, patient, reasonsOf, recordsOf, riverside } from './clinic.ts'

const clinicSensitivities = sensitivities(clinicLock())

const subject = { reference: 'Patient/ada' }
const coded = (system: string, code: string) => ({ coding: [{ system, code }] })
const SNOMED = 'http://snomed.info/sct'
const ICD10CM = 'http://hl7.org/fhir/sid/icd-10-cm'

const condition = (code: object, more: object = {}) => ({ resourceType: 'Condition', id: 'c1', subject, code, ...more })
const labelsOf = (type: string, ...resources: readonly object[]): unknown =>
  recordsOf(map(bundle(patient(), ...resources)), type)[0]?.metadata.labels

describe('the labels of a record', () => {
  it('come from every file of code lists', () => {
    const folder = new URL('../../fhir/code-lists/', import.meta.url)
    const files = readdirSync(folder)
    expect(files.length).toBeGreaterThan(6)
    for (const file of files) {
      const content = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as {
        label: string
        lists: { system: string | null; codes: [string, string][] }[]
      }[]
      for (const { label, lists } of content)
        for (const { system, codes } of lists)
          for (const [code] of codes) expect(clinicLabels.labelsOf({ system, code }), file).toContain(label)
    }
  })

  it.each([
    [SNOMED, '86406008', ['HIV']],
    [SNOMED, '75544000', ['ETH']],
    [ICD10CM, 'F11.20', ['ETH']],
    [ICD10CM, 'F1120', ['ETH']],
    [ICD10CM, 'f32.9', ['PSY']],
    [ICD10CM, 'T74.21XA', ['SDV']],
    [ICD10CM, 'F17.210', undefined],
    ['http://loinc.org', 'F11.20', undefined],
    [SNOMED, '44054006', undefined],
  ])('of a diagnosis %s %s are %s', (system, code, labels) => {
    expect(labelsOf('Condition', condition(coded(system, code)))).toEqual(labels)
  })

  it('come from every code of the record: components, values, reasons, reactions, and labels of the source', () => {
    const hiv = coded(SNOMED, '86406008')
    const plain = coded('http://loinc.org', '8867-4')
    expect(labelsOf('Observation', observation({ valueQuantity: undefined, valueCodeableConcept: hiv }))).toEqual(['HIV'])
    const component = [{ code: plain, valueCodeableConcept: coded(SNOMED, '15167005') }]
    expect(labelsOf('Observation', observation({ component }))).toEqual(['ETH'])
    expect(labelsOf('Encounter', { resourceType: 'Encounter', id: 'e1', subject, reasonCode: [plain, hiv] })).toEqual(['HIV'])
    const security = [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'PSYTHPN' }]
    const note = { resourceType: 'DocumentReference', id: 'd1', subject, meta: { security } }
    expect(labelsOf('DocumentReference', note)).toEqual(['PSYTHPN'])
    expect(labelsOf('Condition', condition(plain, { meta: { security: [{ ...security[0], code: 'BH' }] } }))).toEqual([
      'ETH',
      'PSY',
    ])
  })

  it('include those of a resource that is copied into the record, but not of other references', () => {
    const hiv = condition(coded(SNOMED, '86406008'))
    const claim = {
      resourceType: 'Claim',
      id: 'k1',
      patient: subject,
      diagnosis: [{ diagnosisReference: { reference: 'Condition/c1' } }],
    }
    expect(labelsOf('Claim', hiv, claim)).toEqual(['HIV'])
    const visit = { resourceType: 'Encounter', id: 'e1', subject, reasonCode: [coded(SNOMED, '86406008')] }
    expect(labelsOf('Observation', visit, observation({ encounter: { reference: 'Encounter/e1' } }))).toBeUndefined()
  })

  it('change with the code lists of a deployment, and so does the digest that a second import compares', () => {
    const own = JSON.stringify([
      { label: 'GDIS', lists: [{ system: 'urn:own', source: { name: 'own' }, codes: [['X1', 'a gene']] }] },
    ])
    const mapped = (labels: MapOptions['labels']) => {
      const options = { tenant: riverside, idFor, now, assign: new Map(), labels }
      return recordsOf(mapBundle(bundle(patient(), condition(coded('urn:own', 'X1'))), options), 'Condition')[0]?.metadata
    }
    expect(mapped(clinicLabels)?.labels).toBeUndefined()
    expect(mapped(codeLabels(clinicSensitivities, [own]))?.labels).toEqual(['GDIS'])
    expect(mapped(codeLabels(clinicSensitivities, [own]))?.source).not.toBe(mapped(clinicLabels)?.source)
  })

  it('P8: a file without lists is refused, and the error quotes no part of it', () => {
    for (const text of [
      'secret',
      '{}',
      '[{"label":"secret","lists":[]}]',
      '[{"label":"HIV","lists":[{"codes":[["secret","x"]]}]}]',
    ]) {
      expect(() => codeLabels(clinicSensitivities, [text])).toThrow(CodeListRefused)
      expect(() => codeLabels(clinicSensitivities, [text])).not.toThrow(/secret/)
    }
  })
})

describe('the sensitivities come from the schema', () => {
  const TEETH = { name: 'teeth.graphql', sdl: 'extend enum Sensitivity { TEETH @consent(rule: REQUIRED) }' }
  const extended = sensitivities(compilePolicy([...clinicTypeDefs(), TEETH], { relationships: 'unchecked' }).lock)
  const list = (label: string) =>
    JSON.stringify([{ label, lists: [{ system: 'urn:own', source: { name: 'own' }, codes: [['T1', 'a tooth']] }] }])
  const consent = {
    resourceType: 'Consent',
    id: 'c2',
    status: 'active',
    patient: subject,
    provision: {
      type: 'permit',
      securityLabel: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'TEETH' }],
    },
  }
  const mapped = (labels: MapOptions['labels']) =>
    mapBundle(bundle(patient(), condition(coded('urn:own', 'T1')), consent), {
      tenant: riverside,
      idFor,
      now,
      assign: new Map(),
      labels,
    })

  it('accepts a sensitivity that the SDL adds, in code lists and in consents', () => {
    const result = mapped(codeLabels(extended, [list('TEETH')]))
    expect(recordsOf(result, 'Condition')[0]?.metadata.labels).toEqual(['TEETH'])
    expect(result.patients[0]?.consents.given).toMatchObject([{ effect: 'PERMIT', labels: ['TEETH'] }])
    expect(result.faults).toEqual([])
  })

  it('P3: refuses a code list with a label that the schema does not define, and names the defined ones', () => {
    const refused = () => codeLabels(clinicSensitivities, [list('HIV'), list('TEETH')])
    expect(refused).toThrow(UnknownSensitivity)
    expect(refused).toThrow(
      'Label 1 of a file of code lists is not a sensitivity of the schema. Use one of ETH, GDIS, HIV, PSY, PSYTHPN, SDV, SEX, or add it to the schema: extend enum Sensitivity.',
    )
    expect(refused).not.toThrow(/TEETH/)
  })

  it('P3: a permission for a sensitivity that the schema does not define permits nothing', () => {
    const result = mapped(clinicLabels)
    expect(result.patients[0]?.consents.given).toEqual([])
    expect(reasonsOf(result)).toEqual(['Consent.provision: cannot be expressed here, so that nothing is permitted by it'])
  })
})
