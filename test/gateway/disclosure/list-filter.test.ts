import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IndexEntry } from '../../../gateway/crypto/sealed-index.ts'
import { listFilter } from '../../../gateway/disclosure/list-filter.ts'
import { precisionOf } from '../../../gateway/model/date-span.ts'
import { BadUserInput } from '../../../gateway/model/failures.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { passes } from '../../../gateway/store/patient-index.ts'

/** A record with a date of any precision. */
function dated(text: string): IndexEntry {
  const precision = precisionOf(text)
  const date = new Date(text).toISOString()
  return {
    date,
    id: 'a' as RecordId,
    version: 1,
    codes: [],
    categories: [],
    labels: [],
    ...(precision && { datePrecision: precision }),
  }
}

/** Dates near each other, so that spans often touch: to the year, the month, the day and the millisecond. */
const texts = fc
  .tuple(
    fc.date({ min: new Date('2019-12-30'), max: new Date('2021-01-02'), noInvalidDate: true }),
    fc.constantFrom(4, 7, 10, 24),
    fc.boolean(),
  )
  .map(([day, length, isMidnight]) => (isMidnight ? new Date(day.setUTCHours(0, 0, 0, 0)) : day).toISOString().slice(0, length))

describe('a time span includes all of its ends', () => {
  it('a record passes exactly if no common part of its date is before `since` or after `until`', () => {
    const common = (a: string, b: string): readonly [string, string] => {
      const length = Math.min(a.length, b.length)
      return [a.slice(0, length), b.slice(0, length)]
    }
    fc.assert(
      fc.property(texts, fc.option(texts), fc.option(texts), (record, since, until) => {
        const [recordSince, sinceText] = common(record, since ?? '')
        const [recordUntil, untilText] = common(record, until ?? '')
        expect(passes(listFilter({ since, until }), dated(record))).toBe(recordSince >= sinceText && recordUntil <= untilText)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a record is in the span from its date to its date, at any precision of the three', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom(4, 7, 10, 24), fc.constantFrom(4, 7, 10, 24), (record, since, until) => {
        const filter = listFilter({ since: record.slice(0, since), until: record.slice(0, until) })
        expect(passes(filter, dated(record))).toBe(true)
      }),
    )
  })

  it('a record without a date is in no time span', () => {
    const undated = { ...dated('2020'), date: '' }
    expect(passes(listFilter({ since: '0001' }), undated)).toBe(false)
    expect(passes(listFilter({ until: '9999' }), undated)).toBe(false)
    expect(passes(listFilter({}), undated)).toBe(true)
  })

  it.each(['2020-02-30', '2020-06-15T25:00:00Z', 'June', '', 5, true, ['2020'], {}])('refuses %j as a date', (value) => {
    expect(() => listFilter({ since: value })).toThrow(BadUserInput)
    expect(() => listFilter({ until: value })).toThrow(BadUserInput)
  })
})
