import { z } from 'zod'
import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { ADDRESSES, IDENTIFIERS, NAMES, NUMBERS, preferred } from './choose.ts'
import { SYSTEMS, codeOf, hasCode, wordsOf } from './coded.ts'
import { Address, CodeableConcept, Coding, ContactPoint, HumanName, Identifier, Text, present } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, PartialDate, dateOf } from './instant.ts'
import { type IdFor, assemble, sourceDigest } from './record.ts'
import { includesWords } from './words.ts'
import { GENDER } from './value-sets.ts'

/** Social security numbers of the United States, by URI and by OID. */
const SSN: ReadonlySet<string | undefined> = new Set(['http://hl7.org/fhir/sid/us-ssn', 'urn:oid:2.16.840.1.113883.4.1'])
const RACE = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race'
const ETHNICITY = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity'

const Extension = z.object({
  url: Text,
  extension: z.array(z.object({ url: Text, valueString: Text.optional(), valueCoding: Coding.optional() })).optional(),
})

/** @source https://hl7.org/fhir/R4/patient.html */
const Patient = z.object({
  identifier: z.array(Identifier).default([]),
  name: z.array(HumanName).default([]),
  telecom: z.array(ContactPoint).default([]),
  gender: z.enum(GENDER, { error: ISSUES.code }).optional(),
  birthDate: PartialDate.optional(),
  deceasedDateTime: DateTime.optional(),
  deceasedBoolean: z.boolean().optional(),
  /** Holds the reason if the date is missing. */
  _deceasedDateTime: z.unknown().optional(),
  address: z.array(Address).default([]),
  maritalStatus: CodeableConcept.optional(),
  communication: z.array(z.object({ language: CodeableConcept, preferred: z.boolean().optional() })).default([]),
  extension: z.array(Extension).default([]),
  /** A modifier element: `PatientLinks` reads it. A link of an unknown type could say that the record must not be used. */
  link: z.array(z.object({ type: z.enum(['replaced-by', 'replaces', 'refer', 'seealso'], { error: ISSUES.code }) })).default([]),
})

export interface PatientContext {
  readonly idFor: IdFor
  /** The instant of the import, ISO 8601 in UTC with milliseconds. */
  readonly now: string
  /** Receives what is missing in a record that is imported all the same. */
  readonly note: (issue: MappingIssue) => void
}

/** The patient's own record, whose id is the patient's id, or what is wrong with the resource. */
export function mapPatient(entry: IdentifiedEntry, { idFor, now, note }: PatientContext): NewRecord | MappingIssue {
  const parsed = Patient.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Patient', parsed.error)
  const { identifier, name, telecom, address, communication, extension, deceasedDateTime, ...patient } = parsed.data
  const called = nameOf(name, now)
  const home = preferred(
    // a post box is no place to visit
    address.toSorted((one, other) => Number(one.type === 'postal') - Number(other.type === 'postal')),
    ADDRESSES,
    now,
  )
  const spoken = communication.find((one) => one.preferred === true) ?? communication[0]
  if (called?.family === undefined && called?.text !== undefined) note(mappingIssue('Patient.name', ISSUES.nameText))
  const hasDied = patient.deceasedBoolean === true || (patient._deceasedDateTime !== undefined && deceasedDateTime === undefined)
  if (hasDied) note(mappingIssue('Patient.deceased[x]', ISSUES.deceased))
  if (communication.length > 1 && spoken?.preferred !== true) note(mappingIssue('Patient.communication', ISSUES.further))
  const current = {
    mrn: identifierOf(identifier, now, ({ type, system }) => hasCode(type, 'MR', SYSTEMS.identifierType) && !SSN.has(system)),
    ssn: identifierOf(identifier, now, ({ type, system }) => SSN.has(system) || hasCode(type, 'SS', SYSTEMS.identifierType)),
    familyName: called?.family,
    givenName: called?.given,
    phone: contact(telecom, 'phone', now),
    email: contact(telecom, 'email', now),
    ...addressValues(home),
  }
  const id = idFor('Patient', entry.id)
  return assemble({
    type: 'Patient',
    patient: id as string as PatientId,
    id,
    values: {
      ...current,
      birthDate: patient.birthDate,
      deceasedDate: deceasedDateTime && dateOf(deceasedDateTime),
      gender: patient.gender,
      maritalStatus: patient.maritalStatus,
      language: codeOf(spoken?.language, SYSTEMS.language),
      race: usCoreText(extension, RACE),
      ethnicity: usCoreText(extension, ETHNICITY),
    },
    // a name can end while the resource stays as it is
    metadata: { open: {}, references: {}, source: sourceDigest(entry.resource, present(current)) },
  })
}

type Read = z.output<typeof Patient>

/**
 * The current name, with a family name if a current name has one. If the preferred name is only a text, another name counts only if the
 * text includes its family name: it could be a former one or a nickname.
 */
function nameOf(all: Read['name'], now: string): Read['name'][number] | undefined {
  const first = preferred(all, NAMES, now)
  const isSame = ({ family }: Read['name'][number]): boolean =>
    family !== undefined && (first?.text === undefined || includesWords(first.text, family))
  return first?.family === undefined ? (preferred(all.filter(isSame), NAMES, now) ?? first) : first
}

function identifierOf(
  all: Read['identifier'],
  now: string,
  fits: (one: Read['identifier'][number]) => boolean,
): string | undefined {
  const held = all.filter((one) => one.value !== undefined && fits(one))
  return preferred(held, IDENTIFIERS, now)?.value
}

function contact(telecom: Read['telecom'], system: string, now: string): string | undefined {
  const reachable = telecom.filter((one) => one.system === system && one.value !== undefined)
  return preferred(reachable, NUMBERS, now)?.value
}

/** An address that is only a text is given as its lines, so that nothing is made up of what a part of it may mean. */
function addressValues(home: Read['address'][number] | undefined): Readonly<Record<string, unknown>> {
  const { text, city, district, state, postalCode, country } = home ?? {}
  const lines = text?.split(/\r?\n/).filter((one) => one.trim() !== '')
  return {
    'address.line': home?.line ?? lines,
    'address.city': city,
    'address.district': district,
    'address.state': state,
    'address.postalCode': postalCode,
    'address.country': country,
  }
}

/**
 * The text of the extension; without one, the names of its detailed or OMB categories.
 *
 * @source https://hl7.org/fhir/us/core/StructureDefinition-us-core-race.html
 */
function usCoreText(extensions: Read['extension'], url: string): string | undefined {
  const parts = extensions.find((one) => one.url === url)?.extension ?? []
  const text = parts.find((part) => part.url === 'text')?.valueString
  const named = (of: string): readonly string[] =>
    parts.filter((part) => part.url === of).flatMap(({ valueCoding }) => (valueCoding && wordsOf({ coding: [valueCoding] })) ?? [])
  const [detailed, general] = [named('detailed'), named('ombCategory')]
  const names = detailed.length > 0 ? detailed : general
  return text ?? (names.length > 0 ? names.join(', ') : undefined)
}
