import { describe, expect, it } from 'vitest'
import type { TenantId } from '../../gateway/model/ids.ts'
import { deliveryPasses } from '../../gateway/open-delivery.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'

const TENANTS = ['large', 'river', 'small'] as TenantId[]

/** Deliveries of `sizes` steps each. A step takes ten seconds, and is noted. */
function bench(sizes: Readonly<Record<string, number>>, names = ['soc']) {
  const state = { time: 0, steps: [] as string[], events: [] as GatewayEvent[] }
  const left = new Map<string, number>()
  const receivers = names.map((name) => ({
    receiver: { name },
    deliveryOf: async (tenant: TenantId) => {
      const key = `${name} ${tenant}`
      if (!left.has(key)) left.set(key, sizes[tenant] ?? 0)
      return await Promise.resolve({
        step: async () => {
          state.time += 10_000
          state.steps.push(key)
          if (sizes[tenant] === undefined) throw new TypeError('broken')
          left.set(key, Math.max(0, (left.get(key) ?? 0) - 1))
          return await Promise.resolve({ step: left.get(key) === 0 ? ('DONE' as const) : ('MORE' as const), items: 1, batches: 1 })
        },
        status: async () => await Promise.resolve({ delivered: 0, sealed: left.get(key) ?? 0, lag: 5 }),
      })
    },
  }))
  const service = deliveryPasses(
    { receivers, tenants: async () => await Promise.resolve(TENANTS) },
    () => state.time,
    (event) => void state.events.push(event),
  )
  return { state, service }
}

describe('C08: a pass', () => {
  it('C08: gives each tenant a step in turn, so that a long log makes no other wait', async () => {
    const { state, service } = bench({ large: 100, river: 1, small: 2 })
    expect(await service.run()).toBe(false)
    // 45 s are over after five steps
    expect(state.steps).toEqual(['soc river', 'soc small', 'soc large', 'soc small', 'soc large'])
    expect(state.events).toContainEqual(
      expect.objectContaining({ event: 'DELIVERY_PASS', tenant: 'small', items: 2, behind: 0, lag: 0 }),
    )
    expect(state.events).toContainEqual(
      expect.objectContaining({ event: 'DELIVERY_PASS', tenant: 'large', items: 2, behind: 98, lag: 5 }),
    )
  })

  it('C08: begins with another tenant each time, and a tenant that fails takes one step', async () => {
    const { state, service } = bench({ large: 100, small: 100 })
    for (let pass = 0; pass < 3; pass++) await service.run()
    expect(state.steps.filter((_step, at) => at % 5 === 0)).toEqual(['soc river', 'soc small', 'soc large'])
    expect(state.steps.filter((step) => step === 'soc river').length).toBe(3)
    expect(state.events.filter(({ event }) => event === 'DELIVERY_FAILED').length).toBe(3)
    // the alarm of a delivery that is behind needs the lag of a tenant that failed
    expect(state.events.filter((event) => event.event === 'DELIVERY_PASS' && event.tenant === 'river').length).toBe(3)
  })

  it('C08: reports a tenant whose turn did not come', async () => {
    const { state, service } = bench({ large: 1, river: 1, small: 1 }, ['soc', 'second', 'third'])
    await service.run()
    expect(state.steps.length).toBeLessThan(9)
    expect(state.events.filter(({ event }) => event === 'DELIVERY_PASS').length).toBe(9)
  })

  it('C08: serves receivers side by side', async () => {
    const { state, service } = bench({ large: 100, river: 1, small: 1 }, ['soc', 'archive'])
    await service.run()
    expect(new Set(state.steps.slice(0, 4).map((step) => step.split(' ')[0]))).toEqual(new Set(['soc', 'archive']))
  })
})
