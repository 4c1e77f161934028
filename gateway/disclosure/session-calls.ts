import type { SessionWrite, Sessions } from '../access/sessions.ts'
import type { AccessRecord } from '../model/access-record.ts'
import { BadUserInput, StoreUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../model/ids.ts'
import type { Resolver } from './leaf-resolvers.ts'
import type { RequestScope } from './request-scope.ts'

const LONGEST_ID = 128

/** Ends the caller's own session. */
export const endSession: Resolver = async (_source, _args, { scope }) => {
  const write = sessionsOf(scope).ending(scope.caller)
  const record = { path: 'Mutation.endSession' as SchemaPath, recordType: 'Session' as TypeName, action: 'DELETE' } as const
  if (write === undefined) {
    scope.trail.note({ ...record, outcome: 'ABSENT' })
    return false
  }
  return await written(scope, write, { ...record, outcome: 'WRITTEN', ...recordIdOf(scope.caller.session) })
}

/** Ends all sign-ins of the user that `userId` names. @throws BadUserInput */
export const revokeUser: Resolver = async (_source, { userId }, { scope }) => await revoke(scope, 'USER', 'revokeUser', userId)

/** Ends all sign-ins through the client that `clientId` names. @throws BadUserInput */
export const revokeClient: Resolver = async (_source, { clientId }, { scope }) =>
  await revoke(scope, 'CLIENT', 'revokeClient', clientId)

async function revoke(scope: RequestScope, subject: 'USER' | 'CLIENT', field: string, id: unknown): Promise<boolean> {
  if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID) throw new BadUserInput()
  return await written(scope, sessionsOf(scope).revocation(scope.caller, subject, id), {
    path: `Mutation.${field}` as SchemaPath,
    recordType: (subject === 'USER' ? 'User' : 'Client') as TypeName,
    recordId: id,
    action: 'DELETE',
    outcome: 'WRITTEN',
  })
}

/** Once it is written, this process is the first to know. */
async function written(scope: RequestScope, write: SessionWrite, record: AccessRecord): Promise<boolean> {
  await scope.trail.commit([write], record)
  sessionsOf(scope).forget()
  return true
}

const recordIdOf = (session: string | undefined): Pick<AccessRecord, 'recordId'> =>
  session === undefined ? {} : { recordId: session }

/** @throws StoreUnavailable in a deployment that keeps no sessions */
function sessionsOf({ sessions }: RequestScope): Sessions {
  if (sessions === undefined) throw new StoreUnavailable()
  return sessions
}
