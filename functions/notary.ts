import { openNotary } from '../gateway/open-notary.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { clinicLock } from '../schema/clinic.ts'

// Created once when the function starts. A pass keeps nothing: the next one finds all of its work in the tables.
const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const notary = openNotary(process.env, { lock: clinicLock(), events })

/** The schedule calls it each minute. It never throws: Lambda would repeat the call, and the next minute does so anyway. */
export async function handler(): Promise<void> {
  await notary.run()
}
