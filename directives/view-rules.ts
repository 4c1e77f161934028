interface ViewRule {
  /** Order by disclosure: a higher rank shows more. Views of equal rank are not comparable, and lint rejects them on one field. */
  readonly rank: number
  /** The scalars and composites that the view can be made from. */
  readonly serves: readonly string[] | 'any'
}

/**
 * The only table of views: FULL > LAST4 = YEAR = ZIP3 > PSEUDONYM > PRESENCE. Lint, the lock diff and the decision all read it.
 *
 * This file imports nothing, because the audit verifier, which imports the decision, also runs in a browser.
 */
const RULES = {
  FULL: { rank: 4, serves: 'any' },
  LAST4: { rank: 3, serves: ['String'] },
  YEAR: { rank: 3, serves: ['PartialDate', 'DateTime', 'Period'] },
  ZIP3: { rank: 3, serves: ['String'] },
  PSEUDONYM: { rank: 2, serves: ['ID', 'String'] },
  PRESENCE: { rank: 1, serves: 'any' },
} as const satisfies Record<string, ViewRule>

/** A value of the schema's enum `View`. */
export type View = keyof typeof RULES

export const VIEWS: Readonly<Record<View, ViewRule>> = RULES
