import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportCommand } from '../../../../cli/audit-export.ts'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { runCommand } from '../../../cli/run-command.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../../harness/running-clinic.ts'
import { at, auditOf } from '../../asking.ts'
import { admitted } from '../../mutations/access-desk.ts'
import { CREATE_OBSERVATION, HEART_RATE, RETRACT_OBSERVATION, UPDATE_OBSERVATION } from '../../mutations/record-writing.ts'
import { refOf } from '../../store/database-hand.ts'
import { BALP_URL, BalpValidator, profilesOf } from './balp-validator.ts'
import { objectsOf, PLAIN } from './export-bench.ts'

type Resource = Readonly<Record<string, unknown>>

const GATEWAY = 'https://phi.example'
const RECORDS = `${GATEWAY}/tenants/riverside/record-versions`
/** Occurs in every value that is written. */
const VALUE = 'Zanzibar heart rate'
const REASON = 'entered for another person'
const UPDATE_PATIENT = `mutation ($id: ID!, $version: Int!, $patch: PatientPatch!, $key: String!) {
  updatePatient(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version }
}`

const MEMBERSHIPS = [
  { relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] },
  { relationship: 'CARE_TEAM', fhirUser: 'Practitioner/nurse', periods: [{}] },
  { relationship: 'PROXY', fhirUser: 'RelatedPerson/proxy', periods: [{}] },
] as const

const folder = mkdtempSync(join(tmpdir(), 'phi-provenance-'))
const validator = new BalpValidator()
let clinic: RunningClinic
let patient: string
let id: string
/** The answers, in their order. */
let answers: Readonly<Record<'created' | 'updated' | 'retried' | 'denied' | 'blocked' | 'retracted' | 'byProxy', ClinicAnswer>>

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  patient = (await admitted(clinic, 'Represented', [], MEMBERSHIPS)).id
  const input = { ...HEART_RATE, code: { ...HEART_RATE.code, text: VALUE } }
  const created = await clinic.ask('physician', CREATE_OBSERVATION, { patient, input, key: 'create' })
  id = String(at(created.data, 'createObservation', 'record', 'id'))
  const patch = { valueQuantity: { value: 72, unit: VALUE, code: '/min' }, effectiveDateTime: '2026-11-02T10:00:00Z' }
  const update = { id, version: 1, patch, key: 'update' }
  answers = {
    created,
    updated: await clinic.ask('nurse', UPDATE_OBSERVATION, update),
    retried: await clinic.ask('nurse', UPDATE_OBSERVATION, update),
    blocked: await clinic.ask('nurse', RETRACT_OBSERVATION, { id, version: 2, reason: REASON }),
    retracted: await clinic.ask('physician', RETRACT_OBSERVATION, { id, version: 2, reason: REASON }),
    denied: await clinic.ask('proxy', UPDATE_PATIENT, { id: patient, version: 1, patch: { familyName: VALUE }, key: 'name' }),
    byProxy: await clinic.ask('proxy', UPDATE_PATIENT, { id: patient, version: 1, patch: { phone: '+1 555 0100' }, key: 'phone' }),
  }
}, 120_000)
afterAll(async () => {
  await clinic.stop()
  rmSync(folder, { recursive: true })
}, 120_000)

const entriesOf = async (name: keyof typeof answers): Promise<readonly AuditEntry[]> => await auditOf(clinic, answers[name])
const exportedOf = async (name: keyof typeof answers): Promise<readonly Resource[]> =>
  await objectsOf('fhir', await entriesOf(name), { ...PLAIN, gateway: GATEWAY })
const ofType = (resources: readonly Resource[], type: string): readonly Resource[] =>
  resources.filter(({ resourceType }) => resourceType === type)
const versionOf = (nodeId: string, version: number): object => {
  const { type, id: record } = refOf(nodeId)
  return { type, identifier: { system: RECORDS, value: `${record}/_history/${version}` } }
}
const changedPaths = (...paths: readonly string[]): object => ({
  extension: paths.map((valueString) => ({ url: `${GATEWAY}/StructureDefinition/changed-path`, valueString })),
})
const userOf = (name: string): object => ({ identifier: { system: `${GATEWAY}/tenants/riverside/users`, value: name } })

