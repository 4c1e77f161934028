import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { summaryCommand } from '../../../cli/audit-summary.ts'
import { Refused } from '../../../cli/refused.ts'
import { runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from './audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  desk = auditDesk(clinic)
  await clinic.ask('physician', '{ patients(first: 2) { edges { node { id familyName birthDate ssn } } } }')
  await clinic.ask('nurse', '{ patients(first: 1) { edges { node { id familyName } } } }')
})
afterAll(async () => await clinic.stop())

const today = new Date().toISOString().slice(0, 10)
const span = { from: new Date(Date.now() - 86_400_000).toISOString(), to: new Date(Date.now() + 86_400_000).toISOString() }

const ACCESSES = `query ($filter: FieldAccessFilter!, $first: Int, $after: String) {
  fieldAccesses(filter: $filter, first: $first, after: $after) {
    examined
    pageInfo { hasNextPage endCursor }
    edges { node { id userId patientId path action outcome reason roles filter persisted } }
  }
}`
const SUMMARY = `query ($filter: FieldAccessFilter!, $groupBy: [Dimension!]!, $interval: Interval) {
  accessSummary(filter: $filter, groupBy: $groupBy, interval: $interval) {
    userId role path outcome start accesses patients users requests first last
  }
}`
type Node = Readonly<Record<string, unknown>>
const nodesOf = ({ data }: AuditAnswer): Node[] =>
  ((data?.['fieldAccesses'] as { edges: { node: Node }[] } | undefined)?.edges ?? []).map(({ node }) => node)
const countsOf = ({ data }: AuditAnswer): Node[] => (data?.['accessSummary'] ?? []) as Node[]
const codesOf = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions)

describe('C10: an auditor asks by any member of a filter', () => {
  it('C10: gets from the tables at once what the index has, page after page', async () => {
    const bothWays = async (filter: object): Promise<Node[]> => {
      const byUser = nodesOf(
        await desk.ask('auditor', ACCESSES, { filter: { ...filter, ...span, userId: 'physician' }, first: 500 }),
      )
      const tabled: Node[] = []
      for (let after: string | undefined; ; ) {
        const answer = await desk.ask('auditor', ACCESSES, { filter: { ...filter, ...span }, first: 40, after })
        expect(answer.errors).toEqual([])
        tabled.push(...nodesOf(answer))
        const { pageInfo } = answer.data?.['fieldAccesses'] as { pageInfo: { hasNextPage: boolean; endCursor: string } }
        if (!pageInfo.hasNextPage) break
        after = pageInfo.endCursor
      }
      expect(tabled.filter(({ userId }) => userId === 'physician')).toEqual(byUser)
      return tabled
    }
    expect((await bothWays({ path: 'Patient.familyName', action: 'READ' })).length).toBe(3)
    expect((await bothWays({ outcome: ['DENIED', 'MASKED'] })).length).toBeGreaterThan(0)
    expect((await bothWays({ category: 'DEMOGRAPHIC', action: 'READ' })).length).toBeGreaterThan(0)
    const reviews = await bothWays({ action: 'REVIEW' })
    expect(reviews.every(({ path }) => String(path).startsWith('AuditLog.'))).toBe(true)
  }, 60_000)

  it.each([
    [{ path: 'Patient.familyName' }, ['from', 'to']],
    [{ path: 'Patient.familyName', from: '2026-01-01' }, ['to']],
    [{}, ['from', 'to']],
  ])('C10: refuses %j, and says what to add', async (filter, add) => {
    expect(codesOf(await desk.ask('auditor', ACCESSES, { filter }))).toEqual([{ code: 'FILTER_TOO_BROAD', add }])
    expect(codesOf(await desk.ask('auditor', SUMMARY, { filter, groupBy: ['USER'] }))).toEqual([{ code: 'FILTER_TOO_BROAD', add }])
  })
})

