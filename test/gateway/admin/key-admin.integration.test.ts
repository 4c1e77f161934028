import { type AttributeValue, BatchWriteItemCommand, GetItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keysCommand } from '../../../cli/keys.ts'
import type { AuditContext } from '../../../gateway/audit/entry.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { keyStatus } from '../../../gateway/crypto/key-status.ts'
import { envelopeKeyVersion } from '../../../gateway/crypto/envelope.ts'
import { manifestKeyVersion } from '../../../gateway/crypto/manifest.ts'
import { keyRotation } from '../../../gateway/admin/key-admin.ts'
import { RecordWriter } from '../../../gateway/store/record-writer.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import { runCommand } from '../../cli/run-command.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, first, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PATIENTS = 5
const DIGEST = 'f'.repeat(64)
const PAGE =
  'query ($id: ID!) { patient(id: $id) { familyName observations(first: 3) { edges { node { id valueString } } pageInfo { endCursor } } } }'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: PATIENTS, lakeside: 1 })
})
afterAll(() => clinic.stop())

/** Runs a command in this process, whose environment is that of the stack. */
async function phi(...words: readonly string[]): Promise<string> {
  const { code, stdout } = await runCommand(keysCommand(), words)
  expect(code).toBe(0)
  return stdout
}

async function recordBytes(): Promise<unknown> {
  const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_RECORDS }))
  return Items.toSorted((a, b) => (`${a['pk']?.S} ${a['sk']?.S}` < `${b['pk']?.S} ${b['sk']?.S}` ? -1 : 1))
}

async function itemOf(patient: string, sk: string): Promise<Record<string, AttributeValue>> {
  const Key = { pk: { S: `${RIVERSIDE}#${patient}` }, sk: { S: sk } }
  const { Item } = await clinic.stack.dynamodb.send(new GetItemCommand({ TableName: clinic.stack.env.PHI_TABLE_RECORDS, Key }))
  if (Item === undefined) throw new Error('no such item')
  return Item
}

describe('phi keys', { timeout: 90_000 }, () => {
  it('rotates and rewraps a tenant while a warm process continues; no sealed value changes, and the audit records the change', async () => {
    let later = 0
    const warm = await clinic.another({ now: () => Date.now() + later })
    const ask = async (of: Pick<RunningClinic, 'ask'>) =>
      (await of.ask('physician', '{ patients(first: 5) { edges { node { familyName birthDate } } } }')).data
    const before = { records: await recordBytes(), answer: await ask(warm) }
    expect(await phi('rotate', 'riverside')).toBe(`tenant key version 2\nrewrapped ${PATIENTS}, refused 0\n`)
    expect(await ask(warm)).toEqual(before.answer)
    expect(await phi('rewrap', 'riverside')).toBe(`rewrapped 0, already ${PATIENTS}, refused 0\n`)
    expect(await phi('list', 'riverside')).toBe(
      'version 1  alias/phi-local  purpose keys 0, patient keys 0\n' +
        `version 2  alias/phi-local  purpose keys 7, patient keys ${PATIENTS}\n`,
    )
    later = 61_000
    expect(await ask(warm)).toEqual(before.answer)
    expect(await ask(await clinic.another())).toEqual(before.answer)
    expect(await recordBytes()).toEqual(before.records)
    const written = async (path: string) =>
      (await clinic.services.history.entriesBy('user', RIVERSIDE, `os:${userInfo().username}`)).filter(
        (entry) => entry.path === path,
      )
    const told = await written('#tenant-key')
    expect(told).toMatchObject([{ action: 'UPDATE', outcome: 'WRITTEN', client: 'phi-keys' }])
    expect(told[0]).not.toHaveProperty('patient')
    expect(await written('#patient-key.wrapping')).toMatchObject([{ count: PATIENTS }])
  })

  it('a killed rewrapping continues where it ended', async () => {
    const { keyring, keys } = clinic.services
    const added = 300
    const items = await Promise.all(
      Array.from({ length: added }, async () => {
        const patient = randomBytes(16).toString('base64url') as PatientId
        return keys.put(RIVERSIDE, patient, (await keyring.newPatientKey(RIVERSIDE, patient)).item).Put?.Item
      }),
    )
    for (let start = 0; start < added; start += 25) {
      const puts = items.slice(start, start + 25).map((Item) => ({ PutRequest: { Item } }))
      await clinic.stack.dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [clinic.stack.env.PHI_TABLE_KEYS]: puts } }))
    }
    await keyRotation(clinic.services, DIGEST).rotate(RIVERSIDE)
    const killed = spawn(process.execPath, ['cli/phi.ts', 'keys', 'rewrap', 'riverside'], { cwd: ROOT, env: process.env })
    killed.stderr.once('data', () => killed.kill('SIGKILL'))
    await once(killed, 'exit')
    const [, rewrapped = '', already = ''] =
      /^rewrapped (\d+), already (\d+), refused 0$/m.exec(await phi('rewrap', 'riverside')) ?? []
    expect(Number(already)).toBeGreaterThan(0)
    expect(Number(rewrapped)).toBeGreaterThan(0)
    expect(Number(rewrapped) + Number(already)).toBe(added + PATIENTS)
  })
})

