import { HISTORY_ENTRY, HISTORY_FIELD, typesWithHistory } from '../../directives/history-sdl.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { HistoryEntry } from './history-entry.ts'
import type { ReadResolver } from './leaf-resolvers.ts'
import { RecordView } from './record-view.ts'

const history: ReadResolver = async (record, args, { scope }, info) =>
  record instanceof RecordView ? await scope.history.of(record, args, info) : null

const entryRecord: ReadResolver = (entry, _args, { scope }, info) =>
  entry instanceof HistoryEntry ? entry.recordIn(scope, info) : null

/** The resolvers of the generated history: the field of each record type, and the record of an entry. */
export function historyResolvers(
  policy: Pick<PolicyTable, 'records' | 'classes'>,
): Readonly<Record<string, Readonly<Record<string, ReadResolver>>>> {
  const types = typesWithHistory(policy)
  if (types.length === 0) return {}
  return {
    ...Object.fromEntries(types.map((type) => [type, { [HISTORY_FIELD]: history }])),
    [HISTORY_ENTRY]: { record: entryRecord },
  }
}
