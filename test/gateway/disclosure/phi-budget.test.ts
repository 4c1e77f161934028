import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PurposeOfUse } from '../../../directives/policy.ts'
import { type BudgetHolder, BudgetLeases } from '../../../gateway/disclosure/budget-leases.ts'
import { PhiBudget } from '../../../gateway/disclosure/phi-budget.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import { contractWith } from '../decide/contracts.ts'
import { BudgetModel, BudgetProcess, turn, userOf } from './budget-world.ts'

const LIMIT = 1_000
const { tenant, user } = userOf(LIMIT)

let table: BudgetModel
let on: BudgetProcess
let reported: unknown[]
beforeEach(() => {
  table = new BudgetModel()
  on = new BudgetProcess(table)
  reported = []
})
afterEach(() => {
  vi.useRealTimers()
})

function budgetFor(purpose: PurposeOfUse = 'HPAYMT', most = LIMIT, valuesPerDay?: number): PhiBudget {
  const reasonOf = (failure: unknown) => {
    reported.push(failure)
    return 'STORE' as const
  }
  const contract = valuesPerDay === undefined ? {} : { contract: contractWith({ valuesPerDay }) }
  return new PhiBudget({
    caller: { tenant, user, purpose, ...contract },
    deadline: on.deadline(),
    leases: on.leases,
    most,
    reasonOf,
  })
}

describe('the budget of a request', () => {
  it('asks the table while records are read, and gives the values without a second request', async () => {
    const reservation = budgetFor().begin(10)
    expect(table.requests).toBe(1)
    table.end()
    await turn()
    expect(await reservation.settle(8)).toBe('RESERVED')
    expect(table.requests).toBe(1)
  })

  it('asks nothing if no decision can be a grant, or if none is', async () => {
    expect(await budgetFor().begin(0).settle(0)).toBe('RESERVED')
    expect(table.requests).toBe(0)
    expect(await budgetFor().begin(10).settle(0)).toBe('RESERVED')
    expect(table.requests).toBe(1)
  })

  it('expects nothing of a request that a fault ended before its decisions', async () => {
    for (let request = 0; request < 11; request++) {
      const reservation = budgetFor('HPAYMT', 50_000).begin(20)
      if (request === 0) table.end()
      await turn()
      reservation.end()
    }
    // ten requests fit in the first lease; an eleventh concurrent request would claim another lease
    expect(table.requests).toBe(1)
  })

  it('stays spent after a refusal, also if a smaller part of the request fits', async () => {
    const budget = budgetFor()
    const refused = budget.reserve(800)
    const fits = budget.reserve(300)
    // the second update arrives first
    table.calls[1]?.end(true, true)
    table.end()
    expect([await refused, await fits, budget.exceeded]).toEqual(['SPENT', 'RESERVED', 'VALUES'])
    expect(await budget.begin(1).settle(1)).toBe('SPENT')
    const other = budgetFor()
    const first = other.reserve(800)
    const second = other.reserve(100)
    table.end()
    await turn()
    table.end()
    expect([await first, await second, other.exceeded]).toEqual(['SPENT', 'SPENT', 'VALUES'])
  })

  it.each([
    ['TREAT', 'RESERVED'],
    ['ETREAT', 'RESERVED'],
    ['BTG', 'RESERVED'],
    ['HPAYMT', 'UNKNOWN'],
    ['PATRQT', 'UNKNOWN'],
  ] as const)('without the table, for %s: %s', async (purpose, reserved) => {
    const reservation = budgetFor(purpose).begin(10)
    table.end({ isAnswered: false, isApplied: false })
    await turn()
    const settled = reservation.settle(10)
    table.end({ isAnswered: false, isApplied: false })
    expect(await settled).toBe(reserved)
    expect(reported).toEqual([expect.any(StoreUnavailable)])
  })

  it('without the table, gives the values of a lease that it holds', async () => {
    const leased = budgetFor().begin(5)
    table.end()
    await turn()
    expect(await leased.settle(5)).toBe('RESERVED')
    const reservation = budgetFor().begin(5)
    expect(await reservation.settle(5)).toBe('RESERVED')
    expect([table.requests, reported]).toEqual([1, []])
  })

  it('waits for a silent table no longer than half of the time for reading', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let isSettled = false
    const reservation = budgetFor().begin(10)
    const settled = reservation.settle(10).finally(() => (isSettled = true))
    const pass = async (milliseconds: number) => {
      on.pass(milliseconds)
      await vi.advanceTimersByTimeAsync(milliseconds)
    }
    await pass(2_400)
    expect(isSettled).toBe(false)
    await pass(200)
    expect([isSettled, await settled]).toEqual([true, 'UNKNOWN'])
    // the next request does not wait for the lost answer
    table.isPrompt = true
    expect(await budgetFor().reserve(10)).toBe('RESERVED')
  })
})

