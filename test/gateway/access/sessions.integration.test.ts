import { entriesOf } from '../../../gateway/audit/item.ts'
import { DeleteTableCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTables } from '../../../infra/local/tables.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'

const VIEWER = '{ viewer { userId } }'
const MINUTE = 60_000
let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
}, 60_000)
afterAll(async () => {
  await clinic.stop()
}, 60_000)

type Asked = (query: string, options?: { purpose?: string; variables?: Record<string, unknown> }) => Promise<ClinicAnswer>

/** A process with a clock that is ahead of the machine's by the milliseconds of `set`. */
async function process({ env = {} }: { env?: Record<string, string> } = {}) {
  let later = 0
  const running = await clinic.another({ now: () => Date.now() + later, env })
  return {
    ...running,
    set: (milliseconds: number) => {
      later = milliseconds
    },
    as:
      (token: string, isPartner = false): Asked =>
      async (query, { purpose, variables } = {}) =>
        read(
          await running.gateway.handle({
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              authorization: `Bearer ${token}`,
              ...(purpose !== undefined && { 'x-purpose-of-use': purpose }),
            },
            body: JSON.stringify({ ...(isPartner ? registered(query) : { query }), variables }),
            sourceIp: '127.0.0.1',
          }),
        ),
  }
}
/** A partner sends the id of an operation. */
const registered = (query: string) => ({ documentId: clinic.operations.register({ tenant: RIVERSIDE, client: 'acme' }, query) })
const tokenOf = async (user: string) => await fetchToken(clinic.stack, user)
const items = async () => {
  const { Items } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_SESSIONS }))
  // the issuer's keys are in the sessions table too
  return (Items ?? []).filter(({ sk }) => sk?.S !== 'KEYS')
}
const codes = ({ errors }: ClinicAnswer) => errors.map(({ extensions }) => extensions['code'])
const expectExpired = (answer: ClinicAnswer) => {
  expect(answer).toMatchObject({ status: 401, data: undefined, headers: { 'cache-control': 'no-store' } })
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
  expect(codes(answer)).toEqual(['SESSION_EXPIRED'])
}
const auditOf = async (requestId: string) => {
  const { Items } = await clinic.stack.dynamodb.send(
    new ScanCommand({
      TableName: clinic.stack.env.PHI_TABLE_AUDIT,
      FilterExpression: 'contains(e, :id)',
      ExpressionAttributeValues: { ':id': { S: requestId } },
    }),
  )
  return (Items ?? []).flatMap(entriesOf).map(({ path, outcome, reason, action, recordId }) => ({
    path,
    outcome,
    reason,
    action,
    of: recordId,
  }))
}

describe('a session ends after fifteen idle minutes', () => {
  it('and continues with each request in any process', async () => {
    const [one, two] = [await process(), await process()]
    const token = await tokenOf('physician')
    for (const minutes of [0, 13, 26, 39]) {
      const asked = minutes % 2 === 0 ? one : two
      asked.set(minutes * MINUTE)
      expect((await asked.as(token)(VIEWER)).status).toBe(200)
    }
    for (const asked of [one, two]) {
      asked.set(55 * MINUTE)
      expectExpired(await asked.as(token)(VIEWER))
    }
    // the session stays ended, although requests came since
    one.set(56 * MINUTE)
    expectExpired(await one.as(token)(VIEWER))
  })

  it('the process that used it knows the time to the millisecond', async () => {
    const one = await process()
    const ask = one.as(await tokenOf('nurse'))
    await ask(VIEWER)
    one.set(50_000)
    await ask(VIEWER)
    one.set(50_000 + 14.9 * MINUTE)
    expect((await ask(VIEWER)).status).toBe(200)
  })

  it('a machine client has no session', async () => {
    const one = await process()
    const ask = one.as(await tokenOf('acme'), true)
    const before = (await items()).length
    expect((await ask(VIEWER)).status).toBe(200)
    one.set(40 * MINUTE)
    expect((await ask(VIEWER)).status).toBe(200)
    expect((await items()).length).toBe(before)
  })

  it('ends at its absolute age too, however busy', async () => {
    const settings = { absoluteHours: { CLINICIAN: 1 }, idleMinutes: { CLINICIAN: 60 } }
    const one = await process({ env: { PHI_SESSIONS: JSON.stringify(settings) } })
    const ask = one.as(await tokenOf('physician'))
    one.set(59 * MINUTE)
    expect((await ask(VIEWER)).status).toBe(200)
    one.set(61 * MINUTE)
    expectExpired(await ask(VIEWER))
  })

  it('is written at most once a minute', async () => {
    const [one, two] = [await process(), await process()]
    const token = await tokenOf('billing')
    const before = new Set((await items()).map(({ pk }) => pk?.S))
    const seen = async () => (await items()).filter(({ pk }) => !before.has(pk?.S)).map((item) => item['seen']?.N)
    await one.as(token)(VIEWER)
    const [first] = await seen()
    for (let second = 1; second < 55; second += 9) {
      for (const asked of [one, two]) {
        asked.set(second * 1000)
        await asked.as(token)(VIEWER)
      }
    }
    expect(await seen()).toEqual([first])
    one.set(61_000)
    await one.as(token)(VIEWER)
    expect(await seen()).not.toEqual([first])
  })
})

