import { afterAll, beforeAll, expect, it } from 'vitest'
import { openScrub } from '../../gateway/open-scrub.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

const PATIENTS = 30
/** The patients of the other tenants: one of lakeside, and that of the canary. */
const OTHERS = 2
const HOUR_MS = 3_600_000

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: PATIENTS, lakeside: 1 })
})
afterAll(() => clinic.stop())

/** The events of the hourly calls of one day. */
async function day(env: Record<string, string | undefined>, until = Number.POSITIVE_INFINITY): Promise<GatewayEvent[]> {
  const events: GatewayEvent[] = []
  let at = Date.now()
  const scrub = openScrub(env, { now: () => at, events: (event) => events.push(event) })
  for (let hour = 0; hour < 24; hour++, at += HOUR_MS) await scrub.run(until)
  return events
}

it('P6: compares each patient of each tenant once within 24 hourly calls', async () => {
  const events = await day(clinic.stack.env)
  const passes = events.flatMap((event) => (event.event === 'SCRUB_PASS' ? [event] : []))
  expect(events).toHaveLength(passes.length)
  const riverside = passes.filter(({ tenant }) => tenant === 'riverside').map(({ patients }) => patients)
  expect(riverside.reduce((sum, patients) => sum + patients, 0)).toBe(PATIENTS)
  expect(Math.max(...riverside)).toBeLessThan(PATIENTS / 2)
  expect(passes.every(({ faulty, busy, left }) => faulty + busy + left === 0)).toBe(true)
})

it('reports the patients that it did not reach in time', async () => {
  const passes = (await day(clinic.stack.env, 0)).flatMap((event) => (event.event === 'SCRUB_PASS' ? [event] : []))
  expect(passes.reduce((sum, { left }) => sum + left, 0)).toBe(PATIENTS + OTHERS)
  expect(passes.every(({ patients }) => patients === 0)).toBe(true)
})

it('P6: reports a failure for each tenant, and never throws', async () => {
  const events = await day({ ...clinic.stack.env, PHI_TABLE_RECORDS: 'no-such-table' })
  expect(new Set(events.map((event) => event.event))).toEqual(new Set(['SCRUB_FAILED']))
  expect(events).toContainEqual({ event: 'SCRUB_FAILED', tenant: 'riverside', cause: 'ResourceNotFoundException' })
})

it('C14: reports keys that are due for rotation once a day', async () => {
  const due = (events: readonly GatewayEvent[]) => events.filter(({ event }) => event === 'KEY_ROTATION_DUE')
  expect(due(await day(clinic.stack.env, 0))).toEqual([])
  const after: GatewayEvent[] = []
  let at = Date.now() + 2 * 86_400_000
  const scrub = openScrub(
    { ...clinic.stack.env, PHI_KEY_ROTATION_DAYS: '1' },
    { now: () => at, events: (event) => after.push(event) },
  )
  for (let hour = 0; hour < 24; hour++, at += HOUR_MS) await scrub.run(0)
  // the tenant key, and the keys for access, cursors and search
  const tenants = new Set(after.flatMap((event) => (event.event === 'SCRUB_PASS' ? [event.tenant] : [])))
  expect(tenants.size).toBe(3)
  expect(due(after)).toEqual(
    expect.arrayContaining([...tenants].map((tenant) => ({ event: 'KEY_ROTATION_DUE', tenant, count: 4 }))),
  )
  expect(due(after)).toHaveLength(tenants.size)
})
