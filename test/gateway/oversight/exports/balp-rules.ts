// The rules of the profiles of IHE Basic Audit Log Patterns 1.1.4 that an export claims, in FHIR Shorthand. Rules without an effect on
// validity are left out: MS, and texts. `test/shared/audit-exports.check.ts` compares each line with the files of IHE.
//
// Source: https://github.com/IHE/ITI.BALP, https://build.fhir.org/ig/HL7/fhir-shorthand/reference.html

export interface BalpProfile {
  /** The end of the canonical URL. */
  readonly id: string
  readonly parent?: string
  readonly rules: string
}

/** By the name in the files. */
export const BALP_PROFILES: Readonly<Record<string, BalpProfile>> = {
  Read: {
    id: 'Read',
    rules: `
      type = http://terminology.hl7.org/CodeSystem/audit-event-type#rest
      subtype ^slicing.discriminator.path = "$this"
      subtype 1..
      subtype contains anyRead 1..1
      subtype[anyRead] from AllReadVS (required)
      action = #R
      recorded 1..1
      outcome = http://terminology.hl7.org/CodeSystem/audit-event-outcome#0
      outcome 1..
      agent ^slicing.discriminator.path = "type"
      agent 2..
      agent contains client 1..1 and server 1..1 and user 0..1
      agent[client].type = http://dicom.nema.org/resources/ontology/DCM#110152
      agent[client].type 1..1
      agent[client].who 1..1
      agent[client].network 1..1
      agent[client].media 0..0
      agent[server].type = http://dicom.nema.org/resources/ontology/DCM#110153
      agent[server].type 1..1
      agent[server].who 1..1
      agent[server].network 1..1
      agent[server].media 0..0
      agent[user].type = http://terminology.hl7.org/CodeSystem/v3-ParticipationType#IRCP
      agent[user].type 1..1
      agent[user].who 1..1
      agent[user].requestor = true
      agent[user].media 0..0
      agent[user].network 0..0
      entity ^slicing.discriminator.path = "type"
      entity 1..
      entity contains transaction 0..1 and data 1..1
      entity[transaction].type = BasicAuditEntityType#XrequestId
      entity[transaction].type 1..1
      entity[transaction].what.identifier.value 1..1
      entity[data].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#2
      entity[data].type 1..1
      entity[data].role from RestObjectRoles (required)
      entity[data].what 1..1
    `,
  },
  PatientRead: {
    id: 'PatientRead',
    parent: 'Read',
    rules: `
      entity 2..
      entity contains patient 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
  Query: {
    id: 'Query',
    rules: `
      type = http://terminology.hl7.org/CodeSystem/audit-event-type#rest
      subtype ^slicing.discriminator.path = "$this"
      subtype 1..
      subtype contains anySearch 1..1
      subtype[anySearch] from AllSearchVS (required)
      action = #E
      recorded 1..1
      outcome = http://terminology.hl7.org/CodeSystem/audit-event-outcome#0
      outcome 1..
      agent ^slicing.discriminator.path = "type"
      agent 2..
      agent contains client 1..1 and server 1..1 and user 0..1
      agent[client].type = http://dicom.nema.org/resources/ontology/DCM#110153
      agent[client].type 1..1
      agent[client].who 1..1
      agent[client].network 1..1
      agent[client].media 0..0
      agent[server].type = http://dicom.nema.org/resources/ontology/DCM#110152
      agent[server].type 1..1
      agent[server].who 1..1
      agent[server].network 1..1
      agent[server].media 0..0
      agent[user].type = http://terminology.hl7.org/CodeSystem/v3-ParticipationType#IRCP
      agent[user].type 1..1
      agent[user].who 1..1
      agent[user].requestor = true
      agent[user].media 0..0
      agent[user].network 0..0
      entity ^slicing.discriminator.path = "type"
      entity 1..
      entity contains transaction 0..1 and query 1..1
      entity[transaction].type = BasicAuditEntityType#XrequestId
      entity[transaction].type 1..1
      entity[transaction].what.identifier.value 1..1
      entity[query].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#2
      entity[query].type 1..1
      entity[query].role = http://terminology.hl7.org/CodeSystem/object-role#24
      entity[query].role 1..
      entity[query].what 0..0
      entity[query].lifecycle 0..0
      entity[query].description 0..1
      entity[query].query 1..1
      entity[query].detail 0..0
    `,
  },
  PatientQuery: {
    id: 'PatientQuery',
    parent: 'Query',
    rules: `
      entity 1..
      entity contains patient 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].type 1..1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
  Create: {
    id: 'Create',
    rules: `
      type = http://terminology.hl7.org/CodeSystem/audit-event-type#rest
      subtype ^slicing.discriminator.path = "$this"
      subtype 1..
      subtype contains anyCreate 1..1
      subtype[anyCreate] = http://hl7.org/fhir/restful-interaction#create
      action = #C
      recorded 1..1
      outcome = http://terminology.hl7.org/CodeSystem/audit-event-outcome#0
      outcome 1..
      agent ^slicing.discriminator.path = "type"
      agent 2..
      agent contains client 1..1 and server 1..1 and user 0..1
      agent[client].type = DCM#110153
      agent[client].type 1..1
      agent[client].who 1..1
      agent[client].network 1..1
      agent[client].media 0..0
      agent[server].type = DCM#110152
      agent[server].type 1..1
      agent[server].who 1..1
      agent[server].network 1..1
      agent[server].media 0..0
      agent[user].type from DataSources (required)
      agent[user].type 1..1
      agent[user].who 1..1
      agent[user].requestor = true
      agent[user].media 0..0
      agent[user].network 0..0
      entity ^slicing.discriminator.path = "type"
      entity 1..
      entity contains transaction 0..1 and data 1..1
      entity[transaction].type = BasicAuditEntityType#XrequestId
      entity[transaction].type 1..1
      entity[transaction].what.identifier.value 1..1
      entity[data].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#2
      entity[data].type 1..1
      entity[data].role from RestObjectRoles (required)
      entity[data].role 1..
      entity[data].what 1..1
    `,
  },
  PatientCreate: {
    id: 'PatientCreate',
    parent: 'Create',
    rules: `
      entity 2..
      entity contains patient 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].type 1..1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
  Update: {
    id: 'Update',
    rules: `
      type = http://terminology.hl7.org/CodeSystem/audit-event-type#rest
      subtype ^slicing.discriminator.path = "$this"
      subtype 1..
      subtype contains anyUpdate 1..1
      subtype[anyUpdate] from AllUpdateVS (required)
      action = #U
      recorded 1..1
      outcome = http://terminology.hl7.org/CodeSystem/audit-event-outcome#0
      outcome 1..
      agent ^slicing.discriminator.path = "type"
      agent 2..
      agent contains client 1..1 and server 1..1 and user 0..1
      agent[client].type = http://dicom.nema.org/resources/ontology/DCM#110153
      agent[client].type 1..1
      agent[client].who 1..1
      agent[client].network 1..1
      agent[client].media 0..0
      agent[server].type = http://dicom.nema.org/resources/ontology/DCM#110152
      agent[server].type 1..1
      agent[server].who 1..1
      agent[server].network 1..1
      agent[server].media 0..0
      agent[user].type from DataSources (required)
      agent[user].type 1..1
      agent[user].who 1..1
      agent[user].requestor = true
      agent[user].media 0..0
      agent[user].network 0..0
      entity ^slicing.discriminator.path = "type"
      entity 1..
      entity contains transaction 0..1 and data 1..1
      entity[transaction].type = BasicAuditEntityType#XrequestId
      entity[transaction].type 1..1
      entity[transaction].what.identifier.value 1..1
      entity[data].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#2
      entity[data].type 1..1
      entity[data].role from RestObjectRoles (required)
      entity[data].role 1..
      entity[data].what 1..1
    `,
  },
  PatientUpdate: {
    id: 'PatientUpdate',
    parent: 'Update',
    rules: `
      entity 2..
      entity contains patient 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
  Delete: {
    id: 'Delete',
    rules: `
      type = http://terminology.hl7.org/CodeSystem/audit-event-type#rest
      subtype ^slicing.discriminator.path = "$this"
      subtype 1..
      subtype contains anyDelete 1..1
      subtype[anyDelete] = http://hl7.org/fhir/restful-interaction#delete
      action = #D
      recorded 1..1
      outcome = http://terminology.hl7.org/CodeSystem/audit-event-outcome#0
      outcome 1..
      agent ^slicing.discriminator.path = "type"
      agent 2..
      agent contains client 1..1 and server 1..1 and user 0..1
      agent[client].type = http://dicom.nema.org/resources/ontology/DCM#110150
      agent[client].type 1..1
      agent[client].who 1..1
      agent[client].network 1..1
      agent[client].media 0..0
      agent[server].type = http://terminology.hl7.org/CodeSystem/provenance-participant-type#custodian
      agent[server].type 1..1
      agent[server].who 1..1
      agent[server].network 1..1
      agent[server].media 0..0
      agent[user].type from DataSources (required)
      agent[user].type 1..1
      agent[user].who 1..1
      agent[user].requestor = true
      agent[user].media 0..0
      agent[user].network 0..0
      entity ^slicing.discriminator.path = "type"
      entity 1..
      entity contains transaction 0..1 and data 1..1
      entity[transaction].type = BasicAuditEntityType#XrequestId
      entity[transaction].type 1..1
      entity[transaction].what.identifier.value 1..1
      entity[data].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#2
      entity[data].type 1..1
      entity[data].role from RestObjectRoles (required)
      entity[data].role 1..
      entity[data].what 1..1
      entity[data].securityLabel 0..*
    `,
  },
  PatientDelete: {
    id: 'PatientDelete',
    parent: 'Delete',
    rules: `
      entity 2..
      entity contains patient 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].type 1..1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
  AuditPrivacyDisclosureSource: {
    id: 'PrivacyDisclosure.Source',
    rules: `
      modifierExtension 0..0
      type = DCM#110106
      type 1..
      action = #R
      insert requireAtLeastOneMatch(subtype, disclosure, http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle#disclose)
      recorded 1..1
      outcome 1..1
      agent 2..*
      agent ^slicing.discriminator.path = "type"
      agent contains source 1..1 and recipient 1..1 and custodian 0..1 and authorizer 0..1
      agent[source].type 1..1
      agent[source].type = DCM#110153
      agent[source].who 1..1
      agent[source].network 1..1
      agent[source] obeys val-audit-source
      agent[recipient].type 1..1
      agent[recipient].type = DCM#110152
      agent[recipient].who 1..1
      agent[recipient].network 1..1
      agent[custodian].type 1..1
      agent[custodian].type = SCT#159541003
      agent[custodian].who 1..1
      agent[authorizer].type 1..1
      agent[authorizer].type = SCT#429577009
      agent[authorizer].who 1..1
      entity 2..*
      entity ^slicing.discriminator.path = "type"
      entity contains patient 1..1
      entity[patient].type 1..1
      entity[patient].type = http://terminology.hl7.org/CodeSystem/audit-entity-type#1
      entity[patient].role = http://terminology.hl7.org/CodeSystem/object-role#1
      entity[patient].role 1..
      entity[patient].what 1..1
      entity[patient].what only Reference(Patient)
    `,
  },
}

/** Rules of the resource itself, in the same form. The structure alone does not say the codes. @source https://hl7.org/fhir/R4/auditevent.html */
export const R4_RULES = `
  type 1..1
  action from AuditEventAction (required)
  recorded 1..1
  outcome from AuditEventOutcome (required)
  agent 1..
  agent.requestor 1..1
  agent.network.type from NetworkType (required)
  source 1..1
  source.observer 1..1
  entity.detail.type 1..1
  entity.detail.valueString 1..1
`

/** The set of rules that a profile inserts. */
export const AT_LEAST_ONE_MATCH = `
  {path} ^slicing.discriminator.path = "$this"
  {path} contains {slice} 1..1
  {path}[{slice}] = {pattern}
`

/** The codes that R4 requires. */
export const R4_VALUE_SETS: Readonly<Record<string, readonly string[]>> = {
  AuditEventAction: ['#C', '#R', '#U', '#D', '#E'],
  AuditEventOutcome: ['#0', '#4', '#8', '#12'],
  NetworkType: ['#1', '#2', '#3', '#4', '#5'],
}

/** The codes of each value set of the profiles. */
export const BALP_VALUE_SETS: Readonly<Record<string, readonly string[]>> = {
  AllReadVS: ['http://hl7.org/fhir/restful-interaction#read', 'http://hl7.org/fhir/restful-interaction#vread'],
  RestObjectRoles: [
    'http://terminology.hl7.org/CodeSystem/object-role#4',
    'http://terminology.hl7.org/CodeSystem/object-role#3',
    'http://terminology.hl7.org/CodeSystem/object-role#20',
  ],
  AllSearchVS: [
    'http://hl7.org/fhir/restful-interaction#search',
    'http://hl7.org/fhir/restful-interaction#search-type',
    'http://hl7.org/fhir/restful-interaction#search-system',
  ],
  DataSources: [
    'http://terminology.hl7.org/CodeSystem/v3-ParticipationType#AUT',
    'http://terminology.hl7.org/CodeSystem/v3-ParticipationType#INF',
    'http://terminology.hl7.org/CodeSystem/v3-ParticipationType#CST',
  ],
  AllUpdateVS: ['http://hl7.org/fhir/restful-interaction#update', 'http://hl7.org/fhir/restful-interaction#patch'],
}

/** The short names of code systems. */
export const BALP_ALIASES: Readonly<Record<string, string>> = {
  SCT: 'http://snomed.info/sct',
  DCM: 'http://dicom.nema.org/resources/ontology/DCM',
  BasicAuditEntityType: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType',
}

/** `agent[source] obeys val-audit-source` */
export const VAL_AUDIT_SOURCE = '$this.who = %resource.source.observer'
