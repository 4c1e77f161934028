import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PurposeOfUse } from '../../../directives/policy.ts'
import { PhiBudget } from '../../../gateway/disclosure/phi-budget.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
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

function budgetFor(purpose: PurposeOfUse = 'HPAYMT', most = LIMIT): PhiBudget {
  const reasonOf = (failure: unknown) => {
    reported.push(failure)
    return 'STORE' as const
  }
  return new PhiBudget({ caller: { tenant, user, purpose }, deadline: on.deadline(), leases: on.leases, most, reasonOf })
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
