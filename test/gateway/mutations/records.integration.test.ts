import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, madeUpId, nodesAt, patientsOf } from '../asking.ts'
import { DatabaseHand, recordItem } from '../store/database-hand.ts'
import { HEART_RATE, versionsOf } from './record-writing.ts'

let clinic: RunningClinic
let hand: DatabaseHand
/** A patient of the physician and the nurse. */
let patient: string
let other: string
let offPanel: string
let foreign: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 22, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  const panel = await patientsOf(clinic, 'nurse')
  patient = first(panel)
  other = panel[1] ?? ''
  const ofPhysician = new Set(await patientsOf(clinic, 'physician'))
  offPanel = first((await patientsOf(clinic, 'billing')).filter((id) => !ofPhysician.has(id)))
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
})
afterAll(() => clinic.stop())

let keys = 0
const newKey = (): string => `key-${++keys}`

const OBSERVATION = 'id version code { text } valueQuantity { value } effectiveDateTime valueString interpretation'
const CREATE = `mutation ($patient: ID!, $input: ObservationInput!, $key: String!) {
  createObservation(patientId: $patient, input: $input, idempotencyKey: $key) { version record { ${OBSERVATION} } }
}`
const UPDATE = `mutation ($id: ID!, $version: Int!, $patch: ObservationPatch!, $key: String!) {
  updateObservation(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version record { ${OBSERVATION} } }
}`
const RETRACT = `mutation ($id: ID!, $version: Int!, $reason: String!) {
  retractObservation(id: $id, expectedVersion: $version, reason: $reason) { id version }
}`
const READ = `query ($id: ID!) { node(id: $id) { ... on Observation { ${OBSERVATION} } } }`

const create = async (user = 'physician', input: object = HEART_RATE, of = patient, key = newKey()): Promise<ClinicAnswer> =>
  await clinic.ask(user, CREATE, { patient: of, input, key })
const created = async (input: object = HEART_RATE): Promise<string> => {
  const answer = await create('physician', input)
  expect(answer.errors).toEqual([])
  return String(at(answer.data, 'createObservation', 'record', 'id'))
}
const update = async (id: string, patch: object, version = 1, user = 'physician', key = newKey()): Promise<ClinicAnswer> =>
  await clinic.ask(user, UPDATE, { id, version, patch, key })
const retract = async (id: string, version = 1, user = 'physician'): Promise<ClinicAnswer> =>
  await clinic.ask(user, RETRACT, { id, version, reason: 'entered for another person' })
const read = async (id: string): Promise<unknown> => at((await clinic.ask('physician', READ, { id })).data, 'node')
const codesOf = (answer: ClinicAnswer): unknown[] => answer.errors.map(({ extensions }) => extensions['code'])
/** The audit of the changes of an answer: path, action, outcome, version. */
const changesOf = async (answer: ClinicAnswer): Promise<string[]> =>
  (await auditOf(clinic, answer))
    .filter(({ action }) => action !== 'READ')
    .map(({ path, action, outcome, reason, recordVersion }) =>
      [path, action, outcome, reason, recordVersion].filter((one) => one !== undefined).join(' '),
    )
    .toSorted()
