import type { Caller } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { RelationshipScope } from '../model/record.ts'
import type { Study } from '../model/study.ts'
import type { RelationshipRegistry, RelationshipSource, RelationshipPeriod } from './relationships.ts'

/**
 * The caller as they are to anything but research: a role of kind RESEARCH reads under a study or nothing, whatever a line of the
 * schema grants to it for other purposes.
 */
export function besideResearch(caller: Caller, { roles }: Pick<PolicyTable, 'roles'>): Caller {
  const others = new Set([...caller.roles].filter((name) => roles.get(name)?.kind !== 'RESEARCH'))
  return others.size === caller.roles.size ? caller : { ...caller, roles: others }
}

/**
 * The caller as a researcher, where any role that may claim the stated purpose is of kind RESEARCH; undefined where none is.
 *
 * Whoever acts for research has no other role meanwhile: what a physician may see, and that a patient exists, is not told to a
 * researcher who is a physician too (45 CFR 164.514(b)). Where the same purpose could be claimed for another role as well, it is
 * research all the same.
 */
export function asResearcher(caller: Caller, { roles }: Pick<PolicyTable, 'roles'>): Caller | undefined {
  const research = [...caller.roles].flatMap((name) => {
    const role = roles.get(name)
    return role?.kind === 'RESEARCH' && role.mayClaim.includes(caller.purpose) ? [role] : []
  })
  if (research.length === 0) return undefined
  const seesExistence = research.some((role) => role.seesExistence)
  return { ...caller, roles: new Set(research.map(({ role }) => role)), seesExistence, study: null }
}

/**
 * The study that a researcher acts under: the one named, where it is one of theirs and holds now; without a name the only one that
 * is and does. Undefined for any other: a study that is not theirs is as none.
 */
export function studyOf(
  studies: readonly Study[],
  { fhirUser }: Pick<Caller, 'fhirUser'>,
  named: string | undefined,
  now: Instant,
): Study | undefined {
  if (fhirUser === undefined) return undefined
  const theirs = studies.filter(
    ({ researchers, since, until }) => researchers.includes(fhirUser) && (since === undefined || since <= now) && now < until,
  )
  if (named !== undefined) return theirs.find(({ protocol }) => protocol === named)
  return theirs.length === 1 ? theirs[0] : undefined
}

/** The relationships as they hold under a study: towards its patients, and towards nobody else. */
export function withinStudy(registry: RelationshipRegistry, subjects: RelationshipSource): RelationshipRegistry {
  return new Map(
    [...registry].map(([name, source]) => [
      name,
      {
        async periods(caller, patients, deadline) {
          const [inStudy, own] = await Promise.all([
            subjects.periods(caller, patients, deadline),
            source.periods(caller, patients, deadline),
          ])
          return new Map(
            [...inStudy].map(([patient, known]) => {
              const held = own.get(patient) ?? []
              if (typeof known === 'string' || known.length === 0) return [patient, known]
              if (typeof held === 'string') return [patient, held]
              // both must hold: from the later beginning to the earlier end of each pair
              return [patient, known.flatMap((one) => held.map((other) => overlapOf(one, other)))]
            }),
          )
        },
        panel: (caller, after, limit, deadline) => subjects.panel(caller, after, limit, deadline),
      } satisfies RelationshipSource,
    ]),
  )
}

/** One that ends before it begins never holds; what either of them limits is limited. */
function overlapOf(one: RelationshipPeriod, other: RelationshipPeriod): RelationshipPeriod {
  const since = [one.since, other.since].filter((at) => at !== undefined).toSorted((a, b) => b - a)[0]
  const until = [one.until, other.until].filter((at) => at !== undefined).toSorted((a, b) => a - b)[0]
  const scope = narrower(one.scope, other.scope)
  return { ...(since !== undefined && { since }), ...(until !== undefined && { until }), ...(scope !== undefined && { scope }) }
}

function narrower(one: RelationshipScope | undefined, other: RelationshipScope | undefined): RelationshipScope | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const both = new Set(other.categories)
  return { categories: one.categories.filter((category) => both.has(category)), labeled: one.labeled && other.labeled }
}

/** Nobody, for whoever acts under no study. */
export const NO_SUBJECTS: RelationshipSource = {
  periods: () => Promise.resolve(new Map()),
  panel: () => Promise.resolve([]),
}

/** Nobody knows whom it is about: each question fails as the asking for the study did. */
export function unknownSubjects(failure: Error): RelationshipSource {
  return { periods: () => Promise.reject(failure), panel: () => Promise.reject(failure) }
}
