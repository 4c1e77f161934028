import { openScrub } from '../gateway/open-scrub.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'

// Created once when the function starts.
const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const scrub = openScrub(process.env, { events })

/** What remains for the patients that were begun, and for the last event. */
const MARGIN_MS = 90_000

/** The schedule calls it each hour. It never throws: Lambda would repeat the call, and the next day does so anyway. */
export async function handler(_: unknown, context: { readonly getRemainingTimeInMillis: () => number }): Promise<void> {
  await scrub.run(Date.now() + Math.max(0, context.getRemainingTimeInMillis() - MARGIN_MS))
}
