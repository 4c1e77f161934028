import type { RecordType } from './record.ts'
import { isObject } from './object.ts'
import {
  type ValueRule,
  codeOfSet,
  codesOfSet,
  concept,
  each,
  form,
  notInFuture,
  pastPeriod,
  period,
  quantity,
  subjectConcept,
  vitalSignFault,
} from './value-rules.ts'
import * as sets from './value-sets.ts'

// The rules of each record type, by the field below the type. The elements and their cardinalities are those of FHIR R4:
// https://hl7.org/fhir/R4/resourcelist.html

export interface TypeTable {
  /** The clinically relevant time: fields, or members of periods. The first one that is present counts. */
  readonly dates?: readonly string[]
  /** The field with the codes for filters. */
  readonly codes?: string
  /** The field with the category for filters. */
  readonly category?: string
  /** The fields with codes that consent labels follow from. */
  readonly coded?: readonly string[]
  /**
   * Fields with a cardinality of at least 1 in FHIR R4. The code of a condition, a procedure and an allergy is 0..1 there, but the
   * import refuses such a resource without a code, because a finding of nothing in particular cannot be relied on.
   */
  readonly required: readonly string[]
  readonly rules: Readonly<Record<string, ValueRule>>
  /** A rule of several values. `detail` begins with the field. Cleared values are undefined. */
  /** The fields that `across` reads. */
  readonly compared?: readonly string[]
  readonly across?: (valueOf: (field: string) => unknown) => AcrossFault | undefined
}

interface AcrossFault {
  readonly field: string
  readonly detail: string
}

/** The types with generated mutations. */
export type ClinicType = Exclude<RecordType, 'CareTeamMember'>

const valueSet = (name: string): string => `http://hl7.org/fhir/ValueSet/${name}`

/** Nine digits with or without separators. */
const isSsn = (text: string): boolean => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text)

