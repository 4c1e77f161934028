import type { Caller } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { RelationshipScope } from '../model/record.ts'
import type { Study } from '../model/study.ts'
import type { RelationshipRegistry, RelationshipSource, RelationshipPeriod } from './relationships.ts'

/**
 * Returns the caller without roles of kind RESEARCH, for purposes other than research. Such a role reads only under a study,
 * even if the schema grants it something for another purpose.
 */
export function besideResearch(caller: Caller, { roles }: Pick<PolicyTable, 'roles'>): Caller {
  const others = new Set([...caller.roles].filter((name) => roles.get(name)?.kind !== 'RESEARCH'))
  return others.size === caller.roles.size ? caller : { ...caller, roles: others }
}

/**
 * Returns the caller as a researcher if a role of kind RESEARCH may claim the stated purpose; otherwise undefined.
 *
 * A researcher has no other role during the request. A researcher who is also a physician must not see a physician's data or
 * the existence of patients (45 CFR 164.514(b)). If another role may claim the purpose too, the request is still research.
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
 * Returns the study of a researcher's request. With a name: the named study, if it is current and lists the researcher. Without
 * a name: the only such study. Otherwise undefined, so that a foreign study looks like a missing one.
 */
export function studyOf(
  studies: readonly Study[],
  { fhirUser }: Pick<Caller, 'fhirUser'>,
  named: string | undefined,
  now: Instant,
): Study | undefined {
  if (fhirUser === undefined) return undefined
  const own = studies.filter(
    ({ researchers, since, until }) => researchers.includes(fhirUser) && (since === undefined || since <= now) && now < until,
  )
  if (named !== undefined) return own.find(({ protocol }) => protocol === named)
  return own.length === 1 ? own[0] : undefined
}

/** Restricts the relationships to the patients of a study. */
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
            [...inStudy].map(([patient, studyPeriods]) => {
              const ownPeriods = own.get(patient) ?? []
              if (typeof studyPeriods === 'string' || studyPeriods.length === 0) return [patient, studyPeriods]
              if (typeof ownPeriods === 'string') return [patient, ownPeriods]
              // both must hold: from the later start to the earlier end of each pair
              return [patient, studyPeriods.flatMap((one) => ownPeriods.map((other) => overlapOf(one, other)))]
            }),
          )
        },
        panel: (caller, after, limit, deadline) => subjects.panel(caller, after, limit, deadline),
      } satisfies RelationshipSource,
    ]),
  )
}

/** The overlap of two periods, with the limits of both. Without an overlap, the result ends before it starts and never holds. */
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

/** The subjects of a researcher without a study: none. */
export const NO_SUBJECTS: RelationshipSource = {
  periods: () => Promise.resolve(new Map()),
  panel: () => Promise.resolve([]),
}

/** The subjects of a study that could not be loaded: each call fails with the same failure. */
export function unknownSubjects(failure: Error): RelationshipSource {
  return { periods: () => Promise.reject(failure), panel: () => Promise.reject(failure) }
}
