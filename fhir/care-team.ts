import { z } from 'zod'
import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { wordsOf } from './coded.ts'
import { CodeableConcept, type Concept, Reference } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue, isMappingIssue } from './mapping-issue.ts'
import { type FhirPeriod, Period, endInstant, firstInstant } from './instant.ts'
import { overlap } from './overlap.ts'
import { type Practitioner, displayNameOf, practitionerOf } from './practitioner.ts'
import { type IdFor, assemble, sourceDigest } from './record.ts'
import type { References } from './references.ts'

/** @source https://hl7.org/fhir/R4/careteam.html */
const CareTeam = z.object({
  status: z.enum(['proposed', 'active', 'suspended', 'inactive', 'entered-in-error'], { error: ISSUES.code }).optional(),
  period: Period.default({}),
  participant: z
    .array(z.object({ role: z.array(CodeableConcept).default([]), member: Reference.optional(), period: Period.default({}) }))
    .default([]),
})

export interface CareTeamReading {
  /** One `CareTeamMember` for each practitioner on the team. */
  readonly records: readonly NewRecord[]
  /** The FHIR identities that become members, with the time of each. */
  readonly stays: readonly { readonly fhirUser: string; readonly period: FhirPeriod }[]
  readonly practitioners: readonly { readonly key: string; readonly assignments: readonly string[] }[]
  readonly issues: readonly MappingIssue[]
}

export interface CareTeamContext {
  readonly patient: PatientId
  readonly references: References
  readonly idFor: IdFor
  /** The instant of the import, ISO 8601 in UTC with milliseconds. */
  readonly now: string
  /** The FHIR identities of users by the practitioner whose place they take. */
  readonly assign: ReadonlyMap<string, readonly string[]>
}

/**
 * Who is on a team, and for whom that opens the patient's record.
 *
 * Only an active team gives open membership. An inactive team gives only what has ended, so that the past stays true, and a team
 * without a known status gives nothing (P3). The same is true of an inactive role or practitioner. The period of the team bounds that
 * of each participant, and so does the period of the role.
 */
export function mapCareTeam(entry: IdentifiedEntry, context: CareTeamContext): CareTeamReading | MappingIssue {
  const parsed = CareTeam.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('CareTeam', parsed.error)
  const { status, period: teamPeriod, participant } = parsed.data
  const records: NewRecord[] = []
  const stays: { fhirUser: string; period: FhirPeriod }[] = []
  const practitioners: { key: string; assignments: readonly string[] }[] = []
  const issues: MappingIssue[] = status === undefined ? [mappingIssue('CareTeam.status', ISSUES.status)] : []
  const places = new Map<string, number>()
  for (const { role, member, period: own } of participant) {
    if (member === undefined) continue
    const practitioner = practitionerOf(member, entry.resource, context.references)
    if (practitioner === 'other') continue
    if (isMappingIssue(practitioner)) {
      issues.push(practitioner)
      continue
    }
    const assignments = practitioner.spellings.filter((spelling) => context.assign.has(spelling))
    const users = assignments.flatMap((spelling) => context.assign.get(spelling) ?? [])
    practitioners.push({ key: practitioner.key, assignments })
    const period = overlap(teamPeriod, own, practitioner.period)
    if (period === undefined) {
      issues.push(mappingIssue('CareTeam.participant.period', ISSUES.outside))
      continue
    }
    const place = (places.get(practitioner.key) ?? 0) + 1
    places.set(practitioner.key, place)
    const record = memberRecord(entry, { practitioner, userId: users[0] ?? practitioner.key, role, period, place }, context)
    if (isMappingIssue(record)) issues.push(record)
    else records.push(record)
    const isOver = period.end !== undefined && endInstant(period.end) <= context.now
    if ((status === 'active' && practitioner.isActive) || ((status === 'active' || status === 'inactive') && isOver)) {
      for (const fhirUser of new Set([practitioner.fhirUser ?? [], users].flat())) stays.push({ fhirUser, period })
    }
  }
  return { records, stays, practitioners, issues }
}

interface Place {
  readonly practitioner: Practitioner
  readonly userId: string
  readonly role: readonly (Concept | undefined)[]
  readonly period: FhirPeriod
  /** From 1: a practitioner may stand on one team in several roles. */
  readonly place: number
}

function memberRecord(entry: IdentifiedEntry, member: Place, { patient, idFor, now }: CareTeamContext): NewRecord | MappingIssue {
  const { practitioner, userId, period, place } = member
  const displayName = practitioner.resource && displayNameOf(practitioner.resource, now)
  const open = { userId, ...(displayName !== undefined && { displayName }) }
  const sourceId = `${entry.id}/${practitioner.key}`
  return assemble({
    type: 'CareTeamMember',
    patient,
    id: idFor('CareTeamMember', place === 1 ? sourceId : `${sourceId}/${place}`),
    values: {
      role: roleText(member.role),
      period: Object.keys(period).length > 0 ? period : undefined,
    },
    metadata: {
      open,
      references: {},
      ...(period.start !== undefined && { date: firstInstant(period.start) }),
      // who a place is shown as depends on the practitioner's resource and on assignments, not on the team alone
      source: sourceDigest(entry.resource, open, period),
    },
  })
}

function roleText(roles: readonly (Concept | undefined)[]): string | undefined {
  const texts = roles.flatMap((role) => wordsOf(role) ?? [])
  return texts.length === 0 ? undefined : [...new Set(texts)].join(', ')
}
