import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { assignments } from '../../cli/assignments.ts'
import { importCommand } from '../../cli/import.ts'
import type { ImportCommandServices } from '../../cli/import-files.ts'
import { Refused } from '../../cli/refused.ts'
import { type ImportReport, summary } from '../../cli/import-report.ts'
import { runImport } from '../../cli/import-run.ts'
import { progressOn } from '../../cli/progress.ts'
import { UnknownTenant } from '../../gateway/admin/open-store.ts'
import type { Importer } from '../../fhir/importer.ts'
import { openImporter } from '../../gateway/admin/open-importer.ts'
import { startIdentityProvider } from '../../infra/local/identity-provider.ts'
import { startKms } from '../../infra/local/kms.ts'
import { startStack } from '../../infra/local/stack.ts'
import { DEMO_USERS } from '../../infra/local/users.ts'
import { StoreUnavailable, VersionConflict } from '../../gateway/model/failures.ts'
import { refuseProduction, refuseProductionIfNamed, StageRefused } from '../../gateway/model/stage.ts'
import { bundle, careTeam, idFor, observation, patient, riverside } from './clinic.ts'
import { MemoryImporter } from './memory-importer.ts'
import { plainOptions } from '../harness/import-options.ts'
import { clinicLock } from '../../schema/clinic.ts'

let home = ''
let importer = new MemoryImporter()
let lines: string[] = []
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'phi-import-'))
  importer = new MemoryImporter()
  lines = []
})
afterEach(async () => {
  await rm(home, { recursive: true })
  vi.unstubAllEnvs()
})

const put = (name: string, content: unknown): Promise<void> =>
  writeFile(join(home, name), typeof content === 'string' ? content : JSON.stringify(content))
const run = async (assign: ReadonlyMap<string, readonly string[]> = new Map()): Promise<ImportReport> => {
  const report = await runImport({ paths: [home], tenant: riverside, importer, ...plainOptions(), assign })
  lines.push(...summary(report))
  return report
}

describe('phi import', () => {
  it('writes once, and finds everything unchanged the second time', async () => {
    await put('1.json', bundle(patient(), observation(), careTeam()))
    expect((await run()).written).toMatchObject({ created: 3, updated: 0, unchanged: 0 })
    expect((await run()).written).toMatchObject({ created: 0, updated: 0, unchanged: 3 })
    await put('1.json', bundle(patient(), observation({ valueQuantity: { value: 7 } }), careTeam()))
    expect((await run()).written).toMatchObject({ created: 0, updated: 1, unchanged: 2 })
    expect(lines.join('\n')).toContain('created 0, updated 1, unchanged 2')
  })

  it('imports the rest of bad input, and reports file, entry and reason without values', async () => {
    await put('1.json', '{"resourceType": CANARY')
    await put('2.json', bundle(patient(), observation({ valueQuantity: { value: 'CANARY' } }), { resourceType: 'Goal', id: 'g' }))
    await put('3.json', ['CANARY'])
    const report = await run()
    expect(report.faults).toEqual([
      { file: '1.json', reason: 'the file is not JSON' },
      { file: '2.json', entry: 1, reason: 'Observation.valueQuantity.value: missing or of the wrong type' },
      { file: '3.json', reason: 'Bundle: not a FHIR R4 bundle' },
    ])
    expect(report.patients).toBe(1)
    expect(lines).toContain('not imported, by type: Goal 1')
    expect(lines).toContain('fault: 2.json, entry 1, Observation.valueQuantity.value: missing or of the wrong type')
    expect(lines.join('\n')).not.toContain('CANARY')
  })

  it('writes up to four patients at once, and each patient one write at a time', async () => {
    // longer than the next file takes to be read, also on a busy machine
    importer.writeMs = 100
    for (let n = 0; n < 12; n++) await put(`${n}.json`, bundle(patient({ id: `p${n}` })))
    await run()
    expect(importer.mostAtOnce).toBeGreaterThan(1)
    expect(importer.mostAtOnce).toBeLessThanOrEqual(4)
    importer.mostAtOnce = 0
    for (let n = 0; n < 12; n++) await put(`${n}.json`, bundle(patient()))
    await run()
    expect(importer.mostAtOnce).toBe(1)
  })

  it('lists unassigned practitioners, and unused assignments', async () => {
    const team = (id: string, whose: string, who: string): object =>
      careTeam({ id, subject: { reference: `Patient/${whose}` }, participant: [{ member: { reference: `Practitioner/${who}` } }] })
    await put('1.json', bundle(patient(), team('t1', 'ada', 'p1'), team('t2', 'ada', 'p2'), team('t3', 'ada', 'p2')))
    await put('2.json', bundle(patient({ id: 'bob' }), team('t4', 'bob', 'p2')))
    const report = await run(
      new Map([
        ['Practitioner/p1', ['Practitioner/physician']],
        ['Practitioner/p9', ['Practitioner/nurse']],
      ]),
    )
    expect([...report.unassigned]).toEqual([['Practitioner/p2', 2]])
    expect(report.unused).toEqual(['Practitioner/p9'])
    expect(lines).toContain('  Practitioner/p2  2 patients')
  })

  it('continues after a conflict over one patient, and stops if the store is unavailable', async () => {
    await put('1.json', bundle(patient()))
    await put('2.json', bundle(patient({ id: 'bob' })))
    importer.failing.set(idFor('Patient', 'ada'), new VersionConflict())
    const report = await run()
    expect(report.faults).toEqual([{ file: '1.json', entry: 0, reason: 'not written: VERSION_CONFLICT' }])
    expect(report.patients).toBe(1)
    importer.failing.set(idFor('Patient', 'bob'), new StoreUnavailable())
    await expect(run()).rejects.toBeInstanceOf(StoreUnavailable)
    expect(importer.atOnce).toBe(0)
  })
})

