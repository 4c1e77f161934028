import { kmsWeather, type KmsFaultName } from './kms-weather.ts'
import { startProxy } from './proxy.ts'
import type { StoreFault } from './store-weather.ts'
import type { Rates } from './weather.ts'

// What the whole integration suite meets under `npm run test:hostile`: faults that correct code gets through unseen. A call
// that chance struck comes through when it is sent again, so that three attempts of the SDK are always enough.
//
// Left out, each because tests state what it would change:
// - UNPROCESSED_KEYS: tests count the requests that an operation makes, and a batch in two parts is two;
// - INDEX_LAG: tests read an index at once after they wrote, to see that what they wrote is in it;
// - of KMS, refusals (they are answers, and told to the caller) and dropped answers (tests count what KMS was asked).
// The campaign (test/hostile/campaign/) meets all of them.

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

/** The seed that the suite runs under, in the environment of its processes. */
export const SEED_VARIABLE = 'PHI_HOSTILE_SEED'

/**
 * Puts KMS of a stack behind the suite's weather, for clients that ask for the first time from now on. Without a seed in the
 * environment there is none, and nothing happens.
 */
export async function kmsInWeather(endpoint: string): Promise<{ stop(): Promise<void> }> {
  const seed = process.env[SEED_VARIABLE]
  if (seed === undefined || seed === '') return { stop: () => Promise.resolve() }
  const proxy = await startProxy(endpoint, { remember: false })
  const weather = kmsWeather({ seed: Number(seed), longestDelay: 50, mercy: true })
  weather.blow(SUITE_KMS)
  proxy.play(weather.script)
  // the stack puts the former value back when it stops
  process.env['AWS_ENDPOINT_URL_KMS'] = proxy.endpoint
  return { stop: () => proxy.stop() }
}
