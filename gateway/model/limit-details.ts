import { MAX_PAGE } from './list.ts'

/**
 * An hourly budget of a user: values received, values searched by, refusals, or patients that the user opened by break-glass. `DAY`: the
 * values that a client with a contract received within a day.
 */
export type BudgetName = 'VALUES' | 'SEARCHES' | 'REFUSALS' | 'BREAK_GLASS' | 'DAY'

/** The detail of a spent budget. */
export const budgetDetail = (budget: BudgetName): string => BUDGETS[budget]

const BUDGETS: Readonly<Record<BudgetName, string>> = {
  VALUES: 'The user received the maximum number of values of this hour. Wait for the next hour, or raise `hour` of `PHI_LIMITS`.',
  SEARCHES:
    'The user searched by the maximum number of values of this hour. Wait for the next hour, or raise `searches` of `PHI_LIMITS`.',
  REFUSALS:
    'The user received the maximum number of refusals of this hour. Select only fields that the role may read. Wait for the next hour, or raise `refusedValues` and `unknownIds` of `PHI_LIMITS`.',
  BREAK_GLASS:
    'The user opened the maximum number of patients of this hour by break-glass. Wait for the next hour, or raise `breakGlass` of `PHI_LIMITS`.',
  DAY: 'The client received the maximum number of values of this day. Wait for the next day, or change `maxValuesPerDay` of its contract.',
}

/** The detail of a page size. The size is a number of the request. Anything else is not repeated. */
export const firstDetail = (first: unknown, most: number): string =>
  typeof first === 'number'
    ? `\`first\` is ${first}; the maximum is ${most} and the minimum is 1. Continue with \`after\`.`
    : `\`first\` is no integer; the maximum is ${most} and the minimum is 1.`

/** The detail of a cursor. */
export const CURSOR_DETAIL =
  '`after` is no cursor of this list. Send `pageInfo.endCursor` of the previous page, with the same arguments and the same caller.'

/** The detail of a list of an earlier version of a record. */
export const OF_EARLIER_VERSION = 'An earlier version of a record leads to no lists. Ask the record itself.'

/** The detail of an argument that is no id. */
export const idDetail = (argument: string): string => `\`${argument}\` is no id. Take it from an earlier answer.`

/** The detail of a text with a maximum length. */
export const textDetail = (argument: string, most: number): string =>
  `\`${argument}\` has 1 to ${most} characters, and no control characters.`

/** The detail of a page by `first` and `skip`. */
export const pageDetail = (first: unknown, skip: unknown): string =>
  typeof skip === 'number' && skip < 0 ? '`skip` is negative. Its minimum is 0.' : firstDetail(first, MAX_PAGE)

/** The detail of the minutes of a grant. */
export const minutesDetail = (minutes: unknown, most: number): string =>
  typeof minutes === 'number'
    ? `\`minutes\` is ${minutes}; the maximum is ${most} and the minimum is 1.`
    : `\`minutes\` is no integer; the maximum is ${most} and the minimum is 1.`

/** The forms of dates, for a detail. */
export const DATE_FORMS = 'Write a date as `2026`, `2026-03` or `2026-03-15`, and a time as `2026-03-15T08:30:00Z`.'
