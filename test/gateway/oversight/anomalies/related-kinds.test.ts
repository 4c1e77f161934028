import { describe, expect, it } from 'vitest'
import type { AccessAggregates } from '../../../../gateway/oversight/anomalies/aggregates.ts'
import { findingsIn } from '../../../../gateway/oversight/anomalies/find-anomalies.ts'
import type { Finding } from '../../../../gateway/oversight/anomalies/finding.ts'
import type { RelatedReads } from '../../../../gateway/oversight/anomalies/related-reads.ts'
import type { Relation } from '../../../../gateway/oversight/anomalies/relations.ts'
import { aggregates, dayAt, dayOf, NURSES, SETTINGS, timeAt, WORKDAYS } from './aggregate-examples.ts'

const DESKS = ['desk-0', 'desk-1', 'desk-2']
const { roles, days } = aggregates()
/** Nurses read by memberships. Clerks of the desk read 4 values of a patient without one, and 6 on one day of ten. */
const clinic: Partial<AccessAggregates> = {
  roles: [...roles, ...DESKS.map((user_id) => ({ user_id, role: 'FRONT_DESK', records: 1_000, is_partner: 0 }))],
  days: [...days, ...DESKS.flatMap((user) => WORKDAYS.map((day) => dayOf(user, day, 100, 20)))],
}
const HANDLINGS = DESKS.flatMap((user_id) => [
  { user_id, records: 4, days: 900 },
  { user_id, records: 6, days: 100 },
])

const relation = (kind: Relation['kind'], user: string, shared: Relation['shared']): Relation => ({
  kind,
  user,
  patient: 'p-1',
  shared,
})
const read = (
  user_id: string,
  day: number,
  records: number,
  change: Partial<RelatedReads['reads'][number]> = {},
): RelatedReads['reads'][number] => ({
  user_id,
  patient: 'p-1',
  day: dayAt(day),
  basis: 'ORGANIZATION',
  grant_id: null,
  is_named: 0,
  records,
  first_at: timeAt(day, 10),
  last_at: timeAt(day, 11),
  ...change,
})
const find = (related: Partial<RelatedReads>, change: Partial<AccessAggregates> = {}, settings = SETTINGS): Finding[] =>
  findingsIn(
    aggregates({
      ...clinic,
      related: { relations: [], workers: new Set(), vips: new Set(), reads: [], careDays: [], handlings: HANDLINGS, ...related },
      ...change,
    }),
    settings,
  ).filter(({ score }) => score >= 0.5)
const careOn = (...on: number[]): RelatedReads['careDays'] => on.map((day) => ({ patient: 'p-1', day: dayAt(day) }))

describe('C22: the own record', () => {
  const relations = [relation('SELF', 'nurse-1', new Set(['PATIENT']))]

  it('C22: one value in a role of the workforce is a finding with a strong score, also by a membership', () => {
    const membership = { basis: 'CARE_TEAM', is_named: 1 }
    expect(find({ relations, reads: [read('nurse-1', 3, 1, membership)] })).toMatchObject([
      {
        kind: 'SELF',
        score: 0.8,
        explanation: 'nurse-1 read 1 value of the own record on 2026-03-05 in a role of the workforce.',
        patients: ['p-1'],
        filter: { user: 'nurse-1', patient: 'p-1', basis: 'CARE_TEAM', from: timeAt(3, 10), to: timeAt(3, 11) },
      },
    ])
  })

  it('C22: the days of one basis are one finding, and the record of somebody else is none', () => {
    expect(find({ relations, reads: [read('nurse-1', 3, 1), read('nurse-1', 9, 2)] })).toMatchObject([
      { evidence: { records: 3, days: 2 }, from: timeAt(3, 10), to: timeAt(9, 11) },
    ])
    expect(find({ relations, reads: [read('nurse-1', 3, 1, { patient: 'p-2' }), read('nurse-2', 3, 1)] })).toEqual([])
  })
})

