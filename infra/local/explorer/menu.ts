import { parse, print } from 'graphql'
import type { PolicyTable } from '../../../directives/policy.ts'
import type { StackUser } from '../users.ts'
import type { ExplorerUser } from './explorer-config.ts'

/** The first operation of a user in the explorer. */
export interface FirstOperation {
  readonly query: string
  /** The path of the endpoint that answers it. */
  readonly endpoint: string
  /** A sentence on what the access plan shows. */
  readonly suggestion?: string
}

/**
 * The menu of the explorer for users of the stack.
 *
 * @param policy has the purposes that a role may claim
 * @param firstOf the first operation of a user
 */
export function menuOf(
  users: readonly StackUser[],
  { roles }: Pick<PolicyTable, 'roles'>,
  firstOf: (user: StackUser) => FirstOperation,
): ExplorerUser[] {
  const purposes = new Map([...roles.values()].map(({ role, mayClaim }) => [String(role), mayClaim]))
  return users.map((user) => {
    const { name, role, tenant, description, client } = user
    const { query, endpoint, suggestion } = firstOf(user)
    return {
      name,
      role,
      tenant,
      suggestion: `${sentence(description)}${suggestion === undefined ? '' : ` ${suggestion}`}`,
      purposes: purposes.get(role) ?? [],
      endpoint,
      query: print(parse(query)),
      ...(client && { disabled: 'a machine client sends registered operations by id, and no text' }),
    }
  })
}

const sentence = (text: string): string => (text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`)
