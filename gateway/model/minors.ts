import type { MembershipPeriod, RelationshipScope } from './record.ts'

/** The limits of a proxy for a minor. */
export interface MinorsPolicy {
  /** Age in years from which the minor may consent alone to some care. The proxy is limited from this age. */
  readonly limitedFrom: number
  /** Age in years at which the proxy ends. */
  readonly until: number
  /** The access of the proxy while it is limited. */
  readonly scope: RelationshipScope
}

/**
 * A starting point, not a rule. State law sets the care that a minor may consent to alone, and the age. Each deployment must set
 * its own policy.
 *
 * - 12 is the lowest age that many of these laws name. At 18 the minor is an adult in most states.
 * - All categories are open except notes: they are free text and have no reliable labels.
 * - Nothing with a sensitivity is open.
 *
 * @source 45 CFR 164.502(g)(3): parents act for an unemancipated minor, except for care that the minor lawfully consents to alone
 */
export const MINORS: MinorsPolicy = {
  limitedFrom: 12,
  until: 18,
  scope: {
    categories: [
      'IDENTITY',
      'DEMOGRAPHIC',
      'CONTACT',
      'CLINICAL',
      'MEDICATION',
      'LABORATORY',
      'COVERAGE',
      'FINANCIAL',
      'CARE_TEAM',
    ],
    labeled: false,
  },
}

const DATE = /^([1-9]\d{3})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?$/

/**
 * The periods of a PROXY membership for a minor: first without limits, then limited, then none. Decisions use these periods and
 * never a birth date.
 *
 * @param birthDate `YYYY`, `YYYY-MM` or `YYYY-MM-DD` (FHIR date). For a partial date the earliest day counts, so that limits never
 *   begin late. A birthday begins at midnight UTC, which in America is the evening before.
 * @returns no periods if the birth date or the policy is not valid
 */
export function minorProxyPeriods(birthDate: string, policy: MinorsPolicy = MINORS): readonly MembershipPeriod[] {
  const [, year, month = '01', day = '01'] = DATE.exec(birthDate) ?? []
  const { limitedFrom, until, scope } = policy
  const isOrdered = Number.isInteger(limitedFrom) && Number.isInteger(until) && limitedFrom >= 0 && limitedFrom <= until
  if (year === undefined || !isOrdered || until > MAX_AGE) return []
  const birthday = (age: number): string => {
    const inYear = Number(year) + age
    // in a year without February 29, that birthday is February 28
    const lastOfMonth = new Date(Date.UTC(inYear, Number(month), 0)).getUTCDate()
    return new Date(Date.UTC(inYear, Number(month) - 1, Math.min(Number(day), lastOfMonth))).toISOString()
  }
  const [limits, end] = [birthday(limitedFrom), birthday(until)]
  return [{ until: limits }, ...(limits < end ? [{ since: limits, until: end, scope }] : [])]
}

const MAX_AGE = 150
