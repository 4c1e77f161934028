import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { patientPattern } from '../../cli/care-team-option.ts'
import { type ImportReport, summary } from '../../cli/import-report.ts'
import { type ImportOptions, runImport } from '../../cli/import-run.ts'
import type { SourceResult } from '../../gateway/model/source-result.ts'
import type { MappedPatient } from '../../fhir/mapped-bundle.ts'
import type { Membership } from '../../gateway/model/record.ts'
import { bundle, careTeam, idFor, patient, riverside } from '../fhir/clinic.ts'
import { MemoryImporter } from '../fhir/memory-importer.ts'
import { plainOptions } from '../harness/import-options.ts'

class SeenImporter extends MemoryImporter {
  readonly members: Membership[] = []
  override write(mapped: MappedPatient): Promise<SourceResult> {
    this.members.push(...mapped.memberships.filter(({ relationship }) => relationship === 'CARE_TEAM'))
    return super.write(mapped)
  }
}

let home = ''
let importer = new SeenImporter()
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'phi-import-readers-'))
  importer = new SeenImporter()
})
afterEach(() => rm(home, { recursive: true }))

const assign = new Map([['Practitioner/17', ['Practitioner/physician']]])
const users = new Set(['Practitioner/physician'])
const run = async (resources: readonly object[], options: Partial<ImportOptions>): Promise<ImportReport> => {
  await writeFile(join(home, '1.json'), JSON.stringify(bundle(...resources)))
  return await runImport({ paths: [home], tenant: riverside, importer, ...plainOptions(), users, ...options })
}
const adviceOf = (report: ImportReport): string | undefined =>
  [...summary(report)].find((line) => line.startsWith('no clinician can read'))
const teamOf = (practitioner: string, period: object = {}): object =>
  careTeam({ participant: [{ member: { reference: `Practitioner/${practitioner}` }, period }] })

describe('after an import', () => {
  it.each([
    ['nobody is assigned', new Map(), teamOf('17'), 1],
    ['the assigned practitioner is on no care team', assign, teamOf('18'), 1],
    ['the assigned practitioner has left the care team', assign, teamOf('17', { end: '2020' }), 1],
    ['the assigned practitioner is on the care team', assign, teamOf('17'), 0],
    ['a user is on the care team', new Map(), teamOf('physician'), 0],
  ])('the report counts the patients that no clinician can read: %s', async (_case, assigned, team, unreadable) => {
    const report = await run([patient(), team], { assign: assigned })
    expect(report.unreadable).toBe(unreadable)
    expect(adviceOf(report) === undefined).toBe(unreadable === 0)
  })

  it('names what to do', async () => {
    const advice = adviceOf(await run([patient(), patient({ id: 'bob' })], {}))
    expect(advice).toContain('no clinician can read 2 patients')
    expect(advice).toContain("--care-team-of 'Patient/*'")
  })
})

describe('--care-team-of', () => {
  const of = (...texts: string[]) => texts.reduce<ReturnType<typeof patientPattern>>((all, text) => patientPattern(text, all), [])
  const two = [patient(), patient({ id: 'bob' }), patient({ id: 'ada.2' })]

  it.each([
    [of('patient/*'), ['ada', 'bob', 'ada.2']],
    [of('Patient/ada'), ['ada']],
    [of('Patient/ada*'), ['ada', 'ada.2']],
    [of('Patient/bob', 'Patient/*.2'), ['bob', 'ada.2']],
    [of('Patient/a.a'), []],
  ])('%s puts the assigned users on the care team of %j', async (careTeamOf, ids) => {
    const report = await run(two, { assign, careTeamOf })
    expect(importer.members).toEqual(
      ids.map((id) => ({
        patient: idFor('Patient', id),
        relationship: 'CARE_TEAM',
        fhirUser: 'Practitioner/physician',
        periods: [{}],
      })),
    )
    expect(report.unreadable).toBe(3 - ids.length)
    expect(report.unused).toEqual(ids.length > 0 ? [] : ['Practitioner/17'])
    expect([...summary(report)].some((line) => line.includes('no patient of these files matches'))).toBe(ids.length === 0)
  })

  it('keeps the other members', async () => {
    await run([patient(), teamOf('18')], { assign, careTeamOf: of('Patient/*') })
    expect(importer.members.map(({ fhirUser }) => fhirUser)).toEqual(['Practitioner/18', 'Practitioner/physician'])
  })
})

describe('--encounter-practitioners', () => {
  const visit = (changes: object): object => ({
    resourceType: 'Encounter',
    id: 'e1',
    status: 'finished',
    subject: { reference: 'Patient/ada' },
    period: { start: '2024-01-15', end: '2024-01-16' },
    participant: [{ individual: { reference: 'Practitioner/17' } }, { individual: { reference: 'Practitioner/18' } }],
    ...changes,
  })

  it('puts only assigned users on the care team, since the encounter', async () => {
    const report = await run([patient(), visit({})], { assign, encounterPractitioners: true })
    expect(importer.members).toMatchObject([
      { fhirUser: 'Practitioner/physician', periods: [{ since: '2024-01-15T00:00:00.000Z' }] },
    ])
    expect(report).toMatchObject({ unreadable: 0, unused: [] })
    expect([...report.unassigned]).toEqual([])
  })

  it.each([
    ['without the option', visit({}), false],
    ['for an encounter that did not take place', visit({ status: 'cancelled' }), true],
    ['for a planned encounter', visit({ status: 'planned' }), true],
    ['for another practitioner', visit({ participant: [{ individual: { reference: 'Practitioner/18' } }] }), true],
  ])('gives nobody a membership %s', async (_case, encounter, encounterPractitioners) => {
    await run([patient(), encounter], { assign, encounterPractitioners })
    expect(importer.members).toEqual([])
  })
})
