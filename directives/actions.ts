import type { Action } from './policy.ts'

/** In the order of the schema's enum `Action`. */
export const ACTIONS: readonly Action[] = ['READ', 'SEARCH', 'CREATE', 'UPDATE', 'DELETE', 'EXPORT']

/** An action that changes a record. */
export type ChangeAction = Extract<Action, 'CREATE' | 'UPDATE' | 'DELETE'>

export function isChange(action: Action): action is ChangeAction {
  return action === 'CREATE' || action === 'UPDATE' || action === 'DELETE'
}

/** Whether a grant permits changes. Lint rejects a grant that permits both changes and reads, and such a grant counts as a change. */
export function permitsChange({ actions }: { readonly actions: Iterable<Action> }): boolean {
  return [...actions].some(isChange)
}
