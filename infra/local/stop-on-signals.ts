/** Work that ends a part of the process. Parts that come first end first. */
export type Stops = readonly (() => Promise<void>)[]

/**
 * npm forwards Ctrl-C to its child, which the terminal has already sent to both. Signals that come together therefore count as one.
 */
const SAME_SIGNAL_MS = 300
const PARENT_CHECK_MS = 500

/**
 * Ends the process with all its parts on Ctrl-C, on SIGTERM, if the terminal or the reader of the output has gone, and if npm has ended. The
 * first signal waits for the parts. A second signal exits at once.
 */
export function stopOnSignals(stops: Stops): void {
  let since: number | undefined
  const stop = (): void => {
    if (since !== undefined) {
      if (performance.now() - since > SAME_SIGNAL_MS) process.exit(1)
      return
    }
    since = performance.now()
    const all = async (): Promise<void> => {
      for (const stop of stops) await stop()
    }
    all().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  // SIGHUP: the terminal was closed. Windows sends it too, and has about ten seconds of patience. SIGBREAK exists only there.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : [])] as const)
    process.on(signal, stop)
  // after the terminal has gone, each write fails. Without a listener, the first one would end the process before its parts
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => (since === undefined ? stop() : undefined))
  if (process.env['npm_lifecycle_event'] !== undefined) stopWithParent(stop)
}

/** A killed npm cannot forward its signal. The operating system then gives this process another parent, except on Windows. */
function stopWithParent(stop: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, PARENT_CHECK_MS)
  timer.unref()
}
