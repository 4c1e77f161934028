import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { knownReasons } from '../../../../gateway/oversight/anomalies/access-classes.ts'
import { AnomalySettings } from '../../../../gateway/oversight/anomalies/anomaly-settings.ts'
import { explainAccess } from '../../../../gateway/oversight/anomalies/explained-access.ts'
import { type Anomalies, findAnomalies, suspicions } from '../../../../gateway/oversight/anomalies/find-anomalies.ts'
import type { WorkforceRelations } from '../../../../gateway/oversight/anomalies/relations.ts'
import type { AuditTables } from '../../../../gateway/oversight/tables/audit-tables.ts'
import type { RecordedAccess } from '../../../../gateway/oversight/recorded-access.ts'
import { localTime, TIME_ZONE } from './simulator/calendar.ts'
import { CHART, CLAIM, OWN, PARTNER, UNUSED } from './simulator/fields.ts'
import { SeededRandom } from './simulator/random.ts'
import { longDeadline } from './simulator/simulated-tables.ts'
import { BY_ORGANIZATION, disclosed, type Member, membershipOf, type Request, review, stranger } from './simulator/traffic.ts'
import { writeTraffic } from './simulator/written-traffic.ts'

/** Two judged days after two weeks. */
const JUDGED = { from: localTime(14, 0), to: localTime(16, 0) - 1 }
const settings = AnomalySettings.parse({ timeZone: TIME_ZONE, baselineDays: 14, habitDays: 5 })

const clerks = [0, 1, 2].map((at): Member => ({ user: `billing-${at}`, role: 'BILLING', purpose: 'HPAYMT' }))
const doctors = [0, 1, 2].map((at): Member => ({ user: `physician-${at}`, role: 'PHYSICIAN', purpose: 'TREAT' }))
const partner: Member = { user: 'partner', role: 'PARTNER', purpose: 'HPAYMT', contract: 'ab'.repeat(32) }
const patient: Member = { user: 'patient', role: 'PATIENT', purpose: 'PATRQT' }

/** Usual days of clerks, physicians, a partner and a patient, and on the last day a night, a new grant, a relative, break-glass and strangers. */
function traffic(): Request[] {
  const usual = Array.from({ length: 16 }, (_, day) => [
    ...clerks.flatMap((member, at) =>
      [9, 11, 14].map(
        (hour): Request => ({
          at: localTime(day, hour),
          member,
          operation: 'Claim',
          accesses: disclosed(`p-${(day + at + hour) % 9}`, CLAIM, BY_ORGANIZATION),
        }),
      ),
    ),
    ...doctors.flatMap((member, at) =>
      [10, 15].map(
        (hour): Request => ({
          at: localTime(day, hour),
          member,
          operation: 'Chart',
          accesses: disclosed(`p-${(day + at) % 5}`, CHART, membershipOf(member, `p-${(day + at) % 5}`, localTime(0, 7))),
        }),
      ),
    ),
    { at: localTime(day, 2), member: partner, operation: 'ClaimStatus', accesses: disclosed('p-1', PARTNER, BY_ORGANIZATION) },
    {
      at: localTime(day, 3),
      member: patient,
      operation: 'MyChart',
      accesses: disclosed('p-8', OWN, { basis: 'SELF', basisId: 'p-8' }),
    },
  ]).flat()
  const [clerk, doctor, colleague, relative] = [clerks[1], ...doctors]
  if (clerk === undefined || doctor === undefined || colleague === undefined || relative === undefined)
    throw new Error('the clinic has people')
  const emergency = (member: Member, grant: string): Request => ({
    at: localTime(14, 12),
    member: { ...member, purpose: 'BTG' },
    operation: 'Chart',
    accesses: disclosed('p-7', CHART, { basis: 'BREAK_GLASS', basisId: grant }),
  })
  return [
    ...usual,
    ...Array.from(
      { length: 8 },
      (_, at): Request => ({
        at: localTime(15, 1) + at * 60_000,
        member: clerk,
        operation: 'Claim',
        accesses: disclosed(`p-${at}`, CLAIM, BY_ORGANIZATION),
      }),
    ),
    {
      at: localTime(15, 10.5),
      member: doctor,
      operation: 'Details',
      accesses: disclosed('p-2', UNUSED.slice(0, 4), membershipOf(doctor, 'p-2', localTime(0, 7))),
    },
    ...Array.from(
      { length: 14 },
      (_, at): Request => ({
        at: localTime(15, 16) + at * 60_000,
        member: colleague,
        operation: 'Chart',
        accesses: stranger(`s-${at}`),
      }),
    ),
    { at: localTime(15, 11), member: relative, operation: 'Chart', accesses: disclosed('p-6', CHART, BY_ORGANIZATION) },
    emergency(doctor, 'reviewed'),
    emergency(colleague, 'waiting'),
    {
      at: localTime(15, 9),
      member: { user: 'privacy', role: 'PRIVACY_OFFICER', purpose: 'HOPERAT' },
      operation: 'Review',
      accesses: [review('p-7', 'reviewed', 'APPROPRIATE'), review('p-7', 'waiting', 'FOLLOW_UP')],
    },
    { at: localTime(15, 2.5), member: partner, operation: 'Export', accesses: disclosed('p-3', PARTNER, BY_ORGANIZATION) },
  ]
}

