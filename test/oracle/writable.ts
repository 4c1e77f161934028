// The grants to change of the shipped clinic, written a second time. The oracle uses this copy, which is never compiled from the schema.
// A missing field cannot be written.

type Change = 'CREATE' | 'UPDATE' | 'DELETE'

/** One grant: callers of this role and purpose, in this relationship to the patient, may change these fields. */
export interface Writable {
  readonly role: string
  readonly purposes: readonly string[]
  readonly relationship: string
  readonly actions: readonly Change[]
  /** By type, names separated by spaces. */
  readonly fields: Readonly<Record<string, string>>
}

export const WRITABLE: readonly Writable[] = [
  {
    role: 'BILLING',
    purposes: ['HPAYMT'],
    relationship: 'ORGANIZATION',
    actions: ['CREATE', 'UPDATE', 'DELETE'],
    fields: {
      Claim: 'created currency diagnosis status total',
    },
  },
  {
    role: 'FRONT_DESK',
    purposes: ['HOPERAT'],
    relationship: 'ORGANIZATION',
    actions: ['CREATE', 'UPDATE', 'DELETE'],
    fields: {
      Coverage: 'payor period subscriberId type',
    },
  },
  {
    role: 'FRONT_DESK',
    purposes: ['HOPERAT'],
    relationship: 'ORGANIZATION',
    actions: ['CREATE', 'UPDATE'],
    fields: {
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state birthDate email familyName gender givenName language maritalStatus phone',
    },
  },
  {
    role: 'FRONT_DESK',
    purposes: ['HOPERAT'],
    relationship: 'ORGANIZATION',
    actions: ['CREATE'],
    fields: {
      Patient: 'mrn ssn',
    },
  },
  {
    role: 'NURSE',
    purposes: ['TREAT', 'ETREAT'],
    relationship: 'CARE_TEAM',
    actions: ['CREATE', 'UPDATE'],
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      DocumentReference: 'author date text type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
    },
  },
  {
    role: 'PATIENT',
    purposes: ['PATRQT'],
    relationship: 'SELF',
    actions: ['UPDATE'],
    fields: {
      Patient: 'address.city address.country address.district address.line address.postalCode address.state email language phone',
    },
  },
  {
    role: 'PHYSICIAN',
    purposes: ['TREAT', 'ETREAT'],
    relationship: 'CARE_TEAM',
    actions: ['CREATE', 'UPDATE', 'DELETE'],
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      Condition: 'abatementDateTime clinicalStatus code onsetDateTime recordedDate',
      DocumentReference: 'author date text type',
      Encounter: 'class period practitioner reasonCode serviceProvider status type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      MedicationRequest: 'authoredOn dosageInstruction medication requester status',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
      Procedure: 'code performedPeriod status',
    },
  },
  {
    role: 'PROXY',
    purposes: ['PATRQT'],
    relationship: 'PROXY',
    actions: ['UPDATE'],
    fields: {
      Patient: 'address.city address.country address.district address.line address.postalCode address.state email language phone',
    },
  },
]
