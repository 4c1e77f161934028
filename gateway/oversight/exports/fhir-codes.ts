import { PURPOSES_OF_USE } from '../../../directives/policy.ts'

export interface Coding {
  readonly system: string
  readonly code: string
  readonly display?: string
}

export interface CodeableConcept {
  readonly coding?: readonly Coding[]
  readonly text?: string
}

const HL7 = 'http://terminology.hl7.org/CodeSystem/'

const coding =
  (system: string) =>
  (code: string, display: string): Coding => ({ system, code, display })

export const dicom = coding('http://dicom.nema.org/resources/ontology/DCM')
export const interaction = coding('http://hl7.org/fhir/restful-interaction')
export const entityType = coding(`${HL7}audit-entity-type`)
export const objectRole = coding(`${HL7}object-role`)
export const REST = coding(`${HL7}audit-event-type`)('rest', 'RESTful Operation')
export const DISCLOSE = coding(`${HL7}iso-21089-lifecycle`)('disclose', 'Disclose Record Lifecycle Event')
export const CUSTODIAN = coding(`${HL7}provenance-participant-type`)('custodian', 'Custodian')
/** A user who changes a record under a right of the policy. */
export const AUTHORED = coding(`${HL7}provenance-participant-type`)('author', 'Author')
/** A user who brings records of another system. */
export const ENTERED = coding(`${HL7}provenance-participant-type`)('enterer', 'Enterer')
export const APPLICATION = dicom('110150', 'Application')
export const operation = coding(`${HL7}v3-DataOperation`)
export const RECIPIENT = coding(`${HL7}v3-ParticipationType`)('IRCP', 'information recipient')
export const AUTHOR = coding(`${HL7}v3-ParticipationType`)('AUT', 'author (originator)')
export const PROVIDER = coding(`${HL7}v3-RoleClass`)('PROV', 'healthcare provider')
export const APPLICATION_SERVER = coding(`${HL7}security-source-type`)('4', 'Application Server')
export const REQUEST_ID: Coding = {
  system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType',
  code: 'XrequestId',
}

export const resourceType = (code: string): Coding => ({ system: 'http://hl7.org/fhir/resource-types', code })

/** The text as a `string` of FHIR, or undefined if nothing is left. Control characters become U+FFFD, unusual spaces a space. */
export function fhirString(text: string | undefined): string | undefined {
  // a string of FHIR has at least one character, and of the characters below U+0020 only tab, line feed and carriage return
  const allowed = text
    ?.toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd')
    .replace(/[^\S \t\r\n]/g, ' ')
    .trim()
  return allowed === '' ? undefined : allowed
}

const CODE = /^\S+(?: \S+)*$/

/** A code of a system of the gateway. A name that cannot be a code is a text. */
export function conceptOf(system: string, name: string): CodeableConcept | undefined {
  const text = fhirString(name)
  if (text === undefined) return undefined
  return CODE.test(text) ? { coding: [{ system, code: text }] } : { text }
}

/** A code of a system of the gateway, where FHIR has no text beside it. */
export function codingOf(system: string, name: string | undefined): Coding {
  const code = fhirString(name)
  return { system, code: code !== undefined && CODE.test(code) ? code : 'unknown' }
}

const PURPOSES: ReadonlySet<string> = new Set(PURPOSES_OF_USE)

export function purposeOf(purpose: string): CodeableConcept | undefined {
  if (PURPOSES.has(purpose)) return { coding: [{ system: `${HL7}v3-ActReason`, code: purpose }] }
  const text = fhirString(purpose)
  return text === undefined ? undefined : { text }
}
