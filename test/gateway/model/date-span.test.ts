import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DatePrecision, dateSpan, endOfPartialDate, partialDateSpan, precisionOf } from '../../../gateway/model/date-span.ts'

const iso = (at: number): string => new Date(at).toISOString()
const moments = fc.date({ min: new Date('0002-01-01'), max: new Date('9997-12-31'), noInvalidDate: true }).map(Number)

describe('a date argument covers all of what it names', () => {
  it.each([
    ['2020', '2020-01-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-12', '2020-12-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-02-29', '2020-02-29T00:00:00.000Z', '2020-03-01T00:00:00.000Z'],
    ['2020-12-31', '2020-12-31T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['9999', '9999-01-01T00:00:00.000Z', '+010000-01-01T00:00:00.000Z'],
    ['2020-06-15T12:00:00Z', '2020-06-15T12:00:00.000Z', '2020-06-15T12:00:01.000Z'],
    ['2020-06-15T12:00:00.25Z', '2020-06-15T12:00:00.250Z', '2020-06-15T12:00:00.251Z'],
    ['2020-06-15T00:30:00+05:30', '2020-06-14T19:00:00.000Z', '2020-06-14T19:00:01.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.000Z', '2017-01-01T00:00:00.000Z'],
  ])('%s', (text, from, end) => {
    const span = dateSpan(text)
    expect([span?.from, span?.end].map((at) => iso(at ?? 0))).toEqual([from, end])
  })

  it('a day, month or year covers a moment exactly if the moment begins with its text', () => {
    fc.assert(
      fc.property(moments, moments, fc.constantFrom(4, 7, 10), (named, at, length) => {
        const text = iso(named).slice(0, length)
        const span = partialDateSpan(text)
        expect(span !== undefined && span.from <= at && at < span.end).toBe(iso(at).startsWith(text))
        expect(span !== undefined && span.from <= named && named < span.end).toBe(true)
        expect(dateSpan(text)).toEqual(span)
        const unit = precisionOf(text) as DatePrecision
        expect(endOfPartialDate(iso(span?.from ?? 0), unit)).toBe(span?.end)
      }),
    )
  })

  it.each([
    ...[
      '',
      ' ',
      '20',
      '202',
      '20200',
      '0000',
      '2020-',
      '2020-0',
      '2020-00',
      '2020-13',
      '2020-1',
      '2020-6-1',
      '2020-06-00',
      '2020-06-31',
    ],
    ...[
      '2021-02-29',
      '2020-02-30',
      '1900-02-29',
      '20200615',
      '15.06.2020',
      '06/15/2020',
      '2020/06/15',
      '+002020',
      '-2020',
      '２０２０',
    ],
    ...[
      ' 2020',
      '2020 ',
      '2020-06-15\n',
      '2020-06-15T',
      '2020-06-15T12',
      '2020-06-15T12:00',
      '2020-06-15T12:00Z',
      '2020-06-15T12:00:00',
    ],
    ...['2020-06T12:00:00Z', '2020-06-31T12:00:00Z', '2021-02-29T12:00:00Z', '2020-06-15T24:00:00Z', '2020-06-15T12:60:00Z'],
    ...[
      '2020-06-15T12:00:61Z',
      '2020-06-15 12:00:00Z',
      '2020-06-15T12:00:00z',
      '2020-06-15T12:00:00.Z',
      '2020-06-15T12:00:00.1234567890Z',
    ],
    ...['2020-06-15T12:00:00+24:00', '2020-06-15T12:00:00+0200', '2020-06-15T12:00:00ZZ', '2020-06-15T12:00:00ZT', 'today', 'null'],
  ])('refuses %j', (text) => {
    expect(dateSpan(text)).toBeUndefined()
    expect(partialDateSpan(text)).toBeUndefined()
  })

  it('a partial date has no time', () => {
    expect(partialDateSpan('2020-06-15T12:00:00Z')).toBeUndefined()
    expect(precisionOf('2020-06-15T12:00:00Z')).toBeUndefined()
  })
})
