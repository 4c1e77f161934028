import { openTables } from '../gateway/open-tables.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'

// Created once when the function starts. It remembers the names of the tenants for some minutes, and nothing else.
const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const tables = openTables(process.env, { events })

/** The schedule calls it each minute. It never throws: Lambda would repeat the call, and the next minute does so anyway. */
export async function handler(): Promise<void> {
  await tables.run()
}
