import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClaimMap } from '../../../gateway/access/claims.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { PURPOSES_OF_USE } from '../../../directives/policy.ts'
import { BadRequest, MfaRequired, Unauthenticated } from '../../../gateway/model/failures.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from './issuer.ts'

let issuer: Awaited<ReturnType<typeof startIssuer>>
beforeAll(async () => {
  issuer = await startIssuer('ES256')
})
afterAll(async () => {
  await issuer.stop()
})

const PERSON = { sub: 'u', aud: AUDIENCE, tenant: 'riverside', sid: 'session-1', amr: ['mfa'] }

async function callerBy(map: unknown, claims: TokenParts, purpose?: string) {
  const identity = tokenIdentity(
    { issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri, claims: ClaimMap.parse(map) },
    clinic.policy,
  )
  const authorization = `Bearer ${await issuer.sign({ ...PERSON, ...claims })}`
  return await identity.callerOf({ authorization, ...(purpose !== undefined && { 'x-purpose-of-use': purpose }) })
}

const BOTH = { roles: ['PHYSICIAN', 'BILLING'] }
const scopes = {
  'user/*.rs': { roles: ['PHYSICIAN', 'NURSE'], purposes: ['TREAT'] },
  'system/Claim.rs': { roles: ['BILLING'], purposes: ['HPAYMT'] },
}
const MAP = { scope: 'scope', scopes }

describe('scopes narrow roles and purposes', () => {
  it('without the setting, scopes are not read', async () => {
    const caller = await callerBy({}, { ...BOTH, scope: 'openid' })
    expect(caller).toMatchObject({ roles: new Set(BOTH.roles), mayClaim: ['TREAT', 'ETREAT', 'BTG', 'HPAYMT'] })
  })

  it.each([
    ['user/*.rs', ['PHYSICIAN'], ['TREAT']],
    ['openid launch/patient user/*.cruds offline_access', ['PHYSICIAN'], ['TREAT']],
    ['system/*.read', ['BILLING'], ['HPAYMT']],
    ['user/*.r user/*.s system/Claim.*', ['PHYSICIAN', 'BILLING'], ['TREAT', 'HPAYMT']],
  ])('%s leaves %j for %j', async (scope, roles, mayClaim) => {
    expect(await callerBy(MAP, { ...BOTH, scope })).toMatchObject({ roles: new Set(roles), mayClaim, purpose: mayClaim[0] })
  })

  it('a list of scopes equals a text, whatever the claim is named', async () => {
    for (const scope of ['scp', 'scope', 'https://phi.example/scopes']) {
      const list = ['openid', 'user/*.rs']
      for (const claim of [list, list.join(' '), [list.join(' ')]])
        expect(await callerBy({ scope, scopes }, { ...BOTH, [scope]: claim })).toMatchObject({ roles: new Set(['PHYSICIAN']) })
    }
  })

  it.each<[unknown]>([
    ...[[undefined], [''], ['openid'], ['user/*.r'], ['user/Patient.rs'], ['patient/*.rs'], ['user/*.rs?category=x']],
    ...[['user/*.rs,openid'], ['user/*.rs\topenid'], [['openid']], [[]]],
    ...[[{ scope: 'user/*.rs' }], [7], [null], [true], [[['user/*.rs']]], [[{ 'user/*.rs': 1 }]]],
  ] as [unknown][])('P3: without a satisfied scope, the caller has no role: %j', async (scp) => {
    await expect(callerBy({ scope: 'scp', scopes }, { ...BOTH, scp })).rejects.toThrow(Unauthenticated)
  })

  it('P3: a scope gives no role or purpose that the token’s roles lack', async () => {
    await expect(callerBy(MAP, { roles: ['FRONT_DESK'], scope: 'user/*.rs system/*.rs' })).rejects.toThrow(Unauthenticated)
    const limited = { scope: 'scope', scopes: { 'user/*.rs': { purposes: ['HPAYMT', 'PUBHLTH'] } } }
    await expect(callerBy(limited, { roles: ['PHYSICIAN'], scope: 'user/*.rs' })).rejects.toThrow(BadRequest)
  })

  it('P3: if one configured scope names roles or purposes, a scope without them adds none', async () => {
    const some = {
      scope: 'scope',
      scopes: { 'user/*.r': {}, 'user/*.s': { roles: ['BILLING'] }, 'user/*.c': { purposes: ['TREAT'] } },
    }
    const asked = async (scope: string) => await callerBy(some, { ...BOTH, scope })
    await expect(asked('user/*.r')).rejects.toThrow(Unauthenticated)
    await expect(asked('user/*.c')).rejects.toThrow(Unauthenticated)
    await expect(asked('user/*.s')).rejects.toThrow(BadRequest)
    await expect(asked('user/*.rs')).rejects.toThrow(BadRequest)
    await expect(asked('user/*.cs')).rejects.toThrow(BadRequest)
    const roles = { scope: 'scope', scopes: { 'user/*.r': {}, 'user/*.s': { roles: ['BILLING'] } } }
    await expect(callerBy(roles, { ...BOTH, scope: 'user/*.rs' })).resolves.toMatchObject({ mayClaim: ['HPAYMT'] })
    const none = { scope: 'scope', scopes: { 'user/*.r': {} } }
    await expect(callerBy(none, { ...BOTH, scope: 'user/*.r' })).resolves.toMatchObject({ roles: new Set(BOTH.roles) })
    await expect(callerBy(none, { ...BOTH, scope: 'user/*.s' })).rejects.toThrow(Unauthenticated)
  })

  it('P3: a second factor that the token’s roles need is needed for each part of them', async () => {
    const claims = { roles: ['PHYSICIAN', 'PARTNER'], amr: ['pwd'], scope: 'system/*.rs' }
    const partner = { scope: 'scope', scopes: { 'system/*.rs': { roles: ['PARTNER'] } } }
    await expect(callerBy(partner, claims)).rejects.toThrow(MfaRequired)
    await expect(callerBy(partner, { ...claims, amr: ['mfa'] })).resolves.toMatchObject({ roles: new Set(['PARTNER']) })
  })

  it('P3: neither the header nor the purpose claim passes the purposes of the scopes', async () => {
    const claims = { ...BOTH, scope: 'user/*.rs' }
    for (const purpose of ['ETREAT', 'BTG', 'HPAYMT']) await expect(callerBy(MAP, claims, purpose)).rejects.toThrow(BadRequest)
    await expect(callerBy(MAP, { ...claims, purpose_of_use: 'HPAYMT' })).rejects.toThrow(BadRequest)
    await expect(callerBy(MAP, { ...claims, purpose_of_use: 'TREAT' }, 'BTG')).rejects.toThrow(BadRequest)
  })

  it.each([
    [{ scope: 'scope' }],
    [{ scopes }],
    [{ scope: 'scope', scopes: { openid: { roles: ['PATIENT'] } } }],
    [{ scope: 'scope', scopes: { 'patient/*.sr': { roles: ['PATIENT'] } } }],
    [{ scope: 'scope', scopes: { 'patient/*.rs': { role: ['PATIENT'] } } }],
    [{ scope: 'scope', scopes: { 'patient/*.rs': { purposes: ['EVERYTHING'] } } }],
    [{ scope: 'scope', scopes: ['patient/*.rs'] }],
  ])('a map with a mistake is none: %j', (map) => {
    expect(ClaimMap.safeParse(map).success).toBe(false)
  })
})

