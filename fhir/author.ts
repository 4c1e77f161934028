import { z } from 'zod'
import type { IdentifiedEntry } from './bundle.ts'
import { Reference } from './datatypes.ts'
import { isMappingIssue } from './mapping-issue.ts'
import { practitionerOf } from './practitioner.ts'
import type { References } from './references.ts'

/**
 * The elements that say who wrote a resource, in the order in which they are asked: what FHIR's pattern of the five Ws calls the
 * author. Who performed, attended, asserted or measured something is another question, and types that are not here have no author.
 * A report is written by who interpreted the results, and where nobody is named for that, by who takes the responsibility for it.
 *
 * @source https://hl7.org/fhir/R4/fivews.html (FiveWs.author), https://hl7.org/fhir/R4/diagnosticreport-definitions.html
 */
const AUTHOR: Readonly<Record<string, readonly string[]>> = {
  AllergyIntolerance: ['recorder'],
  Condition: ['recorder'],
  DiagnosticReport: ['resultsInterpreter', 'performer'],
  DocumentReference: ['author'],
  MedicationRequest: ['requester'],
  Procedure: ['recorder'],
}

const Some = z.union([z.array(Reference), Reference.transform((one) => [one])])

/**
 * The FHIR identity (`Practitioner/123`, as memberships have it) of the one practitioner who wrote a resource. Where several did,
 * where one of them cannot be told, or where the bundle knows no id, there is none: what an author may open must not be opened to
 * somebody who may be another one.
 */
export function authorOf({ type, resource }: IdentifiedEntry, references: References): string | undefined {
  const element = AUTHOR[type]?.find((name) => resource[name] !== undefined)
  if (element === undefined) return undefined
  const named = Some.safeParse(resource[element])
  if (!named.success) return undefined
  const writers = named.data.map((one) => practitionerOf(one, resource, references)).filter((one) => one !== 'other')
  const known = writers.map((one) => (isMappingIssue(one) ? undefined : one.fhirUser))
  return new Set(known).size === 1 ? known[0] : undefined
}
