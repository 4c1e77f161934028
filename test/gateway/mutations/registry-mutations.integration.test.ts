import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storedConsents } from '../../../gateway/access/consents.ts'
import { OperationRegistrar } from '../../../gateway/operations/persisted/registrar.ts'
import { lockDigest } from '../../../directives/compile.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { KillSwitch } from '../../hostile/kill-switch.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { LAKESIDE, RIVERSIDE } from '../asking.ts'
import { openWard } from './break-glass-ward.ts'
import {
  ACTIVATE,
  APPROVE,
  auditOf,
  CHECK,
  codesOf,
  contractFor,
  LIST,
  manifestOf,
  PATHS,
  PUBLISH,
  resultOf,
  RETIRE,
  REVOKE,
  rootOf,
  SHOW,
} from './registry-desk.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
}, 120_000)
afterAll(async () => {
  await clinic.stop()
}, 120_000)

const ask = (query: string, variables?: Record<string, unknown>) => clinic.ask('admin', query, variables)
const change = async (query: string, variables: Record<string, unknown>) => resultOf(await ask(query, variables))
const clients = async () => (rootOf(await ask(LIST)) as readonly { clientId: string }[]).map(({ clientId }) => clientId)
/** As each request of the client reads it. */
const contractPaths = async (client: string) => {
  const { operations: table, recipients, keyring, now } = clinic.services
  const registered = await new OperationRegistrar({ table, recipients, keyring, now }).client({ tenant: RIVERSIDE, client })
  return [...(registered?.contract?.paths ?? [])]
}