describe('a list in the claim `scope`', () => {
  const asked = async (parts: readonly string[]) =>
    await tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri }, clinic.policy).callerOf({
      authorization: `Bearer ${parts.join('.')}`,
    })
  const partsOf = async (claims: TokenParts): Promise<[string, string, string]> => {
    const parts = (await issuer.sign({ ...PERSON, ...BOTH, ...claims })).split('.')
    return parts as [string, string, string]
  }
  const encoded = (claims: unknown) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as TokenParts

  it('is read, also if scopes are not', async () => {
    await expect(asked(await partsOf({ scope: ['openid', 'user/*.rs'] }))).resolves.toMatchObject({ user: 'u' })
    await expect(asked(await partsOf({ scope: [] }))).resolves.toMatchObject({ user: 'u' })
  })

  it('P3: the signature covers it as it was sent', async () => {
    const [header, payload, signature] = await partsOf({ scope: ['openid'] })
    const claims = decoded(payload)
    for (const change of [
      { scope: ['openid', 'user/*.rs'] },
      { scope: 'openid' },
      { scope: ['openid'], roles: ['ADMIN'] },
      { scope: undefined },
    ])
      await expect(asked([header, encoded({ ...claims, ...change }), signature])).rejects.toMatchObject({ fault: 'SIGNATURE' })
    const [, text, ofText] = await partsOf({ scope: 'openid' })
    await expect(asked([header, encoded({ ...decoded(text), scope: ['openid'] }), ofText])).rejects.toMatchObject({
      fault: 'SIGNATURE',
    })
  })

  it('P3: the times and types of the other claims are checked beside it', async () => {
    const now = Math.floor(Date.now() / 1000)
    const faulty = [
      { exp: now - 120 },
      { nbf: now + 600 },
      { exp: '9999999999' },
      { nbf: 'now' },
      { iat: 'now' },
      { sub: 7 },
      { jti: 7 },
    ]
    for (const claims of faulty)
      await expect(asked(await partsOf({ scope: ['openid'], ...claims }))).rejects.toThrow(Unauthenticated)
  })

  it.each([[[7]], [['openid', null]], [[['openid']]], [{ openid: true }], [7], [null]])(
    'P3: another type is refused as before: %j',
    async (scope) => {
      await expect(asked(await partsOf({ scope }))).rejects.toMatchObject({ fault: 'MALFORMED' })
    },
  )
})

