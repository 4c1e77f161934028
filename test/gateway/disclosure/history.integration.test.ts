import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RecordLabel, Sensitivity } from '../../../directives/policy.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import type { RecordId, Instant } from '../../../gateway/model/ids.ts'
import type { Json, RecordMetadata } from '../../../gateway/model/record.ts'
import { destroyPatientKeys } from '../../../gateway/store/key-destruction.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions, commit } from '../admitted.ts'
import { at, auditOf, first, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'
import { CREATE_OBSERVATION, HEART_RATE, UPDATE_OBSERVATION } from '../mutations/record-writing.ts'
import { DatabaseHand, flipped, type Item, refOf } from '../store/database-hand.ts'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let hand: DatabaseHand
/** A patient of the physician and the nurse. */
let patient: string
/** An observation of three versions: created, changed, changed. */
let observation: string
let keys = 0

const openings = vi.spyOn(SealedRecord.prototype, 'openField')
const ETH = ['ETH'] as readonly string[] as RecordLabel[]
const quantity = (value: number) => ({ value, unit: 'beats/minute', code: '/min' })

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  ward = new Admissions(store)
  hand = new DatabaseHand(clinic)
  patient = first(await patientsOf(clinic, 'nurse'))
  observation = await changed(quantity(72), quantity(73))
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})
beforeEach(() => {
  openings.mockClear()
})

/** A heart rate that was changed once for each value. */
async function changed(...values: readonly object[]): Promise<string> {
  const created = await clinic.ask('physician', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: `history-${++keys}` })
  const id = String(at(created.data, 'createObservation', 'record', 'id'))
  for (const [index, valueQuantity] of values.entries()) {
    const patch = { valueQuantity, ...(index > 0 && { interpretation: 'H' }) }
    const answer = await clinic.ask('nurse', UPDATE_OBSERVATION, { id, version: index + 1, patch, key: `history-${++keys}` })
    expect(answer.errors).toEqual([])
  }
  return id
}

const ENTRY = 'version at userId action changedPaths'
const HISTORY = `query ($id: ID!, $first: Int = 20, $after: String) { node(id: $id) { ... on Observation {
  history(first: $first, after: $after) {
    mayBeIncomplete pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { node { ${ENTRY} record { ... on Observation { id version valueQuantity { value } patient { id } } } } }
  } } } }`

const ask = async (user: string, id: string, variables: object = {}, query = HISTORY): Promise<ClinicAnswer> =>
  await clinic.ask(user, query, { id, ...variables })
const entriesOf = (answer: ClinicAnswer): unknown[] => nodesAt(answer.data, 'node', 'history')
const versionsOf = (answer: ClinicAnswer): unknown[] => entriesOf(answer).map((entry) => at(entry, 'version'))
const valuesOf = (answer: ClinicAnswer): unknown[] =>
  entriesOf(answer).map((entry) => at(entry, 'record', 'valueQuantity', 'value'))
