import type { ObjectStore } from '../../model/object-store.ts'
import type { Clock } from '../../model/record.ts'
import type { TenantId } from '../../model/ids.ts'
import { causeName, type EventSink } from '../../telemetry/events.ts'
import type { Hour } from '../hour.ts'
import type { CheckpointTable } from './checkpoint-table.ts'
import { cursorsBefore, hoursAt } from './hours.ts'
import { hourName, inStore } from '../verify/layout.ts'
import { AnotherLog, type Publisher } from './publisher.ts'
import { SealedItemsAltered } from './round-items.ts'
import type { LaneState, Sealer } from './sealer.ts'

export interface NotaryParts {
  readonly table: CheckpointTable
  readonly sealer: Sealer
  readonly publisher: Publisher
  readonly objects: ObjectStore
  readonly now: Clock
  readonly events: EventSink
}

/** After this time, a pass leaves the rest to the next one. */
const PASS_MS = 45_000
/** How often a pass begins again after another notary sealed. */
const RACES = 3

/**
 * Seals and publishes the log of a tenant. A pass needs no memory of the passes before: it finds all of its work in the tables, so that
 * the next pass completes what a killed one began. Several notaries can run at once.
 */
export class Notary {
  readonly #parts: NotaryParts

  constructor(parts: NotaryParts) {
    this.#parts = parts
  }

  /**
   * One pass. Never throws: a failure is an event, and the lag of the next pass includes the time of this one.
   *
   * @param since the first hour of a tenant that was never read
   * @returns whether everything that was stored before the pass is sealed and published
   */
  async pass(tenant: TenantId, since: Hour): Promise<boolean> {
    const { now, events } = this.#parts
    const begun = now()
    try {
      return await this.#pass(tenant, since, begun)
    } catch (error) {
      if (error instanceof SealedItemsAltered) events({ event: 'NOTARY_STOPPED', tenant, what: 'ITEMS' })
      if (error instanceof AnotherLog) events({ event: 'NOTARY_STOPPED', tenant, what: 'CHECKPOINT' })
      events({ event: 'NOTARY_FAILED', tenant, cause: causeName(error) })
      return false
    }
  }

  async #pass(tenant: TenantId, since: Hour, begun: number): Promise<boolean> {
    const { table, sealer, publisher, now, events } = this.#parts
    const cursors = (await table.cursors(tenant)) ?? cursorsBefore(since)
    const plan = hoursAt(begun, cursors)
    let [sealed, rounds, races, late] = [0, 0, 0, 0]
    for (;;) {
      const { outcome, lanes, items, round } = await sealer.seal(tenant, plan.hours)
      rounds += await publisher.publish(tenant, round === undefined ? new Map() : new Map([[round, items]]))
      sealed += items.length
      if (outcome === 'LOST') {
        if (++races === RACES) return false
        continue
      }
      late += await this.#report(tenant, lanes, items, cursors.closed)
      if (outcome === 'COMPLETE') {
        await this.#close(tenant, plan.closing, lanes)
        break
      }
      if (now() - begun > PASS_MS) return false
    }
    await table.setCursors(tenant, plan.cursors)
    const last = await table.lastPass(tenant)
    await table.setLastPass(tenant, begun)
    // an item was stored after the last pass had read its lane, or that pass sealed it
    const lag = last === undefined ? 0 : Math.max(0, Math.ceil((now() - last) / 1_000))
    events({ event: 'NOTARY_PASS', tenant, sealed, rounds, late, lag, milliseconds: now() - begun })
    return true
  }

  /**
   * Reports and notes faults: before an hour is closed, its faulty lanes are noted, so that readers know of items that are never sealed.
   *
   * @returns the number of items in lanes of hours that were closed before
   */
  async #report(
    tenant: TenantId,
    lanes: readonly LaneState[],
    items: readonly { readonly lane: string }[],
    closed: Hour,
  ): Promise<number> {
    for (const { hour, lane, end, fault } of lanes) {
      if (fault === undefined) continue
      this.#parts.events({ event: 'AUDIT_LANE_FAULT', tenant, lane, sequence: end.sequence + 1, what: fault })
      await this.#parts.table.addFault(tenant, hour, lane)
    }
    const ended = new Set(lanes.filter(({ hour }) => hour <= closed).map(({ lane }) => lane))
    return items.filter(({ lane }) => ended.has(lane)).length
  }

  /** Writes the registry of each hour that is over, with the ends of its lanes. An hour without a lane has no object. */
  async #close(tenant: TenantId, hours: readonly Hour[], lanes: readonly LaneState[]): Promise<void> {
    for (const hour of hours) {
      const own = lanes.filter((lane) => lane.hour === hour)
      if (own.length === 0) continue
      const content = {
        hour,
        lanes: own.map(({ lane, registered, end }) => ({
          lane,
          registered: new Date(registered).toISOString(),
          last: end.sequence,
        })),
      }
      await this.#parts.objects.put(inStore(tenant, hourName(hour)), Buffer.from(`${JSON.stringify(content)}\n`), {
        onlyIf: 'ABSENT',
      })
    }
  }
}
