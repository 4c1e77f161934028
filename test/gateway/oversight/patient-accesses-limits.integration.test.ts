import { DeleteItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sensitivity } from '../../../directives/policy.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { MINORS } from '../../../gateway/model/minors.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import type { RelationshipScope } from '../../../gateway/model/record.ts'
import { destroyPatientKeys } from '../../../gateway/store/key-destruction.ts'
import { seenOf, seenOfAll, watchCounts } from '../../harness/compared-work.ts'
import { type CountedProcess, countedProcess } from '../../harness/counted-requests.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions, commit } from '../admitted.ts'
import { auditOf, RIVERSIDE } from '../asking.ts'
import { pageInfoOf, removeRecord, type Row, rowsOf, serveAudit, SPAN, WHO_SAW } from './who-saw.ts'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let counted: CountedProcess
let counts: ReturnType<typeof watchCounts>

const CONFIDENTIAL = ['SEX'] as Sensitivity[]
const SPANS = { ...SPAN, first: 100 }
const DATE = { date: '2024-01-01T00:00:00.000Z' }

const whoSaw = async (user: string, id: string, more: Record<string, unknown> = {}): Promise<ClinicAnswer> =>
  await clinic.ask(user, WHO_SAW, { id, ...SPANS, ...more })
/** The accesses of members of the workforce. The parent and the patient ask for lists too, and these queries are in the list of the other. */
const byStaff = (answer: ClinicAnswer): readonly Row[] =>
  others(answer).filter(({ role }) => role !== 'PROXY' && role !== 'PATIENT')
/** An answer that could not be given has no rows either, and must not pass for an empty list. */
function others(answer: ClinicAnswer): readonly Row[] {
  expect(answer.errors).toEqual([])
  return rowsOf(answer).filter(({ mine }) => !mine)
}

/** A read that must not fail by its text. */
async function read(...args: Parameters<RunningClinic['ask']>): Promise<void> {
  const { status, data } = await clinic.ask(...args)
  expect([status, data === undefined]).toEqual([200, false])
}

/** Writes an open condition of a minor again, so that it has an earlier version. */
async function again(name: string, one = 'open'): Promise<void> {
  const records = [ward.record(name, 'Condition', one, { code: { text: 'again' } }, { ...DATE, source: 'again' })]
  await store.write({ patient: ward.ref(name).patient, records, memberships: [] })
}

/** A minor with an open visit, and with a confidential one if `hasClosed`. A parent is a limited proxy. */
async function minor(name: string, hasClosed: boolean, scope: RelationshipScope = MINORS.scope): Promise<string> {
  const of = (type: string, one: string, values: Record<string, string | object>, labels: readonly Sensitivity[] = []) =>
    ward.record(name, type, one, values as never, { ...DATE, labels })
  const records = [
    ward.record(name, 'Patient', '', { familyName: 'Quartz', birthDate: '2012' }),
    of('Encounter', 'open', { status: 'finished' }),
    of('Condition', 'open', { code: { text: 'fracture' } }),
    of('Condition', 'other', { code: { text: 'asthma' } }),
    ...(hasClosed
      ? [
          of('Encounter', 'closed', { status: 'planned' }, CONFIDENTIAL),
          of('Condition', 'closed', { code: { text: 'advice' } }, CONFIDENTIAL),
        ]
      : []),
  ]
  const id = await ward.write(name, records, ['physician'])
  await ward.change(ward.membership(name, 'SELF', 'Patient/riverside-1'))
  await ward.change(ward.membership(name, 'PROXY', 'RelatedPerson/proxy', [{ scope }]))
  return id
}

const BY_ID = 'query ($id: ID!) { node(id: $id) { ... on Condition { code { text } } ... on Encounter { status } } }'
const OPEN_AND_CLOSED = `query ($id: ID!, $other: ID!) {
  one: node(id: $id) { ... on Condition { code { text } } } other: node(id: $other) { ... on Condition { code { text } } } }`
const CHART = `query ($id: ID!) { patient(id: $id) { familyName
  conditions { edges { node { code { text } } } } encounters { edges { node { status } } } } }`

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  ward = new Admissions(store)
  serveAudit(clinic)
  // the function opens its connections at its first answer, and not through the proxy that counts
  await whoSaw('patient', await minor('first', false))
  counted = await countedProcess(clinic)
  counts = watchCounts()
})
afterAll(async () => {
  counts.stop()
  await counted.stop()
  await store.close()
  await clinic.stop()
})

