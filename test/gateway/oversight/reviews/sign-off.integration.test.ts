import { DeleteItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { reviewCommand, reviewsCommand } from '../../../../cli/audit-reports.ts'
import { openNotary } from '../../../../gateway/open-notary.ts'
import { clinicLock } from '../../../../schema/clinic.ts'
import { runCommand } from '../../../cli/run-command.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { AUDIENCE, ISSUER, startIssuer } from '../../access/issuer.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from '../audit-clinic.ts'

/** The desk is so far ahead of the clinic that the log gets no further record of the time of the test. */
const AHEAD_MS = 40 * 60_000
const later = (): number => Date.now() + AHEAD_MS

let clinic: RunningClinic
let issuer: Awaited<ReturnType<typeof startIssuer>>
let desk: AuditDesk
/** With the detailed errors of the local stage. */
let local: AuditDesk
let span: { readonly from: string; readonly to: string }
const CHART = '{ patients(first: 1) { edges { node { familyName birthDate } } } }'

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  issuer = await startIssuer()
  const env = { PHI_ISSUER: ISSUER, PHI_AUDIENCE: AUDIENCE, PHI_JWKS_URI: issuer.jwksUri, PHI_CLAIMS: '{}' }
  desk = auditDesk(clinic, { now: later, env: { ...env, PHI_ACCESS_REVIEWS: '{"begins":"2025-01-01"}' } })
  local = auditDesk(clinic, { now: later, env: { ...env, PHI_STAGE: 'local' } })
  const now = Date.now()
  span = { from: new Date(now - 3_600_000).toISOString(), to: new Date(now + 10 * 60_000).toISOString() }
  await clinic.ask('physician', CHART)
}, 120_000)
afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(async () => {
  await issuer.stop()
  await clinic.stop()
}, 120_000)

interface Claims {
  readonly tenant?: string
  /** Seconds since the sign-in. */
  readonly age?: number
  readonly sub?: string
  readonly sid?: string
}

const token = async (role: string, { tenant = 'riverside', age = 10, ...claims }: Claims = {}): Promise<string> => {
  const now = Math.floor(later() / 1000)
  return await issuer.sign({
    ...{ sub: role.toLowerCase(), aud: AUDIENCE, tenant, organization: tenant, roles: [role], client_id: 'web' },
    ...{ sid: `${tenant}-${role}-${age}`, iat: now, exp: now + 600, auth_time: now - age, amr: ['pwd', 'mfa'], ...claims },
  })
}
const ask = async (role: string, query: string, variables = {}, claims: Claims = {}): Promise<AuditAnswer> =>
  await desk.ask('privacy', query, variables, { authorization: `Bearer ${await token(role, claims)}` })
const codesOf = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
type Row = Readonly<Record<string, unknown>>
function rootOf(answer: AuditAnswer): Row {
  expect(answer.errors).toEqual([])
  return Object.values(answer.data ?? {})[0] as Row
}

const REVIEW = `query ($from: DateTime!, $to: DateTime!, $role: Role) { accessReview(from: $from, to: $to, role: $role) {
  digest neverUsed { rule } policies { records } } }`
const FIELDS = `id at by from to role policy digest decision note requestId findings { rule userId decision note } periods { period due inTime }`
const SIGN = `mutation ($input: AccessReviewSignOffInput!) { signOffAccessReview(input: $input) { ${FIELDS} } }`
const LIST = `query ($from: DateTime!, $to: DateTime!) { accessReviewSignOffs(from: $from, to: $to) { ${FIELDS} } }`
const STATUS = `{ accessReviewStatus { every graceDays timeZone overdue
  periods { period from to due state signedAt signedBy inTime missingRoles signOffs { id } } } }`
const ALWAYS = { from: '2026-01-01', to: '2099-12-31' }

const reviewed = async (given: Row = {}): Promise<Row> => rootOf(await ask('PRIVACY_OFFICER', REVIEW, { ...span, ...given }))
const digestOf = async (given: Row = {}): Promise<string> => String((await reviewed(given))['digest'])
const inputFor = async (given: Row = {}): Promise<Row> => ({ ...span, digest: await digestOf(), decision: 'KEEP', ...given })
const sign = async (input: Row, claims: Claims = {}): Promise<AuditAnswer> => await ask('PRIVACY_OFFICER', SIGN, { input }, claims)
const list = async (claims: Claims = {}): Promise<readonly Row[]> =>
  rootOf(await ask('AUDITOR', LIST, ALWAYS, claims)) as unknown as readonly Row[]
