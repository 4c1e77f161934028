import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImportReport } from '../../cli/import-report.ts'
import { runImport } from '../../cli/import-run.ts'
import { lockDigest } from '../../directives/compile.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import type { Instant, PatientId, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import { destroyPatientKeys } from '../../gateway/store/key-destruction.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { commit } from '../gateway/admitted.ts'
import { plainOptions } from '../harness/import-options.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

const RIVERSIDE = 'riverside' as TenantId
const LAKESIDE = 'lakeside' as TenantId
const SYSTEM = 'urn:example:record-number'
const UNFILED = 'Observation.subject: its patient is not among the imported ones'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

const number = (value: string, more: object = {}) => ({ system: SYSTEM, value, ...more })
const patient = (id: string, identifier: readonly object[] = [number(id)], more: object = {}) => ({
  resourceType: 'Patient',
  id,
  name: [{ family: id }],
  identifier,
  ...more,
})
const team = (id: string) => ({
  resourceType: 'CareTeam',
  id: `team-${id}`,
  status: 'active',
  subject: { reference: `Patient/${id}` },
  participant: [{ member: { reference: 'Practitioner/p1' } }],
})
const byId = (id: string) => ({ reference: `Patient/${id}` })
const byNumber = (value: string) => ({ identifier: { system: SYSTEM, value } })
const noted = (id: string, subject: object, valueString = id) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'note' },
  subject,
  valueString,
})

/** Imports the lines of one NDJSON file. */
async function importLines(resources: readonly object[], tenant = RIVERSIDE): Promise<ImportReport> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-import-'))
  const importer = await openStore(tenant, lockDigest(clinicLock()), clinic.stack.env)
  try {
    writeFileSync(join(folder, 'changes.ndjson'), resources.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const physician = tenant === RIVERSIDE ? 'Practitioner/physician' : 'Practitioner/lakeside-physician'
    const assign = new Map([['Practitioner/p1', [physician]]])
    return await runImport({ paths: [folder], tenant, importer, ...plainOptions(), assign })
  } finally {
    await importer.close()
    rmSync(folder, { recursive: true })
  }
}

async function patientIdOf(id: string, tenant = RIVERSIDE): Promise<PatientId> {
  const store = await openStore(tenant, lockDigest(clinicLock()), clinic.stack.env)
  await store.close()
  return store.idFor('Patient', id) as string as PatientId
}

/** The values of the observations of a patient, as the physician reads them. */
async function read(id: string, tenant = RIVERSIDE): Promise<unknown> {
  const whose = await patientIdOf(id, tenant)
  const node = encodeNodeId({ type: 'Patient' as TypeName, patient: whose, id: whose as never })
  const reader = tenant === RIVERSIDE ? 'physician' : 'lakeside-physician'
  const { data } = await clinic.ask(reader, `{ patient(id: "${node}") { observations { edges { node { valueString } } } } }`)
  const chart = data?.['patient'] as { observations: { edges: { node: { valueString: string } }[] } } | null | undefined
  return chart?.observations.edges.map((edge) => edge.node.valueString).toSorted()
}

const reasons = ({ faults }: ImportReport): readonly string[] => faults.map(({ reason }) => reason)