describe('P10: the budget of a request under a contract', () => {
  const under = (valuesPerDay: number, most = LIMIT, purpose: PurposeOfUse = 'HPAYMT') => budgetFor(purpose, most, valuesPerDay)
  const accounts = () => table.calls.map(({ account }) => ('client' in account ? account.client : account.user))

  it('asks for the hour of the user and the day of the client at the same time', async () => {
    const budget = under(LIMIT)
    const reserved = budget.reserve(8)
    expect(accounts()).toEqual([user, 'acme'])
    const start = Date.parse('2026-03-01T00:00:00Z') / 3_600_000
    expect(table.calls[1]?.account).toEqual({ tenant, client: 'acme', hour: start, kind: 'DAY' })
    table.end()
    table.end()
    expect([await reserved, budget.exceeded]).toEqual(['RESERVED', undefined])
  })

  it.each([
    [LIMIT, 5, 'DAY'],
    [5, LIMIT, 'VALUES'],
    [5, 5, 'DAY'],
  ] as const)('of %i values an hour and %i a day, too many values exceed %s', async (hour, day, name) => {
    table.isPrompt = true
    const budget = under(day, hour)
    expect([await budget.reserve(6), budget.exceeded]).toEqual(['SPENT', name])
    expect(await budget.begin(1).settle(1)).toBe('SPENT')
  })

  it('returns the values of the other budget to its lease if one is spent', async () => {
    table.isPrompt = true
    expect(await under(5).reserve(6)).toBe('SPENT')
    const before = table.requests
    expect(await budgetFor().reserve(6)).toBe('RESERVED')
    expect(table.requests).toBe(before)
  })

  it.each(['TREAT', 'ETREAT', 'BTG', 'HPAYMT'] as const)('gives nothing for %s while the day cannot be read', async (purpose) => {
    const reserved = under(LIMIT, LIMIT, purpose).reserve(5)
    table.end()
    table.end({ isAnswered: false, isApplied: false })
    expect(await reserved).toBe('UNKNOWN')
    // a fault of the table for one budget leaves the values of the other
    table.isPrompt = true
    const before = table.requests
    expect(await budgetFor(purpose).reserve(5)).toBe('RESERVED')
    expect(table.requests).toBe(before)
  })

  it('the lease of a day does not keep those of ended hours', async () => {
    table.isPrompt = true
    const leases = new BudgetLeases(table, on.clocks, 1)
    const begin = async (holder: BudgetHolder): Promise<number> => {
      leases.begin(holder, 10, on.deadline())()
      await turn()
      return table.requests
    }
    expect(await begin({ tenant, client: 'acme', most: 50_000 })).toBe(1)
    expect(await begin(userOf(50_000))).toBe(2)
    on.pass(3_600_000)
    expect(await begin(userOf(50_000))).toBe(3)
    expect(await begin({ tenant, client: 'acme', most: 50_000 })).toBe(3)
  })
})