/** The changes: the answer, the BALP profile, the version, its paths, its former version, the user, the activity. */
const CHANGES = [
  ['created', 'PatientCreate', 1, ['category', 'code', 'effectiveDateTime', 'valueQuantity'], undefined, 'physician', 'CREATE'],
  ['updated', 'PatientUpdate', 2, ['effectiveDateTime', 'valueQuantity'], { role: 'revision', version: 1 }, 'nurse', 'UPDATE'],
  ['retracted', 'PatientDelete', 3, undefined, { role: 'removal', version: 2 }, 'physician', 'DELETE'],
] as const

describe('C08: changes of records as FHIR', () => {
  it.each(CHANGES)('C08: %s is an event of %s, and one Provenance', async (name, profile, version, fields, former, user, code) => {
    const resources = await exportedOf(name)
    const [provenance] = ofType(resources, 'Provenance')
    expect(ofType(resources, 'Provenance')).toHaveLength(1)
    const [entry] = (await entriesOf(name)).filter(({ outcome }) => outcome === 'WRITTEN')
    expect(provenance).toMatchObject({
      target: [{ ...versionOf(id, version), ...(fields && changedPaths(...fields.map((field) => `Observation.${field}`))) }],
      occurredDateTime: entry?.time,
      recorded: entry?.time,
      policy: [`${GATEWAY}/policies/${entry?.policy ?? ''}`],
      reason: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'TREAT' }] }],
      activity: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation', code }] },
    })
    expect((provenance?.['agent'] as readonly Resource[])[0]).toMatchObject({
      type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: 'author' }] },
      who: userOf(user),
    })
    expect(provenance?.['entity']).toEqual(former && [{ role: former.role, what: versionOf(id, former.version) }])

    const change = ofType(resources, 'AuditEvent').find(({ action }) => action === code.charAt(0))
    expect(profilesOf(change ?? {})).toEqual([BALP_URL + profile])
    expect(change).toMatchObject({
      outcome: '0',
      subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: code.toLowerCase() }],
    })
    // the event and the Provenance name the same version
    expect((change?.['entity'] as readonly Resource[]).at(-1)).toMatchObject({ role: { code: '4' }, what: versionOf(id, version) })
    expect(resources.flatMap((one) => validator.faultsOf(one))).toEqual([])
  })

  it('C08: a proxy acts on behalf of the patient', async () => {
    expect(answers.byProxy.errors).toEqual([])
    const [provenance] = ofType(await exportedOf('byProxy'), 'Provenance')
    const system = `${GATEWAY}/tenants/riverside/patients`
    expect((provenance?.['agent'] as readonly Resource[])[0]).toMatchObject({
      who: userOf('proxy'),
      onBehalfOf: { type: 'Patient', identifier: { system, value: refOf(patient).patient } },
    })
    expect(provenance?.['target']).toEqual([{ ...versionOf(patient, 2), ...changedPaths('Patient.phone') }])
  })

  it('C08: a denied change is an event with its outcome, and no Provenance', async () => {
    const resources = await exportedOf('denied')
    expect(ofType(resources, 'Provenance')).toEqual([])
    const denied = resources.filter(({ action }) => action === 'U')
    expect(denied.map(({ outcome, outcomeDesc }) => [outcome, outcomeDesc])).toEqual([['4', 'DENIED ROLE']])
    expect(denied.flatMap(profilesOf)).toEqual([])
    expect(JSON.stringify(denied)).not.toContain('record-versions')
  })

  it('C08: a mutation that the role may not call is a refused event, and no Provenance', async () => {
    const resources = await exportedOf('blocked')
    expect(resources.map(({ resourceType, action, outcome }) => [resourceType, action, outcome])).toEqual([
      ['AuditEvent', 'U', '4'],
    ])
  })

  it('C08: a retry, which changes nothing, claims no profile and has no Provenance', async () => {
    expect(at(answers.retried.data, 'updateObservation', 'version')).toBe(2)
    const resources = await exportedOf('retried')
    expect(ofType(resources, 'Provenance')).toEqual([])
    const retried = resources.filter(({ action }) => action === 'U')
    expect(retried).toHaveLength(1)
    expect(retried.flatMap(profilesOf)).toEqual([])
  })

  it('C08: OCSF has the activities of changes, and CSV and NDJSON one line for each record', async () => {
    const entries = await entriesOf('updated')
    const ocsf = await objectsOf('ocsf', entries)
    expect(ocsf.map(({ activity_id: activity }) => activity)).toContain(2)
    expect(ocsf.filter(({ class_uid: kind }) => kind !== 6005)).toEqual([])
    expect(await objectsOf('ndjson', entries)).toEqual(entries)
  })

  it('C08, P8: phi audit export writes a Provenance for each change, the same each time, and no value', async () => {
    const day = (await entriesOf('created'))[0]?.time.slice(0, 10) ?? ''
    const run = async (name: string, ...words: readonly string[]): Promise<readonly Resource[]> => {
      const out = join(folder, name)
      const args = [
        '--tenant',
        'riverside',
        '--format',
        'fhir',
        '--gateway',
        GATEWAY,
        '--from',
        day,
        '--to',
        '2099',
        '--out',
        out,
        ...words,
      ]
      const { code, stderr } = await runCommand(exportCommand(), args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const text = readFileSync(out, 'utf8')
      for (const value of [VALUE, REASON, '555 0100', '2026-11-02']) expect(text).not.toContain(value)
      return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Resource]))
    }
    const one = ofType(await run('one.ndjson'), 'Provenance')
    expect(one.map(({ target }) => at(target, '0', 'identifier', 'value'))).toEqual(
      expect.arrayContaining([
        ...[1, 2, 3].map((version) => `${refOf(id).id}/_history/${version}`),
        `${refOf(patient).id}/_history/2`,
      ]),
    )
    expect(new Set(one.map((resource) => resource['id'])).size).toBe(one.length)
    expect(ofType(await run('two.ndjson'), 'Provenance')).toEqual(one)
    expect(one.flatMap((resource) => validator.faultsOf(resource))).toEqual([])
    // an import enters what others wrote
    const imported = one.find(({ target }) => at(target, '0', 'identifier', 'value') === `${refOf(patient).id}/_history/1`)
    expect(at(imported?.['agent'], '0', 'type', 'coding', '0', 'code')).toBe('enterer')

    const key = join(folder, 'key')
    writeFileSync(key, Buffer.alloc(32, 7), { mode: 0o600 })
    const digests = ofType(await run('digests.ndjson', '--digest-key', key), 'Provenance')
    expect(digests).toHaveLength(one.length)
    expect(digests.flatMap((resource) => validator.faultsOf(resource))).toEqual([])
    const text = JSON.stringify(digests)
    for (const secret of [refOf(id).id, refOf(id).patient, refOf(patient).patient]) expect(text).not.toContain(secret)
    expect(text).toContain(`${RECORDS}/digests`)
  })
})

