import type { MembershipPeriod, RelationshipScope } from './record.ts'

/** Until when, and how far, who acts for a minor does so. */
export interface MinorsPolicy {
  /** Age in years from which the minor may act alone for some care: who acts for them is limited from then on. */
  readonly limitedFrom: number
  /** Age in years at which nobody acts for them by age any more. */
  readonly until: number
  /** What stays open to who acts for a limited minor. */
  readonly scope: RelationshipScope
}

/**
 * A beginning, not a rule: which care a minor consents to alone, and from which age, is the law of each state, and the deployment's to
 * set. 12 is the lowest age that many of these laws name; at 18 the minor is an adult in most states. All categories are open but notes,
 * which are free text and bear no labels that could be relied on; nothing that bears a sensitivity is.
 *
 * @source 45 CFR 164.502(g)(3): parents act for an unemancipated minor, but for what the minor lawfully consents to alone
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
 * The periods of a membership PROXY of who acts for a minor: without limits, then within them, then none. Decisions know periods
 * alone, and no birth date.
 *
 * @param birthDate `YYYY`, `YYYY-MM` or `YYYY-MM-DD` (FHIR date); of one that is partial the earliest day counts, so that limits never
 *   begin late. A birthday begins at midnight UTC, which in America is the evening before.
 * @returns none for a birth date or a policy that cannot be read
 */
export function minorProxyPeriods(birthDate: string, policy: MinorsPolicy = MINORS): readonly MembershipPeriod[] {
  const [, year, month = '01', day = '01'] = DATE.exec(birthDate) ?? []
  const { limitedFrom, until, scope } = policy
  const isOrdered = Number.isInteger(limitedFrom) && Number.isInteger(until) && limitedFrom >= 0 && limitedFrom <= until
  if (year === undefined || !isOrdered || until > MAX_AGE) return []
  const birthday = (age: number): string => {
    const inYear = Number(year) + age
    // who was born on a 29th of February comes of age on the 28th in other years
    const lastOfMonth = new Date(Date.UTC(inYear, Number(month), 0)).getUTCDate()
    return new Date(Date.UTC(inYear, Number(month) - 1, Math.min(Number(day), lastOfMonth))).toISOString()
  }
  const [limits, end] = [birthday(limitedFrom), birthday(until)]
  return [{ until: limits }, ...(limits < end ? [{ since: limits, until: end, scope }] : [])]
}

const MAX_AGE = 150