const codesOf = ({ errors }: ClinicAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
const line = ({ path, recordVersion, outcome, reason }: AuditEntry): string =>
  [path, recordVersion, outcome, reason].filter((part) => part !== undefined).join(' ')
/** The audit of the observations of an answer. */
const auditedIn = async (answer: ClinicAnswer): Promise<string[]> =>
  (await auditOf(clinic, answer))
    .filter(({ path }) => path.startsWith('Observation.'))
    .map(line)
    .toSorted()

/** Writes one version of an observation for each list of labels. */
async function withLabels(
  name: string,
  versions: readonly Partial<RecordMetadata>[],
  given: Parameters<Admissions['write']>[3] = [],
): Promise<string> {
  const values: Record<string, Json> = { code: { coding: [], text: 'a test' } }
  for (const [index, metadata] of versions.entries()) {
    const own = index === 0 ? [ward.record(name, 'Patient', '', { familyName: 'History' })] : []
    const one = ward.record(name, 'Observation', 'one', { ...values, valueQuantity: quantity(index + 1) }, metadata)
    await ward.write(name, [...own, one], ['physician'], index === 0 ? given : [])
  }
  return ward.id(name, 'Observation', 'one')
}

describe('C08: the history of a record', () => {
  it('has every version, newest first, with its writer, its time and the values that it changed', async () => {
    const answer = await ask('physician', observation)
    expect(answer.errors).toEqual([])
    const record = (version: number, value: number) => ({
      id: observation,
      version,
      valueQuantity: { value },
      patient: { id: patient },
    })
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown
    expect(at(answer.data, 'node', 'history')).toMatchObject({
      mayBeIncomplete: true,
      pageInfo: { hasNextPage: false, hasPreviousPage: false },
    })
    const both = ['Observation.interpretation', 'Observation.valueQuantity']
    const all = ['Observation.category', 'Observation.code', 'Observation.effectiveDateTime', 'Observation.valueQuantity']
    expect(entriesOf(answer)).toEqual([
      { version: 3, at: time, userId: 'nurse', action: 'UPDATE', changedPaths: both, record: record(3, 73) },
      {
        version: 2,
        at: time,
        userId: 'nurse',
        action: 'UPDATE',
        changedPaths: ['Observation.valueQuantity'],
        record: record(2, 72),
      },
      { version: 1, at: time, userId: 'physician', action: 'CREATE', changedPaths: all, record: record(1, 71) },
    ])
  })

  it('pages of one and of two have the same entries', async () => {
    const whole = entriesOf(await ask('physician', observation))
    for (const size of [1, 2]) {
      const found: unknown[] = []
      let after: unknown = null
      do {
        const answer = await ask('physician', observation, { first: size, after })
        expect(answer.errors).toEqual([])
        expect(at(answer.data, 'node', 'history', 'pageInfo', 'hasPreviousPage')).toBe(after !== null)
        found.push(...entriesOf(answer))
        const info = at(answer.data, 'node', 'history', 'pageInfo')
        after = at(info, 'hasNextPage') === true ? at(info, 'endCursor') : null
      } while (after !== null)
      expect(found).toEqual(whole)
    }
  })

  it('an import has its time and no user, and a change of an imported record follows it', async () => {
    const id = await withLabels('imported', [{}])
    const update = await clinic.ask('physician', UPDATE_OBSERVATION, {
      id,
      version: 1,
      patch: { interpretation: 'N' },
      key: `history-${++keys}`,
    })
    expect(update.errors).toEqual([])
    expect(entriesOf(await ask('physician', id))).toMatchObject([
      { version: 2, userId: 'physician', action: 'UPDATE', changedPaths: ['Observation.interpretation'] },
      { version: 1, userId: null, at: expect.any(String) as unknown, action: 'CREATE' },
    ])
  })

  it('one read of the history table gives a page', async () => {
    await ask('physician', observation)
    const before = clinic.services.recordHistory.counter.requests
    await ask('physician', observation)
    expect(clinic.services.recordHistory.counter.requests - before).toBe(1)
  })

  it('an entry leads to no lists and to no history of its own', async () => {
    const nested = `query ($id: ID!) { node(id: $id) { ... on Observation { history(first: 2) { edges { node { version
      record { ... on Observation { history { mayBeIncomplete } } } } } } } } }`
    expect(codesOf(await ask('physician', observation, {}, nested))).toEqual(['BAD_USER_INPUT'])
    const phone =
      'mutation ($id: ID!, $key: String!) { updatePatient(id: $id, expectedVersion: 1, patch: { phone: "555-0100" }, idempotencyKey: $key) { version } }'
    expect((await clinic.ask('frontdesk', phone, { id: patient, key: `history-${++keys}` })).errors).toEqual([])
    const lists = `query ($id: ID!) { node(id: $id) { ... on Patient { history { edges { node { version
      record { ... on Patient { observations(first: 1) { mayBeIncomplete } } } } } } } } }`
    const ofPatient = await ask('physician', patient, {}, lists)
    expect(codesOf(ofPatient)).toEqual(['BAD_USER_INPUT'])
  })
})

describe('P1: an earlier value is opened once a request, and only if it is granted', () => {
  it('opens each value of each version once, under any aliases', async () => {
    const twice = HISTORY.replace(
      'edges {',
      'again: edges { node { other: record { ... on Observation { a: valueQuantity { value } } } } } edges {',
    )
    const query = twice.replace(
      '... on Observation {',
      '... on Observation { h: history(first: 2) { edges { node { record { ... on Observation { valueQuantity { unit } interpretation } } } } }',
    )
    const answer = await ask('physician', observation, {}, query)
    expect(answer.errors).toEqual([])
    // three quantities, and one interpretation of two versions
    expect(openings).toHaveBeenCalledTimes(4)
    const values = (await auditedIn(answer)).filter((one) => /(?:valueQuantity|interpretation) /.test(one))
    expect(values).toEqual([
      'Observation.interpretation 2 ABSENT',
      'Observation.interpretation 3 DISCLOSED',
      'Observation.valueQuantity 1 DISCLOSED',
      'Observation.valueQuantity 2 DISCLOSED',
      'Observation.valueQuantity 3 DISCLOSED',
    ])
  })

  it('opens nothing for entries without their records', async () => {
    const answer = await ask(
      'physician',
      observation,
      {},
      `query ($id: ID!) { node(id: $id) { ... on Observation { history { edges { node { ${ENTRY} } } } } } }`,
    )
    expect(versionsOf(answer)).toEqual([3, 2, 1])
    expect(openings).not.toHaveBeenCalled()
  })
})

describe('P2: each value and each entry of a history is in the audit, with its version', () => {
  it('names each entry, and each value once', async () => {
    expect(await auditedIn(await ask('physician', observation))).toEqual([
      'Observation.id 1 DISCLOSED',
      'Observation.id 2 DISCLOSED',
      'Observation.id 3 DISCLOSED',
      'Observation.valueQuantity 1 DISCLOSED',
      'Observation.valueQuantity 2 DISCLOSED',
      'Observation.valueQuantity 3 DISCLOSED',
    ])
  })
})

describe('P4: consents and labels of any version', () => {
  it('a version that its own labels close is left out, and only the audit mentions it', async () => {
    const id = await withLabels('once labeled', [{}, { labels: ETH }, {}])
    const answer = await ask('physician', id)
    expect(answer.errors).toEqual([])
    expect(versionsOf(answer)).toEqual([3, 1])
    expect(valuesOf(answer)).toEqual([3, 1])
    expect(answer.phi).toMatchObject({ denied: 0 })
    expect((await auditedIn(answer)).filter((one) => one.includes('DENIED'))).toEqual(['Observation.id 2 DENIED CONSENT'])
    // a page has its full length
    const one = await ask('physician', id, { first: 1 })
    const two = await ask('physician', id, { first: 1, after: at(one.data, 'node', 'history', 'pageInfo', 'endCursor') })
    expect(versionsOf(two)).toEqual([1])
    expect(at(two.data, 'node', 'history', 'pageInfo', 'hasNextPage')).toBe(false)
  })

  it('a last entry has no next page if the versions before it are closed', async () => {
    const id = await withLabels('first labeled', [{ labels: ETH }, {}])
    const answer = await ask('physician', id, { first: 1 })
    expect(versionsOf(answer)).toEqual([2])
    expect(at(answer.data, 'node', 'history', 'pageInfo', 'hasNextPage')).toBe(false)
    expect(entriesOf(answer)).toMatchObject([{ changedPaths: ['Observation.code', 'Observation.valueQuantity'] }])
  })

  it('the labels of the present version decide about earlier ones', async () => {
    const permit = { id: 'permit', effect: 'PERMIT', labels: ['ETH'] as readonly string[] as Sensitivity[] } as const
    const id = await withLabels('now labeled', [{}, { labels: ETH }], [permit])
    const answer = await ask('physician', id)
    expect(versionsOf(answer)).toEqual([2, 1])
    const entries = (await auditOf(clinic, answer)).filter(({ path }) => path === 'Observation.valueQuantity')
    expect(entries.map(({ recordVersion, basis, basisId }) => [recordVersion, basis, basisId])).toEqual([
      [1, 'CONSENT', 'permit'],
      [2, 'CONSENT', 'permit'],
    ])
    const closed = await withLabels('closed now', [{}, { labels: ETH }])
    expect(codesOf(await ask('physician', closed))).toEqual(['NOT_FOUND'])
  })

  it('a denial of the encounter of either version closes the version', async () => {
    const encounter = ward.ref('moved', 'Encounter', 'denied').id
    const deny = { id: 'deny', effect: 'DENY', records: [encounter] as RecordId[] } as const
    const id = await withLabels('moved', [{ references: { encounter } }, {}], [deny])
    expect(versionsOf(await ask('physician', id))).toEqual([2])
  })
})

describe('P5: a history belongs to a record that the caller was given', () => {
  it('another tenant, and a record off the panel, are not found', async () => {
    expect(codesOf(await ask('lakeside-physician', observation))).toEqual(['NOT_FOUND'])
    const id = await withLabels('of the physician', [{}, {}])
    expect(codesOf(await ask('nurse', id))).toEqual(['NOT_FOUND'])
  })

  it('a cursor opens the history of its record, user and purpose only', async () => {
    const other = await changed(quantity(80))
    const after = at((await ask('physician', observation, { first: 1 })).data, 'node', 'history', 'pageInfo', 'endCursor')
    expect(versionsOf(await ask('physician', observation, { after }))).toEqual([2, 1])
    expect(codesOf(await ask('physician', other, { after }))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await ask('nurse', observation, { after }))).toEqual(['BAD_USER_INPUT'])
    for (const size of [0, 101]) expect(codesOf(await ask('physician', observation, { first: size }))).toEqual(['BAD_USER_INPUT'])
  })

  it('a researcher has no history, and a masked value of an earlier version stays masked', async () => {
    const own = `query ($id: ID!) { node(id: $id) { ... on Patient { history { edges { node { changedPaths record { ... on Patient { ssn birthDate } } } } } } } }`
    const name = 'masked'
    for (const ssn of ['123-45-6789', '987-65-4321'])
      await ward.write(name, [ward.record(name, 'Patient', '', { familyName: 'History', ssn })], ['physician'])
    const billing = await ask('billing', ward.id(name), {}, own)
    expect(entriesOf(billing).map((entry) => String(at(entry, 'record', 'ssn')).slice(-4))).toEqual(['4321', '6789'])
    expect(billing.text).not.toContain('123-45')
    expect(at(billing.phi, 'masked')).toMatchObject([{ coordinate: 'Patient.ssn', view: 'LAST4', count: 2 }])
    // that a masked value changed would show more than its view
    expect(at(entriesOf(billing)[0], 'changedPaths')).not.toContain('Patient.ssn')
    const panel = await clinic.ask('researcher', '{ patients(first: 1) { edges { node { id history { mayBeIncomplete } } } } }')
    expect(nodesAt(panel.data, 'patients')).toMatchObject([{ history: null }])
    expect(panel.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Patient.history' } }])
  })

  it('a patient and a partner receive no id of the workforce', async () => {
    const [mine] = await patientsOf(clinic, 'patient')
    const created = await clinic.ask('physician', CREATE_OBSERVATION, {
      patient: mine,
      input: HEART_RATE,
      key: `history-${++keys}`,
    })
    const id = String(at(created.data, 'createObservation', 'record', 'id'))
    expect(entriesOf(await ask('physician', id))).toMatchObject([{ userId: 'physician' }])
    expect(entriesOf(await ask('patient', id))).toMatchObject([
      { version: 1, userId: null, record: { valueQuantity: { value: 71 } } },
    ])
    for (const entry of entriesOf(await ask('acme', id))) expect(entry).toMatchObject({ userId: null })
  })
})

describe('P6: an altered history is a failure, never a shorter history', () => {
  const item = (id: string, version: number): Item => ({
    pk: { S: `${RIVERSIDE}#${refOf(id).patient}` },
    sk: { S: `Observation#${refOf(id).id}#${String(version).padStart(10, '0')}` },
  })
  const failures = (): unknown[] => clinic.events.filter(({ event }) => event === 'INTEGRITY_FAILURE')

  it.each([
    ['a version is missing', async (id: string) => await hand.remove(item(id, 2), 'HISTORY')],
    ['two versions are swapped', async (id: string) => await hand.swap(item(id, 2), item(id, 1), 'HISTORY')],
    [
      'a manifest is altered',
      async (id: string) => {
        const stored = await hand.read(item(id, 2), 'HISTORY')
        await hand.put({ ...stored, m: flipped(stored['m']) }, 'HISTORY')
      },
    ],
    [
      'another record is in its place',
      async (id: string) => {
        const other = await changed(quantity(81), quantity(82))
        await hand.put({ ...(await hand.read(item(other, 2), 'HISTORY')), ...item(id, 2) }, 'HISTORY')
      },
    ],
  ])('%s', async (_name, act) => {
    const id = await changed(quantity(72), quantity(73))
    await act(id)
    const before = failures().length
    const answer = await ask('physician', id)
    expect(new Set(codesOf(answer))).toEqual(new Set(['FIELD_UNAVAILABLE']))
    // what the version after it changed is not known either
    expect(entriesOf(answer)).toHaveLength(3)
    expect(entriesOf(answer).slice(0, 2)).toEqual([null, null])
    expect(failures().length).toBeGreaterThan(before)
    expect(await auditedIn(answer)).toContain('Observation.id 2 UNAVAILABLE INTEGRITY')
  })

  it('an altered value is unavailable in its version only', async () => {
    const id = await changed(quantity(72), quantity(73))
    const stored = await hand.read(item(id, 2), 'HISTORY')
    await hand.put({ ...stored, 'f:valueQuantity': flipped(stored['f:valueQuantity']) }, 'HISTORY')
    const answer = await ask('physician', id)
    expect(valuesOf(answer)).toEqual([73, undefined, 71])
    expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
    expect(await auditedIn(answer)).toContain('Observation.valueQuantity 2 UNAVAILABLE INTEGRITY')
  })
})

describe('P9: an erased patient', () => {
  it('the history is erased', async () => {
    const id = await withLabels('erased', [{}, {}])
    const { patient: whose } = refOf(id)
    await commit(clinic.services, await destroyPatientKeys(clinic.services, RIVERSIDE, whose, Date.now() as Instant), whose)
    const answer = await ask('physician', id)
    expect(at(answer.data, 'node')).toEqual({ history: null })
    expect(codesOf(answer)).toEqual(['FIELD_ERASED'])
    expect(await auditedIn(answer)).toEqual(['Observation.history ERASED', 'Observation.id DISCLOSED'])
  })
})