/** Digits with the punctuation that people write, a prefix of a URI and an extension. */
const isPhone = (text: string): boolean =>
  text.length <= 50 &&
  /^(?:tel:)?[\d\s+().\-/]+(?:(?:;?ext[.=:]?|x|#|,)[\d\s]+)?$/i.test(text) &&
  (text.match(/\d/g)?.length ?? 0) >= 7

/** RFC 5321 has a limit of 254 characters. Letters of other scripts are allowed (RFC 6531). */
const isEmail = (text: string): boolean => text.length <= 254 && /^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(text)

/** Letters and digits of any country, with spaces and hyphens between them. */
const isPostalCode = (text: string): boolean => text.length <= 12 && /^[A-Z\d](?:[A-Z\d -]*[A-Z\d])$/i.test(text)

/** The International Components for Unicode know all codes, former ones included. The list takes milliseconds, so the start has none. */
const isCurrency = (text: string): boolean => /^[A-Z]{3}$/.test(text) && Intl.supportedValuesOf('currency').includes(text)

function isLanguage(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

/** The kinds of value of an observation and of its components. */
const VALUES = ['valueQuantity', 'valueString', 'valueCodeableConcept'] as const

const component: ValueRule = (place, value, now) => {
  if (!isObject(value)) return `${place} is not a component.`
  const valueOf = (field: string): unknown => value[field] ?? undefined
  const [code, valueQuantity, valueCodeableConcept] = ['code', 'valueQuantity', 'valueCodeableConcept'].map(valueOf)
  return (
    subjectConcept(`${place}.code`, code, now) ??
    (VALUES.filter((field) => valueOf(field) !== undefined).length > 1 ? `${place} has more than one value.` : undefined) ??
    (valueQuantity === undefined ? undefined : quantity(`${place}.valueQuantity`, valueQuantity, now)) ??
    (valueCodeableConcept === undefined ? undefined : concept(`${place}.valueCodeableConcept`, valueCodeableConcept, now)) ??
    vitalSignFault({ place: `${place}.valueQuantity`, code, valueQuantity })
  )
}

function observationFault(valueOf: (field: string) => unknown): AcrossFault | undefined {
  const given = VALUES.filter((field) => valueOf(field) !== undefined)
  if (given[1] !== undefined)
    return { field: given[1], detail: `${given[1]} is a second value. An observation has one value at most.` }
  const detail = vitalSignFault({ place: 'valueQuantity', code: valueOf('code'), valueQuantity: valueOf('valueQuantity') })
  return detail === undefined ? undefined : { field: 'valueQuantity', detail }
}

export const TABLES: Readonly<Record<ClinicType, TypeTable>> = {
  Patient: {
    required: [],
    rules: {
      ssn: form(isSsn, 'a social security number: nine digits'),
      birthDate: notInFuture,
      deceasedDate: notInFuture,
      gender: codeOfSet(sets.GENDER, valueSet('administrative-gender')),
      phone: form(isPhone, 'a telephone number'),
      email: form(isEmail, 'an email address'),
      'address.postalCode': form(isPostalCode, 'a postal code'),
      maritalStatus: concept,
      language: form(isLanguage, 'a language tag of BCP 47'),
    },
  },
  Encounter: {
    dates: ['period.start', 'period.end'],
    codes: 'type',
    coded: ['type', 'reasonCode'],
    required: ['status', 'class'],
    rules: {
      status: codeOfSet(sets.ENCOUNTER_STATUS, valueSet('encounter-status')),
      class: codeOfSet(sets.ENCOUNTER_CLASS, 'http://terminology.hl7.org/ValueSet/v3-ActEncounterCode'),
      type: concept,
      period,
      reasonCode: concept,
    },
  },
  Condition: {
    dates: ['onsetDateTime', 'recordedDate'],
    codes: 'code',
    coded: ['code'],
    required: ['code'],
    rules: {
      code: subjectConcept,
      clinicalStatus: codeOfSet(sets.CONDITION_CLINICAL, valueSet('condition-clinical')),
      onsetDateTime: notInFuture,
      recordedDate: notInFuture,
    },
  },
  Observation: {
    dates: ['effectiveDateTime'],
    codes: 'code',
    category: 'category',
    coded: ['code', 'valueQuantity', 'valueCodeableConcept', 'component'],
    required: ['code'],
    rules: {
      code: subjectConcept,
      category: codeOfSet(sets.OBSERVATION_CATEGORY, valueSet('observation-category')),
      effectiveDateTime: notInFuture,
      valueQuantity: quantity,
      valueCodeableConcept: concept,
      component: each(component),
      interpretation: codesOfSet(sets.INTERPRETATION, valueSet('observation-interpretation')),
    },
    compared: ['code', 'valueQuantity', 'valueString', 'valueCodeableConcept', 'component'],
    across: observationFault,
  },
  MedicationRequest: {
    dates: ['authoredOn'],
    codes: 'medication',
    coded: ['medication'],
    required: ['status', 'medication'],
    rules: {
      medication: subjectConcept,
      status: codeOfSet(sets.MEDICATION_REQUEST_STATUS, valueSet('medicationrequest-status')),
      authoredOn: notInFuture,
    },
  },
  AllergyIntolerance: {
    dates: ['recordedDate'],
    codes: 'code',
    coded: ['code', 'reaction'],
    required: ['code'],
    rules: {
      code: subjectConcept,
      criticality: codeOfSet(sets.CRITICALITY, valueSet('allergy-intolerance-criticality')),
      clinicalStatus: codeOfSet(sets.ALLERGY_CLINICAL, valueSet('allergyintolerance-clinical')),
      recordedDate: notInFuture,
      reaction: each(concept),
    },
  },
  Immunization: {
    dates: ['occurrenceDateTime'],
    codes: 'vaccineCode',
    coded: ['vaccineCode'],
    required: ['status', 'vaccineCode', 'occurrenceDateTime'],
    rules: {
      vaccineCode: subjectConcept,
      occurrenceDateTime: notInFuture,
      status: codeOfSet(sets.IMMUNIZATION_STATUS, valueSet('immunization-status')),
    },
  },
  Procedure: {
    dates: ['performedPeriod.start', 'performedPeriod.end'],
    codes: 'code',
    coded: ['code'],
    required: ['status', 'code'],
    rules: {
      code: subjectConcept,
      performedPeriod: pastPeriod,
      status: codeOfSet(sets.EVENT_STATUS, valueSet('event-status')),
    },
  },
  DocumentReference: {
    dates: ['date'],
    codes: 'type',
    coded: ['type'],
    // the content of a document, which FHIR requires, is its text here
    required: ['text'],
    rules: { type: concept, date: notInFuture },
  },
  Coverage: {
    dates: ['period.start'],
    codes: 'type',
    required: ['payor'],
    rules: { period },
  },
  Claim: {
    dates: ['created'],
    codes: 'diagnosis',
    coded: ['diagnosis'],
    required: ['status', 'created'],
    rules: {
      status: codeOfSet(sets.FINANCIAL_STATUS, valueSet('fm-status')),
      created: notInFuture,
      currency: form(isCurrency, 'a currency of ISO 4217'),
      diagnosis: each(concept),
    },
  },
}
