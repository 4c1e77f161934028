import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeldUnits } from '../../cli/held-units.ts'
import { type ImportReport, jsonReport, summary } from '../../cli/import-report.ts'
import { runImport } from '../../cli/import-run.ts'
import { openBundle } from '../../fhir/opened-bundle.ts'
import type { MappedPatient } from '../../fhir/mapped-bundle.ts'
import type { PatientId, RecordId } from '../../gateway/model/ids.ts'
import { bundle, careTeam, now, observation, patient, practitioner, riverside } from '../fhir/clinic.ts'
import { MemoryImporter } from '../fhir/memory-importer.ts'
import { plainOptions } from '../harness/import-options.ts'

let home = ''
let importer = new MemoryImporter()
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'phi-import-files-'))
  importer = new MemoryImporter()
})
afterEach(() => rm(home, { recursive: true }))

async function put(name: string, content: string | object): Promise<void> {
  await mkdir(dirname(join(home, name)), { recursive: true })
  await writeFile(join(home, name), typeof content === 'string' ? content : JSON.stringify(content))
}
const lines = (...all: readonly object[]): string => all.map((one) => `${JSON.stringify(one)}\n`).join('')
const run = (...paths: readonly string[]): Promise<ImportReport> =>
  runImport({
    paths: (paths.length === 0 ? [''] : paths).map((path) => join(home, path)),
    tenant: riverside,
    importer,
    ...plainOptions(),
  })

describe('resources outside of bundles', () => {
  it('are one collection over all files, whether NDJSON or a file for each', async () => {
    await put('Observation.ndjson', lines(observation(), observation({ id: 'o2', subject: { reference: 'Patient/bob' } })))
    await put('Patient.ndjson', lines(patient()))
    await put('deep/bob.json', patient({ id: 'bob' }))
    await put('deep/CareTeam.jsonl', lines(careTeam(), practitioner()))
    const report = await run()
    expect(report.faults).toEqual([])
    expect(Object.fromEntries(report.records)).toEqual({ Patient: 2, Observation: 2, CareTeamMember: 1 })
    expect(report.files).toContainEqual(expect.objectContaining({ file: 'Observation.ndjson', read: 2, imported: 2 }))
    expect(report.entries).toMatchObject({ read: 6, imported: 5, readByOthers: 1 })
    expect([...summary(report)]).toEqual(
      expect.arrayContaining(['2 patients from 6 single resources', 'entries: 6 read = 5 imported + 1 read by others']),
    )
    expect((await run()).entries).toMatchObject({ read: 6, unchanged: 5, readByOthers: 1 })
  })

  it('are named by file and line in faults', async () => {
    await put('Patient.ndjson', `\n${lines(patient())}no JSON\n{"CANARY":1}\n`)
    await put('Observation.ndjson', lines(observation({ valueQuantity: { value: 'CANARY' } })))
    const report = await run()
    expect(report.faults).toEqual([
      { file: 'Patient.ndjson', line: 3, reason: 'the line is not JSON' },
      { file: 'Patient.ndjson', line: 4, reason: 'the line holds no FHIR resource' },
      { file: 'Observation.ndjson', line: 1, reason: 'Observation.valueQuantity.value: missing or of the wrong type' },
    ])
    expect([...summary(report)]).toContain('fault: Patient.ndjson, line 3, the line is not JSON')
    expect(report.entries).toMatchObject({ read: 4, imported: 1, issues: 3 })
  })

  it('can be bundles, one in each line', async () => {
    await put('all.ndjson', lines(bundle(patient(), observation()), bundle(patient({ id: 'bob' }), observation({ id: 'o2' }))))
    const report = await run()
    expect(report.bundles).toBe(2)
    expect(report.faults).toEqual([
      { file: 'all.ndjson', line: 2, entry: 1, reason: 'Observation.subject: its patient is not among the imported ones' },
    ])
    expect(report.entries).toMatchObject({ read: 4, imported: 3, issues: 1 })
  })
})

