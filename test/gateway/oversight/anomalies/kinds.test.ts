import { describe, expect, it } from 'vitest'
import type { AccessAggregates } from '../../../../gateway/oversight/anomalies/aggregates.ts'
import { findingsIn } from '../../../../gateway/oversight/anomalies/find-anomalies.ts'
import type { Finding } from '../../../../gateway/oversight/anomalies/finding.ts'
import { DAY_MS } from '../../../../gateway/oversight/anomalies/local-day.ts'
import { aggregates, dayAt, dayOf, NURSES, SETTINGS, timeAt, usualDays, WORKDAYS } from './aggregate-examples.ts'

const find = (change: Partial<AccessAggregates>, settings = SETTINGS): Finding[] =>
  findingsIn(aggregates(change), settings).filter(({ score }) => score >= 0.5)
const kindsIn = (findings: readonly Finding[]): string[] => findings.map(({ kind }) => kind)

describe('C22: volume and patients of a day', () => {
  it('C22: a day far above own days and peers is a finding with its numbers', () => {
    const findings = find({ days: [...usualDays(), dayOf('nurse-1', 3, 420, 11)] })
    expect(kindsIn(findings)).toEqual(['VOLUME'])
    expect(findings[0]).toMatchObject({
      user: 'nurse-1',
      from: timeAt(3, 9),
      explanation: 'nurse-1 read 420 values on 2026-03-05; the median is 95 on own days and 95 in the role.',
      evidence: { records: 420, ownDays: WORKDAYS.length },
      filter: { user: 'nurse-1', from: timeAt(3, 9), to: timeAt(3, 17) },
    })
    expect(kindsIn(find({ days: [...usualDays(), dayOf('nurse-1', 3, 110, 60)] }))).toEqual(['MANY_PATIENTS'])
  })

  it('C22: a busy day, a small excess and a peak that comes again are none', () => {
    expect(find({ days: [...usualDays(), dayOf('nurse-1', 3, 170, 16)] })).toEqual([])
    const few = NURSES.flatMap((user) => WORKDAYS.map((day) => dayOf(user, day, 2, 1)))
    expect(find({ days: [...few, dayOf('nurse-1', 3, 40, 10)] })).toEqual([])
    const regular = [...usualDays().filter(({ user_id }) => user_id !== 'nurse-1')]
    const own = WORKDAYS.map((day, at) => dayOf('nurse-1', day, at % 20 === 0 ? 400 : 100, 10))
    expect(find({ days: [...regular, ...own, dayOf('nurse-1', 3, 430, 10)] })).toEqual([])
  })

  it('C22: one extreme day of the baseline hides no other', () => {
    const own = usualDays().map((day) => (day.user_id === 'nurse-1' && day.day === dayAt(-10) ? { ...day, records: 5_000 } : day))
    expect(kindsIn(find({ days: [...own, dayOf('nurse-1', 3, 420, 11)] }))).toEqual(['VOLUME'])
  })

  it('C22: a new user is compared with the role', () => {
    const roles = [...aggregates().roles, { user_id: 'new', role: 'NURSE', records: 10, is_partner: 0 }]
    expect(find({ roles, days: [...usualDays(), dayOf('new', 3, 110, 11)] })).toEqual([])
    expect(kindsIn(find({ roles, days: [...usualDays(), dayOf('new', 3, 420, 11)] }))).toEqual(['VOLUME'])
  })
})