describe('the command', () => {
  let users: Awaited<ReturnType<ImportCommandServices['users']>> = DEMO_USERS
  let opening: () => Promise<Importer> = () => Promise.resolve(importer)
  const parse = async (...args: string[]): Promise<{ message: string; exitCode: number }> => {
    const before = process.exitCode
    const command = importCommand({ openImporter: () => opening(), users: () => Promise.resolve(users) })
    const quiet = { writeOut: () => undefined, writeErr: () => undefined }
    const program = new Command().exitOverride().configureOutput(quiet).addCommand(command.exitOverride().configureOutput(quiet))
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      await program.parseAsync(['import', ...args], { from: 'user' })
      return { message: out.mock.calls.join(''), exitCode: Number(process.exitCode ?? 0) }
    } catch (failure) {
      if (failure instanceof Refused) return { message: failure.message, exitCode: failure.exitCode }
      if (!(failure instanceof CommanderError)) throw failure
      return { message: failure.message, exitCode: failure.exitCode }
    } finally {
      process.exitCode = before
      out.mockRestore()
    }
  }

  it('imports a directory for the given tenant, closes the store and ends with 0', async () => {
    vi.stubEnv('PHI_STAGE', 'test')
    await put('1.json', bundle(patient(), careTeam()))
    const { message, exitCode } = await parse(home, '--tenant', 'riverside', '--assign', 'physician=Practitioner/p1')
    expect(message).toContain('1 patient from 1 bundle')
    expect(message).not.toContain('practitioners on care teams')
    expect(exitCode).toBe(0)
    expect(importer.closed).toBe(true)
  })

  it('ends with 1 after any fault', async () => {
    vi.stubEnv('PHI_STAGE', 'test')
    await put('1.json', 'no JSON')
    expect((await parse(home)).exitCode).toBe(1)
  })

  it.each(['production', 'prod', 'Production', 'elsewhere', ''])(
    'C29: refuses the stage %j before anything is opened',
    async (stage) => {
      vi.stubEnv('PHI_STAGE', stage)
      const { message, exitCode } = await parse(home)
      expect(message).toContain('PHI_STAGE')
      expect(exitCode).toBe(1)
      expect(importer.closed).toBe(false)
      // without the command's own check, the store is not opened either
      await expect(openImporter(riverside, clinicLock(), 'existing')).rejects.toThrow(StageRefused)
    },
  )

  it.each([
    ['--tenant', 'River/Side'],
    ['--assign', 'physician'],
    ['--assign', 'physician=Patient/1'],
    ['--assign', 'stranger=Practitioner/1'],
    ['--assign', 'auditor=Practitioner/1'],
    ['--assign', 'lakeside-physician=Practitioner/1'],
  ])('refuses %s %s', async (...args) => {
    vi.stubEnv('PHI_STAGE', 'test')
    expect((await parse(home, ...args)).exitCode).toBe(1)
  })

  it.each([
    [['--labels', 'missing.json'], 'Cannot read missing.json (--labels): it does not exist. Check the path.'],
    [['--minors', 'missing.json'], 'Cannot read missing.json (--minors): it does not exist. Check the path.'],
    [['--care-team-of', 'Patient/*'], '--care-team-of needs a user of --assign.'],
    [
      ['--care-team-of', 'ada', '--assign', 'physician=Practitioner/1'],
      'Use Patient/ID. In ID, * matches any characters: Patient/*.',
    ],
  ])('refuses %j with the reason', async (args, reason) => {
    vi.stubEnv('PHI_STAGE', 'test')
    const { message, exitCode } = await parse(home, ...args)
    expect(exitCode).toBe(1)
    expect(message).toContain(reason)
  })

  it('refuses an unknown user with the users of the tenant that runs here', async () => {
    vi.stubEnv('PHI_STAGE', 'test')
    const choices = async (): Promise<string> => (await parse(home, '--assign', 'therapy=Practitioner/1')).message
    users = [
      { name: 'therapist', tenant: 'riverside', fhirUser: 'Practitioner/therapist' },
      { name: 'reception', tenant: 'riverside' },
      { name: 'other', tenant: 'practice', fhirUser: 'Practitioner/other' },
    ]
    try {
      expect(await choices()).toBe(
        'error: the tenant has no such user with a FHIR identity (--assign). Did you mean therapist? The users with one are: therapist. A FHIR identity, such as Practitioner/ID, is possible, too.',
      )
      users = undefined
      expect(await choices()).toBe(
        'error: The names of users are not known here (--assign). Use a FHIR identity, such as Practitioner/ID.',
      )
    } finally {
      users = DEMO_USERS
    }
  })

  it('refuses a tenant that does not exist', async () => {
    vi.stubEnv('PHI_STAGE', 'test')
    await put('1.json', bundle(patient()))
    opening = () => Promise.reject(new UnknownTenant())
    const { message, exitCode } = await parse(home, '--tenant', 'riverside-typo')
    expect(exitCode).toBe(1)
    expect(message).toContain('the deployment has no such tenant (--tenant).')
    opening = () => Promise.resolve(importer)
  })

  it('prints the report as JSON', async () => {
    vi.stubEnv('PHI_STAGE', 'test')
    await put('1.json', bundle(patient(), observation()))
    const { message } = await parse(home, '--json')
    expect(JSON.parse(message)).toMatchObject({
      patients: 1,
      entries: { read: 2, imported: 2 },
      files: [{ file: '1.json', read: 2 }],
    })
  })

  it('keeps a FHIR identity unchanged, and accepts several users for one practitioner', () => {
    const practitioner = 'Practitioner/1'
    expect(
      assignments(
        [
          { user: 'nurse', practitioner },
          { user: 'Practitioner/77', practitioner },
        ],
        [{ name: 'nurse', tenant: 'riverside', fhirUser: 'Practitioner/nurse' }],
      ),
    ).toEqual(new Map([[practitioner, ['Practitioner/nurse', 'Practitioner/77']]]))
  })
})

