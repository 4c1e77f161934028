import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientFile, operationId } from '../../../../infra/local/demo/demo-clients.ts'
import { BEACON, type RegisteredStack, RIVERSIDE, type Served, serveRegistered } from './registered-over-http.ts'

// Partners over HTTP, with the registry in its table.

const ACME = { tenant: RIVERSIDE, client: 'acme' }
const MEMBERS = operationId('acme', 'Members')
const COVERAGE = operationId('acme', 'MemberCoverage')
const REVOKED = operationId('acme', 'ClaimById')
const OF_BEACON = 'beacon-1'
const FORMS = ['persistedQuery', 'documentId', 'doc_id', 'id'] as const

let stack: RegisteredStack
const tokens = { acme: '', [BEACON]: '' }

beforeAll(async () => {
  stack = await serveRegistered()
  tokens.acme = await stack.token('acme')
  tokens[BEACON] = await stack.token(BEACON)
  const { decisions, by } = stack.admin
  await approve({ client: BEACON })
  const own = JSON.stringify({ [OF_BEACON]: 'query Own { patients(first: 1) { edges { node { familyName } } } }' })
  await carryOut(decisions.publish({ tenant: RIVERSIDE, client: BEACON }, { manifest: own, by }))
  await carryOut(decisions.revoke(ACME, REVOKED, by))
})
afterAll(() => stack.stop())

async function carryOut(decision: ReturnType<RegisteredStack['admin']['decisions']['revoke' | 'publish' | 'approveContract']>) {
  const decided = await decision
  if (decided.refused !== undefined) throw new Error(decided.refused)
  await stack.admin.commit('test', decided.changes)
}

const demoContract = JSON.parse(clientFile('acme', 'contract.json')) as { readonly paths: readonly string[] }

/** Puts the contract of the demo in force, with changes. */
const approve = (changes: object): Promise<void> =>
  carryOut(stack.admin.decisions.approveContract(RIVERSIDE, JSON.stringify({ ...demoContract, ...changes }), stack.admin.by))

interface Answer {
  readonly status: number
  /** The bytes of the body, without the id of the request. */
  readonly body: string
  readonly code: string | undefined
  readonly requestId: string
}

async function post({ url }: Served, body: object, token: string): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const { errors, extensions } = JSON.parse(text) as {
    readonly errors?: readonly { readonly extensions: { readonly code: string } }[]
    readonly extensions: { readonly phi: { readonly requestId: string } }
  }
  const { requestId } = extensions.phi
  return { status: response.status, body: text.replace(requestId, ''), code: errors?.[0]?.extensions.code, requestId }
}

const bodyOf = (form: (typeof FORMS)[number], id: string): object =>
  form === 'persistedQuery' ? { extensions: { persistedQuery: { version: 1, sha256Hash: id } } } : { [form]: id }

/** Counts the requests that this process sends to a service. */
function countRequests(url: string): { readonly sent: () => number; readonly end: () => void } {
  const { host } = new URL(url)
  let sent = 0
  const listener = (message: unknown): void => {
    const { request } = message as { readonly request: { getHeader(name: string): unknown } }
    if (request.getHeader('host') === host) sent++
  }
  subscribe('http.client.request.start', listener)
  return { sent: () => sent, end: () => unsubscribe('http.client.request.start', listener) }
}

describe('P10: what a partner may not run', () => {
  it('P10: gives one answer in each form, leaves one record, and needs no KMS, in a process with cold keys', async () => {
    const process = await stack.another()
    // the keys of the issuer
    await post(process, { query: '{' }, tokens.acme)
    const kms = countRequests(stack.kms)
    const seen: Answer[] = []
    for (const form of FORMS) {
      const answers = []
      for (const id of ['unknown-1', OF_BEACON, REVOKED]) answers.push(await post(process, bodyOf(form, id), tokens.acme))
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size, form).toBe(1)
      seen.push(...answers)
    }
    const changed = 'query Members { patients(first: 1) { edges { node { familyName ssn } } } }'
    const texts = [
      { query: changed },
      { query: changed, documentId: MEMBERS },
      { query: changed, ...bodyOf('persistedQuery', MEMBERS) },
      { query: changed, ...bodyOf('persistedQuery', 'unknown-1') },
    ]
    const refused = []
    for (const body of texts) refused.push(await post(process, body, tokens.acme))
    expect(new Set(refused.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
    expect(refused[0]?.code).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
    expect(kms.sent()).toBe(0)
    for (const { requestId } of [...seen, ...refused]) {
      expect(await stack.recordsOf(requestId)).toMatchObject([
        { path: '#operation', outcome: 'DENIED', reason: 'CONTRACT', client: 'acme', user: 'acme' },
      ])
    }
    // the counter counts: an operation of the contract needs the keys
    expect((await post(process, { documentId: MEMBERS }, tokens.acme)).code).toBeUndefined()
    expect(kms.sent()).toBeGreaterThan(0)
    kms.end()
  })

  it('P10: is everything after the end of the contract, with the bytes of an unknown id and without KMS', async () => {
    const until = Date.now() + 1_500
    await approve({ client: BEACON, expires: new Date(until).toISOString() })
    const warm = await stack.another()
    expect((await post(warm, { documentId: OF_BEACON }, tokens[BEACON])).code).toBeUndefined()
    await sleep(until - Date.now() + 50)
    const cold = await stack.another()
    await post(cold, { query: '{' }, tokens[BEACON])
    const kms = countRequests(stack.kms)
    for (const process of [warm, cold]) {
      for (const form of FORMS) {
        const expired = await post(process, bodyOf(form, OF_BEACON), tokens[BEACON])
        const unknown = await post(process, bodyOf(form, 'unknown-1'), tokens[BEACON])
        expect([expired.status, expired.body]).toEqual([unknown.status, unknown.body])
        expect(await stack.recordsOf(expired.requestId)).toMatchObject([
          { path: '#operation', outcome: 'DENIED', reason: 'CONTRACT' },
        ])
      }
    }
    expect(kms.sent()).toBe(0)
    kms.end()
  })

  it('P10, P13: is an operation beyond a narrowed contract from the next request on, in each process', async () => {
    const coverage = async (): Promise<readonly (string | undefined)[]> =>
      await Promise.all(
        stack.processes.map(
          async (process) => (await post(process, { documentId: COVERAGE, variables: { id: 'x' } }, tokens.acme)).code,
        ),
      )
    expect(await coverage()).toEqual(['NOT_FOUND', 'NOT_FOUND'])
    await approve({ paths: demoContract.paths.filter((path) => path !== 'Coverage.period') })
    expect(await coverage()).toEqual(['PERSISTED_DOCUMENT_NOT_FOUND', 'PERSISTED_DOCUMENT_NOT_FOUND'])
    for (const process of stack.processes) expect((await post(process, { documentId: MEMBERS }, tokens.acme)).code).toBeUndefined()
    await approve({})
    expect(await coverage()).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  })
})