describe('C22: hours', () => {
  const habits = NURSES.flatMap((user_id) =>
    [9, 10, 11, 12, 13, 14, 15, 16].map((hour_of_day) => ({ user_id, is_weekend: 0, hour_of_day, days: 40 })),
  )
  const hour = (user_id: string, hour_of_day: number, requests: number): AccessAggregates['hours'][number] => ({
    user_id,
    day: dayAt(2),
    hour_of_day,
    records: requests * 4,
    requests,
    patients: requests,
    first_at: timeAt(2, hour_of_day),
    last_at: timeAt(2, hour_of_day) + 1_000,
  })

  it('C22: requests at night in a role that works by day are one finding', () => {
    const findings = find({ habits, hours: [hour('nurse-1', 2, 4), hour('nurse-1', 3, 4), hour('nurse-1', 10, 50)] })
    expect(kindsIn(findings)).toEqual(['OFF_HOURS'])
    expect(findings[0]?.explanation).toBe(
      'nurse-1 made 8 requests on 2026-03-04 between 2:00 and 4:00, when neither the user nor the role works.',
    )
  })

  it('C22: a night that goes on after midnight is one finding', () => {
    const late = { ...hour('nurse-1', 23, 3), day: dayAt(1), first_at: timeAt(1, 23), last_at: timeAt(1, 23) + 1_000 }
    expect(find({ habits, hours: [hour('nurse-1', 0, 3), late] })).toMatchObject([
      { kind: 'OFF_HOURS', from: timeAt(1, 23), evidence: { requests: 6, hours: 2 } },
    ])
  })

  it('C22: the hour beside a usual one, a few requests, and the hours of peers are none', () => {
    expect(find({ habits, hours: [hour('nurse-1', 17, 30)] })).toEqual([])
    expect(find({ habits, hours: [hour('nurse-1', 2, 3)] })).toEqual([])
    const night = { user_id: 'nurse-2', is_weekend: 0, hour_of_day: 2, days: 20 }
    expect(find({ habits: [...habits, night], hours: [hour('nurse-1', 2, 30)] })).toEqual([])
  })
})

describe('C22: denials, ids and searches', () => {
  const denied = (change: Partial<AccessAggregates['denials'][number]>): AccessAggregates['denials'][number] => ({
    user_id: 'nurse-1',
    day: dayAt(4),
    strangers: 0,
    refused: 0,
    missing: 0,
    first_at: timeAt(4, 10),
    last_at: timeAt(4, 11),
    ...change,
  })

  it('C22: many patients without a relationship, or refused requests, are a run of denials', () => {
    expect(find({ denials: [denied({ strangers: 12 })] })).toMatchObject([
      {
        kind: 'DENIALS',
        explanation: 'nurse-1 was refused access to 12 patients without a relationship on 2026-03-06; the median of own days is 0.',
        filter: { outcomes: new Set(['DENIED']) },
      },
    ])
    expect(kindsIn(find({ denials: [denied({ refused: 16 })] }))).toEqual(['DENIALS'])
  })

  it('C22: a wrong patient, and denials that an application causes each day, are none', () => {
    expect(find({ denials: [denied({ strangers: 6 })] })).toEqual([])
    const daily = NURSES.flatMap((user_id) => WORKDAYS.map((day) => denied({ user_id, day: dayAt(day), refused: 30 })))
    expect(find({ denials: [...daily, denied({ refused: 45 })] })).toEqual([])
  })

  it('C22: many ids that lead to nothing are an enumeration', () => {
    const findings = find({ denials: [denied({ missing: 15 })] })
    expect(kindsIn(findings)).toEqual(['ENUMERATION'])
    expect(findings[0]?.filter).toMatchObject({ reason: 'NOT_FOUND' })
    expect(find({ denials: [denied({ missing: 7 })] })).toEqual([])
  })

  it('C22: many searches without a hit, or beyond the limit, are guesses', () => {
    const searched = (change: object): AccessAggregates['searches'][number] => ({
      user_id: 'nurse-1',
      day: dayAt(4),
      searches: 30,
      misses: 0,
      refused: 0,
      first_at: timeAt(4, 10),
      last_at: timeAt(4, 11),
      ...change,
    })
    expect(kindsIn(find({ searches: [searched({ misses: 20 })] }))).toEqual(['GUESSED_SEARCHES'])
    expect(kindsIn(find({ searches: [searched({ refused: 4 })] }))).toEqual(['GUESSED_SEARCHES'])
    expect(find({ searches: [searched({ misses: 8, refused: 1 })] })).toEqual([])
  })
})

