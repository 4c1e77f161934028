import { QueryCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyAdmin } from '../../../gateway/admin/key-admin.ts'
import { openStore, type SealedStore, UnknownTenant } from '../../../gateway/admin/open-store.ts'
import { BadUserInput, VersionConflict } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Json, Membership, NewRecord } from '../../../gateway/model/record.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt } from '../asking.ts'

const RIVERSIDE = 'riverside' as TenantId
const DIGEST = 'f'.repeat(64)

let clinic: RunningClinic
let store: SealedStore

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, DIGEST, clinic.stack.env)
})

afterAll(async () => {
  await store.close()
  await clinic.stop()
})

const patientRef = (source: string): RecordRef => {
  const id = store.idFor('Patient', source)
  return { type: 'Patient' as TypeName, patient: id as string as PatientId, id }
}

function person(ref: RecordRef, values: Record<string, Json>, source: string): NewRecord {
  const paths = Object.entries(values).map(([field, value]) => [`Patient.${field}` as SchemaPath, value] as const)
  return { ref, values: new Map(paths), metadata: { open: {}, references: {}, source } }
}

function finding(ref: RecordRef, number: number, text = 'calm'): NewRecord {
  const id = store.idFor('Observation', `${ref.id}/${number}`)
  return {
    ref: { type: 'Observation' as TypeName, patient: ref.patient, id },
    values: new Map([['Observation.valueString' as SchemaPath, text]]),
    metadata: {
      open: {},
      references: {},
      date: new Date(Date.UTC(2020, 0, 1 + number)).toISOString(),
      source: `o${number}-${text.length}`,
    },
  }
}

const onTeam = (ref: RecordRef, until?: string): Membership => ({
  patient: ref.patient,
  relationship: 'CARE_TEAM',
  fhirUser: 'Practitioner/physician',
  periods: [{ since: '2020-01-01T00:00:00.000Z', ...(until !== undefined && { until }) }],
})

const ask = async (ref: RecordRef, fields: string) =>
  (await clinic.ask('physician', `query ($id: ID!) { patient(id: $id) { ${fields} } }`, { id: encodeNodeId(ref) })).data?.[
    'patient'
  ]

