interface ViewRule {
  /** Order by disclosure: a higher rank shows more. Views of equal rank are not comparable, and lint rejects them on one field. */
  readonly rank: number
  /** The scalars and composites that the view can be made from. */
  readonly serves: readonly string[] | 'any'
  /** The fields beside the value, in the same object, that the view depends on. Without them it shows nothing of the value. */
  readonly needs: readonly string[]
}

/**
 * The only table of views: FULL > LAST4 = YEAR = ZIP3 > PSEUDONYM > PRESENCE. Lint, the lock diff and the decision all read it.
 *
 * This file imports nothing, because the audit verifier, which imports the decision, also runs in a browser.
 */
const RULES = {
  FULL: { rank: 4, serves: 'any', needs: [] },
  LAST4: { rank: 3, serves: ['String'], needs: [] },
  YEAR: { rank: 3, serves: ['PartialDate', 'DateTime', 'Period'], needs: [] },
  ZIP3: { rank: 3, serves: ['String'], needs: ['country'] },
  PSEUDONYM: { rank: 2, serves: ['ID', 'String'], needs: [] },
  PRESENCE: { rank: 1, serves: 'any', needs: [] },
} as const satisfies Record<string, ViewRule>

/** A value of the schema's enum `View`. */
export type View = keyof typeof RULES

export const VIEWS: Readonly<Record<View, ViewRule>> = RULES
