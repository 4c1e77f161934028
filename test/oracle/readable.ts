// The grants of the shipped clinic, written a second time. The oracle uses this copy, which is never compiled from the schema. A
// line is a role and a type with its readable fields. `field:VIEW` is readable only in that view, every other field in full. A
// missing field is not readable.

/** One grant: callers of this role and purpose, in this relationship to the patient, may read these fields. */
export interface Readable {
  readonly role: string
  readonly purposes: readonly string[]
  readonly relationship: string
  /** By type, names separated by spaces. */
  readonly fields: Readonly<Record<string, string>>
}

export const READABLE: readonly Readable[] = [
  {
    role: 'BILLING',
    purposes: ['HPAYMT'],
    relationship: 'ORGANIZATION',
    fields: {
      Claim: 'created currency diagnosis status total',
      Condition: 'code',
      Coverage: 'payor period subscriberId type',
      Encounter: 'class period serviceProvider status type',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state birthDate claims conditions coverages encounters familyName gender givenName mrn procedures ssn:LAST4',
      Procedure: 'code performedPeriod',
    },
  },
  {
    role: 'FRONT_DESK',
    purposes: ['HOPERAT'],
    relationship: 'ORGANIZATION',
    fields: {
      CareTeamMember: 'period role',
      Coverage: 'payor period subscriberId type',
      Encounter: 'class period practitioner serviceProvider status',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state birthDate careTeam coverages email encounters familyName gender givenName language mrn phone',
    },
  },
  {
    role: 'NURSE',
    purposes: ['TREAT', 'ETREAT'],
    relationship: 'CARE_TEAM',
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      CareTeamMember: 'period role',
      Condition: 'abatementDateTime clinicalStatus code onsetDateTime recordedDate',
      Coverage: 'payor period type',
      DocumentReference: 'author date text type',
      Encounter: 'class period practitioner reasonCode serviceProvider status type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      MedicationRequest: 'authoredOn dosageInstruction medication requester status',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state allergyIntolerances birthDate careTeam conditions coverages deceasedDate documentReferences email encounters ethnicity familyName gender givenName immunizations language maritalStatus medicationRequests mrn observations phone procedures race',
      Procedure: 'code performedPeriod status',
    },
  },
  {
    role: 'PARTNER',
    purposes: ['HPAYMT'],
    relationship: 'ORGANIZATION',
    fields: {
      Claim: 'created currency diagnosis status total',
      Coverage: 'payor period subscriberId type',
      Patient: 'birthDate claims coverages familyName gender givenName mrn',
    },
  },
  {
    role: 'PATIENT',
    purposes: ['PATRQT'],
    relationship: 'SELF',
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      CareTeamMember: 'period role',
      Claim: 'created currency diagnosis status total',
      Condition: 'abatementDateTime clinicalStatus code onsetDateTime recordedDate',
      Coverage: 'payor period subscriberId type',
      DocumentReference: 'author date text type',
      Encounter: 'class period practitioner reasonCode serviceProvider status type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      MedicationRequest: 'authoredOn dosageInstruction medication requester status',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state allergyIntolerances birthDate careTeam claims conditions coverages deceasedDate documentReferences email encounters ethnicity familyName gender givenName immunizations language maritalStatus medicationRequests mrn observations phone procedures race ssn:LAST4',
      Procedure: 'code performedPeriod status',
    },
  },
  {
    role: 'PHYSICIAN',
    purposes: ['TREAT', 'ETREAT'],
    relationship: 'CARE_TEAM',
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      CareTeamMember: 'period role',
      Condition: 'abatementDateTime clinicalStatus code onsetDateTime recordedDate',
      Coverage: 'payor period type',
      DocumentReference: 'author date text type',
      Encounter: 'class period practitioner reasonCode serviceProvider status type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      MedicationRequest: 'authoredOn dosageInstruction medication requester status',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state allergyIntolerances birthDate careTeam conditions coverages deceasedDate documentReferences email encounters ethnicity familyName gender givenName immunizations language maritalStatus medicationRequests mrn observations phone procedures race',
      Procedure: 'code performedPeriod status',
    },
  },
  {
    role: 'PROXY',
    purposes: ['PATRQT'],
    relationship: 'PROXY',
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate',
      CareTeamMember: 'period role',
      Claim: 'created currency diagnosis status total',
      Condition: 'abatementDateTime clinicalStatus code onsetDateTime recordedDate',
      Coverage: 'payor period subscriberId type',
      DocumentReference: 'author date text type',
      Encounter: 'class period practitioner reasonCode serviceProvider status type',
      Immunization: 'occurrenceDateTime status vaccineCode',
      MedicationRequest: 'authoredOn dosageInstruction medication requester status',
      Observation: 'category code component effectiveDateTime interpretation valueCodeableConcept valueQuantity valueString',
      Patient:
        'address.city address.country address.district address.line address.postalCode address.state allergyIntolerances birthDate careTeam claims conditions coverages deceasedDate documentReferences email encounters ethnicity familyName gender givenName immunizations language maritalStatus medicationRequests mrn observations phone procedures race',
      Procedure: 'code performedPeriod status',
    },
  },
  {
    role: 'RESEARCHER',
    purposes: ['HRESCH'],
    relationship: 'ORGANIZATION',
    fields: {
      AllergyIntolerance: 'clinicalStatus code criticality reaction recordedDate:YEAR',
      Condition: 'abatementDateTime:YEAR clinicalStatus code onsetDateTime:YEAR recordedDate:YEAR',
      Encounter: 'class period:YEAR reasonCode status type',
      Immunization: 'occurrenceDateTime:YEAR status vaccineCode',
      MedicationRequest: 'authoredOn:YEAR medication status',
      Observation: 'category code component effectiveDateTime:YEAR interpretation valueCodeableConcept valueQuantity',
      Patient:
        'address.country address.postalCode:ZIP3 address.state allergyIntolerances birthDate:YEAR conditions deceasedDate:YEAR encounters ethnicity gender immunizations maritalStatus medicationRequests observations procedures race',
      Procedure: 'code performedPeriod:YEAR status',
    },
  },
]