describe('P10: the registry in the API', () => {
  it('P10: refuses an operation one path beyond the contract with exactly that path; added, it passes; narrowed, it is named', async () => {
    const manifest = manifestOf('familyName', 'familyName birthDate')
    const publish = { clientId: 'lab-1', manifest: manifest.text }
    expect(await change(APPROVE, { contract: contractFor('lab-1', ['Patient.familyName']) })).toMatchObject({
      done: true,
      refusal: null,
      exceedingCount: 0,
      widened: expect.arrayContaining(['paths: none -> Patient.familyName']) as string[],
      narrowed: [],
      report: expect.stringContaining('Contract of lab-1') as string,
    })
    const refused = await change(PUBLISH, publish)
    expect(refused).toMatchObject({
      done: false,
      refusal: 'OPERATIONS',
      exceedingCount: 1,
      exceeding: [
        {
          clientId: 'lab-1',
          name: 'Read1',
          faults: [
            {
              kind: 'PATH',
              path: 'Patient.birthDate',
              reason: 'NOT_IN_CONTRACT',
              message: 'Patient.birthDate is not a path of the contract.',
            },
          ],
        },
      ],
      report: expect.stringContaining('**Refused.** 1 of 2 operations') as string,
    })
    expect(JSON.parse(refused.reportJson ?? '')).toMatchObject({ verdict: 'REFUSED', policyDigest: lockDigest(clinicLock()) })
    expect(resultOf(await ask(SHOW, { clientId: 'lab-1' }))).toMatchObject({ operations: [] })

    expect(await change(APPROVE, { contract: contractFor('lab-1') })).toMatchObject({
      done: true,
      widened: ['paths: none -> Patient.birthDate'],
    })
    const published = await change(PUBLISH, publish)
    expect(published).toMatchObject({ done: true, refusal: null, messages: [], exceedingCount: 0 })
    expect(JSON.parse(published.reportJson ?? '')).toMatchObject({ verdict: 'APPROVED', approvedBy: 'admin' })
    expect(resultOf(await ask(CHECK))).toMatchObject({ sound: true, exceedingCount: 0 })

    expect(await contractPaths('lab-1')).toEqual(expect.arrayContaining(['Patient.birthDate']))
    expect(await change(APPROVE, { contract: contractFor('lab-1', ['Patient.familyName']) })).toMatchObject({
      done: true,
      narrowed: ['paths: Patient.birthDate -> none'],
      exceeding: [{ name: 'Read1', faults: [{ path: 'Patient.birthDate' }] }],
    })
    expect(await contractPaths('lab-1')).toEqual(['Patient.familyName'])
    expect(resultOf(await ask(CHECK))).toMatchObject({
      sound: false,
      exceeding: [{ clientId: 'lab-1', name: 'Read1', faults: [{ kind: 'PATH', path: 'Patient.birthDate' }] }],
    })
  })

  it('P10: shows a client with its contract, its versions and its operations', async () => {
    const { text, ids } = manifestOf('id', 'familyName')
    await change(APPROVE, { contract: contractFor('lab-2') })
    await change(PUBLISH, { clientId: 'lab-2', manifest: text, app: 'web', version: '1' })
    const shown = rootOf(await ask(SHOW, { clientId: 'lab-2' })) as Record<string, unknown>
    const versions = [{ app: 'web', version: '1', state: 'PENDING' }]
    expect(shown).toMatchObject({
      clientId: 'lab-2',
      contractExpires: '2040-01-01T00:00:00.000Z',
      approvedBy: 'admin',
      versions,
    })
    expect(JSON.parse(String(shown['contract']))).toMatchObject({ client: 'lab-2', paths: [...PATHS].toSorted() })
    const basis = { approvedBy: 'admin', contractDigest: shown['contractDigest'], policyDigest: lockDigest(clinicLock()) }
    expect(shown['operations']).toEqual(
      ids.toSorted().map((id) => expect.objectContaining({ id, versions, revokedBy: null, ...basis }) as object),
    )
    expect(await clients()).toContain('lab-2')
    expect((await ask(SHOW, { clientId: 'lab-none' })).data).toEqual({ registeredClient: null })
    const page = '{ registeredClient(clientId: "lab-2") { operations(first: 1, skip: 1) { id } } }'
    expect(resultOf(await ask(page))).toEqual({ operations: [{ id: ids.toSorted()[1] }] })
    for (const args of ['first: 0', 'first: 101', 'skip: -1'])
      expect(codesOf(await ask(`{ registeredClient(clientId: "lab-2") { operations(${args}) { id } } }`))).toEqual([
        'BAD_USER_INPUT',
      ])
  })

  it('P10: activates, retires and revokes, each with its audit record', async () => {
    const { text, ids } = manifestOf('birthDate')
    const [operationId = ''] = ids
    const of = { clientId: 'lab-3', app: 'web', version: '1' }
    const record = { path: '#operation', outcome: 'WRITTEN', reason: undefined, of: 'lab-3', user: 'admin' }
    const approved = await ask(APPROVE, { contract: contractFor('lab-3') })
    expect(await auditOf(clinic, approved)).toEqual([{ ...record, path: '#contract', action: 'CREATE' }])
    const published = await ask(PUBLISH, { ...of, manifest: text })
    expect(await auditOf(clinic, published)).toEqual([{ ...record, action: 'CREATE' }])
    const activated = await ask(ACTIVATE, of)
    expect(resultOf(activated)).toMatchObject({ done: true, report: null, reportJson: null })
    expect(await auditOf(clinic, activated)).toEqual([{ ...record, action: 'UPDATE' }])
    expect(resultOf(await ask(SHOW, of))).toMatchObject({ versions: [{ state: 'ACTIVE' }] })
    // the function has no tables of the audit, so that no use is known
    const kept = await ask(RETIRE, of)
    expect(resultOf(kept)).toMatchObject({ done: false, refusal: 'USE_UNKNOWN' })
    expect(await auditOf(clinic, kept)).toEqual([])
    expect(resultOf(await ask(SHOW, of))).toMatchObject({ versions: [{ state: 'ACTIVE' }] })
    const retired = await ask(RETIRE, { ...of, force: true })
    expect(resultOf(retired)).toMatchObject({ done: true })
    expect(await auditOf(clinic, retired)).toEqual([{ ...record, path: '#operation.forced', action: 'UPDATE' }])
    const revoked = await ask(REVOKE, { clientId: 'lab-3', operationId })
    expect(resultOf(revoked)).toMatchObject({ done: true })
    expect(await auditOf(clinic, revoked)).toEqual([{ ...record, action: 'DELETE' }])
    expect(resultOf(await ask(SHOW, of))).toMatchObject({ operations: [{ id: operationId, revokedBy: 'admin' }] })
    // a repeated change writes nothing
    const again = await ask(REVOKE, { clientId: 'lab-3', operationId })
    expect(resultOf(again)).toMatchObject({ done: true })
    expect(await auditOf(clinic, again)).toEqual([])
  })

  it('a version without operations in use is retired without force', async () => {
    const { text } = manifestOf('id')
    const of = { clientId: 'lab-4', app: 'web', version: '1' }
    await change(PUBLISH, { ...of, manifest: text })
    const retired = await ask(RETIRE, of)
    expect(resultOf(retired)).toMatchObject({ done: true })
    expect(await auditOf(clinic, retired)).toMatchObject([{ path: '#operation', action: 'UPDATE' }])
  })

  it('a dry run changes nothing, is not recorded, and approves nothing', async () => {
    const contract = contractFor('lab-5')
    const dry = await ask(APPROVE, { contract, dryRun: true })
    expect(resultOf(dry)).toMatchObject({ done: false, refusal: null, report: null, widened: expect.any(Array) as string[] })
    expect(await clients()).not.toContain('lab-5')
    await change(APPROVE, { contract })
    const tried = await ask(PUBLISH, { clientId: 'lab-5', manifest: manifestOf('id').text, dryRun: true })
    expect(resultOf(tried)).toMatchObject({ done: false, refusal: null, exceedingCount: 0, report: null, reportJson: null })
    expect(resultOf(await ask(SHOW, { clientId: 'lab-5' }))).toMatchObject({ operations: [] })
    for (const answer of [dry, tried]) expect(await auditOf(clinic, answer)).toEqual([])
  })

  it('administers only the tenant of the caller', async () => {
    const { operations: table, recipients, keyring, now } = clinic.services
    await change(APPROVE, { contract: contractFor('lab-6') })
    expect(await new OperationRegistrar({ table, recipients, keyring, now }).clients(LAKESIDE)).toEqual([])
  })
})