describe('a bulk export', () => {
  const manifest = (changes: object = {}): object => ({
    transactionTime: '2024-05-01T10:00:00Z',
    request: 'https://clinic.example.org/fhir/Group/7/$export?_type=Patient,Observation',
    requiresAccessToken: true,
    output: [
      { type: 'Patient', url: 'https://clinic.example.org/files/Patient.ndjson', count: 1 },
      { type: 'Observation', url: 'https://clinic.example.org/files/Observation.ndjson', count: 1 },
    ],
    error: [],
    ...changes,
  })
  beforeEach(async () => {
    await put('Patient.ndjson', lines(patient()))
    const reference = 'https://clinic.example.org/fhir/Patient/ada'
    await put('Observation.ndjson', lines(observation({ subject: { reference } })))
  })

  it('resolves absolute references by the base of its manifest', async () => {
    await put('manifest.json', manifest())
    const report = await run()
    expect(report.faults).toEqual([])
    expect(report.entries).toMatchObject({ read: 2, imported: 2 })
    expect(Object.fromEntries(report.passedOver)).toEqual({ 'export log or manifest': 1 })
  })

  it('does not resolve absolute references without a manifest', async () => {
    expect((await run()).faults).toHaveLength(1)
  })

  it.each([
    ['a file that is missing', { output: [{ url: 'Patient.ndjson' }, { url: 'Observation.ndjson' }, { url: 'Claim.ndjson' }] }],
    ['errors of the export in a file that is missing', { error: [{ type: 'OperationOutcome', url: 'errors.ndjson' }] }],
  ])('is a fault with %s', async (_case, changes) => {
    await put('manifest.json', manifest(changes))
    expect((await run()).faults).toEqual([{ file: 'manifest.json', reason: 'the manifest lists files that are not here: 1' }])
  })

  it('is a fault with fewer resources than its manifest lists', async () => {
    await put('manifest.json', manifest({ output: [{ url: 'Patient.ndjson', count: 2 }, { url: 'Observation.ndjson' }] }))
    expect((await run()).faults).toEqual([
      { file: 'Patient.ndjson', reason: 'the file has not as many resources as the manifest lists' },
    ])
  })

  it('reports errors of the source', async () => {
    await put('manifest.json', manifest({ error: [{ url: 'errors.ndjson' }] }))
    const outcome = (severity: string): object => ({ resourceType: 'OperationOutcome', issue: [{ severity, code: 'exception' }] })
    await put('errors.ndjson', lines(outcome('error'), outcome('information')))
    const report = await run()
    expect(report.faults).toEqual([
      {
        file: 'errors.ndjson',
        line: 1,
        reason: 'OperationOutcome: reports an error of the source, so that resources may be missing',
      },
    ])
    expect(report.entries).toMatchObject({ read: 4, imported: 2, issues: 1, notImported: 1 })
  })

  it('passes over the log of the client', async () => {
    await put('manifest.json', manifest())
    await put('log.ndjson', lines({ exportId: 'x', timestamp: 't', eventId: 'kickoff' }, { exportId: 'x', eventId: 'end' }))
    const report = await run()
    expect(report.faults).toEqual([])
    expect(Object.fromEntries(report.passedOver)).toEqual({ 'export log or manifest': 2 })
  })
})

describe('bundles within a bundle', () => {
  it('are read in their place, and refer to each other', async () => {
    const inner = (resource: object): object => ({ resourceType: 'Bundle', type: 'searchset', entry: [{ resource }] })
    const spoiled = { ...observation({ id: 'o2' }), valueQuantity: { value: 'x' } }
    await put('batch.json', { ...bundle(inner(patient()), inner(observation()), inner(spoiled)), type: 'batch-response' })
    const report = await run()
    expect(report.faults).toEqual([
      { file: 'batch.json', entry: 2, inner: [0], reason: 'Observation.valueQuantity.value: missing or of the wrong type' },
    ])
    expect([...summary(report)].find((line) => line.startsWith('fault: '))).toContain('batch.json, entry 2, entry 0 within, ')
    expect(report.entries).toMatchObject({ read: 3, imported: 2, issues: 1 })
  })
})

