import { describe, expect, it } from 'vitest'
import { dueOn, endOfDay, extendedDueOn, isFree, yearsBefore } from '../../../../gateway/model/accounting/calendar.ts'
import { ledgerOf, LedgerAltered, stateOf } from '../../../../gateway/oversight/disclosures/ledger.ts'
import type { LedgerEntry } from '../../../../gateway/oversight/disclosures/ledger-entry.ts'
import { at, entered, NOW } from '../../oversight/disclosures/facts.ts'

describe('C20: the time for an accounting', () => {
  it.each([
    ['2026-01-01', '2026-03-02', '2026-04-01'],
    // a leap day is a day
    ['2028-01-01', '2028-03-01', '2028-03-31'],
    ['2028-02-29', '2028-04-29', '2028-05-29'],
    ['2027-12-31', '2028-02-29', '2028-03-30'],
    ['2026-12-01', '2027-01-30', '2027-03-01'],
  ])('C20: of a request of %s ends on %s, and extended on %s', (received, due, extended) => {
    expect([dueOn(received), extendedDueOn(received)]).toEqual([due, extended])
  })

  it('C20: is over after the last moment of the due day, and later after the one extension', () => {
    const request: LedgerEntry = { kind: 'REQUEST', at: NOW, by: 'p', from: 0, to: 1, received: '2026-01-01', free: true }
    const extension: LedgerEntry = { kind: 'EXTENSION', at: NOW, by: 'p', of: 1, reason: 'archive' }
    const stateAt = (now: number, ...entries: LedgerEntry[]) => {
      const [only] = ledgerOf([request, ...entries]).requests.values()
      return only && stateOf(only, now)
    }
    const [due, extended] = [endOfDay('2026-03-02'), endOfDay('2026-04-01')]
    expect([stateAt(due), stateAt(due + 1)]).toEqual(['OPEN', 'OVERDUE'])
    expect([stateAt(due + 1, extension), stateAt(extended, extension), stateAt(extended + 1, extension)]).toEqual([
      'OPEN',
      'OPEN',
      'OVERDUE',
    ])
    const given: LedgerEntry = { kind: 'GIVEN', at: NOW, by: 'p', of: 1, sha256: '0' }
    expect(stateAt(extended + 1, given)).toBe('GIVEN')
    const withdrawn: LedgerEntry = { kind: 'REQUEST_WITHDRAWAL', at: NOW, by: 'p', of: 1, reason: 'fee' }
    expect(stateAt(extended + 1, withdrawn)).toBe('WITHDRAWN')
  })

  it.each([
    ['2026-11-29', 6, '2020-11-29'],
    ['2028-02-29', 6, '2022-02-28'],
    ['2028-02-29', 4, '2024-02-29'],
    ['2027-03-01', 6, '2021-03-01'],
  ])('C20: the day %s, %i years before: %s', (day, years, before) => {
    expect(yearsBefore(day, years)).toBe(before)
  })
})

describe('C20: the charge for an accounting', () => {
  it.each([
    ['2026-11-29', [], true],
    ['2026-11-29', ['2026-11-29'], false],
    ['2026-11-29', ['2025-11-30'], false],
    ['2026-11-29', ['2025-11-29'], true],
    ['2029-02-28', ['2028-02-29'], false],
    ['2029-03-01', ['2028-02-29'], true],
    ['2028-02-29', ['2027-02-28'], true],
    ['2028-02-29', ['2027-03-01'], false],
    // entered later, although received earlier
    ['2026-01-01', ['2026-06-01'], false],
    ['2025-05-31', ['2026-06-01'], true],
    ['2026-11-29', ['2020-01-01', '2026-01-01'], false],
  ])('C20: of %s after those without charge of %j: free is %s', (received, others, free) => {
    expect(isFree(received, others)).toBe(free)
  })
})

describe('C20: a ledger', () => {
  it('C20: that changes what it does not have is refused', () => {
    expect(() => ledgerOf([entered(), { kind: 'SUSPENSION_END', at: NOW, by: 'p', of: 1, reason: 'x' }])).toThrow(LedgerAltered)
    expect(() => ledgerOf([{ kind: 'GIVEN', at: at('2026-01-01'), by: 'p', of: 1, sha256: '' }])).toThrow(LedgerAltered)
  })

  it('C20: keeps every version of a disclosure', () => {
    const first = entered()
    if (first.kind !== 'DISCLOSURE') throw new TypeError('a disclosure')
    const content = { ...first.content, description: 'Other' }
    const [only] = ledgerOf([first, { kind: 'CORRECTION', at: NOW, by: 'q', of: 1, reason: 'typo', content }]).disclosures.values()
    expect(only?.versions).toEqual([
      { content: first.content, at: NOW, by: 'privacy' },
      { content, at: NOW, by: 'q', reason: 'typo' },
    ])
  })
})
