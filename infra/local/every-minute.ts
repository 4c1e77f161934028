const MINUTE_MS = 60_000

/** Does the work now and each minute, as a schedule does. The returned function waits for the call that is under way. */
export function everyMinute(work: () => Promise<void>): () => Promise<void> {
  let last = work()
  const timer = setInterval(() => {
    last = last.then(work)
  }, MINUTE_MS)
  return async () => {
    clearInterval(timer)
    await last
  }
}
