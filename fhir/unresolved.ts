import { type Entry } from './bundle.ts'
import { isObject } from './object.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { NamedReference } from './party.ts'
import type { References } from './references.ts'

/** The elements whose target gives a value of a record. The subject and the medication are not here: without them there is no record. */
const ELEMENTS: Readonly<Record<string, readonly string[]>> = {
  AllergyIntolerance: ['encounter', 'recorder'],
  Claim: ['item.encounter'],
  Condition: ['encounter', 'recorder'],
  Coverage: ['payor'],
  DiagnosticReport: ['encounter', 'performer', 'resultsInterpreter'],
  DocumentReference: ['author', 'context.encounter'],
  Encounter: ['participant.individual', 'serviceProvider'],
  Immunization: ['encounter'],
  MedicationRequest: ['encounter', 'requester'],
  Observation: ['encounter'],
  Procedure: ['encounter', 'recorder'],
}
/** The element gives a name, so that the text of the reference is enough. */
const NAMED: ReadonlySet<string> = new Set([
  'payor',
  'performer',
  'author',
  'participant.individual',
  'serviceProvider',
  'requester',
])

/**
 * The references of a kept record that lead to no resource: the record lacks an encounter, an author or a name that its source gives.
 * The type and id of a resource outside of the bundle are enough, and so is its text where the element gives a name.
 */
export function unresolvedOf({ type, resource }: Entry, references: References): readonly MappingIssue[] {
  return (ELEMENTS[type] ?? []).flatMap((path) => {
    const lost = valuesAt(resource, path.split('.')).some((value) => isLost(value, resource, path, references))
    return lost ? [mappingIssue(`${type}.${path}`, ISSUES.reference)] : []
  })
}

function isLost(value: unknown, resource: Entry['resource'], path: string, references: References): boolean {
  const said = NamedReference.safeParse(value).data
  if (said === undefined) return false
  const isText = NAMED.has(path) && said.display !== undefined
  // without a literal reference, the identifier or the text is all that the source gives
  if (said.reference === undefined && (said.link === undefined || isText)) return false
  const { kind } = references.follow(said.link, resource, path.endsWith('encounter') ? 'Encounter' : undefined)
  if (kind === 'nowhere') return true
  return (kind === 'elsewhere' || kind === 'conditional') && !isText
}

function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, path))
  const [step, ...rest] = path
  if (step === undefined) return [value]
  return isObject(value) && value[step] !== undefined ? valuesAt(value[step], rest) : []
}