describe.each<[Relation['kind'] | 'CO_WORKER', string, Relation['shared'], number]>([
  ['FAMILY', 'a patient with the same address and family name', new Set(['ADDRESS', 'STREET', 'FAMILY_NAME']), 3.5],
  ['FAMILY', 'a patient with the same telephone number', new Set(['PHONE']), 3.5],
  ['NEIGHBOR', 'a patient in the same street', new Set(['STREET']), 4],
  ['CO_WORKER', 'a colleague', new Set(), 4],
])('C22: %s, %s', (kind, named, shared, times) => {
  // every user is a colleague of a patient who is another user
  const related: Partial<RelatedReads> =
    kind === 'CO_WORKER'
      ? { workers: new Set(['p-1']) }
      : { relations: [...NURSES, ...DESKS].map((user) => relation(kind, user, shared)) }

  it('C22: a read without a membership is a finding in a role that works by memberships', () => {
    expect(find({ ...related, reads: [read('nurse-1', 3, 12)] })).toMatchObject([
      {
        kind,
        score: 0.8,
        explanation: `nurse-1 read 12 values of ${named} on 2026-03-05, without a membership of the care team.`,
        filter: { user: 'nurse-1', patient: 'p-1', basis: 'ORGANIZATION' },
      },
    ])
    expect(find({ ...related, reads: [read('nurse-1', 3, 2)] })).toEqual([])
  })

  it('C22: a named membership, a study, and the own note explain a read', () => {
    for (const change of [
      { basis: 'CARE_TEAM', is_named: 1 },
      { basis: 'STUDY', is_named: 1 },
      { basis: 'AUTHOR', is_named: 0 },
    ])
      expect(find({ ...related, reads: [read('nurse-1', 3, 40, change)] })).toEqual([])
  })

  it('C22: break-glass explains a read after its review only', () => {
    const reads = [read('nurse-1', 3, 12, { basis: 'BREAK_GLASS', grant_id: 'grant', is_named: 1 })]
    expect(find({ ...related, reads })).toMatchObject([
      { kind, explanation: `nurse-1 read 12 values of ${named} on 2026-03-05, by break-glass without a review.` },
    ])
    const use = { grant_id: 'grant', user_id: 'nurse-1', patient: 'p-1', records: 12, first_at: timeAt(3), last_at: timeAt(3) }
    expect(find({ ...related, reads }, { grantUses: [{ ...use, reviewed_at: timeAt(4) }] })).toEqual([])
  })

  it('C22: the usual work of a desk is none, and a multiple of it is a finding', () => {
    // 95 percent of patients and days have at most 6 values
    const most = times * 6
    expect(find({ ...related, reads: [read('desk-1', 3, most - 1)] })).toEqual([])
    expect(find({ ...related, reads: [read('desk-1', 3, most - 4), read('desk-1', 9, 4)] })).toMatchObject([
      {
        kind,
        score: 0.5,
        explanation: `desk-1 read ${most} values of ${named} on 2 days from 2026-03-05 on, without a membership of the care team; the role reads up to 6 of a patient on a usual day.`,
        evidence: { usualRecords: 6, careDays: 0 },
      },
    ])
  })

  it('C22: each day of the care team explains one day of the desk around it', () => {
    const reads = [read('desk-1', 3, times * 6), read('desk-1', 9, 6)]
    expect(find({ ...related, reads })).toHaveLength(1)
    expect(find({ ...related, reads, careDays: careOn(2, 8) })).toEqual([])
    // three weeks before and after is another visit
    expect(find({ ...related, reads, careDays: careOn(-18, 28) })).toHaveLength(1)
    // and ten visits explain no more than the days on which the clerk worked on the patient
    const much = [read('desk-1', 3, times * 6 + 7)]
    expect(find({ ...related, reads: much, careDays: careOn(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) })).toHaveLength(1)
  })
})