describe('C08: the validator of Provenance', () => {
  it('C08: refuses each required element that is missing, repeated or changed', async () => {
    const [valid] = ofType(await exportedOf('updated'), 'Provenance')
    if (valid === undefined) throw new Error('no Provenance')
    expect(validator.faultsOf(valid)).toEqual([])
    const without = (name: string): object => Object.fromEntries(Object.entries(valid).filter(([one]) => one !== name))
    const [target] = valid['target'] as readonly object[]
    const [agent, ...agents] = valid['agent'] as readonly object[]
    const [entity] = valid['entity'] as readonly object[]
    const mutants: readonly object[] = [
      ...['target', 'recorded', 'agent', 'activity', 'occurredDateTime', 'id'].map(without),
      { ...valid, target: [] },
      { ...valid, target: [target, target] },
      { ...valid, target: [{ ...target, identifier: { system: RECORDS, value: 'an-id' } }] },
      { ...valid, recorded: 'yesterday' },
      { ...valid, activity: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation', code: 'READ' }] } },
      { ...valid, agent: [{ ...agent, who: undefined }, ...agents] },
      { ...valid, entity: [{ ...entity, role: 'copy' }] },
      { ...valid, entity: [{ ...entity, what: undefined }] },
      { ...valid, value: VALUE },
    ]
    const accepted = mutants.filter((mutant) => validator.faultsOf(JSON.parse(JSON.stringify(mutant))).length === 0)
    expect(accepted).toEqual([])
  })
})
