import { openNotary } from '../gateway/open-notary.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'

/**
 * Creates the function that seals the audit log. A schedule calls it each minute. The function never throws: Lambda would repeat the
 * call, and the next minute does so anyway. A pass keeps nothing: the next one finds all of its work in the tables.
 *
 * @param lock the text of the policy lock, which the log keeps for its verifier
 * @throws ZodError for a missing variable
 */
export function lambdaNotary({ lock }: { readonly lock: string }): () => Promise<void> {
  const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
  reportProcessFaults(process, events)
  const notary = openNotary(process.env, { lock, events })
  return async () => {
    await notary.run()
  }
}
