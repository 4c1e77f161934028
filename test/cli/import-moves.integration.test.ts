import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PatientId, TenantId } from '../../gateway/model/ids.ts'
import { decodeNodeId } from '../../gateway/model/node-id.ts'
import { importResources } from '../harness/imported.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

const RIVERSIDE = 'riverside' as TenantId

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

const patient = (id: string) => ({ resourceType: 'Patient', id, name: [{ family: id }] })
const allergy = (id: string, of: string, more: object = {}) => ({
  resourceType: 'AllergyIntolerance',
  id,
  patient: { reference: `Patient/${of}` },
  code: { text: 'Penicillin' },
  ...more,
})
const version = (versionId: string) => ({ meta: { versionId } })
const REFUTED = { verificationStatus: { coding: [{ code: 'refuted' }] } }

const patientOf = ({ idOf }: Awaited<ReturnType<typeof importResources>>, id: string): PatientId =>
  decodeNodeId(idOf('Patient', id, id))?.patient as PatientId
const written = async (of: PatientId): Promise<unknown[]> => {
  const all = await clinic.services.history.entriesBy('patient', RIVERSIDE, of)
  return all.flatMap(({ action, path, outcome, recordVersion }) =>
    path === 'AllergyIntolerance' && outcome === 'WRITTEN' ? [{ action, recordVersion }] : [],
  )
}

describe('a record that moves to another patient', () => {
  it('P6: leaves one chart and enters the other in one transaction, with an audit record in both', async () => {
    const first = await importResources(clinic, [patient('m1'), patient('m2'), allergy('moves', 'm1', version('1'))])
    const second = await importResources(clinic, [patient('m1'), patient('m2'), allergy('moves', 'm2', version('2'))])
    expect(second.written).toMatchObject({ created: 0, updated: 0, moved: 1, removed: 0 })
    expect(await written(patientOf(first, 'm1'))).toEqual([
      { action: 'CREATE', recordVersion: 1 },
      { action: 'DELETE', recordVersion: 1 },
    ])
    expect(await written(patientOf(first, 'm2'))).toEqual([{ action: 'CREATE', recordVersion: 1 }])
    // back again: the version continues after that of the history
    const third = await importResources(clinic, [patient('m1'), patient('m2'), allergy('moves', 'm1', version('3'))])
    expect(third.written).toMatchObject({ moved: 1 })
    expect(await written(patientOf(first, 'm1'))).toHaveLength(3)
    expect((await written(patientOf(first, 'm1'))).at(-1)).toEqual({ action: 'CREATE', recordVersion: 2 })
  })

  it('is refused if its encounter is in the chart of the first patient', async () => {
    const visit = {
      resourceType: 'Encounter',
      id: 'visit',
      status: 'finished',
      class: { code: 'AMB' },
      subject: { reference: 'Patient/m3' },
    }
    await importResources(clinic, [patient('m3'), visit])
    const encounter = { encounter: { reference: 'Encounter/visit' } }
    const coded = { status: 'final', code: { text: 'note' }, valueString: 'x', subject: { reference: 'Patient/m4' } }
    const report = await importResources(clinic, [
      patient('m4'),
      { resourceType: 'Observation', id: 'seen', ...coded, ...encounter },
    ])
    expect(report.faults).toMatchObject([{ entry: 1, reason: 'Observation: its encounter belongs to another patient' }])
    expect(report.entries).toMatchObject({ read: 2, imported: 1, issues: 1 })
  })
})

describe('a record that its source withdraws', () => {
  it('does not return with an older version, and returns with a newer one', async () => {
    const counts = async (...resources: readonly object[]) => (await importResources(clinic, [patient('w1'), ...resources])).written
    expect(await counts(allergy('back', 'w1', version('2')))).toMatchObject({ created: 2 })
    expect(await counts(allergy('back', 'w1', { ...version('3'), ...REFUTED }))).toMatchObject({ removed: 1 })
    const late = await importResources(clinic, [patient('w1'), allergy('back', 'w1', version('1'))])
    expect(late.written).toMatchObject({ created: 0, updated: 0 })
    expect(late.entries).toMatchObject({ superseded: 1 })
    expect(await counts(allergy('back', 'w1', version('4')))).toMatchObject({ created: 1 })
  })

  it('is a fault if the retracted text comes again without a newer version', async () => {
    await importResources(clinic, [patient('w2'), allergy('same', 'w2')])
    await importResources(clinic, [patient('w2'), allergy('same', 'w2', REFUTED)])
    const report = await importResources(clinic, [patient('w2'), allergy('same', 'w2')])
    expect(report.written).toMatchObject({ created: 0 })
    expect(report.faults.map(({ reason }) => reason)).toEqual([
      'AllergyIntolerance: as it was before its source retracted it, and no version shows that this one is newer',
    ])
    expect(report.entries).toMatchObject({ issues: 1 })
  })

  it('was never there: a withdrawal that comes first keeps an older version out', async () => {
    await importResources(clinic, [patient('w3'), allergy('first', 'w3', { ...version('2'), ...REFUTED })])
    const report = await importResources(clinic, [patient('w3'), allergy('first', 'w3', version('1'))])
    expect(report.records.get('AllergyIntolerance')).toBeUndefined()
    expect(report.entries).toMatchObject({ superseded: 1 })
  })
})

describe('a patient that its source deletes', () => {
  it('P3: is closed, and opens again with a newer version', async () => {
    const idOf = (await importResources(clinic, [{ ...patient('d1'), ...version('1') }])).idOf('Patient', 'd1', 'd1')
    const ask = () => clinic.ask('frontdesk', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: idOf })
    expect((await ask()).data).toEqual({ patient: { familyName: 'd1' } })
    const gone = { request: { method: 'DELETE', url: 'Patient/d1' }, response: { etag: 'W/"2"' } }
    const report = await importResources(clinic, [], { bundle: { type: 'history', entry: [gone] } })
    expect(report.closed).toBe(1)
    expect((await ask()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    await importResources(clinic, [{ ...patient('d1'), ...version('3') }])
    expect((await ask()).data).toEqual({ patient: { familyName: 'd1' } })
  })
})
