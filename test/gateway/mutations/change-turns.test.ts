import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId, UserId } from '../../../gateway/model/ids.ts'
import { ChangeTurns } from '../../../gateway/mutations/change-turns.ts'

const deadlineIn = (milliseconds: number): Deadline =>
  new Deadline(Date.now() + milliseconds, { now: Date.now, monotonic: () => performance.now() })
const callerOf = (user: string) => ({ tenant: 'riverside' as TenantId, user: user as UserId })

/** Records the order of work, each of which takes a tick. */
function recorder() {
  const turns = new ChangeTurns()
  const order: string[] = []
  let running = 0
  const work = (user: string, name = 'item', milliseconds = 2_000): Promise<void> =>
    turns.take(callerOf(user), name, deadlineIn(milliseconds), async () => {
      running++
      expect(running).toBe(1)
      order.push(user)
      await sleep(1)
      running--
    })
  return { turns, order, work }
}

describe('requests that change one item take turns', () => {
  it('by user: a user with many requests delays another user by one', async () => {
    const { order, work } = recorder()
    await Promise.all([work('flood'), work('flood'), work('flood'), work('flood'), work('ann'), work('ben'), work('ann')])
    expect(order).toEqual(['flood', 'flood', 'ann', 'ben', 'flood', 'ann', 'flood'])
  })

  it('work for another item or tenant does not wait', async () => {
    const turns = new ChangeTurns()
    let isOver = false
    const long = turns.take(callerOf('ann'), 'item', deadlineIn(2_000), async () => {
      await sleep(20)
      isOver = true
    })
    await turns.take(callerOf('ann'), 'other', deadlineIn(2_000), () => Promise.resolve())
    await turns.take({ ...callerOf('ann'), tenant: 'lakeside' as TenantId }, 'item', deadlineIn(2_000), () => Promise.resolve())
    expect(isOver).toBe(false)
    await long
  })

  it('an error passes the turn on', async () => {
    const { turns, order, work } = recorder()
    const failing = turns.take(callerOf('ann'), 'item', deadlineIn(2_000), () => Promise.reject(new Error('refused')))
    const next = work('ben')
    await expect(failing).rejects.toThrow('refused')
    await next
    expect(order).toEqual(['ben'])
  })

  it('a request whose deadline passes leaves the line, and the next one has its turn', async () => {
    const { turns, order, work } = recorder()
    const long = turns.take(callerOf('ann'), 'item', deadlineIn(2_000), () => sleep(60))
    const late = work('ben', 'item', 20)
    const next = work('cem')
    await expect(late).rejects.toThrow(StoreUnavailable)
    await Promise.all([long, next])
    expect(order).toEqual(['cem'])
    // nobody waits any more
    await work('dan')
    expect(order).toEqual(['cem', 'dan'])
  })
})
