import { z } from 'zod'
import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { Address, CodeableConcept, ContactPoint, HumanName, Identifier, Text, codeOf, codesOf, preferred } from './datatypes.ts'
import { type MappingIssue, ISSUES, schemaIssue } from './mapping-issue.ts'
import { DateTime, PartialDate, dateOf } from './instant.ts'
import { type IdFor, assemble, sourceDigest } from './record.ts'

const SSN = 'http://hl7.org/fhir/sid/us-ssn'
const RACE = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race'
const ETHNICITY = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity'

/** Behind every rank that somebody gave. */
const LAST = 1_000_000

const Extension = z.object({
  url: Text,
  extension: z.array(z.object({ url: Text, valueString: Text.optional() })).optional(),
})

/** @source https://hl7.org/fhir/R4/patient.html */
const Patient = z.object({
  identifier: z.array(Identifier).default([]),
  name: z.array(HumanName).default([]),
  telecom: z.array(ContactPoint).default([]),
  gender: z.enum(['male', 'female', 'other', 'unknown'], { error: ISSUES.code }).optional(),
  birthDate: PartialDate.optional(),
  deceasedDateTime: DateTime.optional(),
  address: z.array(Address).default([]),
  maritalStatus: CodeableConcept.optional(),
  communication: z.array(z.object({ language: CodeableConcept, preferred: z.boolean().optional() })).default([]),
  extension: z.array(Extension).default([]),
})

/** The patient's own record, whose id is the patient's id, or what is wrong with the resource. */
export function mapPatient(entry: IdentifiedEntry, idFor: IdFor): NewRecord | MappingIssue {
  const parsed = Patient.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Patient', parsed.error)
  const { identifier, name, telecom, address, communication, extension, deceasedDateTime, ...patient } = parsed.data
  const called = preferred(name, ['official', 'usual', ''])
  const home = preferred(address, ['home', ''])
  const spoken = communication.find((one) => one.preferred === true) ?? communication[0]
  const id = idFor('Patient', entry.id)
  return assemble({
    type: 'Patient',
    patient: id as string as PatientId,
    id,
    values: {
      mrn: identifierOf(identifier, ({ type }) => codesOf(type).includes('MR')),
      ssn: identifierOf(identifier, ({ system }) => system === SSN),
      familyName: called?.family,
      givenName: called?.given,
      birthDate: patient.birthDate,
      deceasedDate: deceasedDateTime && dateOf(deceasedDateTime),
      gender: patient.gender,
      phone: contact(telecom, 'phone'),
      email: contact(telecom, 'email'),
      'address.line': home?.line,
      'address.city': home?.city,
      'address.district': home?.district,
      'address.state': home?.state,
      'address.postalCode': home?.postalCode,
      'address.country': home?.country,
      maritalStatus: patient.maritalStatus,
      language: codeOf(spoken?.language),
      race: usCoreText(extension, RACE),
      ethnicity: usCoreText(extension, ETHNICITY),
    },
    metadata: { open: {}, references: {}, source: sourceDigest(entry.resource) },
  })
}

type Read = z.output<typeof Patient>

function identifierOf(all: Read['identifier'], fits: (one: Read['identifier'][number]) => boolean): string | undefined {
  const held = all.filter((one) => one.value !== undefined && fits(one))
  return preferred(held, ['official', 'usual', ''])?.value
}

/** The number of lowest rank, then the one at home. @source https://hl7.org/fhir/R4/datatypes.html#ContactPoint */
function contact(telecom: Read['telecom'], system: string): string | undefined {
  const reachable = telecom
    .filter((one) => one.system === system && one.value !== undefined)
    .sort((one, other) => (one.rank ?? LAST) - (other.rank ?? LAST))
  const first = reachable[0]
  return (first?.rank === undefined ? preferred(reachable, ['home', 'mobile', '']) : first)?.value
}

/** @source https://hl7.org/fhir/us/core/StructureDefinition-us-core-race.html */
function usCoreText(extensions: Read['extension'], url: string): string | undefined {
  const parts = extensions.find((one) => one.url === url)?.extension
  return parts?.find((part) => part.url === 'text')?.valueString
}