describe('C22: break-glass', () => {
  const use = (day: number, reviewedAfter?: number): AccessAggregates['grantUses'][number] => ({
    grant_id: 'grant',
    user_id: 'nurse-1',
    patient: 'p-1',
    records: 12,
    first_at: timeAt(day, 10),
    last_at: timeAt(day, 11),
    reviewed_at: reviewedAfter === undefined ? null : timeAt(day, 11) + reviewedAfter * DAY_MS,
  })

  it('C22: a grant without a review in time is a finding in the span in which the review was due', () => {
    expect(find({ grantUses: [use(3)] })).toMatchObject([
      { kind: 'UNREVIEWED_BREAK_GLASS', patients: ['p-1'], filter: { basis: 'BREAK_GLASS', patient: 'p-1' } },
    ])
    expect(find({ grantUses: [use(-3)] })).toHaveLength(1)
    expect(find({ grantUses: [use(3, 9)] })[0]?.explanation).toContain('was reviewed 2 days late')
  })

  it('C22: a review in time, one that is not due yet, and one of an earlier span are none', () => {
    // at any score
    expect(findingsIn(aggregates({ grantUses: [use(3, 6.9)] }), SETTINGS)).toEqual([])
    expect(find({ grantUses: [use(28)] })).toEqual([])
    expect(find({ grantUses: [use(-20)] })).toEqual([])
  })
})

describe('C22: memberships', () => {
  const read = (change: Partial<AccessAggregates['memberships'][number]>): AccessAggregates['memberships'][number] => ({
    user_id: 'nurse-1',
    patient: 'p-1',
    day: dayAt(5),
    records: 4,
    since: timeAt(-395),
    basis_id: 'm-1',
    first_at: timeAt(5, 10),
    last_at: timeAt(5, 10),
    age: 400,
    pause: null,
    ...change,
  })

  it('C22: an old membership after a long pause is a finding, and the patients of a day are one', () => {
    expect(find({ memberships: [read({})] })).toMatchObject([{ kind: 'MEMBERSHIP', patients: ['p-1'], filter: { patient: 'p-1' } }])
    const many = find({ memberships: [read({}), read({ patient: 'p-2' })] })
    expect(many).toMatchObject([{ patients: ['p-1', 'p-2'] }])
    expect(many[0]?.filter.patient).toBeUndefined()
  })

  it('C22: an access before its membership scores highest', () => {
    expect(find({ memberships: [read({ since: timeAt(8), age: -3, pause: 1 })] })).toMatchObject([
      { score: 0.9, explanation: 'nurse-1 read a patient on 2026-03-07 by a membership that begins later.' },
    ])
  })

  it('C22: a short pause and a young membership are none', () => {
    expect(find({ memberships: [read({ pause: 20 })] })).toEqual([])
    expect(find({ memberships: [read({ age: 40 })] })).toEqual([])
  })

  it('C22: a basis without a membership is a finding if peers do not use it', () => {
    const basis = (user_id: string, day: number): AccessAggregates['bases'][number] => ({
      user_id,
      day: dayAt(day),
      basis: 'ORGANIZATION',
      records: 8,
      patients: 2,
      first_at: timeAt(day),
      last_at: timeAt(day),
    })
    expect(kindsIn(find({ bases: [basis('nurse-1', 5)] }))).toEqual(['MEMBERSHIP'])
    expect(find({ bases: [basis('nurse-1', 5), basis('nurse-2', -5)] })).toEqual([])
    expect(find({ bases: [basis('nurse-1', 5), basis('nurse-1', -5)] })).toEqual([])
  })
})