describe('a file of changes without the patients', () => {
  it('is filed in the stored charts, by id and by identifier', async () => {
    await importLines([patient('s1'), patient('s2'), team('s1'), team('s2')])
    const report = await importLines([noted('s1-a', byId('s1')), noted('s1-b', byNumber('s1')), noted('s2-a', byNumber('s2'))])
    expect(reasons(report)).toEqual([])
    expect(report.entries).toMatchObject({ read: 3, imported: 3 })
    expect(report).toMatchObject({ patients: 2, unreadable: 0, written: { created: 3 } })
    expect(await read('s1')).toEqual(['s1-a', 's1-b'])
    expect(await read('s2')).toEqual(['s2-a'])
    expect((await importLines([noted('s1-a', byNumber('s1')), noted('s1-b', byNumber('s1'))])).entries).toMatchObject({
      imported: 1,
      unchanged: 1,
    })
  })

  it('moves a record between stored charts', async () => {
    await importLines([patient('m1'), patient('m2'), team('m1'), team('m2'), noted('m', byId('m1'))])
    expect((await importLines([noted('m', byNumber('m2'))])).written).toMatchObject({ moved: 1 })
    expect([await read('m1'), await read('m2')]).toEqual([[], ['m']])
  })

  it('is a fault for a patient that no import has stored, and a changed record leaves its chart', async () => {
    await importLines([patient('u1'), team('u1'), noted('u', byId('u1'))])
    const report = await importLines([noted('u', byId('nobody')), noted('v', byNumber('nobody'))])
    expect(reasons(report)).toEqual([UNFILED, UNFILED])
    expect(await read('u1')).toEqual([])
  })

  it('P3: is filed for a patient that a consent closes, and opens nothing', async () => {
    const consent = {
      resourceType: 'Consent',
      id: 'closing',
      status: 'active',
      scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
      category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
      policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTOUT' }] },
    }
    await importLines([patient('c1'), team('c1')])
    await importLines([{ ...consent, patient: byNumber('c1') }])
    expect((await importLines([noted('c', byId('c1'))])).entries).toMatchObject({ imported: 1 })
    expect(await read('c1')).toBeUndefined()
    await importLines([{ ...consent, patient: byNumber('c1'), status: 'inactive' }])
    expect(await read('c1')).toEqual(['c'])
  })

  it('is a fault for a patient that its source withdraws or that is erased', async () => {
    await importLines([patient('w1'), patient('e1')])
    await importLines([patient('w1', [number('w1')], { gender: 'unreadable' })])
    const erased = await patientIdOf('e1')
    await commit(clinic.services, await destroyPatientKeys(clinic.services, RIVERSIDE, erased, Date.now() as Instant), erased)
    expect(
      reasons(await importLines(['w1', 'e1'].flatMap((id) => [noted(`${id}-i`, byId(id)), noted(`${id}-n`, byNumber(id))]))),
    ).toEqual(Array.from({ length: 4 }, () => UNFILED))
  })
})

describe('an identifier', () => {
  it('of two patients leads to none of them, until one of them has it no more', async () => {
    await importLines([patient('a1', [number('same')]), patient('a2', [number('same')]), team('a1'), team('a2')])
    expect(reasons(await importLines([noted('a', byNumber('same'))]))).toEqual([UNFILED])
    await importLines([patient('a2', [number('same', { use: 'old' })])])
    expect(reasons(await importLines([noted('a', byNumber('same'))]))).toEqual([])
    expect([await read('a1'), await read('a2')]).toEqual([['a'], []])
  })

  it('that moves to another patient leads to that patient', async () => {
    await importLines([patient('n1', [number('n')]), patient('n2', []), team('n1'), team('n2')])
    await importLines([noted('before', byNumber('n'))])
    await importLines([patient('n1', []), patient('n2', [number('n')])])
    await importLines([noted('after', byNumber('n'))])
    expect([await read('n1'), await read('n2')]).toEqual([['before'], ['after']])
    // back again, one patient after the other
    await importLines([patient('n1', [number('n')])])
    expect(reasons(await importLines([noted('later', byNumber('n'))]))).toEqual([UNFILED])
    await importLines([patient('n2', [])])
    await importLines([noted('later', byNumber('n'))])
    expect(await read('n1')).toEqual(['before', 'later'])
  })

  it('leads to nobody after its end, without another import of the patient', async () => {
    const end = new Date(Date.now() + 1_500).toISOString()
    await importLines([patient('t1', [number('short', { period: { end } })]), team('t1')])
    expect(reasons(await importLines([noted('t', byNumber('short'))]))).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(end) - Date.now()) + 10))
    expect(reasons(await importLines([noted('t', byNumber('short'), 'changed')]))).toEqual([UNFILED])
  })

  it('of very many patients is a placeholder, and leads to nobody for good', async () => {
    const crowd = Array.from({ length: 10 }, (_, index) => `crowd${index}`)
    await importLines(crowd.map((id) => patient(id, [number('placeholder')])))
    await importLines(crowd.slice(1).map((id) => patient(id, [])))
    expect(reasons(await importLines([noted('p', byNumber('placeholder'))]))).toEqual([UNFILED])
  })

  it('P5: leads to a patient of the same tenant only', async () => {
    await importLines([patient('x1', [number('shared')])])
    expect(reasons(await importLines([noted('x', byNumber('shared')), noted('y', byId('x1'))], LAKESIDE))).toEqual([
      UNFILED,
      UNFILED,
    ])
    await importLines([patient('x2', [number('shared')]), team('x2')], LAKESIDE)
    await importLines([noted('x', byNumber('shared'))], LAKESIDE)
    expect(await read('x2', LAKESIDE)).toEqual(['x'])
  })
})
