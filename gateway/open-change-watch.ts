import * as z from 'zod'
import { type StreamRecord, watchChanges } from './audit/notary/change-watch.ts'
import { CHECKPOINTS_VARIABLE, CheckpointTable } from './audit/notary/checkpoint-table.ts'
import { LeanDynamoDBClient } from './store/lean-client.ts'
import type { EventSink } from './telemetry/events.ts'

const Environment = z.object({ [CHECKPOINTS_VARIABLE]: z.string().min(1) })
const CONNECT_MS = 1_000
const REQUEST_MS = 5_000
const ATTEMPTS = 3

/** @throws ZodError naming the variable that is missing */
export function openChangeWatch(
  env: Readonly<Record<string, string | undefined>>,
  { events }: { readonly events: EventSink },
): (records: readonly StreamRecord[]) => Promise<void> {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new LeanDynamoDBClient({ maxAttempts: ATTEMPTS, requestHandler })
  client.middlewareStack.remove('loggerMiddleware')
  const table = new CheckpointTable(client, Environment.parse(env)[CHECKPOINTS_VARIABLE])
  return async (records) => await watchChanges(records, { table, events })
}