describe('P13: an ended or revoked session stops within 30 seconds, in every process', () => {
  it("endSession ends the caller's session, and no other of the same user", async () => {
    const [one, two] = [await process(), await process()]
    const [token, other] = [await tokenOf('physician'), await tokenOf('physician')]
    await two.as(token)(VIEWER)
    const ended = await one.as(token)('mutation { endSession }')
    expect(ended).toMatchObject({ status: 200, data: { endSession: true } })
    expect(await auditOf(ended.phi.requestId)).toMatchObject([{ path: 'Mutation.endSession', outcome: 'WRITTEN' }])
    expectExpired(await one.as(token)(VIEWER))
    two.set(30_000)
    expectExpired(await two.as(token)(VIEWER))
    expect((await one.as(other)(VIEWER)).status).toBe(200)
  })

  it('revokeUser ends all sessions of a user in this tenant that began before now', async () => {
    const [one, two] = [await process(), await process()]
    const token = await tokenOf('frontdesk')
    await two.as(token)(VIEWER)
    const query = 'mutation R($id: ID!) { revokeUser(userId: $id) }'
    const revoked = await one.as(await tokenOf('admin'))(query, { variables: { id: 'frontdesk' } })
    expect(revoked).toMatchObject({ status: 200, data: { revokeUser: true }, phi: { receipt: expect.any(String) as string } })
    expect(await auditOf(revoked.phi.requestId)).toEqual([
      { path: 'Mutation.revokeUser', outcome: 'WRITTEN', reason: undefined, action: 'DELETE', of: 'frontdesk' },
    ])
    expectExpired(await one.as(token)(VIEWER))
    two.set(30_000)
    expectExpired(await two.as(token)(VIEWER))
    // another session of the same user, with an earlier sign-in
    expectExpired(await one.as(await tokenOf('frontdesk'))(VIEWER))
    expect((await one.as(await tokenOf('nurse'))(VIEWER)).status).toBe(200)
  })

  it('revokeClient ends all sessions of a client', async () => {
    const one = await process()
    const [token, again] = [await tokenOf('acme'), await tokenOf('acme')]
    expect((await one.as(token, true)(VIEWER)).status).toBe(200)
    const query = 'mutation { revokeClient(clientId: "acme") }'
    expect((await one.as(await tokenOf('privacy'))(query)).data).toEqual({ revokeClient: true })
    for (const revoked of [token, again]) expectExpired(await one.as(revoked, true)(VIEWER))
    expect((await one.as(await tokenOf('physician'))(VIEWER)).status).toBe(200)
  })

  it('P3: other roles cannot revoke, and the attempt is recorded', async () => {
    const one = await process()
    const query = 'mutation { revokeUser(userId: "nurse") }'
    const answer = await one.as(await tokenOf('physician'))(query)
    expect(answer.data).toEqual({ revokeUser: null })
    expect(codes(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    expect(await auditOf(answer.phi.requestId)).toMatchObject([
      { path: 'Mutation.revokeUser', outcome: 'DENIED', reason: 'ROLE', action: 'UPDATE' },
    ])
    expect((await one.as(await tokenOf('nurse'))(VIEWER)).status).toBe(200)
  })

  it('P2: without its audit record nothing is revoked', async () => {
    const one = await process({ env: { PHI_TABLE_AUDIT: 'gone' } })
    const before = await items()
    const answer = await one.as(await tokenOf('admin'))('mutation { revokeUser(userId: "nurse") }')
    expect(answer).toMatchObject({ status: 503, data: undefined })
    const notBefore = (list: typeof before) => list.filter((item) => item['notBefore'] !== undefined).length
    expect(notBefore(await items())).toBe(notBefore(before))
  })

  it('an invalid id is refused', async () => {
    const ask = (await process()).as(await tokenOf('admin'))
    for (const id of ['', 'x'.repeat(129)])
      expect((await ask('mutation R($id: ID!) { revokeUser(userId: $id) }', { variables: { id } })).status).toBe(400)
  })
})

describe('a step up', () => {
  const REVOKE = 'mutation { revokeUser(userId: "nobody") }'

  it('is required if the sign-in is five minutes old, before anything is executed', async () => {
    const one = await process()
    const ask = one.as(await tokenOf('admin'))
    one.set(4.9 * MINUTE)
    expect((await ask(REVOKE)).data).toEqual({ revokeUser: true })
    one.set(5.1 * MINUTE)
    const answer = await ask(`mutation { endSession ${REVOKE.slice(10)}`)
    expect(answer).toMatchObject({ status: 401, data: undefined, headers: { 'cache-control': 'no-store' } })
    expect(codes(answer)).toEqual(['STEP_UP_REQUIRED'])
    expect(answer.headers['www-authenticate']).toBe(
      'Bearer error="insufficient_user_authentication", error_description="A recent sign-in is required.", max_age="300"',
    )
    expect(await auditOf(answer.phi.requestId)).toEqual([
      { path: 'Mutation.revokeUser', outcome: 'DENIED', reason: 'STEP_UP', action: 'UPDATE', of: undefined },
    ])
    // the other field of the refused mutation did not end the session
    expect((await ask(VIEWER)).status).toBe(200)
  })

  it.each([
    ['alias', 'mutation { a: revokeUser(userId: "nobody") }'],
    ['fragment', 'mutation { ...F } fragment F on Mutation { revokeUser(userId: "nobody") }'],
    ['included', 'mutation M($yes: Boolean = true) { ... @include(if: $yes) { revokeUser(userId: "nobody") } }'],
  ])('P4: cannot be avoided by an %s', async (_how, query) => {
    const one = await process()
    one.set(6 * MINUTE)
    const answer = await one.as(await tokenOf('admin'))(query)
    expect(codes(answer)).toEqual(['STEP_UP_REQUIRED'])
  })
})

describe('P8: the table', () => {
  it('holds only digests and times, and every item expires', async () => {
    const stored = await items()
    expect(stored.length).toBeGreaterThan(5)
    for (const { pk, sk, expires, ...rest } of stored) {
      expect(pk?.S).toMatch(/^(?:riverside|lakeside|canary[a-z-]*)#[\w-]{43}$/)
      expect(['SESSION', 'USER', 'CLIENT']).toContain(sk?.S)
      expect(Number(expires?.N)).toBeGreaterThan(Date.now() / 1000)
      for (const [name, value] of Object.entries(rest)) {
        expect(['seen', 'ended', 'notBefore']).toContain(name)
        expect(value.N).toMatch(/^\d+$/)
      }
    }
  })
})

describe('an unavailable sessions table', () => {
  const away = { env: { PHI_TABLE_SESSIONS: 'gone' } }

  it('an unknown session is refused with SESSIONS_UNAVAILABLE, which is temporary', async () => {
    const one = await process(away)
    for (const user of ['physician', 'billing', 'patient', 'acme']) {
      const answer = await one.as(await tokenOf(user))(VIEWER)
      expect([answer.status, ...codes(answer)]).toEqual([503, 'SESSIONS_UNAVAILABLE'])
      expect(answer.data).toBeUndefined()
    }
    expect(one.events).toContainEqual(expect.objectContaining({ event: 'STORE_UNAVAILABLE', tenant: 'riverside' }))
  })

  it('emergency treatment by a clinician continues', async () => {
    const one = await process(away)
    const ask = one.as(await tokenOf('physician'))
    const answer = await ask('{ patients(first: 1) { edges { node { familyName } } } }', { purpose: 'ETREAT' })
    expect(answer.status).toBe(200)
    expect(answer.phi.resolved).toBeGreaterThan(0)
    expect((await ask(VIEWER, { purpose: 'BTG' })).status).toBe(200)
    expect((await ask(VIEWER, { purpose: 'TREAT' })).status).toBe(503)
  })

  it('a session seen a moment ago continues for five minutes', async () => {
    const one = await process()
    const ask = one.as(await tokenOf('billing'))
    await ask(VIEWER)
    const { PHI_TABLE_SESSIONS: table } = clinic.stack.env
    await clinic.stack.dynamodb.send(new DeleteTableCommand({ TableName: table }))
    try {
      one.set(4.9 * MINUTE)
      expect((await ask(VIEWER)).status).toBe(200)
      one.set(5.1 * MINUTE)
      expect((await ask(VIEWER)).status).toBe(503)
    } finally {
      await createTables(clinic.stack.dynamodb, table.replace(/^phi-(.*)-sessions$/, '$1'))
    }
    expect((await ask(VIEWER)).status).toBe(200)
  })
})