/** The third physician lives with a patient, the first one in the street of another, and the third clerk is a patient. */
const workforce: WorkforceRelations = {
  of: async () =>
    await Promise.resolve({
      relations: [
        { user: 'physician-2', patient: 'p-6', kind: 'FAMILY', shared: new Set(['ADDRESS', 'STREET']) },
        { user: 'physician-0', patient: 'p-0', kind: 'NEIGHBOR', shared: new Set(['STREET']) },
        { user: 'billing-2', patient: 'p-8', kind: 'SELF', shared: new Set(['PATIENT']) },
      ],
      workers: new Set(),
      vips: new Set(),
    }),
}

let folder: string
let tables: AuditTables
let answer: Anomalies
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-anomalies-'))
  tables = await writeTraffic(traffic(), new SeededRandom(7), folder)
  answer = await findAnomalies(tables, workforce, JUDGED, settings, longDeadline())
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** The records of the judged days, as an auditor reads them. */
async function judgedAccesses(): Promise<readonly RecordedAccess[]> {
  const { rows } = await tables.ask({ sql: 'SELECT * FROM accesses', values: [], span: JUDGED }, longDeadline())
  return rows.map((row) => {
    const members = Object.entries(row).filter(([, value]) => value !== null)
    const { time, ...rest } = Object.fromEntries(members)
    // the columns are the members of a record
    return { ...rest, time: (time as Date).toISOString() } as unknown as RecordedAccess
  })
}

describe('C22: accesses of a small clinic', () => {
  it('C22: finds what differs from the two weeks before, from the log that the writer left', () => {
    const found = answer.findings.filter(({ score }) => score >= 0.5).map(({ kind, user }) => `${kind} ${user}`)
    expect(found.toSorted()).toEqual([
      'DENIALS physician-1',
      'FAMILY physician-2',
      'FIRST_USE physician-0',
      'OFF_HOURS billing-1',
      'PARTNER_HABITS partner',
      'SELF billing-2',
    ])
  })

  it('C22: counts each granted access in one class, as the explanation of the access by itself says', async () => {
    const { findings, classes, aggregates } = answer
    const accesses = await judgedAccesses()
    const treated = new Set(accesses.flatMap(({ basis, patient: of }) => (basis === 'CARE_TEAM' ? [of] : [])))
    const known = knownReasons(aggregates)
    const counts = new Map<string, number>()
    for (const access of accesses) {
      const explanation = explainAccess(access, suspicions(findings), known, treated.has(access.patient))
      if (explanation === undefined) continue
      const key = explanation.class === 'SUSPICIOUS' ? 'SUSPICIOUS' : `${explanation.class} ${explanation.because}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const stated = new Map(classes.reasons.map((reason) => [`${reason.class} ${reason.because}`, reason.count]))
    stated.set('SUSPICIOUS', classes.suspicious)
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(counts))
    expect(Object.fromEntries(stated)).toMatchObject({
      'EXPLAINED the user was a member of the care team': expect.any(Number) as number,
      'EXPLAINED a patient read the own record': 4,
      'EXPLAINED the break-glass grant was reviewed': 4,
      'UNEXPLAINED the break-glass grant has no review yet': 4,
      'UNEXPLAINED nobody of a care team read the patient in these days': expect.any(Number) as number,
    })
    const { explained, unexplained, suspicious } = classes
    expect(explained + unexplained + suspicious).toBe(accesses.filter(({ outcome }) => outcome === 'DISCLOSED').length)
  })
})
