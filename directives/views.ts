import { isListType, isNonNullType, type GraphQLOutputType } from 'graphql'
import { VIEWS, type View } from './view-rules.ts'

/** Whether a field of this type can be shown in this view. A view other than FULL or PRESENCE never serves a list: a list is one value. */
export function viewServes(view: View, type: GraphQLOutputType): boolean {
  const { serves } = VIEWS[view]
  if (serves === 'any') return true
  const nullable = isNonNullType(type) ? type.ofType : type
  return !isListType(nullable) && serves.includes(nullable.name)
}

export function isView(text: string): text is View {
  return Object.hasOwn(VIEWS, text)
}