describe('versions side by side', () => {
  it('of patient keys, access keys and cursor keys are read together; new writes use the new version after the cache time', async () => {
    let later = 0
    const { services, ask } = await clinic.another({ now: () => Date.now() + later })
    const id = first(await patientsOf({ ask }, 'physician'))
    const patient = decodeNodeId(id)?.patient ?? ('' as PatientId)
    const before = await ask('physician', PAGE, { id })
    const rotation = keyRotation(services, DIGEST)
    expect(await rotation.renewPatient(RIVERSIDE, patient)).toBe(2)
    expect(await rotation.renewUse(RIVERSIDE, 'cursor')).toBe(2)
    expect(await rotation.renewUse(RIVERSIDE, 'access')).toBe(2)

    const note = async (): Promise<string> => {
      const observation = randomBytes(16).toString('base64url') as RecordId
      const context: AuditContext = {
        tenant: RIVERSIDE,
        requestId: newRequestId(services.process, services.now(), randomBytes),
        user: 'test',
        roles: [],
        purpose: 'HOPERAT',
        persisted: false,
        policy: DIGEST,
      }
      const record = {
        ref: { type: 'Observation' as TypeName, patient, id: observation },
        values: new Map([['Observation.valueString' as SchemaPath, `note ${later}`]]),
        metadata: { open: {}, references: {}, date: new Date(Date.UTC(2040, 0, 1, 0, 0, later)).toISOString() },
      }
      const writer = new RecordWriter({ ...services, history: services.recordHistory })
      await writer.write(context, { patient, records: [record], access: [] })
      return observation
    }
    const versionOf = async (observation: string): Promise<number> =>
      manifestKeyVersion((await itemOf(patient, `Observation#${observation}`))['m']?.B ?? new Uint8Array())

    expect(await versionOf(await note())).toBe(1)
    later = 361_000
    expect(await versionOf(await note())).toBe(2)
    expect(envelopeKeyVersion((await itemOf(patient, '#INDEX'))['m']?.B ?? new Uint8Array())).toBe(2)
    expect(manifestKeyVersion((await itemOf(patient, `Patient#${patient}`))['m']?.B ?? new Uint8Array())).toBe(1)

    const after = await ask('physician', PAGE, { id })
    expect(after.errors).toEqual([])
    expect(at(after.data, 'patient', 'familyName')).toBe(at(before.data, 'patient', 'familyName'))
    expect(
      nodesAt(after.data, 'patient', 'observations')
        .map((node) => at(node, 'valueString'))
        .slice(0, 2),
    ).toEqual(['note 361000', 'note 0'])
    // a cursor of the older key continues where it ended
    const next = await ask(
      'physician',
      'query ($id: ID!, $after: String!) { patient(id: $id) { observations(first: 2, after: $after) { edges { node { id } } } } }',
      { id, after: at(before.data, 'patient', 'observations', 'pageInfo', 'endCursor') },
    )
    expect(next.errors).toEqual([])
    expect(nodesAt(next.data, 'patient', 'observations')).toHaveLength(2)
  })
})

describe('the move of a tenant to its own KMS key', () => {
  it('consists of a rotation and a rewrapping, and then the shared key is not needed', async () => {
    const kms = new KMSClient({})
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
    kms.destroy()
    const own = KeyMetadata?.Arn ?? ''
    const shared = clinic.stack.env.PHI_KMS_KEY_ID
    const env = (keys: readonly string[]) => ({ PHI_TENANT_KMS_KEYS: JSON.stringify({ riverside: keys }) })
    const moving = await clinic.another({ env: env([own, shared]) })
    const before = await moving.ask('billing', '{ patients(first: 5) { edges { node { familyName } } } }')
    const rotation = keyRotation(moving.services, DIGEST)
    await rotation.rotate(RIVERSIDE)
    expect((await rotation.rewrap(RIVERSIDE, () => undefined)).refused).toBe(0)
    expect(
      (await keyStatus(moving.services.keys, RIVERSIDE, 0)).tenantKeys.map(
        ({ kmsKey, uses, patientKeys }) => kmsKey === own || uses + patientKeys === 0,
      ),
    ).toEqual([true, true, true, true])
    clinic.stack.kms.disable(shared)
    try {
      const moved = await clinic.another({ env: env([own]) })
      const after = await moved.ask('billing', '{ patients(first: 5) { edges { node { familyName } } } }')
      expect(after.data).toEqual(before.data)
    } finally {
      clinic.stack.kms.setState(shared, 'Enabled')
    }
  })
})
