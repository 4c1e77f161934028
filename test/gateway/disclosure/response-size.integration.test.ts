import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import { type ClinicAnswer, read } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { auditOf, nodesAt, RIVERSIDE } from '../asking.ts'
import { type ServedClinic, serveClinic } from '../http/clients/clinic-over-http.ts'

const KB = 1024
/** A note of the maximum length. */
const LONG = 'x'.repeat(200 * KB - 2)
const LONG_NOTES = 30

let served: ServedClinic
let store: SealedStore
let ward: Admissions

beforeAll(async () => {
  served = await serveClinic({ riverside: 1, lakeside: 2 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), served.clinic.stack.env)
  ward = new Admissions(store)
  const notes = (patient: string, count: number, text: string, labels: readonly string[] = []) =>
    Array.from({ length: count }, (_, number) => {
      const metadata = { date: `2024-01-01T00:00:00.${String(number).padStart(3, '0')}Z`, labels: labels as Sensitivity[] }
      return ward.record(patient, 'DocumentReference', `${labels.join('')}${text.length}/${number}`, { text }, metadata)
    })
  const person = (patient: string) => ward.record(patient, 'Patient', '', { familyName: patient, givenName: [patient] })
  const team = ['physician', 'nurse']
  await ward.write('long', [person('long'), ...notes('long', LONG_NOTES, LONG)], team)
  await ward.write('short', [person('short'), ...notes('short', 3, 'short')], team)
  await ward.write('closed', [person('closed'), ...notes('closed', 3, 'short'), ...notes('closed', 2, LONG, ['ETH'])], team)
  const code = { coding: Array.from({ length: 3_000 }, () => ({})) }
  await ward.write('empty', [person('empty'), ward.record('empty', 'Observation', 'o', { code }, {})], team)
})
afterAll(async () => {
  await store.close()
  await served.stop()
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Asks over HTTP, through the local API and the result of the function. */
async function ask(user: string, query: string, variables: Record<string, unknown> = {}): Promise<ClinicAnswer> {
  const response = await fetch(served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await served.token(user)}` },
    body: JSON.stringify({ query, variables }),
  })
  return read({ status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() })
}

const linesOf = (entries: readonly AuditEntry[]): string[] =>
  [...new Set(entries.map(({ path, outcome, reason }) => [path, outcome, reason ?? ''].join(' ').trim()))].toSorted()

/** Expects a refusal for the size, after which nothing was opened. Returns its audit records. */
async function refusedUnopened(query: string, variables: Record<string, unknown>): Promise<AuditEntry[]> {
  const openings = vi.spyOn(SealedRecord.prototype, 'openField').mockClear()
  const [answer, other] = await Promise.all([
    ask('physician', query, variables),
    ask('lakeside-physician', '{ patients { edges { node { familyName } } } }'),
  ])
  const others = other.phi.resolved ?? 0
  expect([other.status, others > 0]).toEqual([200, true])
  expect([answer.status, answer.errors.map(({ extensions }) => extensions)]).toEqual([400, [{ code: 'OPERATION_TOO_COSTLY' }]])
  expect(answer.errors[0]?.message).toMatch(/`first`.*`after`/)
  expect(answer.data).toBeUndefined()
  expect(openings).toHaveBeenCalledTimes(others)
  return await auditOf(served.clinic, answer)
}

const NOTES = (first: number, selected: string, patient = 'familyName'): string =>
  `query ($id: ID!) { patient(id: $id) { ${patient} documentReferences(first: ${first}) { edges { node { ${selected} } } } } }`
const aliases = (count: number, field: string): string => Array.from({ length: count }, (_, n) => `a${n}: ${field}`).join(' ')

describe('P1: an answer that would be too large is refused before any of its values is opened', () => {
  it('by aliases of one long value', async () => {
    const query = `query ($id: ID!) { node(id: $id) { ... on DocumentReference { ${aliases(26, 'text')} } } }`
    const id = ward.id('long', 'DocumentReference', `${LONG.length}/0`)
    const entries = await refusedUnopened(query, { id })
    expect(linesOf(entries)).toEqual(['DocumentReference.text DENIED SIZE'])
  })

  it('by aliases of each value of a page', async () => {
    const query = NOTES(10, aliases(10, 'text'), 'id')
    expect(query.length).toBeLessThan(250)
    const entries = await refusedUnopened(query, { id: ward.id('long') })
    expect(linesOf(entries)).toEqual(['DocumentReference.text DENIED SIZE', 'Patient.documentReferences DENIED SIZE'])
    expect(entries.filter(({ path }) => path === 'DocumentReference.text')).toHaveLength(10)
  })

  it('by a page of long values, and pages of the half are given', async () => {
    const entries = await refusedUnopened(NOTES(LONG_NOTES, 'text', 'id'), { id: ward.id('long') })
    expect(entries.filter(({ outcome, reason }) => outcome === 'DENIED' && reason === 'SIZE')).toHaveLength(LONG_NOTES + 1)
    const half = await ask('physician', NOTES(LONG_NOTES / 2, 'text'), { id: ward.id('long') })
    expect([half.status, half.phi.resolved]).toEqual([200, 1 + LONG_NOTES / 2])
    expect(linesOf(await auditOf(served.clinic, half))).toEqual([
      'DocumentReference.text DISCLOSED',
      'Patient.documentReferences DISCLOSED',
      'Patient.familyName DISCLOSED',
    ])
  })

  it('by long names of aliases: keys, and paths of errors', async () => {
    const name = 'n'.repeat(100 * KB)
    const observations = `query ($id: ID!) { ${name}: patient(id: $id) { ${aliases(60, 'ssn')} } }`
    await refusedUnopened(observations, { id: ward.id('long') })
    const keys = `query ($id: ID!) { patient(id: $id) { documentReferences(first: 30) { edges { node { ${name}: id ${name}b: version } } } } }`
    await refusedUnopened(keys, { id: ward.id('long') })
  })

  it('and takes nothing of the budget', async () => {
    const { ask: askAnother, services } = await served.clinic.another({ env: { PHI_LIMITS: '{"hour": {"CLINICIAN": 32}}' } })
    const answer = await askAnother('nurse', NOTES(LONG_NOTES, 'text', 'id'), { id: ward.id('long') })
    expect(answer.errors[0]?.extensions).toEqual({ code: 'OPERATION_TOO_COSTLY' })
    expect(services.budgets.counter.requests).toBe(0)
  })
})

describe('P2: an answer that turns out too large after values were opened', () => {
  it('has no data, and the opened values are UNAVAILABLE with SIZE', async () => {
    const answer = await ask('physician', NOTES(LONG_NOTES, 'text', 'familyName givenName ssn'), { id: ward.id('long') })
    expect([answer.status, answer.data, answer.errors[0]?.extensions]).toEqual([400, undefined, { code: 'OPERATION_TOO_COSTLY' }])
    expect(answer.text).not.toContain('"long"')
    expect(linesOf(await auditOf(served.clinic, answer))).toEqual([
      'DocumentReference.text DENIED SIZE',
      'Patient.documentReferences DENIED SIZE',
      'Patient.familyName UNAVAILABLE SIZE',
      'Patient.givenName UNAVAILABLE SIZE',
      'Patient.ssn DENIED ROLE',
    ])
  })

  it('by aliases of lists within each other: each value was opened at most once', async () => {
    const openings = vi.spyOn(SealedRecord.prototype, 'openField').mockClear()
    const inner = ['p', 'q']
      .map((alias) => `${alias}: documentReferences(first: 2) { edges { node { ${alias}: text } } }`)
      .join(' ')
    const outer = (alias: string) => `${alias}: documentReferences(first: 3) { edges { node { patient { ${inner} } } } }`
    const query = `query ($id: ID!) { patient(id: $id) { ${['a', 'b', 'c'].map(outer).join(' ')} } }`
    const answer = await ask('physician', query, { id: ward.id('long') })
    expect([answer.status, answer.data, answer.errors[0]?.extensions]).toEqual([400, undefined, { code: 'OPERATION_TOO_COSTLY' }])
    expect(openings.mock.calls.length).toBeLessThanOrEqual(2)
    const lines = linesOf(await auditOf(served.clinic, answer))
    expect(lines.filter((line) => !/ (?:DENIED|UNAVAILABLE) SIZE$/.test(line))).toEqual([])
    expect(lines.join()).toContain('DocumentReference.text')
  })

  it('returns what it took of the budget', async () => {
    const { ask: askAnother } = await served.clinic.another({
      env: { PHI_LIMITS: '{"hour": {"CLINICIAN": 5}, "answer": {"bytes": 300000}}' },
    })
    const id = ward.id('long')
    for (let time = 0; time < 3; time++) {
      const answer = await askAnother('nurse', NOTES(2, 'text', 'familyName givenName'), { id })
      expect(answer.errors[0]?.extensions).toEqual({ code: 'OPERATION_TOO_COSTLY' })
    }
  })

  it('is measured again before its audit settles: nothing leaves, and the audit says so', async () => {
    // each empty object of the stored value is one with three keys in the answer
    const query = `query ($id: ID!) { patient(id: $id) { observations { edges { node { ${aliases(3, 'code { coding { system code display } }')} } } } } }`
    const { ask: askAnother } = await served.clinic.another({ env: { PHI_LIMITS: '{"answer": {"bytes": 300000}}' } })
    const answer = await askAnother('physician', query, { id: ward.id('empty') })
    expect([answer.status, answer.data, answer.errors[0]?.extensions]).toEqual([400, undefined, { code: 'OPERATION_TOO_COSTLY' }])
    expect(linesOf(await auditOf(served.clinic, answer))).toEqual([
      'Observation.code UNAVAILABLE SIZE',
      'Patient.observations UNAVAILABLE SIZE',
    ])
  })

  it('also where no record is part of it', async () => {
    const { ask: askAnother } = await served.clinic.another({ env: { PHI_LIMITS: '{"answer": {"bytes": 20000}}' } })
    const asked = '{ patients { edges { node { familyName givenName ssn mrn } } } }'
    const query = `query ($asked: String!) { explainAccess(query: $asked) { paths { ${aliases(40, 'grant')} } } }`
    const answer = await askAnother('physician', query, { asked })
    expect([answer.status, answer.data]).toEqual([400, undefined])
    expect((await served.clinic.ask('physician', query, { asked })).status).toBe(200)
  })
})

describe('P5: sizes of records that are closed to the caller', () => {
  it('have no influence on the answer', async () => {
    const { ask: askAnother } = await served.clinic.another({ env: { PHI_LIMITS: '{"answer": {"bytes": 300000}}' } })
    const [open, closed] = await Promise.all(
      ['short', 'closed'].map((patient) => askAnother('physician', NOTES(30, 'text', 'id'), { id: ward.id(patient) })),
    )
    expect(open?.status).toBe(200)
    expect(closed?.status).toBe(200)
    expect(nodesAt(closed?.data, 'patient', 'documentReferences')).toEqual(nodesAt(open?.data, 'patient', 'documentReferences'))
  })
})