describe('a record is created', () => {
  it('C08: stores each value, with an audit record for each of them', async () => {
    const answer = await create()
    expect(answer.errors).toEqual([])
    const record = at(answer.data, 'createObservation', 'record')
    expect(record).toMatchObject({ version: 1, code: { text: 'Heart rate' }, valueQuantity: { value: 71 }, valueString: null })
    expect(at(answer.data, 'createObservation', 'version')).toBe(1)
    expect(await changesOf(answer)).toEqual([
      'Observation.category CREATE WRITTEN 1',
      'Observation.code CREATE WRITTEN 1',
      'Observation.effectiveDateTime CREATE WRITTEN 1',
      'Observation.valueQuantity CREATE WRITTEN 1',
    ])
    expect(await read(String(at(record, 'id')))).toEqual(record)
  })

  it('refuses an empty input, and one with a value of nothing but null', async () => {
    expect(codesOf(await create('physician', {}))).toEqual(['BAD_USER_INPUT'])
  })

  it('a retry with the same key changes nothing, and the answer is read again', async () => {
    const key = newKey()
    const one = await create('physician', HEART_RATE, patient, key)
    const two = await create('physician', HEART_RATE, patient, key)
    expect(two.data).toEqual(one.data)
    expect(await changesOf(two)).toEqual(['Mutation.createObservation UPDATE ABSENT 1'])
    // the same key of another user is another key
    const others = await create('nurse', HEART_RATE, patient, key)
    expect(at(others.data, 'createObservation', 'record', 'id')).not.toBe(at(one.data, 'createObservation', 'record', 'id'))
  })

  it('refuses a key that comes again with other arguments', async () => {
    const key = newKey()
    await create('physician', HEART_RATE, patient, key)
    expect(codesOf(await create('physician', { ...HEART_RATE, category: 'laboratory' }, patient, key))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await create('physician', HEART_RATE, other, key))).toEqual(['BAD_USER_INPUT'])
  })

  it('twenty concurrent retries create one record', async () => {
    const key = newKey()
    const answers = await Promise.all(Array.from({ length: 20 }, () => create('physician', HEART_RATE, patient, key)))
    expect(answers.flatMap(({ errors }) => errors)).toEqual([])
    expect(new Set(answers.map(({ data }) => at(data, 'createObservation', 'record', 'id'))).size).toBe(1)
  })

  it('refuses a key with control characters, and one that is too long', async () => {
    for (const key of ['', 'a\nb', 'x'.repeat(129), 'ключ'])
      expect(codesOf(await create('physician', HEART_RATE, patient, key)), key).toEqual(['BAD_USER_INPUT'])
  })
})

describe('a record is changed', () => {
  it('leaves absent values as they are, and null clears one', async () => {
    const id = await created({ ...HEART_RATE, interpretation: 'N' })
    const answer = await update(id, { valueQuantity: { value: 72, unit: 'beats/minute', code: '/min' }, interpretation: null })
    expect(answer.errors).toEqual([])
    expect(at(answer.data, 'updateObservation')).toMatchObject({
      version: 2,
      record: { version: 2, code: { text: 'Heart rate' }, valueQuantity: { value: 72 }, interpretation: null },
    })
    expect(await changesOf(answer)).toEqual([
      'Observation.interpretation UPDATE WRITTEN 2',
      'Observation.valueQuantity UPDATE WRITTEN 2',
    ])
    expect(await versionsOf(clinic, id)).toEqual([1])
  })

  it('P1: opens no value that the change does not give', async () => {
    const id = await created()
    const sealed = await hand.read(recordItem(id))
    await update(id, { interpretation: 'N' })
    const after = await hand.read(recordItem(id))
    // the same sealed bytes: they were neither opened nor sealed again
    expect(after['f:code']).toEqual(sealed['f:code'])
    expect(after['f:valueQuantity']).toEqual(sealed['f:valueQuantity'])
    expect(after['m']).not.toEqual(sealed['m'])
  })

  it('refuses a version that is no longer current, and names the current one alone', async () => {
    const id = await created()
    await update(id, { interpretation: 'H' })
    const late = await update(id, { interpretation: 'L' })
    expect(late.errors).toHaveLength(1)
    expect(late.errors[0]?.extensions).toEqual({ code: 'VERSION_CONFLICT', currentVersion: 2 })
    expect(await changesOf(late)).toEqual([])
    expect(at(await read(id), 'interpretation')).toBe('H')
  })

  it('a retry after success changes nothing, although the version is no longer the expected one', async () => {
    const id = await created()
    const key = newKey()
    const one = await update(id, { interpretation: 'H' }, 1, 'physician', key)
    const two = await update(id, { interpretation: 'H' }, 1, 'physician', key)
    expect(two.data).toEqual(one.data)
    expect(await versionsOf(clinic, id)).toEqual([1])
  })

  it('refuses two changes of one record in one operation', async () => {
    const id = await created()
    const patch = { interpretation: 'H' }
    const twice = `mutation ($id: ID!, $patch: ObservationPatch!) {
      a: updateObservation(id: $id, expectedVersion: 1, patch: $patch, idempotencyKey: "${newKey()}") { version }
      b: updateObservation(id: $id, expectedVersion: 2, patch: $patch, idempotencyKey: "${newKey()}") { version }
    }`
    expect(codesOf(await clinic.ask('physician', twice, { id, patch }))).toEqual(['BAD_USER_INPUT'])
    expect(await versionsOf(clinic, id)).toEqual([1])
  })

  it('refuses an operation with more than twenty changes before it writes', async () => {
    const calls = Array.from(
      { length: 21 },
      (_, call) => `c${call}: createObservation(patientId: $patient, input: $input, idempotencyKey: "${newKey()}") { version }`,
    )
    const query = `mutation ($patient: ID!, $input: ObservationInput!) { ${calls.join('\n')} }`
    const answer = await clinic.ask('physician', query, { patient, input: HEART_RATE })
    expect(codesOf(answer)).toEqual(['OPERATION_TOO_COSTLY'])
    expect(await changesOf(answer)).toEqual([])
  })
})

