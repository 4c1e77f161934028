import { openDelivery } from '../gateway/open-delivery.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import { clinicLock } from '../schema/clinic.ts'

// Created once when the function starts. It remembers the names of the tenants for some minutes, and the keys for digests.
const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const delivery = openDelivery(process.env, { lock: clinicLock(), events })

/** The schedule calls it each minute. It never throws: Lambda would repeat the call, and the next minute does so anyway. */
export async function handler(): Promise<void> {
  await delivery.run()
}
