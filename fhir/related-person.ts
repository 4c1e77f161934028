import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { MINORS, type MinorsPolicy, minorProxyPeriods } from '../gateway/model/minors.ts'
import type { MembershipPeriod } from '../gateway/model/record.ts'
import { CodeableConcept, type Concept } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { Period, endInstant, firstInstant } from './instant.ts'

const Codes = z.array(z.tuple([z.string(), z.string()])).transform((all) => new Set(all.map(([code]) => code)))
/** Codes of a kind of kinship say nothing of authority: step- and foster parents, executors and a special power of attorney are not listed. */
const Lists = z.object({ system: z.string(), PARENT: Codes, GUARDIAN: Codes, ATTORNEY: Codes })
const LISTS = Lists.parse(JSON.parse(readFileSync(new URL('./representatives.json', import.meta.url), 'utf8')))
/** On what footing somebody acts for a patient. */
type Footing = 'PARENT' | 'GUARDIAN' | 'ATTORNEY'
const FOOTINGS = ['PARENT', 'GUARDIAN', 'ATTORNEY'] as const

/** @source https://hl7.org/fhir/R4/relatedperson.html */
const RelatedPerson = z.object({
  active: z.boolean().optional(),
  relationship: z.array(CodeableConcept).default([]),
  period: Period.default({}),
})

/** For how long somebody acts for a patient: no periods where they do not, `leftOut` and `issue` say why. */
interface Representation {
  readonly periods: readonly MembershipPeriod[]
  readonly leftOut?: 'inactive' | 'not known to be active' | 'no personal representative'
  readonly issue?: MappingIssue
}

/**
 * Whether a relative acts for the patient, and when (45 CFR 164.502(g)): the codes of `representatives.json` say it, and no other
 * relationship does.
 *
 * A parent acts until the patient comes of age, within the limits of `minors`. So does a guardian whose guardianship began before
 * that, or nobody says when; one that began later is that of an adult, and has its own period. A power of attorney is an adult's to
 * give, and holds from then on. All of it within the period of the resource, and nothing of it without a birth date: nobody could
 * say then what limits hold.
 *
 * @param birthDate the patient's, FHIR date
 */
export function representationOf(
  resource: Readonly<Record<string, unknown>>,
  birthDate: string | undefined,
  minors: MinorsPolicy = MINORS,
): Representation {
  const none = { periods: [] }
  const parsed = RelatedPerson.safeParse(resource)
  if (!parsed.success) return { ...none, issue: schemaIssue('RelatedPerson', parsed.error) }
  const { active, relationship, period } = parsed.data
  if (active !== true) return { ...none, leftOut: active === false ? 'inactive' : 'not known to be active' }
  const footings = footingsOf(relationship)
  if (footings.length === 0) return { ...none, leftOut: 'no personal representative' }
  const asMinor = birthDate === undefined ? [] : minorProxyPeriods(birthDate, minors)
  const ofAge = asMinor.at(-1)?.until
  if (ofAge === undefined) return { ...none, issue: mappingIssue('RelatedPerson.patient', ISSUES.age) }
  const own: MembershipPeriod = {
    ...(period.start !== undefined && { since: firstInstant(period.start) }),
    ...(period.end !== undefined && { until: endInstant(period.end) }),
  }
  const adult: MembershipPeriod = { since: ofAge }
  const allowed: Readonly<Record<Footing, readonly MembershipPeriod[]>> = {
    PARENT: asMinor,
    GUARDIAN: own.since !== undefined && own.since >= ofAge ? [adult] : asMinor,
    ATTORNEY: [adult],
  }
  const periods = [...new Set(footings.flatMap((footing) => allowed[footing]))].flatMap((one) => within(one, own))
  return { periods: periods.toSorted((one, other) => ((one.since ?? '') < (other.since ?? '') ? -1 : 1)) }
}

function footingsOf(relationship: readonly (Concept | undefined)[]): readonly Footing[] {
  const said = relationship.flatMap((concept) => concept?.coding ?? [])
  const { system, ...codes } = LISTS
  return FOOTINGS.filter((footing) => said.some((one) => one.system === system && codes[footing].has(one.code ?? '')))
}

/** What of a period lies within another one. */
function within(one: MembershipPeriod, own: MembershipPeriod): readonly MembershipPeriod[] {
  const since = [one.since, own.since]
    .filter((at) => at !== undefined)
    .toSorted()
    .at(-1)
  const until = [one.until, own.until].filter((at) => at !== undefined).toSorted()[0]
  if (since !== undefined && until !== undefined && since >= until) return []
  return [
    {
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
      ...(one.scope !== undefined && { scope: one.scope }),
    },
  ]
}