const table = () => ({ TableName: clinic.stack.env.PHI_TABLE_DISCLOSURES })
const rows = async (tenant = 'riverside') =>
  (
    await clinic.stack.dynamodb.send(
      new QueryCommand({
        ...table(),
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `${tenant}##ACCESS_REVIEWS` } },
      }),
    )
  ).Items ?? []
const recordsOf = async ({ requestId }: AuditAnswer) => await clinic.services.history.ofRequest('riverside' as never, requestId)

describe('C21: the sign-off of an access review', () => {
  it('C21: keeps who signed what and when, as one audit record without the note', async () => {
    const { digest, neverUsed } = await reviewed()
    const [{ rule } = { rule: '' }] = neverUsed as { rule: string }[]
    const findings = [{ rule, decision: 'NARROW', note: 'last used in spring' }]
    const answer = await sign({ ...span, digest, decision: 'INVESTIGATE', note: 'Ward 3 asks why.', findings })
    const signed = rootOf(answer)
    expect(signed).toMatchObject({
      ...{ id: '1', by: 'privacy_officer', role: null, digest, decision: 'INVESTIGATE', note: 'Ward 3 asks why.' },
      ...{ requestId: answer.requestId, findings: [{ rule, userId: null, decision: 'NARROW', note: 'last used in spring' }] },
    })
    const records = await recordsOf(answer)
    expect(records).toEqual([
      expect.objectContaining({
        ...{ path: 'AuditLog.signOffAccessReview', action: 'CREATE', outcome: 'WRITTEN', user: 'privacy_officer' },
        ...{ recordType: 'AccessReview', recordId: '1', mfa: true },
      }),
    ])
    expect(JSON.parse(records[0]?.filter ?? '')).toEqual({
      ...{ from: Date.parse(span.from), to: Date.parse(span.to), review: digest, decision: 'INVESTIGATE' },
      ...{ findings: [{ rule, decision: 'NARROW' }], signOff: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    })
    expect(JSON.stringify(records)).not.toMatch(/Ward|spring/)
    expect(await list()).toEqual([signed])
  })

  it('C21: a repeated sign-off changes nothing, and is recorded as a review', async () => {
    const input = await inputFor()
    const first = rootOf(await sign(input))
    const again = await sign(input)
    expect(rootOf(again)).toEqual(first)
    expect((await recordsOf(again)).map(({ action, outcome }) => [action, outcome])).toEqual([['REVIEW', 'REVIEWED']])
  })

  it('C21: refuses the digest of a review that has other records by now, and that of another role or policy', async () => {
    const input = await inputFor()
    await clinic.ask('physician', CHART)
    expect(codesOf(await sign(input))).toEqual(['VERSION_CONFLICT'])
    expect(codesOf(await sign(await inputFor({ role: 'BILLING' })))).toEqual(['VERSION_CONFLICT'])
    expect(codesOf(await sign({ ...input, digest: '0'.repeat(64) }))).toEqual(['VERSION_CONFLICT'])
    expect(rootOf(await sign(await inputFor({ role: 'BILLING', digest: await digestOf({ role: 'BILLING' }) })))).toMatchObject({
      role: 'BILLING',
    })
  })

  it('C21: refuses a span that is open, reversed or too long, and a finding that the review does not have', async () => {
    const before = await rows()
    const digest = await digestOf()
    const open = new Date(later() - 14 * 60_000).toISOString()
    const [{ rule } = { rule: '' }] = (await reviewed())['neverUsed'] as { rule: string }[]
    const twice = [
      { rule, decision: 'KEEP' },
      { rule, decision: 'NARROW' },
    ]
    const refused: readonly (readonly [Row, string])[] = [
      [{ to: open }, 'BAD_USER_INPUT'],
      [{ to: '2099' }, 'BAD_USER_INPUT'],
      [{ from: span.to, to: span.from }, 'BAD_USER_INPUT'],
      [{ from: '2020-01-01' }, 'FILTER_TOO_BROAD'],
      [{ digest: 'x' }, 'BAD_USER_INPUT'],
      [{ digest: digest.toUpperCase() }, 'BAD_USER_INPUT'],
      [{ findings: [{ rule: 'Patient.nothing#1', decision: 'KEEP' }] }, 'BAD_USER_INPUT'],
      [{ findings: [{ userId: 'nobody', decision: 'KEEP' }] }, 'BAD_USER_INPUT'],
      [{ findings: [{ decision: 'KEEP' }] }, 'BAD_USER_INPUT'],
      [{ findings: [{ rule, userId: 'physician', decision: 'KEEP' }] }, 'BAD_USER_INPUT'],
      [{ findings: twice }, 'BAD_USER_INPUT'],
      [{ findings: Array.from({ length: 51 }, () => twice[0]) }, 'BAD_USER_INPUT'],
      [{ decision: 'APPROVE' }, 'BAD_USER_INPUT'],
      [{ role: 'NOBODY' }, 'BAD_USER_INPUT'],
    ]
    for (const [given, code] of refused)
      expect([given, ...codesOf(await sign({ ...span, digest, decision: 'KEEP', ...given }))]).toEqual([given, code])
    expect(await rows()).toEqual(before)
  })

  it('names the fault of a sign-off on the local stage, and the findings of the review', async () => {
    const digest = await digestOf()
    const rules = ((await reviewed())['neverUsed'] as { rule: string }[]).map(({ rule }) => rule)
    const [rule] = rules
    const headers = { authorization: `Bearer ${await token('PRIVACY_OFFICER')}` }
    const messageOf = async (given: Row): Promise<unknown> => {
      const input = { ...span, digest, decision: 'KEEP', ...given }
      return (await local.ask('privacy', SIGN, { input }, headers)).errors.map(({ message }) => message)
    }
    expect(rules.length).toBeGreaterThan(20)
    const choices = `\`rule\` is one of: ${rules.slice(0, 20).join(', ')}, and ${rules.length - 20} more in \`neverUsed\`. The review has no \`userId\`.`
    for (const finding of [{ rule: 'Patient.nothing#1' }, { userId: 'nobody' }])
      expect(await messageOf({ findings: [{ ...finding, decision: 'KEEP' }] })).toEqual([
        `A finding is not one of the review. ${choices}`,
      ])
    const twice = { rule, decision: 'KEEP' }
    expect(await messageOf({ findings: [twice, twice] })).toEqual(['A finding has two decisions. Send each once.'])
    expect(await messageOf({ findings: [{ decision: 'KEEP' }] })).toEqual([
      'A finding has either `rule` or `userId`, of 256 characters at most.',
    ])
    expect(await messageOf({ findings: Array.from({ length: 51 }, () => twice) })).toEqual(['`findings` has more than 50 entries.'])
    expect(await messageOf({ digest: 'x' })).toEqual([
      '`to` is too recent, or `digest` is no SHA-256 in hex. Sign a span that has ended, with the `digest` of `accessReview`.',
    ])
  })

  it('C21: refuses a note that is empty, too long, or cannot be printed', async () => {
    const notes = ['', '   ', 'x'.repeat(2_001), 'x'.repeat(200_000), 'a\u0000b', 'a\u202eb', 'half \ud800', '\u001b[2J']
    for (const note of notes) {
      const answer = await sign({ ...span, digest: '0'.repeat(64), decision: 'KEEP', note })
      expect([note.slice(0, 20), codesOf(answer)]).toEqual([note.slice(0, 20), ['BAD_USER_INPUT']])
    }
  })

  it.each(['AUDITOR', 'ADMIN', 'PHYSICIAN', 'PATIENT'])('C21: does not let %s sign, and records the attempt', async (role) => {
    const before = await rows()
    const answer = await ask(role, SIGN, { input: await inputFor({ note: 'by another' }) })
    expect([codesOf(answer), await rows()]).toEqual([['UNAUTHORIZED_FIELD_OR_TYPE'], before])
  })

  it('C25: needs a recent sign-in', async () => {
    const input = await inputFor({ note: 'old sign-in' })
    expect(codesOf(await sign(input, { age: 400 }))).toEqual(['STEP_UP_REQUIRED'])
  })

  it('C21: signs at most one review in an operation, also by an alias or a fragment', async () => {
    const before = await rows()
    const input = await inputFor({ note: 'two' })
    const two = `mutation ($input: AccessReviewSignOffInput!) { one: signOffAccessReview(input: $input) { id } ...Other }
      fragment Other on Mutation { other: signOffAccessReview(input: $input) { id } }`
    expect([codesOf(await ask('PRIVACY_OFFICER', two, { input })), await rows()]).toEqual([['OPERATION_TOO_COSTLY'], before])
  })

  it('C17: another tenant sees no sign-off, and cannot sign the review of this one', async () => {
    const elsewhere = { tenant: 'lakeside' }
    expect(await list(elsewhere)).toEqual([])
    expect(codesOf(await sign(await inputFor({ note: 'from elsewhere' }), elsewhere))).toEqual(['VERSION_CONFLICT'])
    expect(await rows('lakeside')).toEqual([])
  })

  it('C21: two privacy officers who sign at the same time get different numbers', async () => {
    const input = await inputFor({ note: 'both' })
    const both = await Promise.all(['one', 'two'].map(async (sub) => rootOf(await sign(input, { sub, sid: sub }))))
    expect(new Set(both.map(({ id }) => id)).size).toBe(2)
    expect((await list()).map(({ by }) => by)).toEqual(expect.arrayContaining(['one', 'two']))
  })
})

describe('C21: a sign-off that is not the one of its audit record', () => {
  const put = async (number: number, text: string): Promise<void> => {
    const Item = { pk: { S: 'riverside##ACCESS_REVIEWS' }, sk: { S: String(number).padStart(6, '0') }, e: { S: text } }
    await clinic.stack.dynamodb.send(new PutItemCommand({ ...table(), Item }))
  }
  const remove = async (number: number): Promise<void> => {
    const Key = { pk: { S: 'riverside##ACCESS_REVIEWS' }, sk: { S: String(number).padStart(6, '0') } }
    await clinic.stack.dynamodb.send(new DeleteItemCommand({ ...table(), Key }))
  }
  const answers = async () => [codesOf(await ask('AUDITOR', LIST, ALWAYS)), (await list({ tenant: 'lakeside' })).length]

  it('C21: is no answer: forged, changed, copied or removed from the middle', async () => {
    const stored = (await rows()).map((item) => item['e']?.S ?? '')
    const [first = ''] = stored
    const next = stored.length + 1
    const changes: readonly (readonly [string, () => Promise<void>, () => Promise<void>])[] = [
      ['forged', () => put(next, first.replace('"number":1', `"number":${next}`)), () => remove(next)],
      ['copied', () => put(next, first), () => remove(next)],
      ['other note', () => put(1, first.replace('Ward 3', 'Ward 4')), () => put(1, first)],
      ['other decision', () => put(1, first.replace('INVESTIGATE', 'KEEP')), () => put(1, first)],
      ['other request', () => put(1, first.replace(/"requestId":"[^"]*"/, `"requestId":"${'A'.repeat(24)}"`)), () => put(1, first)],
      ['another member', () => put(1, first.replace('{', '{"a":1,')), () => put(1, first)],
      ['no JSON', () => put(1, '{'), () => put(1, first)],
      ['removed', () => remove(1), () => put(1, first)],
    ]
    for (const [name, change, back] of changes) {
      await change()
      expect([name, ...(await answers())]).toEqual([name, ['AUDIT_LOG_UNAVAILABLE'], 0])
      await back()
    }
    expect((await list()).length).toBe(stored.length)
  })
})

describe('C21: the status of access reviews', () => {
  it('C21: an overdue period becomes SIGNED, and states that it was late', async () => {
    const before = rootOf(await ask('AUDITOR', STATUS))
    const periods = before['periods'] as readonly (Row & { from: string; to: string })[]
    expect(before).toMatchObject({ every: 'MONTH', graceDays: 15, timeZone: 'UTC' })
    expect(periods.map(({ state }) => state).slice(2)).toEqual(Array.from({ length: 10 }, () => 'OVERDUE'))
    expect(periods[0]).toMatchObject({ state: 'OPEN', signedAt: null })
    const { from, to, ['period']: period } = periods[4] ?? { from: '', to: '', period: '' }
    const digest = await digestOf({ from, to })
    const signed = rootOf(await sign({ from, to, digest, decision: 'KEEP' }))
    expect(signed).toMatchObject({ periods: [{ period, inTime: false }] })
    const after = rootOf(await ask('PRIVACY_OFFICER', STATUS))
    expect(after['overdue']).toBe(Number(before['overdue']) - 1)
    expect((after['periods'] as Row[])[4]).toMatchObject({
      ...{
        period,
        state: 'SIGNED',
        signedBy: 'privacy_officer',
        inTime: false,
        missingRoles: [],
        signOffs: [{ id: signed['id'] }],
      },
    })
  })

  it.each(['ADMIN', 'PHYSICIAN'])('C21: gives %s no status', async (role) => {
    expect(codesOf(await ask(role, STATUS))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  })
})

describe('C21: the daily reminder', () => {
  const remindedOf = async () => {
    const before = desk.events.length
    await desk.remind()
    const events = desk.events.slice(before).filter((event) => !('tenant' in event && event.tenant === 'canary'))
    const tenantOf = (event: object): string => ('tenant' in event ? String(event.tenant) : '')
    return events.toSorted((one, other) => tenantOf(one).localeCompare(tenantOf(other)))
  }

  it('C21: reports each tenant with an overdue review, and a tenant whose sign-offs cannot be trusted', async () => {
    const [lakeside, riverside] = [expect.any(Number), expect.any(Number)] as number[]
    const overdue = (tenant: string, count: number | undefined) => ({ event: 'ACCESS_REVIEW_OVERDUE', tenant, count })
    const both = await remindedOf()
    expect(both).toEqual([overdue('lakeside', lakeside), overdue('riverside', riverside)])
    // the sign-off of a month, copied to another tenant
    const all = (await rows()).map((item) => JSON.parse(item['e']?.S ?? '') as { number: number; to: number; from: number })
    const month = all.find(({ from, to }) => to - from > 20 * 86_400_000)
    const Key = { pk: { S: 'lakeside##ACCESS_REVIEWS' }, sk: { S: '000001' } }
    const copied = { ...Key, e: { S: JSON.stringify({ ...month, number: 1 }) } }
    await clinic.stack.dynamodb.send(new PutItemCommand({ ...table(), Item: copied }))
    expect(await remindedOf()).toEqual([
      { event: 'ACCESS_REVIEWS_UNREAD', tenant: 'lakeside', cause: 'TypeError' },
      overdue('riverside', riverside),
    ])
    await clinic.stack.dynamodb.send(new DeleteItemCommand({ ...table(), Key }))
    expect(await remindedOf()).toEqual(both)
  })
})

describe('C21: the commands of access reviews', () => {
  const enter = (more: Readonly<Record<string, string>> = {}): void => {
    for (const [name, value] of Object.entries({ ...clinic.stack.env, ...more })) vi.stubEnv(name, value)
  }

  it('C21: the printed review ends with the command that signs it; phi audit reviews shows it, and ends with 1 if one is overdue', {
    timeout: 60_000,
  }, async () => {
    enter({ PHI_ACCESS_REVIEWS: '{"begins":"2026-01-01"}' })
    const before = await runCommand(reviewsCommand(), [])
    expect([before.code, before.stdout]).toEqual([
      1,
      expect.stringMatching(/^period +state +due[^]*\n2026-01 +OVERDUE[^]*Next: phi audit review /),
    ])
    const next = /Next: phi audit review (.*)\n/.exec(before.stdout)?.[1]?.split(' ') ?? []
    const printed = await runCommand(reviewCommand(), next)
    const words = /To sign it: phi audit review (.*)\n$/.exec(printed.stdout)?.[1]?.split(' ') ?? []
    expect(words).toEqual(expect.arrayContaining(['--tenant', 'riverside', '--sign-off', 'KEEP', '--digest']))
    const signed = await runCommand(reviewCommand(), words)
    expect(signed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^signed: \d+ by os:.+\n$/) as string })
    expect(await runCommand(reviewCommand(), words)).toEqual(signed)
    const after = await runCommand(reviewsCommand(), [])
    expect(after.stdout).toMatch(/\n2026-01 +SIGNED +2026-02-15 +\d{4}-\d\d-\d\d \(late\) +os:/)
    const wrong = words.with(words.length - 1, '0'.repeat(64))
    expect(await runCommand(reviewCommand(), wrong)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('changed in the meantime') as string,
    })
    const unknown = await runCommand(reviewCommand(), [...words, '--finding', 'Patient.nothing#1=KEEP'])
    expect({ ...unknown, stderr: unknown.stderr.replace(/ Did you mean [^?]*\?/, '') }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: the review has no such finding (--finding). List the findings with: phi audit review --json\n',
    })
    expect(await runCommand(reviewCommand(), words.slice(0, -2))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--digest') as string,
    })
  })

  it('C21: without a begin, reviews are due from the first sealed item on', async () => {
    enter()
    const open = [0, [expect.objectContaining({ state: 'OPEN' })]]
    const status = async () => {
      const { code, stdout } = await runCommand(reviewsCommand(), ['--json'])
      return [code, (JSON.parse(stdout) as { periods: Row[] }).periods]
    }
    expect(await status()).toEqual(open)
    expect(await openNotary(clinic.stack.env, { lock: clinicLock(), events: () => undefined }).run()).toBe(true)
    expect(await status()).toEqual(open)
  })
})
