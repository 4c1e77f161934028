import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import { safeHarborClass } from '../../../../directives/table.ts'
import type { AccessFilter } from '../../../../gateway/oversight/access-filter.ts'
import { isSelected } from '../../../../gateway/oversight/access-filter.ts'
import type { RecordedAccess } from '../../../../gateway/oversight/recorded-access.ts'
import { type ExposureReport, reportExposure } from '../../../../gateway/oversight/reports/exposure-report.ts'
import { clinic } from '../../decide/clinic-policy.ts'
import { clinicYear, inAMinute, patientNumber, readBy, tablesOfVisits, type Visit, type VisitTables, YEAR } from './clinic-year.ts'

const MARCH = Date.parse('2026-03-10T09:00:00Z')
const thief: Visit = {
  at: MARCH,
  user: 'billing-4',
  roles: ['BILLING'],
  purpose: 'HPAYMT',
  patient: patientNumber(1),
  session: 'stolen',
  sourceIp: '203.0.113.9',
  client: 'app-billing',
  accesses: [
    ...['familyName', 'birthDate', 'ssn', 'phone', 'address.postalCode', 'gender'].map((name) =>
      readBy('BILLING', `Patient.${name}`),
    ),
    { ...readBy('BILLING', 'Patient.mrn'), outcome: 'ABSENT' },
    { ...readBy('BILLING', 'Patient.givenName'), outcome: 'UNAVAILABLE', reason: 'STORE' },
  ],
}

let year: VisitTables
beforeAll(async () => {
  const visits = clinicYear(6_000).map((one) => ({ ...one, at: YEAR.from + Math.floor((one.at - YEAR.from) / 6) }))
  const stolen = Array.from({ length: 520 }, (_, at): Visit => ({ ...thief, at: MARCH + at * 60_000, patient: patientNumber(at) }))
  const glass = {
    ...thief,
    user: 'physician-1',
    roles: ['PHYSICIAN'],
    purpose: 'BTG' as const,
    session: 'glass',
    accesses: [{ ...readBy('PHYSICIAN', 'Patient.birthDate'), basis: 'BREAK_GLASS' }],
  }
  year = await tablesOfVisits([...visits, ...stolen, glass])
}, 240_000)
afterAll(() => {
  year.close()
})

const report = async (filter: AccessFilter): Promise<ExposureReport> =>
  await reportExposure({ reader: { tables: year.tables }, policy: clinic.policy, deadline: inAMinute() }, filter, {
    from: filter.from ?? YEAR.from,
    to: filter.to ?? YEAR.to,
  })

type Plain = VisitTables['records'][number]
/** The records that a filter selects, by the rules of the other readers. */
const selected = (filter: AccessFilter): readonly Plain[] =>
  year.records.filter((record) => isSelected(filter, { listed: false, persisted: false, ...record } as unknown as RecordedAccess))
const gave = (records: readonly Plain[]): readonly Plain[] =>
  records.filter(({ outcome }) => outcome === 'DISCLOSED' || outcome === 'MASKED')
const different = (records: readonly Plain[], name: string): number => new Set(records.map((record) => record[name])).size

describe('C23: an exposure report', () => {
  it.each<[string, AccessFilter]>([
    ['a session', { session: 'stolen' }],
    ['an address', { sourceIp: '203.0.113.9' }],
    ['a user', { user: 'nurse-3' }],
    ['a client in a week', { client: 'app-nurse', from: YEAR.from, to: YEAR.from + 7 * 86_400_000 }],
    ['a patient', { patient: patientNumber(7) }],
    ['a path', { path: 'Patient.ssn' }],
    ['a category', { categoryPaths: new Set(['Patient.phone', 'Patient.email']) }],
    ['outcomes', { outcomes: new Set(['DENIED', 'UNAVAILABLE']) }],
    ['everything', {}],
    ['nothing', { user: "nobody' OR '1'='1" }],
  ])('C23: of %s has the counts of the selected records', async (_, filter) => {
    const [found, all] = [await report(filter), selected(filter)]
    const acquired = gave(all)
    const times = all.map((record) => String(record['time'])).sort()
    expect(found).toMatchObject({ records: all.length, acquired: acquired.length, attempted: all.length - acquired.length })
    expect(found.earliest).toBe(times[0])
    expect(found.latest).toBe(times.at(-1))
    expect(found.patients.acquired).toBe(different(acquired, 'patient'))
    expect(found.patients.acquired + found.patients.attemptedOnly).toBe(different(all, 'patient'))
    expect(found.users.total).toBe(different(all, 'user'))
    for (const { name, ...counts } of found.users.rows) {
      const own = all.filter(({ user }) => user === name)
      expect(counts).toMatchObject({ acquired: gave(own).length, patients: different(gave(own), 'patient') })
    }
    for (const { identifier, letter, ...counts } of found.identifiers) {
      const own = all.filter((record) => clinic.policy.phi.get(record['path'] as SchemaPath)?.identifier === identifier)
      expect(letter).toBe(
        identifier === undefined
          ? undefined
          : safeHarborClass(clinic.policy.phi.get(own[0]?.['path'] as SchemaPath)?.identifier).split(' ')[0],
      )
      expect(counts).toMatchObject({
        acquired: gave(own).length,
        masked: own.filter(({ outcome }) => outcome === 'MASKED').length,
        patients: different(gave(own), 'patient'),
      })
    }
    expect(found.identifiers.reduce((sum, one) => sum + one.acquired + one.attempted, 0)).toBe(all.length)
    expect(found.days.rows.reduce((sum, one) => sum + one.acquired + one.attempted, 0)).toBe(all.length)
    expect(found.outcomes.reduce((sum, one) => sum + one.records, 0)).toBe(all.length)
  })

  it('C23: lists 500 patients at most, and states how many there are', async () => {
    const { patients } = await report({ session: 'stolen' })
    expect(patients).toMatchObject({ acquired: 520, attemptedOnly: 0, complete: false })
    expect(patients.list).toHaveLength(500)
    expect((await report({ session: 'stolen', to: MARCH + 99 * 60_000, from: MARCH })).patients).toMatchObject({
      acquired: 100,
      complete: true,
    })
  })

  it('C23: distinguishes what was acquired from what was attempted, with the views', async () => {
    const { identifiers, outcomes, breakGlass, factors } = await report({ sourceIp: '203.0.113.9' })
    expect(
      identifiers.map(({ letter, identifier, acquired, masked, attempted }) => [letter, identifier, acquired, masked, attempted]),
    ).toEqual([
      ['(A)', 'NAME', 520, 0, 520],
      ['(B)', 'GEOGRAPHIC', 520, 0, 0],
      ['(C)', 'DATE', 521, 0, 0],
      ['(D)', 'PHONE', 0, 0, 520],
      ['(G)', 'SSN', 520, 520, 0],
      ['(H)', 'MRN', 0, 0, 520],
      [undefined, undefined, 520, 0, 0],
    ])
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['ABSENT', 'DENIED', 'DISCLOSED', 'MASKED', 'UNAVAILABLE'])
    expect(breakGlass).toMatchObject({ acquired: 1, patients: 1 })
    expect(factors.map(({ factor }) => factor)).toEqual(['(i)', '(ii)', '(iii)', '(iv)'])
    expect(factors[0]?.log[1]).toBe('Acquired classes of 164.514(b)(2)(i): (A) NAME, (B) GEOGRAPHIC, (C) DATE, (G) SSN.')
  })
})
