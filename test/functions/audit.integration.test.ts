import { QueryCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { answerEvent } from '../../gateway/http/lambda-event.ts'
import { StoreUnavailable } from '../../gateway/model/failures.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { readerPolicy } from '../../gateway/oversight/reader-policy.ts'
import { TenantSessions } from '../../gateway/oversight/tenant-sessions.ts'
import { readManifest } from '../../gateway/oversight/tables/manifest.ts'
import { openTableObjects } from '../../gateway/store/open-tables.ts'
import { indexKey } from '../../gateway/audit/item.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from '../gateway/access/issuer.ts'
import { type GuardedAudit, startGuardedAudit } from '../harness/guarded-audit.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { DROP_ANSWER, HANG, refuse } from '../hostile/faults.ts'

let clinic: RunningClinic
let audit: GuardedAudit
let issuer: Awaited<ReturnType<typeof startIssuer>>
let clinical: Awaited<ReturnType<RunningClinic['another']>>
beforeAll(async () => {
  clinic = await runClinic({ riverside: 3, lakeside: 1 })
  issuer = await startIssuer()
  const own = {
    PHI_ISSUER: ISSUER,
    PHI_AUDIENCE: AUDIENCE,
    PHI_JWKS_URI: issuer.jwksUri,
    PHI_ACCESS_REVIEWS: '{"begins":"2026-01-01"}',
  }
  clinical = await clinic.another({ env: own })
  audit = await startGuardedAudit(clinic, {
    env: own,
    routes: {
      'POST /graphql': (event, context) => answerEvent((request) => clinical.gateway.handle(request), event, context, Date.now()),
    },
  })
})
afterEach(() => {
  audit.play(undefined)
  audit.sts.fail(undefined)
})
afterAll(async () => {
  await audit.stop()
  await issuer.stop()
  await clinic.stop()
})

let signIns = 0
/** A person with a sign-in of their own, unless the claims say otherwise. */
const tokenFor = async (role: string, claims: TokenParts = {}): Promise<string> => {
  const name = role.toLowerCase()
  return await issuer.sign({
    sub: name,
    aud: AUDIENCE,
    tenant: 'riverside',
    organization: 'riverside',
    roles: [role],
    client_id: 'web',
    sid: `sign-in-${++signIns}`,
    auth_time: Math.floor(Date.now() / 1000),
    amr: ['pwd', 'mfa'],
    ...claims,
  })
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly data: Readonly<Record<string, unknown>> | undefined
  readonly codes: readonly unknown[]
  readonly requestId: string
}

async function send(path: string, token: string | undefined, init: RequestInit): Promise<Answer> {
  const headers = new Headers(init.headers)
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(audit.url + path, { method: 'POST', ...init, headers })
  const text = await response.text()
  const body = JSON.parse(text) as {
    data?: Record<string, unknown>
    errors?: { extensions: { code: unknown } }[]
    extensions?: { phi?: { requestId?: string } }
  }
  const codes = (body.errors ?? []).map(({ extensions }) => extensions.code)
  return { status: response.status, text, data: body.data, codes, requestId: body.extensions?.phi?.requestId ?? '' }
}
const json = (body: unknown): RequestInit => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const ask = async (token: string | undefined, query: string, variables?: object, path = '/audit/graphql'): Promise<Answer> =>
  await send(path, token, json({ query, ...(variables && { variables }) }))

const BY_USER = 'query ($id: ID!) { fieldAccesses(filter: { userId: $id }) { edges { node { patientId path outcome } } } }'
const edgesOf = ({ data }: Answer): readonly unknown[] =>
  (data?.['fieldAccesses'] as { edges?: readonly unknown[] } | undefined)?.edges ?? []

/** An answer without any record of the log. */
function expectNothing(answer: Answer, status: number, code: string): void {
  expect(answer).toMatchObject({ status, data: undefined, codes: [code] })
  expect(answer.text).not.toMatch(/patientId|DISCLOSED|Patient\./)
}

/** Reads as a physician, so that the log has accesses. */
const makeAccesses = async (): Promise<void> => {
  const { data } = await clinic.ask('physician', '{ patients(first: 2) { edges { node { id familyName birthDate } } } }')
  expect(data).toBeTruthy()
}

describe('C28: the packaged function for auditors, with every request to AWS decided by the policies of the template', () => {
  it('C28: answers an auditor, and uses the session of the tenant for each read', async () => {
    await makeAccesses()
    const answer = await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })
    expect(answer).toMatchObject({ status: 200, codes: [] })
    expect(edgesOf(answer).length).toBeGreaterThan(0)
    const session = audit.sts.sessions.at(-1)
    expect(session?.name).toBe('phi-gateway-audit')
    expect(session?.policy).toContain('riverside#*')
    // the question and its patients and users are in no request to STS
    for (const body of audit.sts.bodies) expect(body).not.toMatch(/physician|riverside-\d/)
    expect(audit.guard.decided.filter((one) => !one.startsWith('Allowed'))).toEqual([])
    const reads = audit.guard.decided.filter((one) => /dynamodb:(?:Query|GetItem) /.test(one))
    expect(reads.length).toBeGreaterThan(0)
    for (const read of reads) expect(read).toContain(' AuditReaderRole ')
    const writes = audit.guard.decided.filter((one) => one.includes('dynamodb:PutItem'))
    expect(writes.length).toBeGreaterThan(0)
    for (const write of writes) expect(write).toMatch(/ AuditRole .*-audit$/)
  })

  it('C28: gives an auditor of another tenant nothing of this one, whatever the question names', async () => {
    const other = { tenant: 'lakeside', organization: 'lakeside' }
    const before = audit.sts.sessions.length
    const token = await tokenFor('AUDITOR', other)
    const made = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id familyName } } } }')
    const node = (made.data?.['patients'] as { edges: { node: { id: string } }[] }).edges[0]?.node.id ?? ''
    for (const filter of [
      { userId: 'physician' },
      { requestId: made.phi.requestId },
      { patientId: 'riverside-1' },
      { userId: 'riverside#physician' },
      { userId: '*' },
    ]) {
      const answer = await ask(token, 'query ($f: FieldAccessFilter!) { fieldAccesses(filter: $f) { edges { node { path } } } }', {
        f: filter,
      })
      expect(edgesOf(answer)).toEqual([])
    }
    const byNode = await ask(token, 'query ($f: ID!) { fieldAccesses(filter: { patientId: $f }) { edges { node { path } } } }', {
      f: node,
    })
    expect(edgesOf(byNode)).toEqual([])
    expect(audit.sts.sessions.slice(before).map(({ policy }) => policy.includes('"lakeside#*"'))).toEqual([true])
  })

  it('C28: the session refuses the data of another tenant to code that asks for it', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', audit.sts.endpoint)
    vi.stubEnv('AWS_ENDPOINT_URL_S3', audit.objects.endpoint)
    vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', audit.env.AWS_ENDPOINT_URL_DYNAMODB)
    try {
      const { template } = audit.guard
      const arn = (
        variable:
          | 'PHI_TABLE_AUDIT'
          | 'PHI_TABLE_CHECKPOINTS'
          | 'PHI_TABLE_DISCLOSURES'
          | 'PHI_TABLE_COMPARISONS'
          | 'PHI_TABLE_WORKFORCE',
      ): string => template.arnOf('AuditTable').replace(template.nameOf('AuditTable'), clinic.stack.env[variable])
      const places = {
        partition: 'aws',
        auditTable: arn('PHI_TABLE_AUDIT'),
        checkpointsTable: arn('PHI_TABLE_CHECKPOINTS'),
        disclosuresTable: arn('PHI_TABLE_DISCLOSURES'),
        comparisonsTable: arn('PHI_TABLE_COMPARISONS'),
        workforceTable: arn('PHI_TABLE_WORKFORCE'),
        log: template.nameOf('AuditBucket'),
        tables: template.nameOf('AuditTablesBucket'),
        results: template.nameOf('AuditResultsBucket'),
      }
      expect(readerPolicy('riverside' as TenantId, places).Statement.length).toBeGreaterThan(4)
      const source = new TenantSessions({ role: audit.env['PHI_AUDIT_READER_ROLE'] ?? '', places, now: Date.now })
      const { dynamodb, s3 } = await source.clientsOf('lakeside' as TenantId)
      const query = async (tenant: string): Promise<unknown> =>
        await dynamodb.send(
          new QueryCommand({
            TableName: clinic.stack.env.PHI_TABLE_AUDIT,
            IndexName: 'byUser',
            KeyConditionExpression: 'gu = :subject',
            ExpressionAttributeValues: { ':subject': { S: indexKey(tenant, 'physician', 0) } },
          }),
        )
      await expect(query('lakeside')).resolves.toMatchObject({ Count: 0 })
      await expect(query('riverside')).rejects.toMatchObject({ name: 'AccessDeniedException' })
      const tables = openTableObjects(audit.env, () => s3)
      // a tenant without tables yet: missing is no refusal
      expect((await readManifest(tables, 'lakeside')).manifest.files).toEqual([])
      await expect(readManifest(tables, 'riverside')).rejects.toThrow(StoreUnavailable)
      await expect(tables.put('riverside/questions/1', Buffer.from(''))).rejects.toThrow(StoreUnavailable)
      await expect(tables.put('lakeside/manifest.json', Buffer.from(''))).rejects.toThrow(StoreUnavailable)
      expect(await tables.put('lakeside/questions/1', Buffer.from('x'))).toBe('STORED')
      await tables.remove('lakeside/questions/1')
      expect(await tables.get('lakeside/questions/1')).toBeUndefined()
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe('C28: tokens that are not an auditor of the tenant', () => {
  const ROOTS = [
    '{ patients(first: 1) { edges { node { id familyName ssn birthDate } } } }',
    '{ patient(id: "riverside-1") { id familyName } }',
    '{ observations(patientId: "riverside-1") { edges { node { id valueQuantity { value } } } } }',
    '{ __typename viewer { userId } patients(first: 1) { edges { node { id } } } }',
  ]
  it.each(['AUDITOR', 'PRIVACY_OFFICER'])('C28: a token of %s taken to /graphql gets nothing of any patient', async (role) => {
    const token = await tokenFor(role)
    for (const query of ROOTS) {
      const answer = await ask(token, query, undefined, '/graphql')
      expect(JSON.stringify(answer.data ?? null)).not.toMatch(/familyName":"|"ssn":"|birthDate":"|valueQuantity":\{|"id":"/)
      expect(JSON.stringify(answer.data?.['patients'] ?? null)).not.toContain('"node":{')
    }
  })

  it.each(['PHYSICIAN', 'NURSE', 'PATIENT', 'PROXY', 'ADMIN', 'RESEARCHER', 'BILLING'])(
    'C28: a token of %s at /audit/graphql gets nothing',
    async (role) => {
      expectNothing(await ask(await tokenFor(role), BY_USER, { id: 'physician' }), 200, 'UNAUTHORIZED_FIELD_OR_TYPE')
    },
  )

  it('C28: a client of a partner gets nothing, with whatever role it has', async () => {
    for (const roles of [['PARTNER'], ['PARTNER', 'AUDITOR']]) {
      const machine = { sub: 'acme', client_id: 'acme', roles, sid: undefined, auth_time: undefined, amr: undefined }
      const answer = await ask(await tokenFor('PARTNER', machine), BY_USER, { id: 'physician' })
      expect(answer.data).toBeUndefined()
      expect(answer.text).not.toContain('patientId')
      const person = await ask(await tokenFor('PARTNER', { ...machine, amr: ['mfa'] }), BY_USER, { id: 'physician' })
      expectNothing(person, 200, 'UNAUTHORIZED_FIELD_OR_TYPE')
    }
  })

  it('C28: without a second factor, after its time, or signed by another, a token gets 401', async () => {
    const stranger = await issuer.made('two')
    for (const [token, code] of [
      [await tokenFor('AUDITOR', { amr: ['pwd'] }), 'MFA_REQUIRED'],
      [await tokenFor('AUDITOR', { exp: Math.floor(Date.now() / 1000) - 600 }), 'UNAUTHENTICATED'],
      [await tokenFor('AUDITOR', { aud: 'another-api' }), 'UNAUTHENTICATED'],
      [await issuer.sign({ sub: 'auditor', aud: AUDIENCE, roles: ['AUDITOR'] }, {}, stranger.privateKey), 'UNAUTHENTICATED'],
      [undefined, 'UNAUTHENTICATED'],
      ['a.b.c', 'UNAUTHENTICATED'],
    ] as const)
      expectNothing(await ask(token, BY_USER, { id: 'physician' }), 401, code)
  })

  it('P13: an ended session and a revoked user get 401', async () => {
    const token = await tokenFor('AUDITOR')
    const ended = await ask(token, 'mutation { endSession }', undefined, '/graphql')
    expect(ended).toMatchObject({ status: 200, data: { endSession: true } })
    expectNothing(await ask(token, BY_USER, { id: 'physician' }), 401, 'SESSION_EXPIRED')
    const other = await tokenFor('PRIVACY_OFFICER', { sub: 'revoked-officer', auth_time: Math.floor(Date.now() / 1000) - 60 })
    const revoked = await ask(await tokenFor('ADMIN'), 'mutation { revokeUser(userId: "revoked-officer") }', undefined, '/graphql')
    expect(revoked.data).toEqual({ revokeUser: true })
    expectNothing(await ask(other, BY_USER, { id: 'physician' }), 401, 'SESSION_EXPIRED')
  })
})

describe('C28: requests of other forms', () => {
  it('C28: only a POST of one JSON operation is answered', async () => {
    const token = await tokenFor('AUDITOR')
    const query = '{ fieldAccesses(filter: { userId: "physician" }) { examined } }'
    // API Gateway has no such route
    const got = await send(`/audit/graphql?query=${encodeURIComponent(query)}`, token, { method: 'GET' })
    expect(got.status).toBe(404)
    expectNothing(
      await send('/audit/graphql', token, { headers: { 'content-type': 'text/plain' }, body: query }),
      415,
      'BAD_REQUEST',
    )
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `query=${query}` }
    expectNothing(await send('/audit/graphql', token, form), 415, 'BAD_REQUEST')
    expectNothing(await send('/audit/graphql', token, json([{ query }, { query }])), 400, 'BAD_REQUEST')
    const unread = { headers: { 'content-type': 'application/json', accept: 'text/html' }, body: JSON.stringify({ query }) }
    expectNothing(await send('/audit/graphql', token, unread), 406, 'BAD_REQUEST')
    expectNothing(await ask(token, 'mutation { endSession }'), 400, 'GRAPHQL_VALIDATION_FAILED')
    expectNothing(await ask(token, 'subscription { fieldAccesses }'), 400, 'OPERATION_RESOLUTION_FAILURE')
  })

  it('C28: a hundred aliases of a root field read the log four times at most, and answer nothing', async () => {
    const token = await tokenFor('AUDITOR')
    await ask(token, BY_USER, { id: 'physician' })
    const before = audit.guard.decided.length
    const aliases = Array.from({ length: 100 }, (_, at) => `a${at}: fieldAccesses(filter: { userId: "physician" }) { examined }`)
    const answer = await ask(token, `{ ${aliases.join(' ')} }`)
    expect(answer.data).toBeUndefined()
    expect(answer.status).toBe(400)
    const queries = audit.guard.decided.slice(before).filter((one) => one.includes('dynamodb:Query'))
    expect(queries.length).toBeLessThanOrEqual(4 * 16)
  })

  it('C28: the schema is not told in production', async () => {
    const token = await tokenFor('AUDITOR')
    for (const query of ['{ __schema { types { name } } }', '{ __type(name: "FieldAccess") { fields { name } } }'])
      expectNothing(await ask(token, query), 400, 'GRAPHQL_VALIDATION_FAILED')
  })

  it('C28: an event for another caller, forged in a body or a header, is an ordinary request without an operation', async () => {
    const forged = {
      kind: 'PATIENT_ACCESSES',
      tenant: 'riverside',
      patient: 'riverside-1',
      from: 0,
      to: Date.now(),
      requestId: 'r',
    }
    for (const body of [forged, { ...forged, requestContext: {} }, { Records: [forged] }]) {
      expectNothing(await send('/audit/graphql', undefined, json(body)), 401, 'UNAUTHENTICATED')
      expectNothing(await send('/audit/graphql', await tokenFor('PATIENT'), json(body)), 400, 'BAD_REQUEST')
      expectNothing(await send('/audit/graphql', await tokenFor('AUDITOR'), json(body)), 400, 'BAD_REQUEST')
    }
    const headers = { 'content-type': 'application/json', 'x-amz-invocation-type': 'RequestResponse', kind: 'PATIENT_ACCESSES' }
    const sent = { headers, body: JSON.stringify(forged) }
    expectNothing(await send('/audit/graphql?kind=PATIENT_ACCESSES', await tokenFor('PATIENT'), sent), 400, 'BAD_REQUEST')
  })
})

describe('P2: with a service down', () => {
  const reviewsOf = async (requestId: string): Promise<unknown[]> =>
    (await clinic.services.history.ofRequest('riverside' as TenantId, requestId)).map(({ path, outcome, reason }) => ({
      path,
      outcome,
      reason,
    }))

  it('C28: STS: the question is refused, and recorded', async () => {
    audit.kill()
    audit.sts.fail('DENIED')
    const answer = await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })
    expectNothing(answer, 503, 'AUDIT_LOG_UNAVAILABLE')
    expect(await reviewsOf(answer.requestId)).toEqual([{ path: 'AuditLog.fieldAccesses', outcome: 'UNAVAILABLE', reason: 'STORE' }])
    audit.sts.fail(undefined)
    expect((await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })).status).toBe(200)
  })

  it('C28: the indexes of the log: the question is refused, and recorded', async () => {
    audit.play(({ operation }) => (operation === 'Query' ? refuse('InternalServerError', 500) : { kind: 'PASS' }))
    const answer = await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })
    expectNothing(answer, 503, 'AUDIT_LOG_UNAVAILABLE')
    expect(await reviewsOf(answer.requestId)).toMatchObject([{ outcome: 'UNAVAILABLE' }])
  })

  it('P2: the table of sessions: no caller is admitted', async () => {
    audit.play((call) => (call.names(clinic.stack.env.PHI_TABLE_SESSIONS) ? refuse('InternalServerError', 500) : { kind: 'PASS' }))
    expectNothing(await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' }), 503, 'SESSIONS_UNAVAILABLE')
  })

  it('P2: writes to the log: the answer is withheld', async () => {
    audit.play(({ operation }) => (operation === 'TransactWriteItems' ? refuse('AccessDeniedException') : { kind: 'PASS' }))
    const answer = await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })
    expectNothing(answer, 503, 'AUDIT_UNAVAILABLE')
    audit.kill()
  })

  it('P2: a process that dies between reading and recording leaves no answer', async () => {
    await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })
    let read = 0
    audit.play(({ operation }) => {
      if (operation === 'Query') read++
      if (operation !== 'TransactWriteItems') return { kind: 'PASS' }
      audit.kill()
      return HANG
    })
    const response = await fetch(`${audit.url}/audit/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await tokenFor('AUDITOR')}` },
      body: JSON.stringify({ query: BY_USER, variables: { id: 'physician' } }),
    })
    expect(read).toBeGreaterThan(0)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toMatch(/patientId|data/)
    audit.play(undefined)
    // another process answers the next question
    expect(edgesOf(await ask(await tokenFor('AUDITOR'), BY_USER, { id: 'physician' })).length).toBeGreaterThan(0)
  })
})