describe('two servers with one id', () => {
  it('do not share a chart', async () => {
    for (const [name, host] of ['one', 'two'].entries()) {
      const input = bundle(patient({ birthDate: `197${name}-01-01` }), observation())
      const entry = input.entry.map(({ resource }, index) => ({
        fullUrl: `https://${host}.example.org/fhir/${index === 0 ? 'Patient/ada' : 'Observation/o1'}`,
        resource,
      }))
      await put(`${name}.json`, { ...input, entry })
    }
    const report = await run()
    expect(report.faults).toEqual([{ file: '1.json', entry: 0, reason: 'Patient.id: names resources of two servers' }])
    expect(report.written).toMatchObject({ created: 2, updated: 0, unchanged: 0 })
    expect(report.entries).toMatchObject({ read: 4, imported: 2, issues: 2 })
  })
})

describe('resources of patients that their file does not have', () => {
  const ada = importer.idFor('Patient', 'ada') as string as PatientId
  const alone = (id: string) => bundle(observation({ id }))

  it('wait for all other files, whatever their order, and for the writes of these', async () => {
    await put('a.json', alone('o1'))
    await put('b.json', bundle(patient()))
    await put('c.ndjson', lines(observation({ id: 'o2' })))
    importer.patients.set(importer.idFor('Patient', 'ada'), ada)
    const written: string[] = []
    const inner = importer
    importer = Object.assign(new MemoryImporter(), {
      write: async (one: MappedPatient) => {
        const result = await inner.write(one)
        written.push(one.records.map(({ ref }) => ref.type).join())
        return result
      },
      storedPatients: async (ids: readonly RecordId[]) => {
        written.push('lookup')
        return await inner.storedPatients(ids)
      },
    })
    const report = await run()
    expect(report.faults).toEqual([])
    expect(written).toEqual(['Patient', 'lookup', 'lookup', 'Observation', 'Observation'])
    expect(report.files).toMatchObject([
      { file: 'a.json', read: 1, imported: 1 },
      { file: 'b.json', read: 1, imported: 1 },
      { file: 'c.ndjson', read: 1, imported: 1 },
    ])
    expect((await run()).entries).toMatchObject({ read: 3, unchanged: 3 })
  })

  it('are asked for once a unit, and only if there is one', async () => {
    await put('a.json', bundle(patient(), observation()))
    await put(
      'b.json',
      bundle(
        observation({ id: 'o2' }),
        observation({ id: 'o3' }),
        observation({ id: 'o4', subject: { reference: 'Patient/bob' } }),
      ),
    )
    const report = await run()
    expect(importer.lookups).toEqual([['ada', 'bob'].map((id) => importer.idFor('Patient', id))])
    expect(report.faults).toHaveLength(3)
  })

  it('count nobody as a patient that no clinician can read', async () => {
    await put('a.json', alone('o1'))
    importer.patients.set(importer.idFor('Patient', 'ada'), ada)
    expect(await run()).toMatchObject({ patients: 1, unreadable: 0 })
  })

  it('belong to one server', async () => {
    const at = (server: string, resource: object, url: string) => ({
      ...bundle(),
      entry: [{ fullUrl: `https://${server}/${url}`, resource }],
    })
    await put('a.json', at('one.example', patient(), 'Patient/ada'))
    await put('b.json', at('two.example', observation(), 'Observation/o1'))
    importer.patients.set(importer.idFor('Patient', 'ada'), ada)
    const report = await run()
    expect(report.faults).toMatchObject([{ file: 'b.json', reason: 'Patient.id: names resources of two servers' }])
    expect(report.entries).toMatchObject({ imported: 1, issues: 1 })
  })

  it('are not read together without an upper bound', () => {
    const held = new HeldUnits(10)
    const unit = { bundle: alone('o1'), characters: 6, placeOf: () => ({ file: '' }) }
    const opened = openBundle(unit.bundle, now)
    expect([1, 2].map(() => held.take(unit, opened))).toEqual(['held', 'too many'])
    expect(held.take(unit, openBundle(bundle(patient()), now))).toBe('not needed')
    expect(held.inOrder()).toHaveLength(1)
  })
})

