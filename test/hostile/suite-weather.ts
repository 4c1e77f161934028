import { kmsWeather, type KmsFaultName } from './kms-weather.ts'
import { startProxy } from './proxy.ts'
import type { StoreFault } from './store-weather.ts'
import type { Rates } from './weather.ts'

// The faults of the whole integration suite under `npm run test:hostile`. Correct code survives them without a visible effect. A
// retry of a failed call succeeds, so that three attempts of the SDK are always enough.
//
// Some faults are left out, because they would change the expectations of tests:
// - UNPROCESSED_KEYS: tests count the requests of an operation, and a split batch is two requests;
// - INDEX_LAG: tests read an index directly after a write;
// - refusals of KMS, which the caller sees, and dropped answers of KMS, because tests count KMS calls.
//
// The campaign (test/hostile/campaign/) plays all of them.

export const SUITE_STORE: Partial<Rates<StoreFault>> = {
  LATENCY: 0.1,
  TRANSACTION_CONFLICT: 0.05,
  TRANSACTION_IN_PROGRESS: 0.03,
  THROUGHPUT_EXCEEDED: 0.02,
  THROTTLED: 0.02,
  SERVER_ERROR: 0.02,
  ANSWER_DROPPED: 0.03,
  WRITE_UNITS: 1,
}
const SUITE_KMS: Partial<Rates<KmsFaultName>> = { SLOW: 0.3, THROTTLED: 0.3 }

/** The environment variable with the seed of the suite. */
export const SEED_VARIABLE = 'PHI_HOSTILE_SEED'

/** Routes KMS calls of new clients through the faults of the suite. Without a seed in the environment, it does nothing. */
export async function kmsInWeather(endpoint: string): Promise<{ stop(): Promise<void> }> {
  const seed = process.env[SEED_VARIABLE]
  if (seed === undefined || seed === '') return { stop: () => Promise.resolve() }
  const proxy = await startProxy(endpoint, { remember: false })
  const weather = kmsWeather({ seed: Number(seed), longestDelay: 50, mercy: true })
  weather.blow(SUITE_KMS)
  proxy.play(weather.script)
  // the stack restores the former value when it stops
  process.env['AWS_ENDPOINT_URL_KMS'] = proxy.endpoint
  return { stop: () => proxy.stop() }
}