describe('configuration only narrows', () => {
  const ROLES = ['PHYSICIAN', 'BILLING', 'PARTNER', 'PATIENT', 'FRONT_DESK', 'SUPERUSER']
  const role = fc.constantFrom(...ROLES)
  const scope = fc
    .tuple(
      fc.constantFrom('user', 'user', 'system', 'launch'),
      fc.constantFrom('*', '*', 'Patient', 'patient'),
      fc.constantFrom('r', 'rs', 'cruds', 'read', 'write', '*', 'sr'),
      fc.constantFrom('', '', '', '?category=a', '?code=b&category=a'),
    )
    .map(([context, type, letters, query]) => `${context}/${type}.${letters}${query}`)
  const valid = scope.filter((text) => ClaimMap.safeParse({ scope: 'scope', scopes: { [text]: {} } }).success)
  const grant = fc.record({ roles: fc.subarray(ROLES), purposes: fc.subarray([...PURPOSES_OF_USE]) }, { requiredKeys: [] })
  const codes = [...PURPOSES_OF_USE, 'T-TREAT', 'urn:oid:2.999#T-PYMNT', 'http://codes.example|TREAT', 'EVERYTHING']
  const coded = fc.constantFrom<unknown>(...codes, { system: 'http://codes.example', code: 'TREAT' }, { code: 'TREAT' }, 7)
  const purpose_of_use = fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, coded, fc.array(coded, { maxLength: 3 }))
  const granted = fc.array(fc.oneof(scope, fc.constantFrom('user/*.*', 'system/*.cruds')), { maxLength: 5 })
  const token = fc.record({
    roles: fc.uniqueArray(role, { minLength: 1, maxLength: 3 }),
    scope: fc.oneof(
      granted,
      granted.map((list) => list.join(' ')),
    ),
    amr: fc.constantFrom(['mfa'], ['mfa'], ['mfa'], ['pwd']),
    purpose_of_use,
  })
  const purpose = fc.constantFrom(undefined, undefined, ...PURPOSES_OF_USE, undefined, undefined)
  const settled = async (map: unknown, claims: TokenParts, header: string | undefined) =>
    await callerBy(map, claims, header).catch((error: unknown) => {
      expect([Unauthenticated, MfaRequired, BadRequest].some((type) => error instanceof type)).toBe(true)
      return undefined
    })
  type Settled = Awaited<ReturnType<typeof settled>>

  /** Whether there are both callers. @throws AssertionError if one has a role or purpose that the other has not */
  function isWithin(narrow: Settled, wide: Settled): boolean {
    if (narrow === undefined) return false
    if (wide === undefined) throw new Error('The configuration admits a token that is refused without it.')
    expect([...wide.roles]).toEqual(expect.arrayContaining([...narrow.roles]))
    expect(wide.mayClaim).toEqual(expect.arrayContaining([...narrow.mayClaim]))
    expect(wide.mayClaim).toContain(narrow.purpose)
    expect(!narrow.seesExistence || wide.seesExistence).toBe(true)
    const { tenant, user, session, mfa } = wide
    expect(narrow).toMatchObject({ tenant, user, session, mfa })
    return true
  }

  it('P3: roles and purposes with scopes are among those without', async () => {
    let admitted = 0
    await fc.assert(
      fc.asyncProperty(
        token,
        fc.dictionary(valid, grant, { minKeys: 1, maxKeys: 4 }),
        purpose,
        async (claims, configured, header) => {
          const narrow = await settled({ scope: 'scope', scopes: configured }, claims, header)
          if (isWithin(narrow, await settled({}, claims, header))) admitted++
        },
      ),
      { numRuns: 400 },
    )
    expect(admitted).toBeGreaterThan(10)
  })

  it('P3: purposes with names are among those of the roles, with or without scopes', async () => {
    let admitted = 0
    const names = fc.dictionary(fc.constantFrom(...codes), fc.constantFrom(...PURPOSES_OF_USE), { minKeys: 1 })
    await fc.assert(
      fc.asyncProperty(token, names, purpose, fc.boolean(), async (claims, purposeNames, header, isScoped) => {
        const map = { purposeNames, ...(isScoped && { scope: 'scope', scopes: { 'user/*.r': { roles: ROLES.slice(0, 3) } } }) }
        const narrow = await settled(map, claims, header)
        if (isWithin(narrow, await settled({}, { ...claims, purpose_of_use: undefined }, header))) admitted++
      }),
      { numRuns: 400 },
    )
    expect(admitted).toBeGreaterThan(10)
  })
})
