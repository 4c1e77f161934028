import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { settledWithin } from '../../functions/settled-within.ts'

it('waits for all work, and does not fail with it', async () => {
  let ended = false
  const slow = sleep(10).then(() => {
    ended = true
  })
  await settledWithin([slow, Promise.reject(new Error('away'))], 5_000)
  expect(ended).toBe(true)
})

it('does not wait longer than the given time', async () => {
  const started = performance.now()
  await settledWithin([new Promise(() => undefined)], 20)
  expect(performance.now() - started).toBeLessThan(5_000)
})
