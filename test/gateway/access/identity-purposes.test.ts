import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClaimMap } from '../../../gateway/access/claims.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import type { PurposeOfUse } from '../../../directives/policy.ts'
import { BadRequest, Unauthenticated } from '../../../gateway/model/failures.ts'
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
const ROLES = ['PHYSICIAN', 'BILLING', 'FRONT_DESK', 'PATIENT']
const ALL = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'PATRQT']

async function callerBy(map: unknown, claims: TokenParts, purpose?: string) {
  const options = { issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri, claims: ClaimMap.parse(map) }
  const authorization = `Bearer ${await issuer.sign({ ...PERSON, roles: ROLES, ...claims })}`
  return await tokenIdentity(options, clinic.policy).callerOf({
    authorization,
    ...(purpose !== undefined && { 'x-purpose-of-use': purpose }),
  })
}

const EXCHANGE_PURPOSES = 'urn:oid:2.16.840.1.113883.3.7204.1.5.2.1'
const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason'

/** TEFCA, Standard Operating Procedure "Exchange Purposes (XPs)", version 5.1, section 4.1, table 1. All of its codes. */
const TEFCA: Readonly<Record<string, PurposeOfUse | undefined>> = {
  'T-TREAT': 'TREAT',
  'T-TRTMNT': 'TREAT',
  'T-PYMNT': 'HPAYMT',
  'T-HCO': 'HOPERAT',
  'T-HCO-CC': 'HOPERAT',
  'T-HCO-HED': 'HOPERAT',
  'T-HCO-QAI': 'HOPERAT',
  'T-HCO-POP': 'HOPERAT',
  'T-HCO-PTSAFETY': 'HOPERAT',
  'T-HCO-PERF': 'HOPERAT',
  'T-PH': 'PUBHLTH',
  'T-IAS': 'PATRQT',
  // messages only: there are no queries for them
  'T-PH-ECR': undefined,
  'T-PH-ELR': undefined,
  // a determination of benefits other than health care is no purpose of this gateway
  'T-GOVDTRM': undefined,
  'T-GOVDTRM-SSD': undefined,
  'T-GOVDTRM-ACP': undefined,
}
const PURPOSE_NAMES = Object.fromEntries(
  Object.entries(TEFCA).flatMap(([code, purpose]) => (purpose === undefined ? [] : [[`${EXCHANGE_PURPOSES}#${code}`, purpose]])),
)
const TEFCA_MAP = { purpose: 'extensions.hl7-b2b.purpose_of_use', purposeNames: PURPOSE_NAMES }

describe('TEFCA exchange purposes', () => {
  const withCodes = (...codes: string[]) => ({
    extensions: {
      'hl7-b2b': {
        version: '1',
        organization_id: 'https://plan.example',
        purpose_of_use: codes.map((code) => `${EXCHANGE_PURPOSES}#${code}`),
      },
    },
  })

  it('docs/identity.md has this map', () => {
    const blocks = [...readFileSync('docs/identity.md', 'utf8').matchAll(/^```json\n([^`]+)```$/gm)].map(
      ([, text = '']) => JSON.parse(text) as TokenParts,
    )
    expect(blocks).toContainEqual(TEFCA_MAP)
  })

  it.each(Object.entries(TEFCA).filter(([, purpose]) => purpose !== undefined && ALL.includes(purpose)))(
    '%s is %s',
    async (code, purpose) => {
      const mayClaim = purpose === 'TREAT' ? ['TREAT', 'ETREAT', 'BTG'] : [purpose]
      expect(await callerBy(TEFCA_MAP, withCodes(code))).toMatchObject({ purpose, mayClaim })
    },
  )

  it.each(Object.entries(TEFCA).filter(([, purpose]) => purpose === undefined || !ALL.includes(purpose)))(
    'P3: %s is no purpose that these roles may claim',
    async (code) => {
      await expect(callerBy(TEFCA_MAP, withCodes(code))).rejects.toThrow(BadRequest)
      for (const purpose of ALL) await expect(callerBy(TEFCA_MAP, withCodes(code), purpose)).rejects.toThrow(BadRequest)
    },
  )

  it('P3: a code gives no purpose that the roles lack', async () => {
    await expect(callerBy(TEFCA_MAP, { ...withCodes('T-TRTMNT'), roles: ['BILLING'] })).rejects.toThrow(BadRequest)
  })

  it('P3: a code that is not in the map is dropped, and the others remain', async () => {
    const caller = await callerBy(TEFCA_MAP, withCodes('T-GOVDTRM', 'T-PYMNT', 'T-PYMNT-X'))
    expect(caller).toMatchObject({ purpose: 'HPAYMT', mayClaim: ['HPAYMT'] })
  })

  it('P3: the code of another system, without a system or in another case is not in the map', async () => {
    const values = ['T-TREAT', 'urn:oid:2.999#T-TREAT', `${EXCHANGE_PURPOSES}|T-TREAT`, `${EXCHANGE_PURPOSES}#t-treat`, 'TREAT']
    for (const value of values) {
      const extensions = { 'hl7-b2b': { purpose_of_use: [value] } }
      await expect(callerBy(TEFCA_MAP, { extensions })).rejects.toThrow(BadRequest)
    }
  })
})

