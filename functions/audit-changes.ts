import type { DynamoDBStreamEvent } from 'aws-lambda'
import { openChangeWatch } from '../gateway/open-change-watch.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'

const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const watch = openChangeWatch(process.env, { events })

/** The stream of the audit table. It throws if a tenant cannot be added, so that Lambda sends the records again. */
export async function handler({ Records }: DynamoDBStreamEvent): Promise<void> {
  await watch(Records)
}