describe('P3: only an administrator with a recent sign-in changes the registry', () => {
  const mutations = [
    ['approveContract', APPROVE, { contract: contractFor('lab-7') }],
    ['publishOperations', PUBLISH, { clientId: 'lab-7', manifest: manifestOf('id').text }],
    ['activateOperations', ACTIVATE, { clientId: 'lab-7', app: 'web', version: '1' }],
    ['retireOperations', RETIRE, { clientId: 'lab-7', app: 'web', version: '1', force: true }],
    ['revokeOperation', REVOKE, { clientId: 'lab-7', operationId: 'a' }],
  ] as const

  it.each(mutations)('%s is denied to other roles, and the attempt is recorded', async (field, query, variables) => {
    for (const user of ['physician', 'privacy', 'acme']) {
      const answer = await clinic.ask(user, query, variables)
      expect(answer.data).toEqual({ [field]: null })
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
      expect(await auditOf(clinic, answer)).toMatchObject([
        { path: `Mutation.${field}`, outcome: 'DENIED', reason: 'ROLE', action: 'UPDATE' },
      ])
    }
    expect(await clients()).not.toContain('lab-7')
  })

  it.each(mutations)('%s needs a sign-in within the last five minutes', async (field, query, variables) => {
    const later = await clinic.another({ now: () => Date.now() + 6 * 60_000 })
    const answer = await later.ask('admin', query, variables)
    expect(answer).toMatchObject({ status: 401, data: undefined })
    expect(codesOf(answer)).toEqual(['STEP_UP_REQUIRED'])
    expect(await auditOf(clinic, answer)).toMatchObject([{ path: `Mutation.${field}`, outcome: 'DENIED', reason: 'STEP_UP' }])
    expect(await clients()).not.toContain('lab-7')
  })

  it.each([
    ['registeredClients', LIST],
    ['registeredClient', SHOW],
    ['checkOperations', CHECK],
  ])('%s is denied to other roles', async (field, query) => {
    for (const user of ['physician', 'privacy', 'acme']) {
      const answer = await clinic.ask(user, query, { clientId: 'lab-1' })
      expect(answer.data).toEqual({ [field]: null })
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    }
  })
})