describe('values are checked before anything is written', () => {
  const BIG = 'x'.repeat(200 * 1024)
  it.each([
    ['a code of no FHIR value set', { category: 'sorcery' }, ['Observation.category']],
    ['a date in the future', { effectiveDateTime: '2031-01-01' }, ['Observation.effectiveDateTime']],
    ['a date that is none', { effectiveDateTime: 'yesterday' }, []],
    ['a unit that is none of UCUM', { valueQuantity: { value: 1, unit: 'x', code: 'furlongs!' } }, ['Observation.valueQuantity']],
    ['the wrong unit of a vital sign', { valueQuantity: { value: 71, unit: 'kg', code: 'kg' } }, ['Observation.valueQuantity']],
    ['a second value', { valueString: 'at rest' }, ['Observation.valueString']],
    ['a text over 200 KB', { valueQuantity: null, valueString: BIG }, ['Observation.valueString']],
    ['half of a surrogate pair', { interpretation: '\ud800' }, []],
    ['a control character', { interpretation: 'N\u0000' }, ['Observation.interpretation']],
    ['no code', { code: null }, ['Observation.code']],
  ])('%s', async (_what, wrong, coordinates) => {
    const answer = await create('physician', { ...HEART_RATE, ...wrong })
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_USER_INPUT']])
    expect(answer.errors[0]?.extensions['coordinates'] ?? []).toEqual(coordinates)
    expect(answer.text).not.toMatch(/sorcery|yesterday|furlongs|at rest|xxxx/)
    expect(await changesOf(answer)).toEqual([])
  })

  it('a change that would make the record too large: the reason names the limit, and nothing changes', async () => {
    // stages other than the local one get a fixed text
    const local = await clinic.another({ env: { PHI_STAGE: 'local' } })
    const text = (kilobytes: number): string => 'x'.repeat(kilobytes * 1024)
    const id = await created({ ...HEART_RATE, valueQuantity: null, valueString: text(190) })
    const change = { id, version: 1, patch: { code: { ...HEART_RATE.code, text: text(190) } }, key: newKey() }
    const answer = await local.ask('physician', UPDATE, change)
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_USER_INPUT']])
    expect(answer.errors[0]?.message).toBe(
      'The record would have more than 380000 bytes. Shorten its longest text, or divide it into several records.',
    )
    expect(await changesOf(answer)).toEqual([])
    expect(await versionsOf(clinic, id)).toEqual([])
    expect(await read(id)).toMatchObject({ version: 1, code: { text: 'Heart rate' } })
    // the key belongs to no change yet
    const shorter = await local.ask('physician', UPDATE, { ...change, patch: { code: { ...HEART_RATE.code, text: text(100) } } })
    expect(at(shorter.data, 'updateObservation', 'version')).toBe(2)
  })

  it('an unknown field, and keys that would change a prototype', async () => {
    const answers = [
      await create('physician', { ...HEART_RATE, status: 'final' }),
      await create('physician', JSON.parse(`{"__proto__": {"code": null}, "category": "vital-signs"}`) as object),
      await create('physician', { ...HEART_RATE, code: JSON.parse('{"coding": [], "__proto__": {}}') as object }),
      await create('physician', { ...HEART_RATE, constructor: {} }),
    ]
    for (const answer of answers) expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_USER_INPUT']])
  })

  it('a change is checked with the values that stay', async () => {
    const id = await created()
    const second = await update(id, { valueString: 'at rest' })
    expect(codesOf(second)).toEqual(['BAD_USER_INPUT'])
    const moved = await update(id, { valueQuantity: null, valueString: 'at rest' })
    expect(at(moved.data, 'updateObservation', 'record')).toMatchObject({ valueQuantity: null, valueString: 'at rest' })
    const cleared = await update(id, { code: null }, 2)
    expect(cleared.errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', coordinates: ['Observation.code'] })
  })
})

describe('C19: a written record gets the labels of its codes', () => {
  it('closes a record whose code needs a consent, and the writer reads it no more', async () => {
    const condition = {
      code: { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'F11.20', display: 'Opioid dependence' }] },
      clinicalStatus: 'active',
      recordedDate: '2026-11-01',
    }
    const query = `mutation ($patient: ID!, $input: ConditionInput!, $key: String!) {
      createCondition(patientId: $patient, input: $input, idempotencyKey: $key) { version record { id code { text } } }
    }`
    const answer = await clinic.ask('physician', query, { patient, input: condition, key: newKey() })
    expect(at(answer.data, 'createCondition')).toEqual({ version: 1, record: null })
    expect(await changesOf(answer)).toEqual([
      'Condition.clinicalStatus CREATE WRITTEN 1',
      'Condition.code CREATE WRITTEN 1',
      'Condition.recordedDate CREATE WRITTEN 1',
    ])
  })
})

