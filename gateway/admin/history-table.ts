import type { Env, Services } from '../compose.ts'
import type { HistoryTable } from '../store/history.ts'

/** Only operators' commands write record versions, so the functions of a deployment do not get this variable. */
export const HISTORY_VARIABLE = 'PHI_TABLE_HISTORY'

/** @throws TypeError for a missing variable */
export function openHistoryTable(services: Pick<Services, 'openHistory'>, env: Env): HistoryTable {
  const name = env[HISTORY_VARIABLE]
  if (name === undefined) throw new TypeError(`${HISTORY_VARIABLE} is not set`)
  return services.openHistory(name)
}
