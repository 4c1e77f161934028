import type { SessionWrite, Sessions } from '../access/sessions.ts'
import type { AccessRecord } from '../model/access-record.ts'
import { textDetail } from '../model/limit-details.ts'
import { BadUserInput, StoreUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { GatewayContext, Resolver } from './gateway-context.ts'
import type { MutationScope } from './mutation-scope.ts'

const MAX_ID = 128

/** Ends the caller's own session. */
export const endSession: Resolver = async (_source, _args, { scope, mutations }) => {
  const sessions = sessionsOf(mutations)
  const write = sessions.ending(scope.caller)
  const record = { path: 'Mutation.endSession' as SchemaPath, recordType: 'Session' as TypeName, action: 'DELETE' } as const
  if (write === undefined) {
    scope.trail.record({ ...record, outcome: 'ABSENT' })
    return false
  }
  return await commitWrite(scope, sessions, write, { ...record, outcome: 'WRITTEN', ...recordIdOf(scope.caller.session) })
}

/** Ends all sign-ins of the user `userId`. @throws BadUserInput */
export const revokeUser: Resolver = async (_source, { userId }, context) => await revoke(context, 'USER', 'revokeUser', userId)

/** Ends all sign-ins through the client `clientId`. @throws BadUserInput */
export const revokeClient: Resolver = async (_source, { clientId }, context) =>
  await revoke(context, 'CLIENT', 'revokeClient', clientId)

async function revoke(
  { scope, mutations }: GatewayContext,
  subject: 'USER' | 'CLIENT',
  field: string,
  id: unknown,
): Promise<boolean> {
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID)
    throw new BadUserInput({ detail: textDetail(subject === 'USER' ? 'userId' : 'clientId', MAX_ID) })
  const sessions = sessionsOf(mutations)
  return await commitWrite(scope, sessions, sessions.revocation(scope.caller, subject, id), {
    path: `Mutation.${field}` as SchemaPath,
    recordType: (subject === 'USER' ? 'User' : 'Client') as TypeName,
    recordId: id,
    action: 'DELETE',
    outcome: 'WRITTEN',
  })
}

/** Commits the write, then drops this process's cached sessions, so that the end takes effect here at once. */
async function commitWrite(scope: RequestScope, sessions: Sessions, write: SessionWrite, record: AccessRecord): Promise<boolean> {
  await scope.trail.commit([write], record)
  sessions.forget()
  return true
}

const recordIdOf = (session: string | undefined): Pick<AccessRecord, 'recordId'> =>
  session === undefined ? {} : { recordId: session }

/** @throws StoreUnavailable if the deployment stores no sessions */
function sessionsOf({ ports: { sessions } }: MutationScope): Sessions {
  if (sessions === undefined) throw new StoreUnavailable()
  return sessions
}