describe('hostile input', () => {
  const SECRET = 'canary-of-the-input'

  it.each([
    ['no JSON', `{${SECRET}`],
    ['no contract', JSON.stringify({ [`${SECRET} x`]: 1 })],
    ['a list', JSON.stringify([SECRET])],
    ['an unknown path', contractFor('lab-8', ['Patient.nothing'])],
    ['an expired contract', contractFor('lab-8', PATHS, { expires: '2001-01-01T00:00:00Z' })],
    ['a bad network', contractFor('lab-8', PATHS, { networks: [`${SECRET}/8`] })],
  ])('a contract is refused: %s', async (_what, contract) => {
    const refused = await change(APPROVE, { contract })
    expect(refused).toMatchObject({ done: false, refusal: 'CONTRACT', report: null })
    expect(refused.messages.length).toBeGreaterThan(0)
    expect(JSON.stringify(refused)).not.toContain(SECRET)
    expect(await clients()).not.toContain('lab-8')
  })

  it.each([
    ['no JSON', `{${SECRET}`],
    ['nothing', '{}'],
    ['nested', JSON.stringify({ a: { b: SECRET } })],
    ['no GraphQL', JSON.stringify({ a: `query ${SECRET} {` })],
    ['a subscription', JSON.stringify({ a: 'subscription S { viewer { userId } }' })],
    ['two texts for one id', '{"a":"query A { viewer { userId } }","a":"query B { viewer { userId } }"}'],
    ['an invalid id', JSON.stringify({ [`${SECRET} `]: 'query A { viewer { userId } }' })],
  ])('a manifest is refused: %s', async (_what, manifest) => {
    const refused = await change(PUBLISH, { clientId: 'lab-8', manifest })
    expect(refused).toMatchObject({ done: false, refusal: 'MANIFEST', report: null })
    expect(refused.messages.length).toBeGreaterThan(0)
    expect(JSON.stringify(refused)).not.toContain(SECRET)
    expect(await clients()).not.toContain('lab-8')
  })

  it('an operation that the schema does not have is refused', async () => {
    const manifest = JSON.stringify({ a: 'query A { nothing }' })
    expect(await change(PUBLISH, { clientId: 'lab-8', manifest })).toMatchObject({
      refusal: 'OPERATIONS',
      exceeding: [{ faults: [{ kind: 'DOCUMENT', path: null, reason: 'GRAPHQL_VALIDATION_FAILED' }] }],
    })
  })

  it('unknown clients, versions and operations are refused', async () => {
    const of = { clientId: 'lab-9', app: 'web', version: '1' }
    expect(await change(ACTIVATE, of)).toMatchObject({ done: false, refusal: 'UNKNOWN_CLIENT' })
    await change(APPROVE, { contract: contractFor('lab-9') })
    expect(await change(ACTIVATE, of)).toMatchObject({ refusal: 'UNKNOWN_VERSION' })
    expect(await change(RETIRE, of)).toMatchObject({ refusal: 'UNKNOWN_VERSION' })
    const revoked = await change(REVOKE, { clientId: 'lab-9', operationId: 'none' })
    expect(revoked).toMatchObject({ refusal: 'UNKNOWN_OPERATION', done: false })
  })

  it('a new client or application is registered only if the administrator states that it is new', async () => {
    const { text } = manifestOf('id')
    const publish = { clientId: 'lab-20', manifest: text, newClient: false }
    const approve = { contract: contractFor('lab-20'), newClient: false }
    const newClient = 'The tenant has no such client. Correct the name. If the client is new, set `newClient` to true.'
    for (const [query, variables] of [
      [PUBLISH, publish],
      [PUBLISH, { ...publish, dryRun: true }],
      [APPROVE, approve],
    ] as const) {
      const { done, refusal, messages } = await change(query, variables)
      expect({ done, refusal, head: messages.slice(0, 2) }).toEqual({
        done: false,
        refusal: 'NEW_CLIENT',
        head: [newClient, 'Registered:'],
      })
      // the registered names, and not the given one
      expect(messages).toContain('  lab-1')
      expect(messages.join()).not.toContain('lab-20')
    }
    expect(await clients()).not.toContain('lab-20')

    expect(await change(APPROVE, { ...approve, newClient: true })).toMatchObject({ done: true })
    expect(await change(APPROVE, approve)).toMatchObject({ done: true, refusal: null })
    // the first application of a client needs no statement
    const versioned = { ...publish, app: 'web', version: '1' }
    expect(await change(PUBLISH, versioned)).toMatchObject({ done: true, refusal: null })
    expect(await change(PUBLISH, { ...versioned, version: '2' })).toMatchObject({ done: true, refusal: null })
    expect(await change(PUBLISH, { ...versioned, app: 'wed' })).toMatchObject({
      done: false,
      refusal: 'NEW_APPLICATION',
      messages: [
        'The client has no such application. Correct the name. If the application is new, set `newApp` to true.',
        'Registered:',
        '  web',
      ],
    })
    expect(await change(PUBLISH, { ...versioned, app: 'phone', newApp: true })).toMatchObject({ done: true, refusal: null })
  })

  it.each([
    ['an empty client', PUBLISH, { clientId: '', manifest: '{}' }],
    ['a long client', PUBLISH, { clientId: 'x'.repeat(257), manifest: '{}' }],
    ['a client with control characters', PUBLISH, { clientId: 'a\u0000b', manifest: '{}' }],
    ['a client that reverses text', SHOW, { clientId: 'a\u202eb' }],
    ['an app without a version', PUBLISH, { clientId: 'lab-8', manifest: '{}', app: 'web' }],
    ['a version without an app', PUBLISH, { clientId: 'lab-8', manifest: '{}', version: '1' }],
    ['an empty version', ACTIVATE, { clientId: 'lab-8', app: 'web', version: '' }],
    ['an empty operation', REVOKE, { clientId: 'lab-8', operationId: '' }],
    ['an empty contract', APPROVE, { contract: '' }],
  ])('%s is bad input', async (_what, query, variables) => {
    expect(codesOf(await ask(query, variables))).toEqual(['BAD_USER_INPUT'])
  })
})

