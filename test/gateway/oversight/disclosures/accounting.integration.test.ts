import { PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractJson, parseContractText } from '../../../../gateway/operations/contracts/contract-text.ts'
import type { Contract } from '../../../../gateway/model/contract.ts'
import { decodeNodeId } from '../../../../gateway/model/node-id.ts'
import { contractedProcess } from '../../../harness/contracted-process.ts'
import { contractFor } from '../../../harness/contracts.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { clinic as compiled } from '../../decide/clinic-policy.ts'
import { APPROVE, resultOf } from '../../mutations/registry-desk.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from '../audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
/** The ids of patients at `/graphql`, and those of the log. */
let ids: readonly string[] = []
const patientOf = (id: string | undefined): string => decodeNodeId(id ?? '')?.patient ?? ''

/** The contract of a client that narrows nothing, approved by the administrator. */
async function approved(client: string, name: string): Promise<Contract> {
  const text = JSON.stringify(
    contractJson(
      contractFor(compiled.policy, client, {
        purposes: new Set(['HRESCH', 'HPAYMT']),
        recipient: { name, address: `1 ${client} Street` },
      }),
    ),
  )
  expect(resultOf(await clinic.ask('admin', APPROVE, { contract: text }))).toMatchObject({ done: true, messages: [] })
  return parseContractText(text)
}

beforeAll(async () => {
  clinic = await runClinic({ riverside: 14, lakeside: 1 })
  desk = auditDesk(clinic)
  const { data } = await clinic.ask('physician', '{ patients(first: 20) { edges { node { id } } } }')
  ids = (data?.['patients'] as { edges: { node: { id: string } }[] }).edges.map(({ node }) => node.id)
}, 120_000)
afterAll(async () => {
  await clinic.stop()
}, 120_000)

const ENTRY =
  'id source at recipient { name address } isRecipientKnown description basis purpose statement repeated { count last frequency }'
const ACCOUNTING = `query ($patientId: ID!, $from: DateTime!, $to: DateTime!) {
  accountingOfDisclosures(patientId: $patientId, from: $from, to: $to) {
    patientId entries { ${ENTRY} } protocols { protocol } exclusions { exclusion citation count }
    suspended { suspension { id agency } entries { ${ENTRY} } } decisions { decision protocol clientId count } text html } }`
const DISCLOSURE = `id patientId withdrawn { by reason } current { basis date description purpose requestCopy reason recipient { name } }
  former { description }`
const RECORD = `mutation ($patientId: ID!, $input: DisclosureInput!) { recordDisclosure(patientId: $patientId, input: $input) { ${DISCLOSURE} } }`
const CORRECT = `mutation ($id: ID!, $reason: String!, $input: DisclosureInput!) {
  correctDisclosure(id: $id, reason: $reason, input: $input) { ${DISCLOSURE} } }`
const WITHDRAW = `mutation ($id: ID!, $reason: String!) { withdrawDisclosure(id: $id, reason: $reason) { ${DISCLOSURE} } }`
const SUSPEND = `mutation ($patientId: ID!, $input: SuspensionInput!) {
  suspendAccounting(patientId: $patientId, input: $input) { id agency statement until isHolding } }`
const END = `mutation ($id: ID!, $reason: String!) { endSuspension(id: $id, reason: $reason) { id isHolding ended { reason } } }`
const REQUEST_FIELDS = 'id patientId received due state isFree isExtended mayExtend givenAt givenBy from to'
const REQUEST = `mutation ($patientId: ID!, $receivedAt: DateTime!, $from: DateTime, $to: DateTime) {
  requestAccounting(patientId: $patientId, receivedAt: $receivedAt, from: $from, to: $to) { ${REQUEST_FIELDS} } }`
const EXTEND = `mutation ($requestId: ID!, $reason: String!) { extendAccounting(requestId: $requestId, reason: $reason) { ${REQUEST_FIELDS} } }`
const GIVEN = `request { ${REQUEST_FIELDS} } entries { at recipient { name } description purpose statement } text html`
const GIVE = `mutation ($requestId: ID!) { giveAccounting(requestId: $requestId) { ${GIVEN} } }`
const AS_GIVEN = `query ($requestId: ID!) { accountingAsGiven(requestId: $requestId) { ${GIVEN} } }`
const LIST = `query ($patientId: ID, $state: [AccountingState!]) {
  accountings(patientId: $patientId, state: $state) { total overdue requests { ${REQUEST_FIELDS} } } }`

