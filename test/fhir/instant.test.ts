import { describe, expect, it } from 'vitest'
import { DateTime, PartialDate, Period, dateOf, endInstant, firstInstant } from '../../fhir/instant.ts'

describe('FHIR dates and times', () => {
  it.each(['2020', '2020-02', '2020-02-29'])('accepts the date %s', (text) => {
    expect(PartialDate.safeParse(text).success).toBe(true)
    expect(DateTime.safeParse(text).success).toBe(true)
  })

  it.each(['', '20', '2020-2', '2020-13', '2021-02-29', '2020-02-29 ', '0000', '+2020', '2020-02-29T'])(
    'refuses the date %j',
    (text) => {
      expect(PartialDate.safeParse(text).success).toBe(false)
      expect(DateTime.safeParse(text).success).toBe(false)
    },
  )

  it.each(['2020-02-29T10:00:00', '2020-02T10:00:00Z', '2020-02-29T24:00:00Z', '2020-02-29T10:00Z', '2020-02-29T10:00:00+15:00'])(
    'refuses the time %s',
    (text) => expect(DateTime.safeParse(text).success).toBe(false),
  )

  it.each([
    ['2020', '2020-01-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-12', '2020-12-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-02-29', '2020-02-29T00:00:00.000Z', '2020-03-01T00:00:00.000Z'],
    ['2020-02-29T23:30:00.5-05:00', '2020-03-01T04:30:00.500Z', '2020-03-01T04:30:00.500Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.000Z', '2016-12-31T23:59:59.000Z'],
  ])('%s begins at %s, and as an end is over at %s', (text, first, end) => {
    expect(firstInstant(text)).toBe(first)
    expect(endInstant(text)).toBe(end)
  })

  it('keeps the day as written, without conversion to UTC', () => {
    expect(dateOf('2020-02-29T23:30:00-05:00')).toBe('2020-02-29')
  })

  it('refuses a period that ends before it starts, and accepts a period of one day', () => {
    expect(Period.safeParse({ start: '2020-02-02', end: '2020-02-01' }).success).toBe(false)
    expect(Period.safeParse({ start: '2020-02-02', end: '2020-02-02' }).success).toBe(true)
  })
})
