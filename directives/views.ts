import { isListType, isNonNullType, type GraphQLOutputType } from 'graphql'
import type { View } from './policy.ts'

interface ViewRule {
  /** The higher, the more is shown. Views of one height cannot be compared, and lint refuses them on one field. */
  readonly reveals: number
  /** The types that the view can be made of. A list is never served by its item's view: it is one value. */
  readonly serves: readonly string[] | 'any'
}

/** What each view shows and of what: FULL > LAST4 = YEAR = ZIP3 > PSEUDONYM > PRESENCE. */
export const VIEWS: Readonly<Record<View, ViewRule>> = {
  FULL: { reveals: 4, serves: 'any' },
  LAST4: { reveals: 3, serves: ['String'] },
  YEAR: { reveals: 3, serves: ['PartialDate', 'DateTime', 'Period'] },
  ZIP3: { reveals: 3, serves: ['String'] },
  PSEUDONYM: { reveals: 2, serves: ['ID', 'String'] },
  PRESENCE: { reveals: 1, serves: 'any' },
}

/** Whether a field of this type can be shown in this view. */
export function viewServes(view: View, type: GraphQLOutputType): boolean {
  const { serves } = VIEWS[view]
  if (serves === 'any') return true
  const nullable = isNonNullType(type) ? type.ofType : type
  return !isListType(nullable) && serves.includes(nullable.name)
}

export function isView(text: string): text is View {
  return Object.hasOwn(VIEWS, text)
}
