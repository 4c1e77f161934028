import { InvalidArgumentError } from 'commander'
import { expect, it } from 'vitest'
import { fromOption, toOption } from '../../cli/time-option.ts'

const iso = (at: number): string => new Date(at).toISOString()

it.each([
  ['2026', '2026-01-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z'],
  ['2026-02', '2026-02-01T00:00:00.000Z', '2026-02-28T23:59:59.999Z'],
  ['2026-01-31', '2026-01-31T00:00:00.000Z', '2026-01-31T23:59:59.999Z'],
  ['2026-01-31T09:00:00Z', '2026-01-31T09:00:00.000Z', '2026-01-31T09:00:00.999Z'],
])('the options --from and --to include all of %s', (text, first, last) => {
  expect([iso(fromOption(text)), iso(toOption(text))]).toEqual([first, last])
})

it.each(['2026-02-30', 'yesterday', '1', '2026-01-31T09:00:00', ''])('the options --from and --to refuse %j', (text) => {
  expect(() => fromOption(text)).toThrow(InvalidArgumentError)
  expect(() => toOption(text)).toThrow(InvalidArgumentError)
})
