import type { GraphQLResolveInfo } from 'graphql'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TypeName } from '../../directives/coordinates.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { Failure, storeOverdue, VersionConflict } from '../model/failures.ts'
import type { PatientId } from '../model/ids.ts'
import { rootOf } from './access-rights.ts'
import type { ChangeTurns } from './change-turns.ts'

const MAX_PAUSE_MS = 100

interface TurnParts {
  readonly caller: Caller
  readonly deadline: Deadline
  readonly turns: ChangeTurns
}

/**
 * Changes a chart in its turn. After a conflict with another writer of the patient, such as an import, the attempt begins again from what
 * is stored then, until the deadline.
 *
 * @throws VersionConflict with a current version: the record itself has changed; StoreUnavailable at the deadline; the other errors of the
 *   attempt
 */
export async function inTurn<Result>(
  { caller, deadline, turns }: TurnParts,
  patient: PatientId,
  attempt: () => Promise<Result>,
): Promise<Result> {
  return await turns.take(caller, `CHART#${patient}`, deadline, async () => {
    for (let number = 1; ; number++) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof VersionConflict) || error.currentVersion !== undefined) throw error
        if (deadline.left === 0) throw storeOverdue()
      }
      await sleep((Math.random() * MAX_PAUSE_MS) / number)
    }
  })
}

/** A failure of a service gives null, an error entry and an audit record. Nothing is changed then. */
export async function orUnavailable<Result>(
  { failures, errors, recorder }: RequestScope,
  recordType: TypeName,
  info: GraphQLResolveInfo,
  act: () => Promise<Result | null>,
): Promise<Result | null> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'FIELD_UNAVAILABLE') throw error
    const path = rootOf(info)
    const reason = failures.classify(error)
    recorder.recordOnce(`${path} UNAVAILABLE`, { path, recordType, action: 'UPDATE', outcome: 'UNAVAILABLE', reason })
    errors.unavailable(path, path, info.path)
    return null
  }
}
