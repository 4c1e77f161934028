import { userInfo } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anomaliesCommand } from '../../../../cli/audit-anomalies.ts'
import { type Ran, runCommand } from '../../../cli/run-command.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from '../audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1 })
  desk = auditDesk(clinic)
})
afterAll(async () => await clinic.stop())

const ANOMALIES = `query ($from: DateTime!, $to: DateTime!, $kinds: [AnomalyKind!], $minScore: Float, $first: Int, $after: String) {
  anomalies(from: $from, to: $to, kinds: $kinds, minScore: $minScore, first: $first, after: $after) {
    examined
    pageInfo { hasNextPage endCursor }
    accesses { explained unexplained suspicious reasons { class because count } }
    edges { cursor node { id kind score userId clientId from to explanation patientIds evidence { name value } accesses { userId from to outcome } } }
  }
}`
const NOVEMBER = { from: '2026-11-01', to: '2026-11-28' }
const ask = async (user: string, variables: Record<string, unknown>): Promise<AuditAnswer> =>
  await desk.ask(user, ANOMALIES, variables)
const codesOf = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])

describe('C22: an auditor asks for anomalies', () => {
  it('C22: gets findings and classes, and leaves a record of the review', async () => {
    const answer = await ask('privacy', NOVEMBER)
    expect(answer.errors).toEqual([])
    expect(answer.data?.['anomalies']).toMatchObject({ edges: [], accesses: { suspicious: 0 } })
    const reviews = await desk.ask(
      'auditor',
      '{ fieldAccesses(filter: { userId: "privacy", action: REVIEW }) { edges { node { path outcome filter count } } } }',
    )
    expect(JSON.stringify(reviews.data)).toContain('AuditLog.anomalies')
  })

  it.each<[string, Record<string, unknown>]>([
    ['a reversed span', { from: '2026-11-20', to: '2026-11-01' }],
    ['a span that has not begun', { from: '2036-11-01', to: '2036-11-20' }],
    ['no time', { from: 'yesterday', to: '2026-11-01' }],
    ['a score above 1', { ...NOVEMBER, minScore: 1.5 }],
    ['a negative score', { ...NOVEMBER, minScore: -0.1 }],
    ['an unknown kind', { ...NOVEMBER, kinds: ['LUCK'] }],
    ['an empty page', { ...NOVEMBER, first: 0 }],
    ['a large page', { ...NOVEMBER, first: 501 }],
    ['text as a cursor', { ...NOVEMBER, after: 'x' }],
    ['the cursor of another list', { ...NOVEMBER, after: Buffer.from('["other",0.5,1,"id"]').toString('base64url') }],
  ])('C22: refuses %s', async (_, variables) => {
    const answer = await ask('auditor', variables)
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT'])
    expect(answer.text).not.toContain('LUCK')
  })

  it('C22: refuses a span that is too long, with what to narrow', async () => {
    const answer = await ask('auditor', { from: '2026-01', to: '2026-06' })
    expect(codesOf(answer)).toEqual(['FILTER_TOO_BROAD'])
    expect(answer.errors[0]?.extensions['add']).toEqual(['from', 'to'])
  })

  it.each(['physician', 'admin', 'patient'])('C22: refuses %s', async (user) => {
    expect(codesOf(await ask(user, NOVEMBER))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  })
})

describe('C22: phi audit anomalies', () => {
  const run = async (...words: string[]): Promise<Ran> => await runCommand(anomaliesCommand(), words)

  it('C22: prints the findings and the classes, and records the review of the operator', async () => {
    const text = await run('--from', '2026-11-01', '--to', '2026-11-28')
    expect(text).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^0 findings; of the accesses/) as string })
    const json = await run('--from', '2026-11-01', '--to', '2026-11-28', '--kind', 'VOLUME', 'DENIALS', '--json')
    expect(JSON.parse(json.stdout)).toHaveProperty('accesses.explained')
    const reviews = await desk.ask(
      'auditor',
      `{ fieldAccesses(filter: { userId: "os:${userInfo().username}", action: REVIEW }) { edges { node { path filter } } } }`,
    )
    expect(reviews.text.split('AuditLog.anomalies')).toHaveLength(3)
  })

  it('C22: has examples, and refuses options without reading', async () => {
    expect(anomaliesCommand().helpInformation()).toContain('--min-score')
    expect((await run('--from', '2026-11-28', '--to', '2026-11-01')).stderr).toContain('--from is later than --to')
    expect((await run('--from', '2026-01', '--to', '2026-06')).stderr).toContain('this covers too much of the log')
    expect((await run('--from', '2026-11', '--to', '2026-11', '--min-score', '2')).stderr).toContain('from 0 to 1')
    expect((await run('--from', '2026-11', '--to', '2026-11', '--kind', 'LUCK')).stderr).toContain('choices')
  })
})
