import type { RecordLabel } from '../directives/policy.ts'
import type { PatientId, RecordId } from '../gateway/model/ids.ts'
import type { NewRecord, RecordMetadata } from '../gateway/model/record.ts'
import type { Entry, IdentifiedEntry } from './bundle.ts'
import { Reference } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import type { Imported } from './left-out.ts'
import { type IdFor, sourceDigest } from './record.ts'
import { recordFacts } from './record-facts.ts'
import type { References } from './references.ts'

/** Whose resource is being read, and what it may refer to. */
export interface SubjectContext {
  readonly patient: PatientId
  /** The resource of that patient. Undefined for a patient of an earlier import. */
  readonly subject: IdentifiedEntry | undefined
  /** The patient that a reference leads to, of the bundle or of an earlier import. Resources that a record refers to must belong to its patient. */
  readonly patientAt: (reference: string | undefined, from: Readonly<Record<string, unknown>>) => PatientId | undefined
  readonly references: References
  readonly idFor: IdFor
  /** The instant of the import, ISO 8601 in UTC with milliseconds. */
  readonly now: string
  /** The labels that the security labels of another resource give a record that shows a part of it. */
  readonly labelsOf: (resource: Readonly<Record<string, unknown>>) => readonly RecordLabel[]
  /** Tells what is missing of a record that is imported all the same. */
  readonly note: (issue: MappingIssue) => void
  /** Notes that a name cannot be compared with the names of the patient, so that the record lacks it. */
  readonly hide: () => void
  /** Counts what a record lacks by a rule, in fixed words: `DocumentReference without its text`. */
  readonly omit: (what: string) => void
}

/** One resource of a patient as a record, or what is wrong with it. */
export type MapResource = (entry: IdentifiedEntry, context: SubjectContext) => NewRecord | MappingIssue

/** The element that names the patient. */
const SUBJECT: Readonly<Record<string, string>> = {
  AllergyIntolerance: 'patient',
  Claim: 'patient',
  Consent: 'patient',
  Coverage: 'beneficiary',
  ExplanationOfBenefit: 'patient',
  Immunization: 'patient',
  RelatedPerson: 'patient',
}

export function subjectElement(type: string): string {
  return SUBJECT[type] ?? 'subject'
}

/** All elements that can name the patient. The patient of a Binary is that of its security context. FHIR R5 calls the patient of a consent `subject`. */
export function subjectElements(type: string): readonly string[] {
  if (type === 'Binary') return ['securityContext']
  return type === 'Consent' ? ['patient', 'subject'] : [subjectElement(type)]
}

/**
 * The encounter of a record. An encounter that is no record counts too: an earlier or later import can have another version of it. Without
 * one, the reference leads to nothing.
 *
 * An encounter of another patient would lead a reader from one record into the other: such a resource is refused.
 */
export function encounterOf(
  type: Imported,
  entry: IdentifiedEntry,
  reference: string | undefined,
  context: SubjectContext,
): RecordId | MappingIssue | undefined {
  const { references, idFor } = context
  const target = references.follow(reference, entry.resource, 'Encounter')
  if (target.kind === 'outside' && target.type === 'Encounter') return idFor('Encounter', target.id)
  if (target.kind !== 'entry' || target.entry.type !== 'Encounter' || target.entry.id === undefined) return undefined
  if (saysOtherPatient(target.entry, context)) return mappingIssue(`${type}.encounter`, ISSUES.otherPatient)
  return idFor('Encounter', target.entry.id)
}

/** Whether a resource names somebody as its patient who is not the subject. */
export function saysOtherPatient(
  { type, resource }: Entry,
  { patient, patientAt }: Pick<SubjectContext, 'patient' | 'patientAt'>,
): boolean {
  const named = Reference.safeParse(resource[subjectElement(type)]).data
  return named !== undefined && patientAt(named, resource) !== patient
}

type Facts = Parameters<typeof recordFacts>[0] & {
  readonly encounter?: RecordId | undefined
  /** The FHIR identity of who wrote it. */
  readonly author?: string | undefined
  /** The resource, and what of others went into the record. */
  readonly sources: readonly unknown[]
}

export function factsOf({ encounter, author, sources, ...said }: Facts): RecordMetadata {
  return {
    open: {},
    references: encounter === undefined ? {} : { encounter },
    ...recordFacts(said),
    ...(author !== undefined && { author }),
    // who wrote it may follow from another resource: a role's practitioner
    source: sourceDigest(...sources, author ?? null),
  }
}