describe('pages', () => {
  const page = (number: number, next: boolean, resource: object): object => ({
    ...bundle(resource),
    type: 'searchset',
    link: [
      { relation: 'self', url: `https://clinic.example.org/fhir?page=${number}` },
      ...(next ? [{ relation: 'next', url: `https://clinic.example.org/fhir?page=${number + 1}` }] : []),
    ],
  })

  it('are reported if the next one is not among the files', async () => {
    await put('1.json', page(1, true, patient()))
    await put('2.json', page(2, true, patient({ id: 'bob' })))
    const report = await run()
    expect(report.missingPages).toBe(1)
    expect([...summary(report)].join('\n')).toContain('1 bundle with one page of several')
    await put('3.json', page(3, false, patient({ id: 'eve' })))
    expect((await run()).missingPages).toBe(0)
  })

  it('refer to each other, whatever their order, and are counted by their entries', async () => {
    const spoiled = observation({ id: 'o2', valueQuantity: { value: 'x' } })
    const last = page(3, false, observation())
    await put('a.json', { ...last, entry: [{ resource: observation() }, { resource: spoiled }] })
    await put('b.json', page(2, true, { ...observation({ id: 'o3' }) }))
    await put('c.json', page(1, true, patient()))
    const report = await run()
    expect(report).toMatchObject({ bundles: 3, resources: 0, patients: 1, missingPages: 0 })
    expect(report.entries).toMatchObject({ read: 4, imported: 3, issues: 1 })
    expect(report.files).toMatchObject([
      { file: 'a.json', read: 2, imported: 1, issues: 1 },
      { file: 'b.json', read: 1 },
      { file: 'c.json', read: 1 },
    ])
    expect(report.faults).toEqual([
      { file: 'a.json', entry: 1, reason: 'Observation.valueQuantity.value: missing or of the wrong type' },
    ])
  })

  it('can each include the same patient', async () => {
    for (const number of [1, 2, 3]) {
      const entry = [observation({ id: `o${number}` }), patient()].map((resource) => ({ resource }))
      await put(`${number}.json`, { ...page(number, number < 3, patient()), entry })
    }
    const report = await run()
    expect(report.faults).toEqual([])
    expect(report.entries).toMatchObject({ read: 6, issues: 0, superseded: 1 })
    expect(Object.fromEntries(report.records)).toMatchObject({ Observation: 3 })
    expect(report.patients).toBe(1)
  })

  it('keep the faults and the labels of their bundles', async () => {
    await put('1.json', page(1, true, patient()))
    await put('2.json', { ...page(2, false, observation()), implicitRules: 'https://rules.example' })
    const report = await run()
    expect(report.faults).toEqual([
      { file: '2.json', entry: 0, reason: 'Bundle: carries implicitRules, which must be known to read the resource' },
    ])
  })
})

describe('a path with nothing to read', () => {
  it.each([
    ['an empty folder', 'none', 'none'],
    ['other files', '.xml 2, other 1', 'other'],
  ])('is a fault: %s', async (_case, found, path) => {
    await mkdir(join(home, 'none'))
    for (const name of ['a.xml', 'b.xml', 'Ada.Byron']) await put(`other/${name}`, '<Patient/>')
    await put('good/1.json', bundle(patient()))
    const report = await run('good', path)
    expect(report.faults).toEqual([{ file: path, reason: `nothing to import was found; found instead: ${found}` }])
  })

  it('is a fault if it has bundles without entries only', async () => {
    await put('1.json', { resourceType: 'Bundle', type: 'searchset', total: 0 })
    await put('2.json', { ...bundle(), entry: [] })
    const reason = 'nothing to import was found; found instead: bundle without entries 2'
    expect((await run()).faults).toEqual([{ file: basename(home), reason }])
    await put('3.json', bundle(patient()))
    expect(await run()).toMatchObject({ faults: [], bundles: 3, passedOver: new Map([['bundle without entries', 2]]) })
  })

  it('files beside readable ones are counted', async () => {
    await put('1.json', bundle(patient()))
    await put('1.xml', '<Patient/>')
    const report = await run()
    expect(report.faults).toEqual([])
    expect([...summary(report)]).toContain('files that are not read: .xml 1')
    expect(JSON.parse(jsonReport(report))).toMatchObject({
      passedOver: { '.xml': 1 },
      files: [{ file: '1.json', read: 1, imported: 1 }],
    })
  })
})
