import { beforeEach, describe, expect, it } from 'vitest'
import type { BudgetSource } from '../../../gateway/disclosure/budget-source.ts'
import type { BudgetAccount, Refusals } from '../../../gateway/model/budget.ts'
import { RefusalCounts } from '../../../gateway/disclosure/refusal-counts.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId, UserId } from '../../../gateway/model/ids.ts'
import { HOUR_MS, START } from './budget-world.ts'

const MINUTE_MS = 60_000
const userOf = (name: string) => ({
  tenant: 'riverside' as TenantId,
  user: name as UserId,
  most: { values: 1_000, ids: 100 },
})
const ADA = userOf('ada')
const TEN: Refusals = { values: 10, ids: 0 }

/** The sums of one hour in memory. */
class Table implements BudgetSource {
  readonly added: (Refusals & { hour: number })[] = []
  isDown = false

  reserve(): never {
    throw new TypeError('no values')
  }

  addRefusals({ hour }: BudgetAccount, refusals: Refusals): Promise<Refusals> {
    if (this.isDown) return Promise.reject(new StoreUnavailable())
    this.added.push({ ...refusals, hour })
    const sum = (of: 'values' | 'ids') => this.added.filter((one) => one.hour === hour).reduce((all, one) => all + one[of], 0)
    return Promise.resolve({ values: sum('values'), ids: sum('ids') })
  }
}

let table: Table
let now: number
let one: RefusalCounts
const clocks = { now: () => now, monotonic: () => now }
beforeEach(() => {
  table = new Table()
  now = START
  one = new RefusalCounts(table, clocks)
})
const add = (refusals: Refusals, to = one, user = ADA) => to.add(user, refusals, new Deadline(now + 1_000, clocks))

describe('the refusals of an hour', () => {
  it('reach the table in parts of a hundredth of the limit', async () => {
    for (let request = 0; request < 25; request++) await add({ values: 1, ids: 0 })
    expect(table.added.map(({ values }) => values)).toEqual([10, 10])
    await add({ values: 0, ids: 1 })
    expect(table.added.at(-1)).toMatchObject({ values: 5, ids: 1 })
    await add({ values: 0, ids: 0 })
    expect(table.added).toHaveLength(3)
  })

  it('stop a user at the limit of values, or of ids, and no other user', async () => {
    await add({ values: 999, ids: 99 })
    expect(one.isSpent(ADA)).toBe(false)
    await add({ values: 1, ids: 0 })
    expect(one.isSpent(ADA)).toBe(true)
    await add({ values: 0, ids: 100 }, one, userOf('bo'))
    expect([one.isSpent(userOf('bo')), one.isSpent(userOf('cy'))]).toEqual([true, false])
  })

  it('of several processes are learned with the next update: a user exceeds the limit by at most an update of each process', async () => {
    const processes = Array.from({ length: 20 }, () => new RefusalCounts(table, clocks))
    let shown = 0
    for (let round = 0; processes.some((process) => !process.isSpent(ADA)); round++) {
      const process = processes[round % processes.length]
      if (process === undefined || process.isSpent(ADA)) continue
      await add({ values: 5, ids: 0 }, process)
      shown += 5
    }
    expect(shown).toBeGreaterThanOrEqual(1_000)
    expect(shown).toBeLessThanOrEqual(1_000 + 20 * 10)
  })

  it('end with their hour', async () => {
    await add({ values: 1_000, ids: 0 })
    now += HOUR_MS
    expect(one.isSpent(ADA)).toBe(false)
  })

  it('without the table, are counted in the process, and the failure is reported', async () => {
    table.isDown = true
    for (let request = 0; request < 100; request++) await expect(add(TEN)).rejects.toThrow(StoreUnavailable)
    expect(one.isSpent(ADA)).toBe(true)
  })

  it('one stopped request a minute is recorded, with the number of all since the last', async () => {
    await add({ values: 1_000, ids: 0 })
    expect([one.stopped(ADA), one.stopped(ADA), one.stopped(ADA)]).toEqual([1, undefined, undefined])
    now += MINUTE_MS
    expect([one.stopped(ADA), one.stopped(ADA)]).toEqual([3, undefined])
  })

  it('of the latest users are kept', async () => {
    const few = new RefusalCounts(table, clocks, 2)
    for (const name of ['a', 'b', 'c']) await add({ values: 1_000, ids: 0 }, few, userOf(name))
    expect(['a', 'b', 'c'].map((name) => few.isSpent(userOf(name)))).toEqual([false, true, true])
  })
})
