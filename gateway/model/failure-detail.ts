/**
 * A sentence for developers: the fault and the next step. It names fields, types, arguments, headers and limits. It has no value of a
 * variable and no literal of a document, because a developer may paste real data. A function is called only where the answer shows the
 * detail, so that it costs nothing elsewhere.
 */
export type FailureDetail = string | (() => string | undefined)

/** The text of a detail. A detail that cannot be built is left out: the failure itself must still be answered. */
export function builtDetail(detail: FailureDetail | undefined): string | undefined {
  if (typeof detail !== 'function') return detail
  try {
    return detail()
  } catch {
    return undefined
  }
}

/** How to get a token of a demo user. */
export const NEW_TOKEN = 'Get a new token with `npm run --silent phi -- token USER`.'