describe('C22: roles and relations', () => {
  const relations = [relation('NEIGHBOR', 'temp-0', new Set(['STREET']))]
  const temp = { user_id: 'temp-0', role: 'TEMP', records: 10, is_partner: 0 }

  it('C22: a role without a habit is compared with the whole workforce', () => {
    const change = { roles: [...(clinic.roles ?? []), temp] }
    expect(find({ relations, reads: [read('temp-0', 3, 20)] }, change)).toEqual([])
    expect(find({ relations, reads: [read('temp-0', 3, 24)] }, change)).toHaveLength(1)
  })

  it('C22: a relation of another user explains nothing, and is no finding of this one', () => {
    expect(find({ relations, reads: [read('nurse-1', 3, 40)] })).toEqual([])
  })

  it('C22: one user of a role who works without memberships makes it no habit of the role', () => {
    const ofNurse = [relation('NEIGHBOR', 'nurse-1', new Set(['STREET']))]
    const handlings = [...HANDLINGS, { user_id: 'nurse-5', records: 6, days: 100 }]
    const ofPeers = (peers: number): Finding[] =>
      find(
        { relations: ofNurse, reads: [read('nurse-1', 3, 5)], handlings },
        {},
        { ...SETTINGS, related: { ...SETTINGS.related, peers } },
      )
    // nurse-5 is one of five peers
    expect(ofPeers(0.25)).toHaveLength(1)
    expect(ofPeers(0.1)).toEqual([])
  })

  it('C22: thresholds are configuration', () => {
    const ofNurse = [relation('NEIGHBOR', 'nurse-1', new Set(['STREET']))]
    const settings = { ...SETTINGS, related: { ...SETTINGS.related, values: 20 } }
    expect(find({ relations: ofNurse, reads: [read('nurse-1', 3, 19)] }, {}, settings)).toEqual([])
    expect(find({ relations: ofNurse, reads: [read('nurse-1', 3, 20)] }, {}, settings)).toHaveLength(1)
  })
})

describe('C22: persons of public interest', () => {
  const vips = new Set(['p-1'])

  it('C22: a read by somebody outside of the care team is a finding', () => {
    expect(find({ vips, reads: [read('nurse-1', 3, 6)] })).toMatchObject([
      {
        kind: 'VIP',
        explanation: 'nurse-1 read 6 values of a person of public interest on 2026-03-05, without a membership of the care team.',
      },
    ])
    expect(find({ vips, reads: [read('nurse-1', 3, 60, { basis: 'CARE_TEAM', is_named: 1 })] })).toEqual([])
    expect(find({ vips, reads: [read('desk-1', 3, 20)] })).toEqual([])
    expect(find({ vips, reads: [read('desk-1', 3, 21)] })).toHaveLength(1)
  })

  it('C22: many users within a few days are a finding of each, with the days of the others left out', () => {
    const many = [...DESKS, 'desk-3', 'desk-4', 'desk-5', 'desk-6', 'desk-7']
    const all = many.map((user_id) => ({ user_id, role: 'FRONT_DESK', records: 1_000, is_partner: 0 }))
    const reads = many.map((user, at) => read(user, 3 + (at % 3), 4))
    const findings = find({ vips, reads: [read('desk-1', 20, 4), ...reads] }, { roles: [...roles, ...all] })
    expect(findings.map(({ kind, user }) => `${kind} ${user}`).toSorted()).toEqual(many.map((user) => `VIP ${user}`))
    expect(findings.find(({ user }) => user === 'desk-1')).toMatchObject({
      score: 0.5,
      explanation:
        'desk-1 read 4 values of a person of public interest on 2026-03-06, as 7 other users without a membership of the care team did within 3 days.',
      evidence: { readers: 8 },
      filter: { from: timeAt(4, 10), to: timeAt(4, 11) },
    })
    // a second crowd of the same users is a second finding of each
    const again = many.map((user) => read(user, 15, 4))
    expect(find({ vips, reads: [...reads, ...again] }, { roles: [...roles, ...all] })).toHaveLength(16)
    expect(find({ vips, reads: reads.slice(1) }, { roles: [...roles, ...all] })).toEqual([])
    const spread = many.map((user, at) => read(user, at * 2, 4))
    expect(find({ vips, reads: spread }, { roles: [...roles, ...all] })).toEqual([])
  })
})