const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const span = () => ({ from: day(-30), to: day(1) })
const police = (changes: object = {}) => ({
  basis: 'LAW_ENFORCEMENT',
  date: day(-3),
  recipient: { name: 'City Police', address: '2 Main Street' },
  description: 'Dates of visits',
  purpose: 'Search warrant 12',
  ...changes,
})

type Row = Readonly<Record<string, unknown>>
const codesOf = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
function rootOf(answer: AuditAnswer): Row {
  expect(answer.errors).toEqual([])
  return Object.values(answer.data ?? {})[0] as Row
}
const as = async (user: string, query: string, variables: object): Promise<AuditAnswer> =>
  await desk.ask(user, query, variables as Record<string, unknown>)
const officer = async (query: string, variables: object): Promise<Row> => rootOf(await as('privacy', query, variables))
const accountingOf = async (id: string | undefined): Promise<Row> => await officer(ACCOUNTING, { patientId: id, ...span() })
/** The audit records that a request of the auditor's API left. */
const recordsOf = async ({ requestId }: AuditAnswer) =>
  (await clinic.services.history.ofRequest('riverside' as never, requestId)).map(
    ({ path, action, outcome, reason, patient, recordId }) => ({
      path,
      action,
      outcome,
      ...(reason !== undefined && { reason }),
      ...(patient !== undefined && { patient }),
      ...(recordId !== undefined && { recordId }),
    }),
  )
/** All items of the accounting. */
const stored = async () =>
  (await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_DISCLOSURES }))).Items ?? []

describe('C20: the accounting of real reads', () => {
  it('C20: lists what a client of another entity read for research, with the recipient of its contract; payment is excluded', async () => {
    const contract = await approved('university', 'University Hospital')
    const process = await contractedProcess(clinic, {
      contractOf: ({ user }) => (['researcher', 'billing'].includes(user) ? contract : undefined),
    })
    try {
      const { data, errors } = await process.ask('researcher', '{ patients(first: 3) { edges { node { id birthDate } } } }')
      expect([data?.['patients'], errors]).toMatchObject([{ edges: [{}, {}, {}] }, []])
      await process.ask('billing', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: ids[0] })
    } finally {
      await process.stop()
    }
    // a partner's own read for payment, and one of the workforce
    await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: ids[0] })
    await clinic.ask('acme', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: ids[0] })
    const all = await Promise.all(ids.map(accountingOf))
    const listed = all.filter(({ entries }) => (entries as unknown[]).length > 0)
    expect(listed).toHaveLength(3)
    expect(listed[0]).toMatchObject({
      entries: [
        {
          source: 'LOG',
          recipient: { name: 'University Hospital', address: '1 university Street' },
          isRecipientKnown: true,
          description: 'Date of birth and other personal details',
          basis: 'RESEARCH',
          purpose: 'Research, protocol RIVERSIDE-A1C (45 CFR 164.512(i))',
        },
      ],
      decisions: [{ decision: 'FACTS_OF_STUDY', protocol: 'RIVERSIDE-A1C', clientId: 'university', count: 1 }],
    })
    const [first] = all
    const exclusions = first?.['exclusions'] as { exclusion: string; count: number }[]
    expect(exclusions.map(({ exclusion }) => exclusion).toSorted()).toEqual(['TREATMENT_PAYMENT_OPERATIONS', 'USE_BY_WORKFORCE'])
    expect(exclusions.find(({ exclusion }) => exclusion === 'TREATMENT_PAYMENT_OPERATIONS')).toMatchObject({ count: 2 })
  })

  it('C20: leaves a record of the review, with patient and span and without any text', async () => {
    const answer = await as('auditor', ACCOUNTING, { patientId: ids[1], ...span() })
    expect(await recordsOf(answer)).toEqual([
      { path: 'AuditLog.accountingOfDisclosures', action: 'REVIEW', outcome: 'REVIEWED', patient: patientOf(ids[1]) },
    ])
  })

  it('C20: refuses a contract whose stored text was altered, and names no other recipient', async () => {
    const contract = await approved('altered', 'True Name')
    const process = await contractedProcess(clinic, { contractOf: ({ user }) => (user === 'researcher' ? contract : undefined) })
    await process.ask('researcher', '{ patients(first: 20) { edges { node { id birthDate } } } }')
    await process.stop()
    // twelve of the patients are in the study
    const all = await Promise.all(ids.map(accountingOf))
    const patientId = ids[all.findIndex((one) => JSON.stringify(one).includes('True Name'))]
    const TableName = clinic.stack.env.PHI_TABLE_DISCLOSURES
    const item = (await stored()).find(({ sk }) => sk?.S === contract.digest) ?? {}
    await clinic.stack.dynamodb.send(
      new PutItemCommand({ TableName, Item: { ...item, e: { S: (item['e']?.S ?? '').replace('True Name', 'False Name') } } }),
    )
    const answer = await as('privacy', ACCOUNTING, { patientId, ...span() })
    await clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: item }))
    expect([codesOf(answer), answer.text.includes('False')]).toEqual([['AUDIT_LOG_UNAVAILABLE'], false])
    expect(JSON.stringify(await accountingOf(patientId))).toContain('True Name')
  })
})