describe('a record is retracted', () => {
  const LIST = 'query ($id: ID!) { patient(id: $id) { observations(first: 100) { edges { node { id } } } } }'
  const listed = async (): Promise<unknown[]> =>
    nodesAt((await clinic.ask('physician', LIST, { id: patient })).data, 'patient', 'observations').map((node) => at(node, 'id'))

  it('C11: leaves all lists, and its history stays', async () => {
    const id = await created()
    expect(await listed()).toContain(id)
    const answer = await retract(id)
    expect(answer.errors).toEqual([])
    expect(at(answer.data, 'retractObservation')).toEqual({ id, version: 2 })
    expect(await listed()).not.toContain(id)
    expect(codesOf(await clinic.ask('physician', READ, { id }))).toEqual(['NOT_FOUND'])
    expect(await versionsOf(clinic, id)).toEqual([1, 2])
    expect(await changesOf(answer)).toEqual(['Observation DELETE WRITTEN 2'])
    expect(codesOf(await retract(id, 2))).toEqual(['NOT_FOUND'])
    expect(codesOf(await update(id, { interpretation: 'H' }, 2))).toEqual(['NOT_FOUND'])
  })

  it('needs a reason, and the right to every value', async () => {
    const id = await created()
    for (const reason of ['', '  ', 'x'.repeat(2_001)])
      expect(codesOf(await clinic.ask('physician', RETRACT, { id, version: 1, reason }))).toEqual(['BAD_USER_INPUT'])
    const answer = await retract(id, 1, 'nurse')
    expect(new Set(codesOf(answer))).toEqual(new Set(['UNAUTHORIZED_FIELD_OR_TYPE']))
    expect(await read(id)).toMatchObject({ version: 1 })
  })
})

