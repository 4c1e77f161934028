import { type Env, openServices } from '../compose.ts'
import { scrubOf } from '../scrub-charts.ts'
import type { ChartScrub } from '../store/chart-scrub.ts'

export interface RecordScrub {
  /** Compares the charts of a tenant, as `ChartScrub.run`. Each finding is an event for operators, too. */
  readonly run: ChartScrub['run']
  close(): void
}

/**
 * Opens a deployment for a scrub.
 *
 * @throws ZodError for a missing variable
 */
export function recordScrub(env: Env): RecordScrub {
  const services = openServices(env)
  return { run: scrubOf(services), close: () => services.close() }
}