describe('C20: a disclosure that is entered', () => {
  it('C20: counts, with its audit record in the same transaction and no text in the log', async () => {
    const answer = await as('privacy', RECORD, { patientId: ids[2], input: police() })
    const { id } = rootOf(answer)
    const record = {
      path: 'AuditLog.recordDisclosure',
      action: 'CREATE',
      outcome: 'WRITTEN',
      patient: patientOf(ids[2]),
      recordId: id,
    }
    expect(await recordsOf(answer)).toEqual([record])
    expect((await accountingOf(ids[2]))['entries']).toContainEqual(
      expect.objectContaining({ id, source: 'ENTERED', description: 'Dates of visits', statement: 'Search warrant 12' }),
    )
    const log = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_AUDIT }))
    expect(JSON.stringify(log.Items)).not.toMatch(/Search warrant|Dates of visits|City Police/)
  })

  it('C20: is corrected and withdrawn, and each version stays', async () => {
    const { id } = await officer(RECORD, { patientId: ids[3], input: police() })
    const input = police({ description: 'Visits of May' })
    const corrected = await officer(CORRECT, { id, reason: 'Wrong month', input })
    expect(corrected).toMatchObject({
      current: { description: 'Visits of May', reason: 'Wrong month' },
      former: [{ description: 'Dates of visits' }],
    })
    const withdrawn = await officer(WITHDRAW, { id, reason: 'Another patient' })
    expect(withdrawn).toMatchObject({ withdrawn: { by: 'privacy', reason: 'Another patient' }, former: [{}] })
    expect(JSON.stringify((await accountingOf(ids[3]))['entries'])).not.toContain('Visits of May')
    expect(codesOf(await as('privacy', CORRECT, { id, reason: 'Again', input }))).toEqual(['BAD_USER_INPUT'])
    // nothing left to do: recorded as a review
    const again = await as('privacy', WITHDRAW, { id, reason: 'Again' })
    expect(await recordsOf(again)).toMatchObject([{ path: 'AuditLog.withdrawDisclosure', action: 'REVIEW', outcome: 'REVIEWED' }])
  })

  it('C20: shows its texts to privacy officers only', async () => {
    await officer(RECORD, { patientId: ids[4], input: police({ description: 'SECRET-A', purpose: 'SECRET-B' }) })
    const LISTED = `query ($patientId: ID!) { disclosures(patientId: $patientId) { ${DISCLOSURE} } }`
    for (const [query, variables] of [
      [ACCOUNTING, { patientId: ids[4], ...span() }],
      [LISTED, { patientId: ids[4] }],
    ] as const) {
      const [auditor, privacy] = [await as('auditor', query, variables), await as('privacy', query, variables)]
      expect([auditor.errors, auditor.text.includes('SECRET'), privacy.text.includes('SECRET-A')]).toEqual([[], false, true])
    }
  })

  it.each(['auditor', 'physician', 'patient', 'admin'])(
    'C20: cannot be entered by %s, and the attempt is recorded',
    async (user) => {
      const before = await stored()
      const answer = await as(user, RECORD, { patientId: ids[0], input: police() })
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
      const denied = { path: 'AuditLog.recordDisclosure', action: 'CREATE', outcome: 'DENIED', reason: 'ROLE' }
      expect(await recordsOf(answer)).toEqual([denied])
      expect(await stored()).toEqual(before)
    },
  )

  it('C20: needs a recent sign-in', async () => {
    const later = auditDesk(clinic, { now: () => Date.now() + 400_000 })
    const before = await stored()
    const answer = await later.ask('privacy', RECORD, { patientId: ids[0], input: police() })
    expect([answer.status, codesOf(answer)]).toEqual([401, ['STEP_UP_REQUIRED']])
    expect(await stored()).toEqual(before)
    const records = await clinic.services.history.entriesBy('user', 'riverside' as never, 'privacy')
    expect(records.filter(({ reason }) => reason === 'STEP_UP')).toMatchObject([
      { path: 'AuditLog.recordDisclosure', outcome: 'DENIED' },
    ])
    // a query needs none
    expect(codesOf(await later.ask('privacy', LIST, {}))).toEqual([])
  })

  it('C20: is one mutation of an operation, and nothing of two is written', async () => {
    const before = await stored()
    const two = `mutation ($patientId: ID!, $input: DisclosureInput!) {
      a: recordDisclosure(patientId: $patientId, input: $input) { id } ...B }
      fragment B on Mutation { b: recordDisclosure(patientId: $patientId, input: $input) { id } }`
    expect(codesOf(await as('privacy', two, { patientId: ids[0], input: police() }))).toEqual(['OPERATION_TOO_COSTLY'])
    expect(await stored()).toEqual(before)
  })
})