describe('values of the purpose claim by name', () => {
  const purposeNames = { [`${ACT_REASON}|TREAT`]: 'TREAT', 'urn:oid:2.16.840.1.113883.5.8#HPAYMT': 'HPAYMT', payment: 'HPAYMT' }
  const TREAT = { system: ACT_REASON, code: 'TREAT' }

  it.each([
    ['payment', ['HPAYMT']],
    [['payment', 'urn:oid:2.16.840.1.113883.5.8#HPAYMT'], ['HPAYMT']],
    [TREAT, ['TREAT', 'ETREAT', 'BTG']],
    [{ ...TREAT, display: 'treatment', version: '2' }, ['TREAT', 'ETREAT', 'BTG']],
    [`${ACT_REASON}|TREAT`, ['TREAT', 'ETREAT', 'BTG']],
    [
      [TREAT, 'payment', 7, null, {}],
      ['TREAT', 'ETREAT', 'BTG', 'HPAYMT'],
    ],
    [undefined, ALL],
    [null, ALL],
  ])('%j leaves %j', async (purpose_of_use, mayClaim) => {
    expect(await callerBy({ purposeNames }, { purpose_of_use })).toMatchObject({ mayClaim })
  })

  it.each<[unknown]>([
    ...[
      ['TREAT'],
      ['HPAYMT'],
      [''],
      ['toString'],
      ['__proto__'],
      ['payment '],
      ['payment HPAYMT'],
      ['a\ud800'],
      ['x'.repeat(2_000)],
    ],
    ...[[7], [true], [{}], [[null]], [[['payment']]], [{ payment: 1 }], [{ code: 'TREAT' }], [{ system: ACT_REASON }]],
    ...[[{ system: [ACT_REASON], code: 'TREAT' }], [{ system: '', code: `${ACT_REASON}|TREAT` }], [{ coding: [TREAT] }]],
    ...[
      [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason|TREAT', code: '' }],
      [{ system: ACT_REASON, code: 'treat' }],
    ],
  ] as [unknown][])('P3: if no value remains, no purpose may be claimed: %j', async (purpose_of_use) => {
    await expect(callerBy({ purposeNames }, { purpose_of_use })).rejects.toThrow(BadRequest)
    await expect(callerBy({ purposeNames }, { purpose_of_use }, 'TREAT')).rejects.toThrow(BadRequest)
  })

  it('P3: the bar between a system and its code is not taken for a bar in the code', async () => {
    const map = { purposeNames: { 'urn:a|b|TREAT': 'TREAT' } }
    await expect(callerBy(map, { purpose_of_use: { system: 'urn:a|b', code: 'TREAT' } })).resolves.toMatchObject({
      purpose: 'TREAT',
    })
    await expect(callerBy(map, { purpose_of_use: { system: 'urn:a', code: 'b|TREAT' } })).rejects.toThrow(BadRequest)
  })

  it('P3: an empty list is refused as without names', async () => {
    for (const map of [{ purposeNames }, {}]) await expect(callerBy(map, { purpose_of_use: [] })).rejects.toThrow(Unauthenticated)
  })

  it('P3: without names, an object is refused', async () => {
    await expect(callerBy({}, { purpose_of_use: TREAT })).rejects.toThrow(Unauthenticated)
  })

  it.each([
    [{ purposeNames: { 'T-TREAT': 'TREATMENT' } }],
    [{ purposeNames: { 'T-TREAT': ['TREAT'] } }],
    [{ purposeNames: { '': 'TREAT' } }],
    [{ purposeNames: ['TREAT'] }],
  ])('a map with a mistake is none: %j', (map) => {
    expect(ClaimMap.safeParse(map).success).toBe(false)
  })
})