describe('P3: each given value needs its grant', () => {
  const CONDITION = `mutation ($patient: ID!, $input: ConditionInput!, $key: String!) {
    createCondition(patientId: $patient, input: $input, idempotencyKey: $key) { version record { id } }
  }`
  const condition = { code: HEART_RATE.code, clinicalStatus: 'active', recordedDate: '2026-11-01' }

  it('refuses a role that may not call the mutation', async () => {
    const answer = await clinic.ask('nurse', CONDITION, { patient, input: condition, key: newKey() })
    expect(at(answer.data, 'createCondition')).toBeNull()
    expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  })

  it('refuses each value of a patient without a relationship, and writes none', async () => {
    const answer = await create('physician', HEART_RATE, offPanel)
    expect(at(answer.data, 'createObservation')).toBeNull()
    expect(answer.errors.map(({ extensions }) => [extensions['coordinate'], extensions['reason']])).toEqual(
      expect.arrayContaining([
        ['Observation.code', 'RELATIONSHIP'],
        ['Observation.valueQuantity', 'RELATIONSHIP'],
      ]),
    )
    expect(await changesOf(answer)).toEqual([
      'Observation.category CREATE DENIED RELATIONSHIP',
      'Observation.code CREATE DENIED RELATIONSHIP',
      'Observation.effectiveDateTime CREATE DENIED RELATIONSHIP',
      'Observation.valueQuantity CREATE DENIED RELATIONSHIP',
    ])
  })

  it('break-glass reads, and never writes', async () => {
    const breakGlass = 'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "found unconscious", minutes: 30) { id } }'
    expect((await clinic.ask('physician', breakGlass, { id: offPanel })).errors).toEqual([])
    const answer = await clinic.ask(
      'physician',
      CREATE,
      { patient: offPanel, input: HEART_RATE, key: newKey() },
      { 'x-purpose-of-use': 'BTG' },
    )
    expect(new Set(codesOf(answer))).toEqual(new Set(['UNAUTHORIZED_FIELD_OR_TYPE']))
  })

  it('P5: another tenant’s patient, a made-up one and a malformed id give the same bytes', async () => {
    const answers = await Promise.all(
      [foreign, madeUpId(), 'no id', 'x'.repeat(500)].map((id) => create('physician', HEART_RATE, id, newKey())),
    )
    for (const answer of answers) expect(codesOf(answer)).toEqual(['NOT_FOUND'])
    expect(new Set(answers.map(bytesOf)).size).toBe(1)
    const id = await created()
    const foreigners = await Promise.all(
      [id, madeUpId(), 'no id'].map((one) =>
        clinic.ask('lakeside-physician', UPDATE, { id: one, version: 1, patch: { interpretation: 'H' }, key: newKey() }),
      ),
    )
    for (const answer of foreigners) expect(codesOf(answer)).toEqual(['NOT_FOUND'])
    expect(new Set(foreigners.map(bytesOf)).size).toBe(1)
    expect(await read(id)).toMatchObject({ version: 1 })
  })

  it('a patient changes the own telephone number, and nothing of another patient', async () => {
    const UPDATE_PATIENT = `mutation ($id: ID!, $version: Int!, $patch: PatientPatch!, $key: String!) {
      updatePatient(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version record { phone familyName } }
    }`
    const [own = ''] = await patientsOf(clinic, 'patient')
    const answer = await clinic.ask('patient', UPDATE_PATIENT, {
      id: own,
      version: 1,
      patch: { phone: '+1 555 0100' },
      key: newKey(),
    })
    expect(answer.errors).toEqual([])
    expect(at(answer.data, 'updatePatient', 'record', 'phone')).toBe('+1 555 0100')
    const name = await clinic.ask('patient', UPDATE_PATIENT, { id: own, version: 2, patch: { familyName: 'Other' }, key: newKey() })
    expect(name.errors.map(({ extensions }) => extensions['coordinate'])).toEqual(['Patient.familyName'])
    const both = { phone: '+1 555 0101', familyName: 'Other' }
    const mixed = await clinic.ask('patient', UPDATE_PATIENT, { id: own, version: 2, patch: both, key: newKey() })
    expect(at(mixed.data, 'updatePatient')).toBeNull()
    expect(await changesOf(mixed)).toEqual(['Patient.familyName UPDATE DENIED ROLE 2'])
    const foreignPatient = first((await patientsOf(clinic, 'billing')).filter((id) => id !== own))
    const others = await clinic.ask('patient', UPDATE_PATIENT, {
      id: foreignPatient,
      version: 1,
      patch: { phone: '1' },
      key: newKey(),
    })
    expect(codesOf(others)).toEqual(['NOT_FOUND'])
  })
})

