import * as z from 'zod'
import { type Deliveries, openDeliveries } from './deliveries.ts'
import { KeyUnavailable, StoreUnavailable } from './model/failures.ts'
import type { TenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import type { Delivery } from './oversight/delivery/delivery.ts'
import { SinkUnavailable } from './oversight/delivery/delivery-faults.ts'
import { causeName, type EventSink, originName } from './telemetry/events.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

const Environment = z.object({ PHI_STAGE: z.string().min(1) })

/** No step of a pass begins later than this after its begin. */
const PASS_MS = 45_000
/** The calls of a step to its sink begin within this time, so that a tenant that fails leaves time for the others. */
const STEP_MS = 8_000
/** New tenants are looked for this often: to list them takes a request for each tenant. */
const TENANTS_MS = 600_000

/** The delivery of a deployment: one call a minute brings all receivers up to date. */
export interface DeliveryService {
  /** Never throws: a failure is an event. @returns whether each receiver has all sealed items of each tenant */
  run(): Promise<boolean>
}

/** A receiver, as far as passes use it. */
interface SteppedReceiver {
  readonly receiver: { readonly name: string }
  readonly deliveryOf: (tenant: TenantId) => Promise<Pick<Delivery, 'status' | 'step'>>
}

/** The receivers and tenants of a deployment, as far as passes use them. */
interface Steps {
  readonly receivers: readonly SteppedReceiver[]
  tenants(): Promise<readonly TenantId[]>
}

/** The delivery of one tenant within a pass. */
interface Turn {
  readonly tenant: TenantId
  readonly began: number
  items: number
  batches: number
  delivery?: Pick<Delivery, 'status' | 'step'>
  /** Whether the last step sent everything that is left, or ended early. */
  last?: 'COMPLETE' | 'INCOMPLETE' | 'FAILED'
}

const UP_TO_DATE = { behind: 0, lag: 0 } as const

/**
 * @param lock the text of the policy lock in force
 * @throws ZodError naming the variable that is missing or malformed, after an event: nothing is delivered
 */
export function openDelivery(
  env: Readonly<Record<string, string | undefined>>,
  { lock, now = Date.now, events }: { readonly lock: string; readonly now?: Clock; readonly events?: EventSink },
): DeliveryService {
  const { PHI_STAGE: stage } = Environment.parse(env)
  const sink = events ?? operatorEvents({ stage, now })
  return deliveryPasses(
    openedOrReported(() => openDeliveries(env, lock, { now }), sink),
    now,
    sink,
  )
}

/** The passes over all receivers and tenants. */
export function deliveryPasses(deliveries: Steps, now: Clock, sink: EventSink): DeliveryService {
  let known: { readonly tenants: readonly TenantId[]; readonly at: number } | undefined
  let passes = 0

  /** A step of one tenant. @returns whether the tenant needs another one in this pass */
  const step = async ({ receiver, deliveryOf }: SteppedReceiver, turn: Turn): Promise<boolean> => {
    const { tenant } = turn
    try {
      turn.delivery ??= await deliveryOf(tenant)
      const { step: state, items, batches } = await turn.delivery.step(now() + STEP_MS)
      turn.items += items
      turn.batches += batches
      turn.last = state === 'DONE' ? 'COMPLETE' : 'INCOMPLETE'
      return state === 'MORE'
    } catch (error) {
      turn.last = 'FAILED'
      sink({ event: 'DELIVERY_FAILED', receiver: receiver.name, tenant, cause: reportedCause(error) })
      return false
    }
  }

  /** How far a tenant is behind after its steps, also after a failure or without a step: the alarm of a receiver that is behind needs it. */
  const report = async ({ receiver, deliveryOf }: SteppedReceiver, turn: Turn): Promise<boolean> => {
    const { tenant, items, batches, began, last } = turn
    // its key is unavailable, which is reported
    if (turn.delivery === undefined && last === 'FAILED') return false
    try {
      turn.delivery ??= await deliveryOf(tenant)
      const { behind, lag } = last === 'COMPLETE' ? UP_TO_DATE : await behindOf(turn.delivery)
      const milliseconds = now() - began
      sink({ event: 'DELIVERY_PASS', receiver: receiver.name, tenant, items, batches, behind, lag, milliseconds })
      return behind === 0
    } catch (error) {
      sink({ event: 'DELIVERY_FAILED', receiver: receiver.name, tenant, cause: reportedCause(error) })
      return false
    }
  }

  /** One step of each tenant in turn, so that no tenant with a long log makes the others wait. */
  const passOf = async (receiver: SteppedReceiver, tenants: readonly TenantId[], until: number): Promise<boolean> => {
    const turns = rotated(tenants, passes).map((tenant): Turn => ({ tenant, began: now(), items: 0, batches: 0 }))
    for (let queue = turns; queue.length > 0 && now() < until; ) {
      const left: Turn[] = []
      for (const turn of queue) if (now() < until && (await step(receiver, turn))) left.push(turn)
      queue = left
    }
    let complete = true
    for (const turn of turns) if (!(await report(receiver, turn))) complete = false
    return complete
  }

  return {
    run: async () => {
      const until = now() + PASS_MS
      passes++
      try {
        if (known === undefined || known.tenants.length === 0 || known.at + TENANTS_MS <= now())
          known = { tenants: await deliveries.tenants(), at: now() }
      } catch (error) {
        sink({ event: 'DELIVERY_FAILED', cause: reportedCause(error) })
        return false
      }
      const { tenants } = known
      const complete = await Promise.all(deliveries.receivers.map((receiver) => passOf(receiver, tenants, until)))
      return complete.every(Boolean)
    },
  }
}

async function behindOf(delivery: Pick<Delivery, 'status'>): Promise<{ readonly behind: number; readonly lag: number }> {
  const { delivered, sealed, lag } = await delivery.status()
  return { behind: sealed - delivered, lag }
}

/** A deployment whose receivers are not stated completely delivers nothing, and its operators learn of it. */
function openedOrReported(open: () => Deliveries, sink: EventSink): Deliveries {
  try {
    return open()
  } catch (error) {
    sink({ event: 'DELIVERY_FAILED', cause: causeName(error) })
    throw error
  }
}

/** For a service that failed, the name of its own error; else that of the fault. */
const reportedCause = (error: unknown): string =>
  [SinkUnavailable, StoreUnavailable, KeyUnavailable].some((fault) => error instanceof fault) ? originName(error) : causeName(error)

/** The members, beginning with another one in each pass. */
const rotated = <T>(all: readonly T[], turn: number): readonly T[] =>
  all.length === 0 ? all : [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)]
