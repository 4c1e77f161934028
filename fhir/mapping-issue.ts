import type { z } from 'zod'

/**
 * Why something was not imported: a type and path of FHIR, and one of the fixed texts below. Never a value, a key or an id
 * of the input (P8), so that a fault may be printed, logged and sent on.
 */
export interface MappingIssue {
  readonly reason: string
}

export interface EntryIssue extends MappingIssue {
  /** The place in `Bundle.entry`, from 0; `WHOLE_BUNDLE` when the bundle itself is at fault. */
  readonly entry: number
}

export const WHOLE_BUNDLE = -1

export const ISSUES = {
  shape: 'missing or of the wrong type',
  code: 'not a code of its value set',
  value: 'not valid',
  text: 'longer than 200 KB',
  base64: 'not base64',
  charset: 'not text of the charset that it names',
  size: 'larger than a record may be',
  date: 'not a FHIR date',
  dateTime: 'not a FHIR dateTime',
  periodOrder: 'ends before it starts',
  oneValue: 'more than one value[x]',
  unsupportedValue: 'a kind of value[x] that the API has no place for',
  modifier: 'carries a modifierExtension, which must not be ignored',
  implicitRules: 'carries implicitRules, which must be known to read the resource',
  unreadModifier: 'a modifier element that is not understood here',
  masked: 'absent for a reason, so that the meaning of the resource is unknown',
  contradiction: 'a value beside the reason of its absence',
  version: 'of another version of FHIR than R4 and R4B',
  subset: 'a part of a resource: its tag SUBSETTED shows that the server left elements out',
  depth: 'nested too deeply',
  key: 'carries a key that no resource has',
  unicode: 'carries text that is not well-formed Unicode, or a number that is none',
  revived: 'as it was before its source retracted it, and no version shows that this one is newer',
  versions: 'differs from another entry of the same resource, and no version shows which one is newer',
  id: 'missing, or not a FHIR id',
  fullUrl: 'differs from the one that its full URL names',
  bases: 'names resources of two servers',
  bundle: 'not a FHIR R4 bundle',
  document: 'entered-in-error, so that nothing of the document is read',
  entry: 'holds no resource',
  type: 'not a FHIR R4 resource type',
  deletion: 'a deletion that names no single resource',
  patient: 'its patient is not among the imported ones',
  display: 'a name that cannot be compared with the names of the patient, which are not in the files, so that the record lacks it',
  otherPatient: 'belongs to another patient',
  foreignEncounter: 'its encounter belongs to another patient',
  reference: 'does not lead to one resource',
  label: 'carries a security label that is not known here, so that its record is closed',
  status: 'missing or unknown, so that nobody becomes a member by it',
  permitsLess: 'cannot be expressed here, so that nothing is permitted by it',
  deniesMore: 'cannot be expressed here, so that more is denied by it',
  element: 'holds an element that FHIR R4 does not have there',
  optOut: 'an opt-out, which closes the whole record of the patient here',
  policy: 'not a policy that is known here, so that it closes the whole record of the patient',
  unverified: 'not verified, so that nothing is permitted by it',
  exception: 'an exception to a denial, which here closes whatever else permits it',
  age: 'has no birth date, so that nobody acts for the patient by it',
  outcome: 'reports an error of the source, so that resources may be missing',
  parameters: 'wraps resources in parameters, which are not read',
  replaced: 'replaced by another record, so that it must not be used as a patient like others',
  inactive: 'not in use any more, and no other record is named in its place',
  nameText: 'only a text, from which no family name can be read',
  deceased: 'said without a date, so that the record has no sign of it',
  retracted: 'leads to a record that does not hold',
  lostForm: 'in a form that the API has no place for, so that the record lacks it',
  further: 'more than one, of which the record has the first',
  focus: 'about somebody or something else than the patient',
  outside: 'does not overlap the period of the care team',
} as const

export type IssueText = (typeof ISSUES)[keyof typeof ISSUES]

export function mappingIssue(where: string, why: IssueText): MappingIssue {
  return { reason: `${where}: ${why}` }
}

export function isMappingIssue(candidate: object): candidate is MappingIssue {
  return 'reason' in candidate
}

/** The first issue of a failed parse. The path holds our schemas' own keys and array places, and nothing of the input. */
export function schemaIssue(type: string, error: z.ZodError): MappingIssue {
  const issue = error.issues[0]
  const where = (issue?.path ?? []).reduce<string>(
    (path, step) => (typeof step === 'number' ? `${path}[${step}]` : `${path}.${String(step)}`),
    type,
  )
  return mappingIssue(where, issueTextOf(issue))
}

const TEXTS: ReadonlySet<string> = new Set(Object.values(ISSUES))

function issueTextOf(issue: z.core.$ZodIssue | undefined): IssueText {
  if (issue?.code === 'invalid_type') return ISSUES.shape
  // zod's own texts quote what they expected; only ours are known to quote nothing
  if (issue && TEXTS.has(issue.message)) return issue.message as IssueText
  return ISSUES.value
}