describe('P5 C08: a parent learns nothing of the confidential visit of a minor', () => {
  it('gets the same bytes, with the same work, as without the visit, on every page', async () => {
    const both = [await minor('with', true), await minor('without', false)] as const
    const closed = [ward.id('with', 'Condition', 'closed'), ward.id('with', 'Encounter', 'closed')]
    // earlier versions of open records are read for the page
    const names = ['with', 'without'] as const
    for (const name of names) for (const one of ['open', 'other']) await again(name, one)
    for (const [side, id] of both.entries()) {
      for (let count = 0; count < 3; count++) {
        await read('physician', CHART, { id })
        const openOne = ward.id(names[side] ?? '', 'Condition', count % 2 === 0 ? 'open' : 'other')
        await read('physician', BY_ID, { id: openOne })
        if (side > 0) continue
        for (const one of closed) await read('physician', BY_ID, { id: one })
        await read(
          'nurse',
          'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "a call", minutes: 30) { id } }',
          { id },
          { 'x-purpose-of-use': 'BTG' },
        )
        for (const one of closed) await read('nurse', BY_ID, { id: one }, { 'x-purpose-of-use': 'BTG' })
      }
    }
    // the patient sees the accesses that the parent must not see
    expect(byStaff(await whoSaw('patient', both[0])).length).toBeGreaterThan(6)
    for (const id of both) await counted.ask('proxy', WHO_SAW, { id, ...SPANS })
    for (const first of [1, 2, 3, 100]) {
      let after: readonly (string | null)[] = [null, null]
      for (let more = true; more; ) {
        const { calls } = clinic.stack.lambda
        const seen = await seenOfAll([0, 1] as const, async (side) => {
          counts.start()
          const before = clinic.stack.lambda.calls
          const work = await counted.ask('proxy', WHO_SAW, { id: both[side], ...SPAN, first, after: after[side] })
          const all = seenOf(work, [...counts.counts(), `function ${clinic.stack.lambda.calls - before}`])
          return { work, seen: { ...all, text: all.text.replaceAll(/"at":"[^"]*"/g, '"at"') } }
        })
        expect(clinic.stack.lambda.calls).toBeGreaterThan(calls)
        const [one, other] = seen
        expect(one?.seen, `pages of ${first}`).toEqual(other?.seen)
        expect(one?.work.answer.errors).toEqual([])
        const infos = seen.map(({ work }) => pageInfoOf(work.answer))
        more = infos[0]?.hasNextPage === true
        if (more) expect(rowsOf(one?.work.answer ?? { data: undefined })).toHaveLength(first)
        after = infos.map(({ endCursor }) => endCursor)
      }
    }
  }, 120_000)

  it('sees of a request that read both only what is open', async () => {
    const id = await minor('mixed', true)
    const both = { id: ward.id('mixed', 'Condition', 'open'), other: ward.id('mixed', 'Condition', 'closed') }
    await read('physician', OPEN_AND_CLOSED, both)
    expect(others(await whoSaw('proxy', id))).toMatchObject([
      { role: 'PHYSICIAN', access: 'OPENED', categories: ['health conditions, visits and care'] },
    ])
    await read('physician', BY_ID, { id: both.other })
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    expect(byStaff(await whoSaw('patient', id))).toHaveLength(2)
  })

  it('sees only the categories of the relationship', async () => {
    const id = await minor('categories', false, { categories: ['CLINICAL'], labeled: false })
    await read('physician', CHART, { id })
    await read('physician', 'query ($id: ID!) { patient(id: $id) { birthDate familyName } }', { id })
    await whoSaw('patient', id)
    expect(others(await whoSaw('proxy', id))).toMatchObject([{ categories: ['health conditions, visits and care'] }])
    expect(byStaff(await whoSaw('patient', id)).map(({ categories }) => categories)).toHaveLength(2)
  })

  it('sees nothing of a record that becomes confidential, and nothing of one that was confidential', async () => {
    const id = await minor('relabeled', true)
    const [open, closed] = [ward.id('relabeled', 'Condition', 'open'), ward.id('relabeled', 'Condition', 'closed')]
    for (const one of [open, closed]) await read('physician', BY_ID, { id: one })
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    const relabel = async (one: string, labels: readonly Sensitivity[], source: string) =>
      await store.write({
        patient: ward.ref('relabeled').patient,
        records: [ward.record('relabeled', 'Condition', one, { code: { text: one } }, { ...DATE, labels, source })],
        memberships: [],
      })
    await relabel('closed', [], 'a')
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    await relabel('open', CONFIDENTIAL, 'b')
    expect(others(await whoSaw('proxy', id))).toEqual([])
    await relabel('open', [], 'c')
    expect(others(await whoSaw('proxy', id))).toEqual([])
    // both are open to the proxy now
    const node = await clinic.ask('proxy', BY_ID, { id: open })
    expect(node.errors).toEqual([])
    expect(byStaff(await whoSaw('patient', id))).toHaveLength(2)
  })

  it('sees nothing of a record that was removed, or whose earlier version is missing or altered', async () => {
    const id = await minor('unchecked', false)
    const open = ward.id('unchecked', 'Condition', 'open')
    await read('physician', BY_ID, { id: open })
    await again('unchecked')
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    const ref = ward.ref('unchecked', 'Condition', 'open')
    const TableName = clinic.stack.env.PHI_TABLE_HISTORY
    const { Items = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :patient AND begins_with(sk, :record)',
        ExpressionAttributeValues: { ':patient': { S: `${RIVERSIDE}#${ref.patient}` }, ':record': { S: `Condition#${ref.id}#` } },
      }),
    )
    const [earlier] = Items
    const { pk, sk, m } = earlier ?? {}
    if (pk === undefined || sk === undefined || m?.B === undefined) throw new Error('the record has an earlier version')
    const altered = Buffer.from(m.B)
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
    await clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: { ...earlier, m: { B: altered } } }))
    expect(others(await whoSaw('proxy', id))).toEqual([])
    await clinic.stack.dynamodb.send(new DeleteItemCommand({ TableName, Key: { pk, sk } }))
    const missing = await whoSaw('proxy', id)
    expect([others(missing), missing.errors]).toEqual([[], []])
    // without limits, the present labels decide
    expect(byStaff(await whoSaw('patient', id))).toHaveLength(1)

    await clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: { ...earlier } }))
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    await removeRecord(clinic, ref)
    expect(others(await whoSaw('proxy', id))).toEqual([])
  })

  it('keeps seeing what a withdrawn or given consent of the patient does not close to the parent', async () => {
    const id = await minor('consents', false)
    await read('physician', CHART, { id })
    const before = others(await whoSaw('proxy', id))
    expect(before).toHaveLength(1)
    await store.write({
      patient: ward.ref('consents').patient,
      records: [],
      memberships: [],
      consents: { given: [{ id: 'denial', effect: 'DENY' }], withdrawn: [] },
    })
    // the denial closes the record to the care team, and neither to the patient nor to the parent
    expect(others(await whoSaw('proxy', id))).toEqual(before)
    await read('physician', CHART, { id })
    expect(byStaff(await whoSaw('patient', id))[0]).toMatchObject({ role: 'PHYSICIAN', access: 'REFUSED' })
  })

  it('P13: gets NOT_FOUND from the end of the relationship on', async () => {
    const id = await minor('ended', false)
    await read('physician', CHART, { id })
    expect(others(await whoSaw('proxy', id))).toHaveLength(1)
    await ward.change(ward.membership('ended', 'PROXY', 'RelatedPerson/proxy', []))
    const answer = await whoSaw('proxy', id)
    expect([answer.errors[0]?.extensions['code'], answer.data]).toEqual(['NOT_FOUND', { whoSawMyRecord: null }])
  })

  it('P9: an erased record has no list, and says so', async () => {
    const id = await minor('erased', false)
    await read('physician', CHART, { id })
    const { patient } = ward.ref('erased')
    const { services } = clinic
    await commit(services, await destroyPatientKeys(services, RIVERSIDE, patient, services.now() as Instant), patient)
    for (const user of ['patient', 'proxy']) {
      const answer = await whoSaw(user, id)
      expect(answer.errors[0]?.extensions['code']).toBe('FIELD_ERASED')
      expect(await auditOf(clinic, answer)).toContainEqual(
        expect.objectContaining({ path: 'Query.whoSawMyRecord', outcome: 'ERASED' }),
      )
    }
  })
})
