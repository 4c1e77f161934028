import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { encodeCursor, listDigest } from '../../../gateway/oversight/access-cursor.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import { auditOf, LAKESIDE, patientsOf } from '../asking.ts'
import { type ClinicAnswer, runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from './audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
let own: ClinicAnswer
let theirs: readonly AuditEntry[]
/** Ids of the other tenant, as its own log has them. */
let foreign: readonly string[]
let requestId = ''
beforeAll(async () => {
  clinic = await runClinic({ riverside: 3, lakeside: 4 })
  desk = auditDesk(clinic)
  own = await clinic.ask('physician', '{ patients(first: 3) { edges { node { familyName ssn } } } }')
  const answer = await clinic.ask('lakeside-physician', '{ patients(first: 2) { edges { node { familyName ssn } } } }')
  theirs = await auditOf(clinic, answer, LAKESIDE)
  requestId = answer.phi.requestId
  const patients = theirs.flatMap(({ patient }) => patient ?? [])
  foreign = [...new Set([...patients, 'lakeside-physician', requestId, ...theirs.map(({ lane }) => lane)])]
})
afterAll(() => clinic.stop())

const ACCESSES = `query ($filter: FieldAccessFilter!, $first: Int, $after: String) {
  fieldAccesses(filter: $filter, first: $first, after: $after) {
    examined pageInfo { hasNextPage endCursor } edges { cursor node { id requestId userId patientId recordId path outcome } } } }`
interface Page {
  readonly examined: number
  readonly pageInfo: { readonly endCursor: string | null }
  readonly edges: readonly { readonly cursor: string; readonly node: Readonly<Record<string, unknown>> }[]
}
const ask = async (filter: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<AuditAnswer> =>
  await desk.ask('auditor', ACCESSES, { filter, ...more })
const pageOf = ({ data }: AuditAnswer): Page => data?.['fieldAccesses'] as Page
const codes = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])

/** Texts that could lead to another place of the tables. */
const texts = (): string[] => [
  ...foreign,
  ...foreign.map((id) => `lakeside#${id}`),
  ...foreign.map((id) => `x#0\u0000lakeside#${id}#0`),
  `../lakeside`,
  'lakeside',
  'riverside#physician',
  'physician#0',
  'LANES',
  '#',
  '##',
  '\u0000',
  '\u001f\u007f',
  "' OR 1=1 --",
  '{"S":"lakeside"}',
  '__proto__',
  'constructor',
  'é'.repeat(256),
  'a'.repeat(257),
  '\u{1f600}'.repeat(400),
  '\ud800',
]
const ARGUMENTS = ['patientId', 'userId', 'clientId', 'path', 'reason', 'basis', 'requestId'] as const

function expectNothingForeign(answer: AuditAnswer, label: string): void {
  if (answer.errors.length > 0) {
    expect(['BAD_USER_INPUT', 'FILTER_TOO_BROAD'], label).toContain(codes(answer)[0])
    expect(answer.data, label).toBeUndefined()
    return
  }
  for (const { node } of pageOf(answer).edges) for (const value of Object.values(node)) expect(foreign, label).not.toContain(value)
}

describe('P5: a hostile filter', () => {
  it.each(ARGUMENTS)('P5: in %s alone yields nothing of another tenant', async (argument) => {
    for (const text of texts()) {
      const answer = await ask({ [argument]: text })
      expectNothingForeign(answer, `${argument} ${JSON.stringify(text)}`)
      // none of these texts is of this tenant
      if (answer.errors.length === 0) expect(pageOf(answer).edges).toEqual([])
      expect(answer.status).toBeLessThan(500)
    }
  })

  it.each(ARGUMENTS)('P5: in %s beside a user of the tenant yields nothing of another tenant', async (argument) => {
    if (argument === 'userId') return
    for (const text of texts()) expectNothingForeign(await ask({ userId: 'physician', [argument]: text }), argument)
  })

  it("P5: another tenant's patient and request have the answer that unknown ones have", async () => {
    // the tests before did not ask for these patients
    const [, , nodeId = '', other = ''] = await patientsOf(clinic, 'lakeside-physician')
    const fresh = decodeNodeId(other)?.patient ?? ''
    const bare = ({ data, errors }: AuditAnswer) => ({ data, errors })
    // a review of a patient is itself a record about the patient: the first question of each
    const unknown = await ask({ patientId: 'A'.repeat(22) })
    expect(pageOf(unknown)).toMatchObject({ edges: [], examined: 0 })
    for (const patientId of [fresh, nodeId]) expect(bare(await ask({ patientId }))).toEqual(bare(unknown))
    expect(bare(await ask({ requestId }))).toEqual(bare(await ask({ requestId: 'A'.repeat(24) })))
  })

  it('P5: a malformed request id, a reversed span and a page out of bounds are refused', async () => {
    for (const filter of [
      { requestId: 'nonsense' },
      { requestId: '' },
      { userId: 'physician', from: '2026-02', to: '2026-01' },
      { userId: 'physician', from: 'yesterday' },
      { userId: 'physician', outcome: ['SEEN'] },
    ])
      expect(codes(await ask(filter)), JSON.stringify(filter)).toEqual(['BAD_USER_INPUT'])
    for (const first of [0, -1, 501, 2 ** 31])
      expect(codes(await ask({ userId: 'physician' }, { first })), String(first)).toEqual(['BAD_USER_INPUT'])
  })

  it('P5: a cursor of another list is refused, and a forged one leads to a place in the own log', async () => {
    const filter = { userId: 'physician' }
    const { edges } = pageOf(await ask(filter, { first: 2 }))
    const cursor = edges[1]?.cursor ?? ''
    expect(pageOf(await ask(filter, { after: cursor })).edges.length).toBeGreaterThan(0)
    const others = [{ userId: 'physician', path: 'Patient.ssn' }, { patientId: 'A'.repeat(22) }, { requestId: own.phi.requestId }]
    for (const other of others) expect(codes(await ask(other, { after: cursor }))).toEqual(['BAD_USER_INPUT'])
    for (const after of ['', 'x', `${cursor}x`, cursor.slice(1), 'a'.repeat(600), Buffer.from('[]').toString('base64url')])
      expect(codes(await ask(filter, { after }))).toEqual(['BAD_USER_INPUT'])

    const [entry] = theirs
    const list = listDigest('riverside', 'fieldAccesses', filter)
    for (const place of [
      { time: Date.parse(entry?.time ?? ''), lane: entry?.lane ?? '', sequence: entry?.sequence ?? 1, index: 0 },
      { time: Number.MAX_SAFE_INTEGER, lane: 'lakeside#x', sequence: 1, index: 0 },
      { time: 0, lane: '#', sequence: 1, index: 0 },
    ])
      expectNothingForeign(await ask(filter, { after: encodeCursor(list, place) }), JSON.stringify(place))
  })
})