describe('C20: a summary of the log', () => {
  it('C20: counts accesses by user and outcome, fresh to the second, and leaves a record of the review', async () => {
    const answer = await desk.ask('auditor', SUMMARY, {
      filter: { ...span, path: 'Patient.familyName', action: 'READ' },
      groupBy: ['USER', 'OUTCOME'],
      interval: 'YEAR',
    })
    expect(answer.errors).toEqual([])
    const year = { start: `${today.slice(0, 4)}-01-01T00:00:00.000Z`, outcome: 'DISCLOSED', role: null, path: null }
    expect(countsOf(answer)).toMatchObject([
      { userId: 'physician', accesses: 2, patients: 2, users: 1, requests: 1, ...year },
      { userId: 'nurse', accesses: 1, patients: 1, users: 1, requests: 1, ...year },
    ])
    const reviews = nodesOf(await desk.ask('privacy', ACCESSES, { filter: { requestId: answer.requestId, action: 'REVIEW' } }))
    expect(reviews).toMatchObject([{ path: 'AuditLog.accessSummary', outcome: 'REVIEWED', userId: 'auditor' }])
    expect(String(reviews[0]?.['filter'])).toContain('"groupBy":["USER","OUTCOME"]')
  })

  it('C20: counts nothing of another tenant, and nothing that a hostile text does not name', async () => {
    for (const text of ["' OR '1'='1", "x'; DROP VIEW accesses; --"]) {
      for (const member of ['path', 'clientId', 'basis', 'userId']) {
        const answer = await desk.ask('auditor', SUMMARY, { filter: { ...span, [member]: text }, groupBy: [] })
        expect([answer.errors, countsOf(answer)], `${member}: ${text}`).toEqual([[], []])
      }
    }
  }, 60_000)

  it('C21: refuses other roles, and a dimension that occurs twice', async () => {
    const refused = await desk.ask('physician', SUMMARY, { filter: span, groupBy: ['USER'] })
    expect(codesOf(refused)).toMatchObject([{ code: 'UNAUTHORIZED_FIELD_OR_TYPE' }])
    const twice = await desk.ask('auditor', SUMMARY, { filter: span, groupBy: ['USER', 'USER'] })
    expect(codesOf(twice)).toMatchObject([{ code: 'BAD_USER_INPUT' }])
  })
})

/** Runs `phi audit summary` in this process, whose environment is that of the clinic. */
async function summary(...words: readonly string[]): Promise<{ code: number; out: string; error: string }> {
  const parts = { out: '', error: '' }
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => (parts.out += String(chunk)).length > 0)
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => (parts.error += String(chunk)).length > 0)
  try {
    await summaryCommand()
      .exitOverride()
      .parseAsync([...words], { from: 'user' })
    return { code: 0, ...parts }
  } catch (error) {
    // a refusal is printed by the program around the command
    if (error instanceof Refused) parts.error += error.message
    return { code: (error as { exitCode?: number }).exitCode ?? -1, ...parts }
  } finally {
    vi.restoreAllMocks()
  }
}

describe('C20: phi audit summary', () => {
  const times = ['--from', span.from, '--to', span.to, '--action', 'READ']

  it('C20: prints a table, and leaves a record of the review', async () => {
    const { code, out } = await summary(
      ...times,
      '--group-by',
      'user,outcome',
      '--path',
      'Patient.familyName',
      '--interval',
      'year',
    )
    expect([code, out]).toEqual([
      0,
      [
        'year  user       outcome    accesses  patients  users  requests',
        `${today.slice(0, 4)}  physician  DISCLOSED         2         2      1         1`,
        `${today.slice(0, 4)}  nurse      DISCLOSED         1         1      1         1`,
        '',
      ].join('\n'),
    ])
    const reviews = nodesOf(await desk.ask('auditor', ACCESSES, { filter: { ...span, action: 'REVIEW', clientId: 'phi-audit' } }))
    expect(reviews).toMatchObject([{ path: 'AuditLog.accessSummary', outcome: 'REVIEWED', roles: [] }])
  })

  it('C20: prints JSON', async () => {
    const { out } = await summary(...times, '--group-by', 'user', '--path', 'Patient.birthDate', '--json')
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ user: 'physician', accesses: 2, patients: 2 }])
  })

  it.each([
    [['--group-by', 'user'], "required option '--from <time>' not specified"],
    [[...times, '--group-by', 'ssn'], 'Use patient, user'],
    [['--from', '2026-02-02', '--to', '2026-02-01'], '--from is later than --to'],
    [[...times, '--tenant', 'nowhere'], 'no such tenant (--tenant)'],
  ])('C20: refuses %j', async (words, message) => {
    const { code, error } = await summary(...words)
    expect(code).toBe(1)
    expect(error).toContain(message)
  })
})