describe('a patient is registered', () => {
  const REGISTER = `mutation ($input: PatientInput!, $key: String!) {
    registerPatient(input: $input, idempotencyKey: $key) { version record { id familyName mrn address { city } } }
  }`
  const input = {
    mrn: 'RIV-99001',
    familyName: 'Quartzfield',
    givenName: ['Ada'],
    birthDate: '1980-04-02',
    phone: '+1 555 010 0199',
    address: { line: ['1 Main Street'], city: 'Springfield', state: 'MA', postalCode: '01101' },
  }
  const FIND = 'query ($phone: String, $mrn: String) { patientsByIdentifier(phone: $phone, mrn: $mrn) { edges { node { id } } } }'
  const found = async (by: object): Promise<unknown[]> =>
    nodesAt((await clinic.ask('frontdesk', FIND, { ...by })).data, 'patientsByIdentifier').map((node) => at(node, 'id'))

  it('by the front desk, and is found by the search at once; a change of a value moves its search entry', async () => {
    const key = newKey()
    const answer = await clinic.ask('frontdesk', REGISTER, { input, key })
    expect(answer.errors).toEqual([])
    const id = String(at(answer.data, 'registerPatient', 'record', 'id'))
    expect(at(answer.data, 'registerPatient')).toMatchObject({
      version: 1,
      record: { familyName: 'Quartzfield', address: { city: 'Springfield' } },
    })
    expect(at((await clinic.ask('frontdesk', REGISTER, { input, key })).data, 'registerPatient', 'record', 'id')).toBe(id)
    expect(await found({ mrn: input.mrn })).toEqual([id])
    expect(await found({ phone: input.phone })).toEqual([id])
    const change = `mutation ($id: ID!, $key: String!) {
      updatePatient(id: $id, expectedVersion: 1, patch: { phone: "+1 555 010 0200", address: { city: null } }, idempotencyKey: $key) {
        version record { address { city state } }
      }
    }`
    const changed = await clinic.ask('frontdesk', change, { id, key: newKey() })
    expect(changed.errors).toEqual([])
    expect(at(changed.data, 'updatePatient', 'record', 'address')).toEqual({ city: null, state: 'MA' })
    expect(await found({ phone: input.phone })).toEqual([])
    expect(await found({ phone: '+1 555 010 0200' })).toEqual([id])
    // a new patient has no care team yet
    expect(await patientsOf(clinic, 'physician')).not.toContain(id)
  })

  it('by nobody else', async () => {
    for (const user of ['physician', 'billing', 'patient', 'admin'])
      expect(new Set(codesOf(await clinic.ask(user, REGISTER, { input, key: newKey() }))), user).toEqual(
        new Set(['UNAUTHORIZED_FIELD_OR_TYPE']),
      )
  })
})

describe('references stay within the patient', () => {
  const ENCOUNTERS = 'query ($id: ID!) { patient(id: $id) { encounters(first: 1) { edges { node { id } } } } }'
  const encounterOf = async (id: string): Promise<string> =>
    String(at(first(nodesAt((await clinic.ask('physician', ENCOUNTERS, { id })).data, 'patient', 'encounters')), 'id'))

  it('accepts an encounter of the patient, and refuses any other id', async () => {
    const encounterId = await encounterOf(patient)
    const answer = await create('physician', { ...HEART_RATE, encounterId })
    expect(answer.errors).toEqual([])
    const id = String(at(answer.data, 'createObservation', 'record', 'id'))
    const query = 'query ($id: ID!) { node(id: $id) { ... on Observation { encounter { id } } } }'
    expect(at((await clinic.ask('physician', query, { id })).data, 'node', 'encounter', 'id')).toBe(encounterId)
    for (const wrong of [await encounterOf(other), madeUpId(), patient, 'no id'])
      expect(codesOf(await create('physician', { ...HEART_RATE, encounterId: wrong })), wrong).toEqual(['BAD_USER_INPUT'])
  })
})
