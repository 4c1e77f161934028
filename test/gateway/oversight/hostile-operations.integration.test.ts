import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAuditApi } from '../../../gateway/open-audit-api.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import { runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from './audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
beforeAll(async () => {
  clinic = await runClinic({ riverside: 30 })
  desk = auditDesk(clinic)
  const fields = 'birthDate familyName givenName gender phone ssn mrn'
  await clinic.ask('physician', `{ patients(first: 30) { edges { node { ${fields} } } } }`)
})
afterAll(() => clinic.stop())

const MARKER = 'zq-marker-7'
const codes = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
const PAGE = 'fieldAccesses(filter: { userId: "physician" }, first: 500)'
const aliased = (count: number, field: string): string => Array.from({ length: count }, (_, at) => `a${at}: ${field}`).join(' ')

describe('P2: the work of one operation is bounded', () => {
  it.each([
    ['five aliases of a list', `{ ${aliased(5, `${PAGE} { examined }`)} }`],
    [
      'five in fragments',
      `{ ...A ...B } fragment A on Query { ${aliased(3, `${PAGE} { examined }`)} } fragment B on Query { b: ${PAGE} { examined } c: ${PAGE} { examined } }`,
    ],
    ['two aliases of a report', `{ ${aliased(2, 'anomalies(from: "2026-01-01", to: "2026-01-02") { examined }')} }`],
    [
      'one report, and one in a fragment',
      '{ integrity(from: "2026-01", to: "2026-01") { records } ... on Query { b: integrity(from: "2026-02", to: "2026-02") { records } } }',
    ],
    ['a hundred and one aliases', `{ ${PAGE} { ${aliased(101, 'examined')} } }`],
  ])('P2: refuses %s', async (_what, query) => {
    const answer = await desk.ask('auditor', query)
    expect(codes(answer)).toEqual(['OPERATION_TOO_COSTLY'])
    expect(answer.data).toBeUndefined()
  })

  it('P2: refuses an answer that the function cannot return, in place of a part of it', async () => {
    const places = Array.from({ length: 90 }, (_, at) => `${'a'.repeat(90)}${at}: path`).join(' ')
    const query = `{ ${['a', 'b', 'c', 'd'].map((name) => `${name}: ${PAGE} { edges { node { ...F } } }`).join(' ')} } fragment F on FieldAccess { ${places} }`
    const answer = await desk.ask('auditor', query)
    expect(codes(answer)).toEqual(['OPERATION_TOO_COSTLY'])
    expect(answer.text.length).toBeLessThan(1_000)
  })
})

describe('P8: an operation that is refused echoes nothing', () => {
  it.each<[string, string, Record<string, unknown>]>([
    ['an unknown field', `{ ${MARKER.replaceAll('-', '_')} }`, {}],
    ['a text that is no GraphQL', `{ ${MARKER} "`, {}],
    [
      'a variable of another type',
      'query ($f: Int!) { fieldAccesses(filter: { userId: "a" }, first: $f) { examined } }',
      { f: MARKER },
    ],
    [
      'an integer beyond 2^53',
      'query ($f: Int!) { fieldAccesses(filter: { userId: "a" }, first: $f) { examined } }',
      { f: 2 ** 60 },
    ],
    [
      'a date out of range',
      'query ($d: DateTime) { fieldAccesses(filter: { userId: "a", from: $d }) { examined } }',
      { d: '+275760-09-13' },
    ],
    ['a date that is none', `{ fieldAccesses(filter: { userId: "a", from: "${MARKER}" }) { examined } }`, {}],
    ['a cursor', `{ fieldAccesses(filter: { userId: "a" }, after: "${MARKER}") { examined } }`, {}],
    [
      'a filter of 200,000 characters',
      'query ($u: String) { fieldAccesses(filter: { userId: $u }) { examined } }',
      { u: MARKER.repeat(20_000) },
    ],
    [
      'an unknown variable of many levels',
      '{ __typename }',
      { x: JSON.parse(`${'['.repeat(1_000)}"${MARKER}"${']'.repeat(1_000)}`) as unknown },
    ],
  ])('P8: %s', async (what, query, variables) => {
    const answer = await desk.ask('auditor', query, variables)
    expect(answer.text).not.toContain(MARKER)
    expect(answer.text).not.toContain('zq_marker')
    expect(answer.status).toBeLessThan(500)
    if (!what.startsWith('an unknown variable')) expect(answer.errors.length).toBeGreaterThan(0)
    expect(answer.text.length).toBeLessThan(2_000)
  })
})

describe('P3: only POST with JSON, one operation in its text, and an own token', () => {
  it('P3: refuses GET, other media types, a list of operations, an id of an operation, and a request without a token', async () => {
    const api = openAuditApi(
      clinic.stack.env,
      { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() },
      { events: () => undefined },
    )
    const request = await clinic.requestOf('auditor', `{ ${PAGE} { examined } }`)
    expect((await api.handle(request)).status).toBe(200)
    const headers = (change: Record<string, string | undefined>) => ({ ...request, headers: { ...request.headers, ...change } })
    const hostile = [
      { ...request, method: 'GET', body: '', queryString: 'query={__typename}' },
      { ...request, method: 'PUT' },
      headers({ 'content-type': 'text/plain' }),
      headers({ 'content-type': 'application/x-www-form-urlencoded' }),
      headers({ 'content-type': 'multipart/form-data; boundary=x' }),
      headers({ 'content-type': undefined }),
      headers({ authorization: undefined }),
      headers({ authorization: 'Bearer x.y.z' }),
      { ...request, body: `[${request.body}]` },
      { ...request, body: '{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}' },
      { ...request, body: '{"id":"chart"}' },
      { ...request, body: '' },
    ]
    for (const one of hostile) {
      const { status, body } = await api.handle(one)
      expect(status, body).toBeGreaterThanOrEqual(400)
      expect(status, body).toBeLessThan(500)
      expect(body).not.toContain('examined')
    }
  })
})