describe('C21: the sign-off of an access review, with a service down', () => {
  const MONTH = { from: '2026-01', to: '2026-01' }
  const REVIEW = 'query ($from: DateTime!, $to: DateTime!) { accessReview(from: $from, to: $to) { digest } }'
  const SIGN = 'mutation ($input: AccessReviewSignOffInput!) { signOffAccessReview(input: $input) { id requestId } }'
  const officer = async () => await tokenFor('PRIVACY_OFFICER')
  const sign = async (note: string): Promise<Answer> => {
    const { data } = await ask(await officer(), REVIEW, MONTH)
    const { digest } = data?.['accessReview'] as { digest: string }
    return await ask(await officer(), SIGN, { input: { ...MONTH, digest, decision: 'KEEP', note } })
  }
  const stored = async (): Promise<number> => {
    const key = { ':pk': { S: 'riverside##ACCESS_REVIEWS' } }
    const input = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: key, ConsistentRead: true }
    const { Count } = await clinic.stack.dynamodb.send(
      new QueryCommand({ TableName: clinic.stack.env.PHI_TABLE_DISCLOSURES, ...input }),
    )
    return Count ?? 0
  }
  const recorded = async ({ requestId }: Answer): Promise<string[]> =>
    (await clinic.services.history.ofRequest('riverside' as TenantId, requestId)).map(({ path, outcome }) => `${path} ${outcome}`)
  const RECORD = ['AuditLog.signOffAccessReview WRITTEN']

  it('C21: with the log refusing writes: neither a sign-off nor a record', async () => {
    audit.play(({ operation }) => (operation === 'TransactWriteItems' ? refuse('AccessDeniedException') : { kind: 'PASS' }))
    const { data } = await ask(await officer(), REVIEW, MONTH)
    expect(data).toBeUndefined()
    audit.play(undefined)
    const review = await ask(await officer(), REVIEW, MONTH)
    const { digest } = review.data?.['accessReview'] as { digest: string }
    audit.play(({ operation }) => (operation === 'TransactWriteItems' ? refuse('AccessDeniedException') : { kind: 'PASS' }))
    const answer = await ask(await officer(), SIGN, { input: { ...MONTH, digest, decision: 'KEEP', note: 'refused' } })
    audit.play(undefined)
    expectNothing(answer, 503, 'AUDIT_UNAVAILABLE')
    expect([await stored(), await recorded(answer)]).toEqual([0, []])
    audit.kill()
  })

  it('C21: with a lost answer to the write: both are stored, and a repeated call finds them', async () => {
    await sign('warm up')
    const before = await stored()
    let lost = 0
    audit.play(({ operation, body }) => {
      const isSignOff = operation === 'TransactWriteItems' && body.includes('ACCESS_REVIEWS')
      return isSignOff && lost++ === 0 ? DROP_ANSWER : { kind: 'PASS' }
    })
    const answer = await sign('once')
    audit.play(undefined)
    const again = await sign('once')
    expect([lost > 0, await stored()]).toEqual([true, before + 1])
    const { requestId } = again.data?.['signOffAccessReview'] as { requestId: string }
    expect(await recorded({ ...answer, requestId })).toEqual(RECORD)
  })

  it('C21: the daily reminder reads each tenant with its own session, and every request of it is allowed', async () => {
    const before = audit.guard.decided.length
    expect(await audit.invoke({ kind: 'REVIEW_REMINDER' })).toBeUndefined()
    const decided = audit.guard.decided.slice(before)
    expect(decided.filter((one) => !one.startsWith('Allowed '))).toEqual([])
    expect(decided.some((one) => one.includes('AuditRole dynamodb:Query'))).toBe(true)
    const policies = audit.sts.sessions.map(({ policy }) => policy)
    for (const tenant of ['riverside', 'lakeside']) expect(policies.some((policy) => policy.includes(`${tenant}#*`))).toBe(true)
  })
})