describe('docs/registry-api.md', () => {
  it('has examples that run in their order', async () => {
    const text = readFileSync(new URL('../../../docs/registry-api.md', import.meta.url), 'utf8')
    const blocks = (kind: string) => [...text.matchAll(RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map(([, body = '']) => body)
    const [contract, manifest] = blocks('json')
    const answers: object[] = []
    for (const query of blocks('graphql')) answers.push(resultOf(await ask(query, { contract, manifest })))
    const done = { done: true, refusal: null, messages: [] }
    expect(answers).toMatchObject([
      { ...done, exceedingCount: 0 },
      { ...done, exceeding: [] },
      ...[done, done, done],
      { versions: [{ app: 'web', version: '1.0', state: 'RETIRED' }], operations: [{ id: 'member-1' }] },
      { contracts: [] },
    ])
  })
})

describe('failures', () => {
  it('a publication that ended midway serves nothing, and can be repeated', async () => {
    const manifest = manifestOf(...Array.from({ length: 60 }, (_, number) => `a${number}: id`))
    const publish = { clientId: 'lab-10', manifest: manifest.text, app: 'web', version: '1' }
    const served = async () => {
      const client = rootOf(
        await ask('{ registeredClient(clientId: "lab-10") { operations(first: 100) { versions { state } } } }'),
      ) as { readonly operations: readonly { readonly versions: readonly unknown[] }[] }
      return client.operations.filter(({ versions }) => versions.length > 0).length
    }
    const dying = await clinic.another()
    const { audit } = dying.services
    const commit = audit.commit.bind(audit)
    const process = new KillSwitch(2, 'BEFORE')
    audit.commit = async (...args) => await process.call(() => commit(...args))
    expect(codesOf(await dying.ask('admin', PUBLISH, publish))).toEqual(['INTERNAL'])
    expect(process.calls).toBe(2)
    expect(await served()).toBe(0)
    const repeated = await ask(PUBLISH, publish)
    expect(resultOf(repeated)).toMatchObject({ done: true, refusal: null })
    expect(await served()).toBe(60)
  })

  it('P2: changes nothing without an audit record', async () => {
    const deaf = await clinic.another({ env: { PHI_TABLE_AUDIT: 'gone' } })
    const answer = await deaf.ask('admin', APPROVE, { contract: contractFor('lab-11') })
    expect(answer).toMatchObject({ status: 503, data: undefined })
    expect(await clients()).not.toContain('lab-11')
  })

  it('reports an outage of the table, and answers with an error', async () => {
    const blind = await clinic.another({ env: { PHI_TABLE_OPERATIONS: 'gone' } })
    for (const [query, variables] of [
      [LIST, {}],
      [CHECK, {}],
      [APPROVE, { contract: contractFor('lab-11') }],
    ] as const) {
      const before = blind.events.length
      const answer = await blind.ask('admin', query, variables)
      expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
      expect(blind.events.slice(before)).toContainEqual(expect.objectContaining({ event: 'STORE_UNAVAILABLE', tenant: RIVERSIDE }))
    }
  })

  it('P13: makes this process read the client again after a change, and after a change that may be stored', async () => {
    const one = await clinic.another()
    const { access, operations: table, recipients, keyring, events, now, audit } = one.services
    const forgotten: string[] = []
    const registry = {
      registrar: new OperationRegistrar({ table, recipients, keyring, now }),
      cache: { forget: ({ client }: { client: string }) => void forgotten.push(client) },
    }
    const consents = storedConsents({ table: access, keyring, events })
    const ward = await openWard(clinic, one.services, consents, undefined, registry)
    try {
      resultOf(await ward.ask('admin', APPROVE, { contract: contractFor('lab-12') }, 'HOPERAT'))
      expect(forgotten).toEqual(['lab-12'])
      const commit = audit.commit.bind(audit)
      const process = new KillSwitch(1, 'AFTER')
      audit.commit = async (...args) => await process.call(() => commit(...args))
      const answer = await ward.ask('admin', APPROVE, { contract: contractFor('lab-13') }, 'HOPERAT')
      expect(codesOf(answer)).toEqual(['INTERNAL'])
      expect(await clients()).toContain('lab-13')
      expect(forgotten).toEqual(['lab-12', 'lab-13'])
    } finally {
      await ward.stop()
    }
  })

  it('is closed in a deployment without a registry', async () => {
    const { access: table, keyring, events } = clinic.services
    const ward = await openWard(clinic, clinic.services, storedConsents({ table, keyring, events }))
    try {
      for (const [query, variables] of [
        [LIST, {}],
        [APPROVE, { contract: contractFor('lab-11') }],
      ] as const)
        expect(codesOf(await ward.ask('admin', query, variables, 'HOPERAT'))).toEqual(['FIELD_UNAVAILABLE'])
    } finally {
      await ward.stop()
    }
  })
})