describe('loading', () => {
  it('creates a record, finds it unchanged, then updates it and keeps the earlier version', async () => {
    const ref = patientRef('kept')
    const batch = { patient: ref.patient, records: [person(ref, { familyName: 'Before' }, 'a')], memberships: [onTeam(ref)] }
    expect(await store.write(batch)).toMatchObject({ created: 1, updated: 0, unchanged: 0 })
    const before = await clinic.services.history.entriesBy('patient', RIVERSIDE, ref.patient)
    expect(await store.write(batch)).toMatchObject({ created: 0, updated: 0, unchanged: 1 })
    expect(await clinic.services.history.entriesBy('patient', RIVERSIDE, ref.patient)).toEqual(before)

    expect(await store.write({ ...batch, records: [person(ref, { familyName: 'After' }, 'b')] })).toMatchObject({
      created: 0,
      updated: 1,
      unchanged: 0,
    })
    expect(await ask(ref, 'version familyName')).toEqual({ version: 2, familyName: 'After' })
    const { Items: former = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: clinic.stack.env.PHI_TABLE_HISTORY,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `riverside#${ref.patient}` } },
      }),
    )
    expect(former.map(({ sk }) => sk?.S)).toEqual([`Patient#${ref.id}#0000000001`])
  })

  it('P2: is recorded as CREATE or UPDATE, one item for each record with its list of paths', async () => {
    const ref = patientRef('recorded')
    const records = [person(ref, { familyName: 'Told', gender: 'female' }, 'a'), finding(ref, 1), finding(ref, 2)]
    await store.write({ patient: ref.patient, records, memberships: [onTeam(ref)] })
    const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, ref.patient)
    const created = entries.filter(({ action }) => action === 'CREATE')
    expect(created.map(({ recordType, recordVersion, outcome, paths }) => ({ recordType, recordVersion, outcome, paths }))).toEqual(
      [
        { recordType: 'Patient', recordVersion: 1, outcome: 'WRITTEN', paths: ['Patient.familyName', 'Patient.gender'] },
        { recordType: 'Observation', recordVersion: 1, outcome: 'WRITTEN', paths: ['Observation.valueString'] },
        { recordType: 'Observation', recordVersion: 1, outcome: 'WRITTEN', paths: ['Observation.valueString'] },
      ],
    )
    // the new membership is recorded as well
    expect(entries.filter(({ path, action }) => path === 'Patient.careTeam' && action === 'UPDATE')).toHaveLength(1)
    expect(
      entries.every(({ policy, user, client }) => policy === DIGEST && user.startsWith('os:') && client === 'phi-import'),
    ).toBe(true)
  })

  it('accepts a patient with more records than a transaction holds', async () => {
    const ref = patientRef('many')
    const records = [person(ref, { familyName: 'Many' }, 'a'), ...Array.from({ length: 150 }, (_, number) => finding(ref, number))]
    expect(await store.write({ patient: ref.patient, records, memberships: [onTeam(ref)] })).toMatchObject({
      created: 151,
      updated: 0,
      unchanged: 0,
    })
    // an interrupted write continues where it ended
    expect(
      await store.write({ patient: ref.patient, records: [...records, finding(ref, 150)], memberships: [onTeam(ref)] }),
    ).toMatchObject({
      created: 1,
      updated: 0,
      unchanged: 151,
    })
  })

  it('accepts changes that are spread over a long history', async () => {
    const ref = patientRef('spread')
    const findings = Array.from({ length: 2_000 }, (_, number) => finding(ref, number))
    await store.write({
      patient: ref.patient,
      records: [person(ref, { familyName: 'Spread' }, 'a'), ...findings],
      memberships: [onTeam(ref)],
    })
    const changed = findings.flatMap((_, number) => (number % 40 === 0 ? [finding(ref, number, 'changed')] : []))
    expect(await store.write({ patient: ref.patient, records: changed, memberships: [] })).toMatchObject({
      created: 0,
      updated: 50,
      unchanged: 0,
    })
    const page = `query ($id: ID!, $after: String) { patient(id: $id) {
      observations(first: 100, after: $after) { edges { node { id version } } pageInfo { endCursor hasNextPage } }
    } }`
    const versions = new Map<unknown, unknown>()
    let after: unknown
    for (;;) {
      const { data, errors } = await clinic.ask('physician', page, { id: encodeNodeId(ref), after })
      expect(errors).toEqual([])
      for (const node of nodesAt(data, 'patient', 'observations')) versions.set(at(node, 'id'), at(node, 'version'))
      if (at(data, 'patient', 'observations', 'pageInfo', 'hasNextPage') !== true) break
      after = at(data, 'patient', 'observations', 'pageInfo', 'endCursor')
    }
    expect(versions.size).toBe(2_000)
    expect(
      [...versions]
        .filter(([, version]) => version === 2)
        .map(([id]) => id)
        .toSorted(),
    ).toEqual(changed.map(({ ref }) => encodeNodeId(ref)).toSorted())
  })

  it('refuses a record that exceeds the size of an item before any write', async () => {
    const ref = patientRef('large')
    const values = Object.fromEntries(['familyName', 'email', 'phone'].map((field) => [field, 'x'.repeat(150_000)]))
    await expect(
      store.write({ patient: ref.patient, records: [person(ref, values, 'a')], memberships: [] }),
    ).rejects.toBeInstanceOf(BadUserInput)
    expect(await clinic.services.history.entriesBy('patient', RIVERSIDE, ref.patient)).toEqual([])
    expect(await clinic.services.records.whole(RIVERSIDE, ref)).toBeUndefined()
  })

  it('if two writers write the same patient at once, one succeeds and the other gets a conflict', async () => {
    const ref = patientRef('contested')
    const other = await openStore(RIVERSIDE, DIGEST, clinic.stack.env)
    try {
      const batch = { patient: ref.patient, records: [person(ref, { familyName: 'Once' }, 'a'), finding(ref, 1)], memberships: [] }
      const written = await Promise.allSettled([store.write(batch), other.write(batch)])
      expect(written.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
      for (const result of written) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflict)
      const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, ref.patient)
      expect(entries.filter(({ action }) => action === 'CREATE')).toHaveLength(2)
    } finally {
      await other.close()
    }
  })

  it('P13: an ended membership closes the patient at the next request', async () => {
    const ref = patientRef('left')
    const records = [person(ref, { familyName: 'Left' }, 'a')]
    await store.write({ patient: ref.patient, records, memberships: [onTeam(ref)] })
    expect(await ask(ref, 'familyName')).toEqual({ familyName: 'Left' })
    await store.write({ patient: ref.patient, records, memberships: [onTeam(ref, '2021-01-01T00:00:00.000Z')] })
    expect(await ask(ref, 'familyName')).toEqual({ familyName: null })
  })

  it('P5: the same source id has another id in another tenant', async () => {
    const lakeside = await openStore('lakeside' as TenantId, DIGEST, clinic.stack.env)
    expect(lakeside.idFor('Patient', 'kept')).not.toBe(store.idFor('Patient', 'kept'))
    expect(store.idFor('Observation', 'kept')).not.toBe(store.idFor('Patient', 'kept'))
    await lakeside.close()
  })

  it('refuses a tenant without keys before it writes anything, until the tenant is created', async () => {
    const env = { ...clinic.stack.env }
    const tenant = 'harbor' as TenantId
    const opened = () => openStore(tenant, DIGEST, env, [], 'existing')
    await expect(opened()).rejects.toBeInstanceOf(UnknownTenant)
    expect(await clinic.services.keyring.hasTenant(tenant)).toBe(false)
    const admin = keyAdmin(DIGEST, env, [])
    expect([await admin.create(tenant), await admin.create(tenant)]).toEqual(['created', []])
    admin.close()
    await (await opened()).close()
  })

  it('names the records that a write found unchanged', async () => {
    const ref = patientRef('again')
    const batch = {
      patient: ref.patient,
      records: [person(ref, { familyName: 'Again' }, 'a'), finding(ref, 1)],
      memberships: [onTeam(ref)],
    }
    expect(await store.write(batch)).toMatchObject({ created: 2, unchangedRecords: new Set(), accessChanged: true })
    const changed = { ...batch, records: [person(ref, { familyName: 'New' }, 'b'), finding(ref, 1)] }
    const observation = `Observation#${store.idFor('Observation', `${ref.id}/1`)}`
    const result = { updated: 1, unchanged: 1, unchangedRecords: new Set([observation]), accessChanged: false }
    expect(await store.write(changed)).toMatchObject(result)
  })
})
