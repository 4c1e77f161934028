import { z } from 'zod'
import { NAMES, preferred } from './choose.ts'
import { HumanName, Reference } from './datatypes.ts'
import { type FhirPeriod, Period } from './instant.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { type References, type Target, identifiersOf } from './references.ts'

type Resource = Readonly<Record<string, unknown>>

/** Somebody on a care team, as far as the bundle knows. */
export interface Practitioner {
  /** `Practitioner/ID`, or `Practitioner?identifier=SYSTEM|VALUE` where the bundle knows no id. */
  readonly key: string
  /** Every spelling under which a user may be assigned: the key and the business identifiers. */
  readonly spellings: readonly string[]
  /** The FHIR identity that a token may bear; who is known by a business identifier alone has none. */
  readonly fhirUser?: string
  /** The resource, if the bundle has it. */
  readonly resource?: Resource
  /** Whether neither the role nor the practitioner is out of use. */
  readonly isActive: boolean
  /** The period of the role. Empty without a limit. */
  readonly period: FhirPeriod
}

/** Patients, relatives, organizations and teams stand on care teams too; they are not the ones who ask. */
export type Member = Practitioner | MappingIssue | 'other'

const WHERE = 'CareTeam.participant.member'
const CONDITIONAL_IDENTIFIER = /^[!-~]{1,200}\|[!-~]{1,100}$/
const MAX_NAME = 300

/** @source https://hl7.org/fhir/R4/practitionerrole.html */
const Role = z.object({ active: z.boolean().default(true), period: Period.default({}), practitioner: Reference.optional() })
const Named = z.object({ name: z.array(HumanName).default([]) })

/**
 * Who a participant is. The `display` of the reference is not read: in real files it holds names of patients.
 *
 * @source https://hl7.org/fhir/R4/careteam-definitions.html#CareTeam.participant.member
 */
export function practitionerOf(reference: string | undefined, careTeam: Resource, references: References): Member {
  const target = references.follow(reference, careTeam)
  if (typeOf(target) !== 'PractitionerRole') return practitionerAt(target)
  const role = resourceOf(target)
  const read = Role.safeParse(role)
  if (role === undefined || !read.success) return mappingIssue(WHERE, ISSUES.reference)
  const { active, period, practitioner } = read.data
  // a contained role refers to its neighbors within the care team
  const found = practitionerAt(references.follow(practitioner, target.kind === 'contained' ? careTeam : role))
  return typeof found === 'object' && 'key' in found ? { ...found, isActive: found.isActive && active, period } : found
}

function practitionerAt(target: Target): Member {
  const type = typeOf(target)
  if (type === undefined || type === 'PractitionerRole') return mappingIssue(WHERE, ISSUES.reference)
  if (type !== 'Practitioner') return 'other'
  const resource = resourceOf(target)
  const conditional = (resource === undefined ? [] : identifiersOf(resource))
    .filter((identifier) => CONDITIONAL_IDENTIFIER.test(identifier))
    .map((identifier) => `Practitioner?identifier=${identifier}`)
  const fhirUser = fhirUserOf(target)
  const key = fhirUser ?? (target.kind === 'conditional' ? target.query : conditional[0])
  if (key === undefined) return mappingIssue(WHERE, ISSUES.reference)
  return {
    key,
    spellings: [...new Set([key, ...conditional])],
    isActive: resource?.['active'] !== false,
    period: {},
    ...(fhirUser !== undefined && { fhirUser }),
    ...(resource !== undefined && { resource }),
  }
}

function fhirUserOf(target: Target): string | undefined {
  if (target.kind === 'outside') return `Practitioner/${target.id}`
  if (target.kind === 'entry' && target.entry.id !== undefined) return `Practitioner/${target.entry.id}`
  // the id of a contained resource means something within its container alone
  return undefined
}

function typeOf(target: Target): string | undefined {
  if (target.kind === 'nowhere') return undefined
  return target.kind === 'entry' ? target.entry.type : target.type
}

function resourceOf(target: Target): Resource | undefined {
  if (target.kind === 'entry') return target.entry.resource
  return target.kind === 'contained' ? target.resource : undefined
}

/** `Dr. Ada Byron`: the official name first, of those that are current. A practitioner is no patient, so the name is not PHI of anybody here. */
export function displayNameOf(resource: Resource, now: string): string | undefined {
  const name = preferred(Named.safeParse(resource).data?.name ?? [], NAMES, now)
  if (name === undefined) return undefined
  const spelled = [...(name.prefix ?? []), ...(name.given ?? []), ...(name.family === undefined ? [] : [name.family])].join(' ')
  const text = name.text ?? spelled
  return text === '' || text.length > MAX_NAME || !text.isWellFormed() ? undefined : text
}
