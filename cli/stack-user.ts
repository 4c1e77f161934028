import { PURPOSES_OF_USE } from '../directives/policy.ts'
import { LOCAL_STAGE } from '../infra/local/environment.ts'
import { NoStack, readStackFile, type StackFile } from '../infra/local/stack-file.ts'
import { DEMO_USERS } from '../infra/local/users.ts'
import { chosen } from './choices.ts'
import { runningStack } from './running-stack.ts'

/** A user of the running stack, and the purpose of use to claim. */
export interface UserWords {
  readonly user: string
  readonly purpose?: string | undefined
}

/**
 * Finds the running stack for one of its users.
 *
 * @param userOption the option or argument that names the user
 * @throws NoStack; Refused with the choices if the stack has no such user, or the gateway no such purpose
 */
export async function stackOf({ user, purpose }: UserWords, userOption: string): Promise<StackFile> {
  if (purpose !== undefined) requirePurpose(purpose)
  const stack = await runningStack()
  chosen(user, { noun: 'user', of: 'the local stack', known: stack.users.map(({ name }) => name), option: userOption })
  return stack
}

function requirePurpose(purpose: string): void {
  const words = { noun: 'purpose of use', nouns: 'purposes of use', of: 'the gateway', option: '--purpose' }
  chosen(purpose, { ...words, known: PURPOSES_OF_USE })
}

/**
 * The users of the system that a command works on: those of the running stack. A stack within this process may have no file, and has the
 * demo users. Undefined for a deployment: its users are at its identity provider.
 */
export function systemUsers(): StackFile['users'] | undefined {
  if (process.env['PHI_STAGE'] !== LOCAL_STAGE) return undefined
  try {
    return readStackFile().users
  } catch (error) {
    if (error instanceof NoStack) return DEMO_USERS
    throw error
  }
}