describe('C22: grants used for the first time', () => {
  const use = (user_id: string, day: number): AccessAggregates['rules']['judged'][number] => ({
    user_id,
    rule: 'Procedure.code#1',
    path: 'Procedure.code',
    is_judged: day < 0 ? 0 : 1,
    records: 5,
    first_at: timeAt(day),
    last_at: timeAt(day),
  })

  it('C22: a grant that nobody of the role used is a finding', () => {
    expect(find({ rules: { before: [], judged: [use('nurse-1', 5)] } })).toMatchObject([
      { kind: 'FIRST_USE', filter: { path: 'Procedure.code' }, evidence: { shareOfPeers: 0 } },
    ])
  })

  it('C22: a grant of the role, one of the user, and one that several users begin to use are none', () => {
    expect(find({ rules: { before: [use('nurse-2', -5)], judged: [use('nurse-1', 5)] } })).toEqual([])
    expect(find({ rules: { before: [use('nurse-1', -5)], judged: [use('nurse-1', 5)] } })).toEqual([])
    const adopted = ['nurse-1', 'nurse-2', 'nurse-3'].map((user) => use(user, 5))
    expect(find({ rules: { before: [], judged: adopted } })).toEqual([])
    expect(findingsIn(aggregates({ rules: { before: [], judged: adopted } }), SETTINGS)).toHaveLength(3)
  })
})

describe('C22: partners', () => {
  const job = (
    day: number,
    change: Partial<AccessAggregates['partnerHours'][number]> = {},
  ): AccessAggregates['partnerHours'][number] => ({
    user_id: 'partner',
    client: 'partner',
    day: dayAt(day),
    hour_of_day: 2,
    operation: 'ClaimStatus',
    records: 200,
    requests: 10,
    granted: 200 + (day % 5),
    first_at: timeAt(day, 2),
    last_at: timeAt(day, 2) + 1_000,
    ...change,
  })
  const before = WORKDAYS.map((day) => job(day))
  const habits = [
    { user_id: 'partner', is_weekend: 0, hour_of_day: 2, days: 40 },
    { user_id: 'partner', is_weekend: 1, hour_of_day: 2, days: 16 },
  ]
  const paths = [-5, 3].map((day) => ({ user_id: 'partner', path: 'Claim.total', day: dayAt(day), records: 10 }))
  const ofPartner = (change: Partial<AccessAggregates>): Finding[] =>
    find({ partnerHours: [...before, job(3)], partnerPaths: paths, habits, ...change })

  it('C22: a new operation, a new field, unusual hours and volume are findings', () => {
    expect(ofPartner({})).toEqual([])
    const findings = [
      ofPartner({ partnerHours: [...before, job(3, { operation: 'Export' })] }),
      ofPartner({ partnerPaths: [...paths, { user_id: 'partner', path: 'Claim.diagnosis', day: dayAt(3), records: 1 }] }),
      ofPartner({ partnerHours: [...before, job(3, { hour_of_day: 14, requests: 4 })] }),
      ofPartner({ partnerHours: [...before, job(3, { granted: 900 })] }),
    ]
    expect(findings.map(kindsIn)).toEqual(Array(4).fill(['PARTNER_HABITS']))
    expect(findings.map(([one]) => one?.explanation)).toEqual([
      'On 2026-03-05, the partner partner used 1 operation that it never used.',
      'On 2026-03-05, the partner partner read 1 field that it never read.',
      'On 2026-03-05, the partner partner made 4 requests in hours in which it does not work.',
      'On 2026-03-05, the partner partner read 900 values against a median of 198.',
    ])
  })

  it('C22: a changed operation is a finding on its first day only, and a new partner has no habit', () => {
    const changed = [3, 4, 5].map((day) => job(day, { operation: 'ClaimStatus2' }))
    expect(ofPartner({ partnerHours: [...before, ...changed] })).toHaveLength(1)
    expect(ofPartner({ partnerHours: [job(-1), job(3, { operation: 'Export' })] })).toEqual([])
  })
})

describe('C22: thresholds are configuration', () => {
  it('C22: a lower threshold finds a weaker pattern', () => {
    const days = [...usualDays(), dayOf('nurse-1', 3, 190, 11)]
    expect(find({ days })).toEqual([])
    expect(kindsIn(find({ days }, { ...SETTINGS, volume: { own: 3, peers: 2, least: 50 } }))).toEqual(['VOLUME'])
  })
})
