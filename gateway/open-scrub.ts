import { scrubOf } from './scrub-charts.ts'
import { type Env, openServices } from './compose.ts'
import { rotationDays } from './crypto/key-schedule.ts'
import { reportDueRotations } from './report-due-rotations.ts'
import { reportUnfinishedErasures } from './report-unfinished-erasures.ts'
import { tenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import { type EventSink, originName } from './telemetry/events.ts'

/** Each hour has a part of the patients, so that each patient is compared once a day. */
const PARTS = 24
const HOUR_MS = 3_600_000

/** The scrub of a deployment: one call an hour compares a part of the patients of all tenants. */
export interface ScrubService {
  /** Never throws: a failure is an event. @param until no patient is begun after this time, in milliseconds since the epoch */
  run(until: number): Promise<void>
}

/** @throws ZodError naming the variable that is missing or malformed */
export function openScrub(env: Env, { now = Date.now, events }: { now?: Clock; events?: EventSink } = {}): ScrubService {
  const services = openServices(env, { now, ...(events && { events }) })
  const { keys, events: sink } = services
  const scrub = scrubOf(services)
  const days = rotationDays(env)
  const nothing = (): void => undefined
  return {
    run: async (until) => {
      const part = { number: Math.floor(now() / HOUR_MS) % PARTS, of: PARTS }
      try {
        for (const tenant of (await keys.tenants()).flatMap((name) => tenantId(name) ?? [])) {
          const began = now()
          try {
            if (part.number === 0) await reportDueRotations(services, tenant, days)
            await reportUnfinishedErasures(services, tenant)
            const counts = await scrub(tenant, nothing, nothing, { part, until })
            const { records, sound, faulty, busy, left } = counts
            const milliseconds = now() - began
            sink({ event: 'SCRUB_PASS', tenant, records, patients: sound + faulty, faulty, busy, left, milliseconds })
          } catch (error) {
            sink({ event: 'SCRUB_FAILED', tenant, cause: originName(error) })
          }
        }
      } catch (error) {
        sink({ event: 'SCRUB_FAILED', cause: originName(error) })
      }
    },
  }
}
