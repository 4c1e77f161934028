import { beforeEach, describe, expect, it } from 'vitest'
import { BudgetLeases } from '../../../gateway/disclosure/budget-leases.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import { BudgetModel, BudgetProcess, HOUR_MS, hourOf, START, turn, userOf } from './budget-world.ts'

const LIMIT = 50_000
/** A hundredth of the limit. */
const LEASE = 500
const USER = userOf(LIMIT)
const HOUR = hourOf(START)

let table: BudgetModel
let one: BudgetProcess
beforeEach(() => {
  table = new BudgetModel()
  one = new BudgetProcess(table)
})

const amounts = () => table.calls.map(({ amount }) => amount)
const begin = (amount: number, of = one, user = USER) => of.leases.begin(user, amount, of.deadline())
const take = (amount: number, of = one, user = USER) => of.leases.take(user, amount, of.deadline())

/** Holds a lease of 500 values. */
async function held(of = one): Promise<void> {
  const end = begin(LEASE, of)
  table.end()
  await turn()
  end()
}

describe('a lease', () => {
  it('is claimed when a read begins, and gives values to later requests without a request to the table', async () => {
    const end = begin(40)
    expect(amounts()).toEqual([400])
    table.end()
    await turn()
    end()
    for (let request = 0; request < 10; request++) {
      begin(40)()
      expect(await take(40)).toBe(true)
    }
    expect(table.requests).toBe(1)
    begin(40)
    expect(table.requests).toBe(2)
  })

  it('is at most a hundredth of the limit, and of the values that are left', async () => {
    begin(LIMIT)
    expect(amounts()).toEqual([LEASE])
    table.used.set(HOUR, 30_000)
    table.end()
    await turn()
    await take(LEASE)
    // 30,500 values are used
    begin(LIMIT)
    expect(amounts()).toEqual([195])
  })

  it.each([
    [99, []],
    [100, [1]],
    [199, [1]],
    [200, [2]],
  ])('of a limit of %i values is %j', (limit, lease) => {
    begin(50, one, userOf(limit))
    expect(amounts()).toEqual(lease)
  })

  it('is filled up to its size, and claimed once for all requests that read at a time', async () => {
    await held()
    await take(470)
    begin(20)
    expect(amounts()).toEqual([])
    begin(20)
    begin(20)
    expect(amounts()).toEqual([370])
  })

  it('is not claimed again for values that a request reserved while it waits for the rest', async () => {
    await held()
    const large = take(800)
    expect(amounts()).toEqual([300])
    begin(40)
    expect(amounts()).toEqual([300])
    table.end()
    expect(await large).toBe(true)
    begin(40)
    expect(amounts()).toEqual([492])
  })

  it('is claimed smaller after a refusal', async () => {
    table.used.set(HOUR, LIMIT - 450)
    const end = begin(LEASE)
    table.end()
    await turn()
    end()
    begin(LEASE)
    expect(amounts()).toEqual([4])
  })

  it('gives nothing to another user, another tenant, or the same user under a lower limit', async () => {
    await held()
    const others = [userOf(LIMIT, 'bea'), { ...USER, tenant: 'lakeside' as typeof USER.tenant }, userOf(20_000)]
    for (const user of others) {
      const taken = take(10, one, user)
      expect(amounts()).toEqual([10])
      table.end()
      expect(await taken).toBe(true)
    }
  })
})

describe('a request', () => {
  it('waits for a claim in flight only if it needs its values', async () => {
    await held()
    await take(470)
    begin(40)
    expect(await take(30)).toBe(true)
    const taken = take(40)
    await turn()
    expect(amounts()).toEqual([370])
    table.end()
    expect([await taken, table.requests]).toEqual([true, 2])
  })

  it('asks for exactly the missing values of a need above its lease', async () => {
    begin(800)
    table.end()
    await turn()
    const taken = take(800)
    expect(amounts()).toEqual([300])
    table.end()
    expect(await taken).toBe(true)
    expect(table.used.get(HOUR)).toBe(800)
  })

  it('tries its exact amount if no lease is available', async () => {
    table.used.set(HOUR, LIMIT - 7)
    begin(40)
    const taken = take(7)
    table.end()
    await turn()
    expect(amounts()).toEqual([7])
    table.end()
    expect(await taken).toBe(true)
    expect(table.used.get(HOUR)).toBe(LIMIT)
  })

  it('tries its exact amount if the answer to the claim is lost, and never uses the lost values', async () => {
    begin(40)
    const taken = take(40)
    table.end({ isAnswered: false })
    await turn()
    table.end()
    expect(await taken).toBe(true)
    expect(table.used.get(HOUR)).toBe(440)
  })

  it('beyond the limit leaves the lease to a smaller one', async () => {
    await held()
    table.used.set(HOUR, LIMIT)
    const large = take(LEASE + 1)
    table.end()
    expect(await large).toBe(false)
    expect(await take(LEASE)).toBe(true)
    expect(await take(LIMIT + 1)).toBe(false)
    expect(table.requests).toBe(2)
  })

  it('fails if the table does not answer, and leaves the lease to a smaller one', async () => {
    await held()
    const large = take(LEASE + 1)
    table.end({ isAnswered: false, isApplied: false })
    await expect(large).rejects.toThrow(StoreUnavailable)
    expect(await take(LEASE)).toBe(true)
  })

  it('gives no value of a lease twice, however many requests take at once', async () => {
    await held()
    const taken = Array.from({ length: 20 }, () => take(30))
    await turn()
    while (table.calls.length > 0) table.end({ isApplied: false })
    const given = (await Promise.all(taken)).filter((is) => is).length
    expect(given * 30).toBe(480)
  })
})

describe('the end of the hour', () => {
  it.each([
    ['on both clocks', {}],
    ['on the wall clock, while the monotonic clock was frozen', { monotonic: false }],
    ['on the monotonic clock, while the wall clock was frozen', { wall: false }],
  ])('ends a lease: %s', async (_title, clocks) => {
    await held()
    one.pass(HOUR_MS, clocks)
    const taken = take(10)
    expect(amounts()).toEqual([10])
    table.end()
    expect(await taken).toBe(true)
  })

  it('counts a request in the hour in which it takes its values', async () => {
    one.pass(HOUR_MS - 2_000)
    await held()
    begin(40)
    one.pass(6_000)
    const taken = take(40)
    expect(table.calls.map(({ account, amount }) => [account.hour - HOUR, amount])).toEqual([[1, 40]])
    table.end()
    expect(await taken).toBe(true)
  })

  it('drops a claim that is answered in the next hour', async () => {
    one.pass(HOUR_MS - 2_000)
    begin(40)
    const taken = take(40)
    one.pass(3_000)
    table.end()
    await turn()
    expect(table.calls.map(({ account, amount }) => [account.hour - HOUR, amount])).toEqual([[1, 40]])
    table.end()
    expect(await taken).toBe(true)
  })

  it('removes ended leases; if more users than places exist, the others get exact amounts', async () => {
    table.isPrompt = true
    const leases = new BudgetLeases(table, one.clocks, 3)
    for (const user of ['bea', 'cai', 'dan']) leases.begin(userOf(LIMIT, user), 1, one.deadline())
    leases.begin(USER, 40, one.deadline())
    expect(table.requests).toBe(3)
    expect(await leases.take(USER, 40, one.deadline())).toBe(true)
    expect(table.requests).toBe(4)
    one.pass(HOUR_MS)
    leases.begin(USER, 40, one.deadline())
    expect(table.requests).toBe(5)
  })
})