describe('C20: hostile input', () => {
  it.each([
    ['a description of 200 KB', { description: 'x'.repeat(200_000) }],
    ['an empty description', { description: '  \n' }],
    ['a control character', { description: 'a\u0000b' }],
    ['an escape sequence', { recipient: { name: '\u001b[2J' } }],
    ['a change of direction', { purpose: '\u202eevil' }],
    ['half of a surrogate pair', { description: '\ud800' }],
    ['a name of two lines', { recipient: { name: 'a\nb' } }],
    ['a date in the future', { date: day(2) }],
    ['a date before all records', { date: '1850' }],
    ['a last date before the first', { count: 2, lastDate: day(-9) }],
    ['several without a last date', { count: 2 }],
    ['one with a last date', { lastDate: day(-1) }],
    ['none at all', { count: 0 }],
    ['a huge number', { count: 2_000_000_000, lastDate: day(-1) }],
    ['no purpose', { purpose: null }],
    ['a purpose and a copy', { requestCopy: 'copy' }],
    ['a protocol without research', { protocol: 'A1C' }],
    ['a protocol that is none', { basis: 'RESEARCH', protocol: '../x' }],
    ['a basis that is none', { basis: 'ANYTHING' }],
  ])('C20: refuses %s, writes nothing and repeats nothing of it', async (_name, changes) => {
    const before = await stored()
    const answer = await as('privacy', RECORD, { patientId: ids[5], input: police(changes) })
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_USER_INPUT']])
    expect(answer.text.length).toBeLessThan(1_000)
    expect(await stored()).toEqual(before)
  })

  it.each([
    ['reversed', { from: day(0), to: day(-1) }],
    ['before six years', { from: '2019-01-01', to: day(0) }],
    ['in the future', { from: day(3), to: day(4) }],
    ['no time', { from: 'yesterday', to: day(0) }],
  ])('C20: refuses a span that is %s', async (_name, times) => {
    const answer = await as('privacy', ACCOUNTING, { patientId: ids[0], ...times })
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT'])
  })

  it.each(['', 'x', '../../etc', 'a'.repeat(500), 'AAAAAAAAAAAAAAAAAAAAAA#', '##REQUESTS', '#STUDIES'])(
    'C20: refuses the patient id %s',
    async (patientId) => {
      const answer = await as('privacy', ACCOUNTING, { patientId, ...span() })
      expect(codesOf(answer)).toEqual(['BAD_USER_INPUT'])
    },
  )

  it('C20: finds nothing by an id of another kind, of another tenant, or by no id', async () => {
    const { id } = await officer(RECORD, { patientId: ids[6], input: police() })
    const unknown = ['x', `${patientOf(ids[6])}.99`, `${patientOf(ids[6])}.0`, `${patientOf(ids[7])}.1`, String(id)]
    for (const requestId of unknown) {
      const answers = [await as('privacy', GIVE, { requestId }), await as('privacy', EXTEND, { requestId, reason: 'x' })]
      for (const answer of answers) expect(codesOf(answer)).toEqual(['NOT_FOUND'])
    }
    expect(codesOf(await as('privacy', END, { id, reason: 'x' }))).toEqual(['NOT_FOUND'])
  })

  it('C20: of a patient of another tenant, there is nothing to see', async () => {
    const foreign = await clinic.ask('lakeside-physician', '{ patients(first: 1) { edges { node { id } } } }')
    const [edge] = (foreign.data?.['patients'] as { edges: { node: { id: string } }[] }).edges
    const accounting = await accountingOf(edge?.node.id)
    expect(accounting).toMatchObject({ entries: [], exclusions: [], suspended: [], decisions: [] })
  })

  it('C20: escapes markup in the document, which loads and runs nothing', async () => {
    const evil = '<img src=x onerror=alert(1)> & "quoted" \'</td><script>alert(2)</script>'
    await officer(RECORD, { patientId: ids[7], input: police({ description: evil, recipient: { name: evil } }) })
    const html = String((await accountingOf(ids[7]))['html'])
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quoted&quot; &#39;&lt;/td&gt;')
    expect(html).not.toMatch(/<(?:script|img|link|iframe)|\son\w+=["']|url\(|https?:/)
    expect(html).toMatch(/default-src 'none'; style-src 'sha256-[\w+/]{43}='/)
    expect(html).toContain(patientOf(ids[7]))
  })
})

describe('C20: suspensions', () => {
  it('C20: hide the disclosures from the individual until they end, and an accounting given before says nothing of them', async () => {
    const patientId = ids[8]
    await officer(RECORD, { patientId, input: police() })
    const input = { agency: 'city police', statement: 'WRITTEN', until: day(90) }
    const suspension = await officer(SUSPEND, { patientId, input })
    expect(suspension).toMatchObject({ isHolding: true })
    const shown = await accountingOf(patientId)
    expect(shown).toMatchObject({
      suspended: [{ suspension: { agency: 'city police' }, entries: [{ recipient: { name: 'City Police' } }] }],
    })
    const { id: requestId } = await officer(REQUEST, { patientId, receivedAt: day(0) })
    const given = await officer(GIVE, { requestId })
    expect(JSON.stringify(given).toLowerCase()).not.toMatch(/police|suspen|warrant/)
    expect(await officer(END, { id: suspension['id'], reason: 'Closed' })).toMatchObject({
      isHolding: false,
      ended: { reason: 'Closed' },
    })
    expect(JSON.stringify((await accountingOf(patientId))['entries'])).toContain('City Police')
    // what was given stays as it was given
    expect(await officer(AS_GIVEN, { requestId })).toEqual(given)
  })

  it.each([
    ['an oral one for 31 days', { statement: 'ORAL', identity: 'Officer, badge checked', until: day(31) }],
    ['an oral one without the identity', { statement: 'ORAL', until: day(10) }],
    ['one that is over', { statement: 'WRITTEN', until: day(-1) }],
    ['one that was stated in the future', { statement: 'WRITTEN', statedAt: day(2), until: day(9) }],
    ['an oral one that counts from later', { statement: 'ORAL', identity: 'Officer', statedAt: day(-2), until: day(29) }],
  ])('C20: refuses %s', async (_name, changes) => {
    const answer = await as('privacy', SUSPEND, { patientId: ids[9], input: { agency: 'City Police', ...changes } })
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT'])
  })

  it('C20: accept an oral one for 30 days', async () => {
    const input = { agency: 'City Police', statement: 'ORAL', identity: 'Officer, badge checked', until: day(30) }
    expect(await officer(SUSPEND, { patientId: ids[9], input })).toMatchObject({ statement: 'ORAL', isHolding: true })
  })
})

describe('C20: requests', () => {
  it('C20: are due in 60 days, once 30 later, and the first in twelve months is without charge', async () => {
    const patientId = ids[10]
    const first = await officer(REQUEST, { patientId, receivedAt: day(-20) })
    expect(first).toMatchObject({ received: day(-20), due: day(40), state: 'OPEN', isFree: true, mayExtend: true })
    const second = await officer(REQUEST, { patientId, receivedAt: day(0) })
    expect(second).toMatchObject({ isFree: false })
    const extended = await officer(EXTEND, { requestId: first['id'], reason: 'Archive moves' })
    expect(extended).toMatchObject({ due: day(70), isExtended: true, mayExtend: false })
    expect(codesOf(await as('privacy', EXTEND, { requestId: first['id'], reason: 'Again' }))).toEqual(['BAD_USER_INPUT'])
    const late = await officer(REQUEST, { patientId: ids[11], receivedAt: day(-61) })
    expect(late).toMatchObject({ state: 'OVERDUE', mayExtend: false })
    expect(codesOf(await as('privacy', EXTEND, { requestId: late['id'], reason: 'Too late' }))).toEqual(['BAD_USER_INPUT'])
    const listed = rootOf(await as('auditor', LIST, { state: ['OPEN', 'OVERDUE'] })) as {
      overdue: number
      requests: { id: string; due: string }[]
    }
    expect(listed.overdue).toBe(1)
    expect(listed.requests[0]).toMatchObject({ id: late['id'], state: 'OVERDUE' })
    expect(listed.requests.slice(1).map(({ due }) => due)).toEqual(
      listed.requests
        .slice(1)
        .map(({ due }) => due)
        .toSorted(),
    )
  })

  it.each([
    ['received in the future', { receivedAt: day(2) }],
    ['more than six years back', { receivedAt: day(0), from: '2019-01-01' }],
    ['with a reversed span', { receivedAt: day(0), from: day(-1), to: day(-2) }],
  ])('C20: are refused if %s', async (_name, variables) => {
    expect(codesOf(await as('privacy', REQUEST, { patientId: ids[12], ...variables }))).toEqual(['BAD_USER_INPUT'])
  })

  it('C20: are answered once, however many officers answer at the same time', async () => {
    const patientId = ids[12]
    await officer(RECORD, { patientId, input: police() })
    const { id: requestId } = await officer(REQUEST, { patientId, receivedAt: day(0) })
    const desks = [desk, ...Array.from({ length: 5 }, () => auditDesk(clinic))]
    const answers = await Promise.all(desks.map((one) => one.ask('privacy', GIVE, { requestId })))
    const given = answers.map(rootOf)
    for (const one of given) expect(one).toEqual(given[0])
    expect(given[0]).toMatchObject({ request: { state: 'GIVEN', givenBy: 'privacy' } })
    const records = (await Promise.all(answers.map(recordsOf))).flat()
    expect(records.filter(({ outcome }) => outcome === 'WRITTEN')).toHaveLength(1)
    expect(records.filter(({ outcome }) => outcome === 'REVIEWED')).toHaveLength(5)
    const entries = (await stored()).filter(
      ({ pk, e }) => pk?.S === `riverside#${patientOf(patientId)}` && e?.S?.includes('"GIVEN"'),
    )
    expect(entries).toHaveLength(1)
    expect(await officer(AS_GIVEN, { requestId })).toEqual(given[0])
  })

  it('C20: of one patient at the same time have one without charge', async () => {
    const desks = [desk, auditDesk(clinic), auditDesk(clinic), auditDesk(clinic)]
    const answers = await Promise.all(desks.map((one) => one.ask('privacy', REQUEST, { patientId: ids[13], receivedAt: day(0) })))
    const free = answers.map((answer) => rootOf(answer)['isFree'])
    expect(free.filter((one) => one === true)).toHaveLength(1)
  })

  it('C20: an accounting that was altered after it was given is not shown', async () => {
    const { id: requestId } = await officer(REQUEST, { patientId: ids[11], receivedAt: day(0) })
    await officer(GIVE, { requestId })
    const item = (await stored()).find(({ pk }) => pk?.S?.includes(`${patientOf(ids[11])}#GIVEN`)) ?? {}
    const text = gunzipSync(item['v']?.B ?? new Uint8Array())
      .toString()
      .replace('Accounting of disclosures', 'Another document')
    const bytes = gzipSync(text)
    const TableName = clinic.stack.env.PHI_TABLE_DISCLOSURES
    await clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: { ...item, v: { B: bytes } } }))
    expect(codesOf(await as('privacy', AS_GIVEN, { requestId }))).toEqual(['AUDIT_LOG_UNAVAILABLE'])
  })
})

describe('C20: a failure leaves everything or nothing', () => {
  it.each([
    ['the log cannot be written', { PHI_TABLE_AUDIT: 'gone' }, 'AUDIT_UNAVAILABLE'],
    ['the accounting cannot be read', { PHI_TABLE_DISCLOSURES: 'gone' }, 'AUDIT_LOG_UNAVAILABLE'],
  ])(
    'C20: if %s',
    async (_name, env, code) => {
      const { id: requestId } = await officer(REQUEST, { patientId: ids[5], receivedAt: day(0) })
      const before = await stored()
      const broken = auditDesk(clinic, { env })
      const answers = [
        await broken.ask('privacy', RECORD, { patientId: ids[5], input: police() }),
        await broken.ask('privacy', REQUEST, { patientId: ids[5], receivedAt: day(0) }),
        await broken.ask('privacy', GIVE, { requestId }),
      ]
      for (const answer of answers.slice(0, 2)) expect([answer.status, codesOf(answer)]).toEqual([503, [code]])
      // it reads the log first
      expect(answers[2]?.status).toBeGreaterThanOrEqual(500)
      for (const answer of answers) expect(answer.data).toBeUndefined()
      expect(await stored()).toEqual(before)
    },
    60_000,
  )
})