describe('stages', () => {
  it.each(['local', 'test', 'dev', 'staging'])('%s may be written to', (stage) => {
    expect(() => refuseProduction({ PHI_STAGE: stage })).not.toThrow()
  })
  it('P3: an unnamed stage is refused', () => {
    expect(() => refuseProduction({})).toThrow('PHI_STAGE')
  })

  it('C29: a refused stage names the next step', () => {
    const where = 'This runs only where PHI_STAGE is local, test, dev or staging.'
    const production = { PHI_STAGE: 'production' }
    for (const env of [{}, production])
      expect(() => refuseProduction(env)).toThrow(
        new StageRefused('If the deployment has no data of real patients, set PHI_STAGE to its stage.'),
      )
    expect(() => refuseProductionIfNamed(production)).toThrow(`${where} To start the local stack, run: unset PHI_STAGE`)
    expect(() => refuseProductionIfNamed({})).not.toThrow()
  })

  it.each([
    ['the KMS stand-in', () => startKms()],
    ['the identity provider', () => startIdentityProvider({ port: 0, users: [] })],
    ['the stack', () => startStack({ dataFolder: join(home, 'data'), port: 0 })],
  ])('C29: %s does not start in a process with a production stage', async (_what, start) => {
    vi.stubEnv('PHI_STAGE', 'production')
    await expect(start()).rejects.toThrow(StageRefused)
    expect(existsSync(join(home, 'data'))).toBe(false)
  })
})

describe('progress without a terminal', () => {
  it('is one line a second, with only counts', () => {
    const written: string[] = []
    let now = 0
    const stream = { isTTY: false, write: (line: string) => written.push(line) > 0 }
    const progress = progressOn({ stream: stream as unknown as NodeJS.WriteStream, now: () => now })
    progress.start(200)
    for (const at of [0, 400, 999, 1000, 1500, 2100]) {
      now = at
      progress.update({ doneBytes: at / 20, patients: at, records: 2 * at })
    }
    progress.stop()
    expect(written).toEqual(['25%  1,000 patients, 2,000 records\n', '52%  2,100 patients, 4,200 records\n'])
  })
})
