import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until all of the work ended, with success or failure, but no longer than the time in milliseconds. */
export async function settledWithin(work: readonly Promise<unknown>[], milliseconds: number): Promise<void> {
  const waiting = new AbortController()
  const timer = sleep(milliseconds, undefined, { signal: waiting.signal }).catch(() => undefined)
  await Promise.race([Promise.allSettled(work), timer])
  waiting.abort()
}
