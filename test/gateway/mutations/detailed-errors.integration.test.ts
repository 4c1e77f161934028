import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storedConsents } from '../../../gateway/access/consents.ts'
import { budgetDetail, type BudgetName } from '../../../gateway/model/limit-details.ts'
import { errorText, MESSAGES } from '../../../gateway/model/failure-messages.ts'
import { type FailureCode, PhiBudgetExceeded } from '../../../gateway/model/failures.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { first, nodesAt, patientsOf } from '../asking.ts'
import { openWard } from './break-glass-ward.ts'
import { PUBLISH } from './registry-desk.ts'

/** Occurs in every text of a request. */
const VALUE = 'CANARY-999-12-3456'
const BTG = { 'x-purpose-of-use': 'BTG' }
const BREAK = `mutation ($id: ID!, $reason: String!, $minutes: Int) { breakGlass(patientId: $id, reason: $reason, minutes: $minutes) { id } }`
const TWICE = `mutation ($id: ID!) { a: breakGlass(patientId: $id, reason: "${VALUE}") { id } b: breakGlass(patientId: $id, reason: "x") { id } }`
const END = 'mutation ($id: ID!) { endBreakGlass(id: $id) { id } }'
const REVIEW = `mutation ($id: ID!, $finding: BreakGlassFinding!, $note: String) { reviewBreakGlass(id: $id, finding: $finding, note: $note) { id } }`
const GRANTS = 'query ($first: Int, $after: String) { breakGlassGrants(first: $first, after: $after) { edges { node { id } } } }'
const REVOKE_USER = 'mutation ($id: ID!) { revokeUser(userId: $id) }'
const REVOKE_CLIENT = 'mutation ($id: ID!) { revokeClient(clientId: $id) }'
const LIMITS = '{"hour": {"CLINICIAN": 3}, "searches": {"STAFF": 1}, "breakGlass": {"CLINICIAN": 1}}'

let clinic: RunningClinic
let local: RunningClinic['ask']
let patients: readonly string[]
beforeAll(async () => {
  clinic = await runClinic({ riverside: 4, lakeside: 1 })
  local = (await clinic.another({ env: { PHI_STAGE: 'local' } })).ask
  patients = await patientsOf(clinic, 'physician')
}, 120_000)
afterAll(() => clinic.stop())

const messages = ({ errors }: ClinicAnswer): readonly unknown[] =>
  errors.map(({ message, extensions }) => [extensions['code'], message])
const long = (length: number): string => VALUE.padEnd(length, 'x')

const REASON = '`reason` has 1 to 500 characters, and no control characters.'
const BAD = 'BAD_USER_INPUT'
type Case = readonly [name: string, user: string, query: string, variables: object, code: FailureCode, message: string]
const REFUSED: readonly Case[] = [
  ['a grant without a reason', 'physician', BREAK, { reason: ' ' }, BAD, REASON],
  ['a grant with a long reason', 'physician', BREAK, { reason: long(501) }, BAD, REASON],
  [
    'a grant of no minutes',
    'physician',
    BREAK,
    { reason: VALUE, minutes: 0 },
    BAD,
    '`minutes` is 0; the maximum is 240 and the minimum is 1.',
  ],
  [
    'two grants in one operation',
    'physician',
    TWICE,
    {},
    'OPERATION_TOO_COSTLY',
    'An operation opens one patient by break-glass at most. Send the other patients in requests of their own.',
  ],
  [
    'a review with a long note',
    'privacy',
    REVIEW,
    { finding: 'APPROPRIATE', note: long(2_001) },
    BAD,
    '`note` has 1 to 2000 characters, and no control characters.',
  ],
  [
    'a page of grants that is too large',
    'privacy',
    GRANTS,
    { first: 5_000 },
    BAD,
    '`first` is 5000; the maximum is 100 and the minimum is 1. Continue with `after`.',
  ],
  [
    'a cursor of another list',
    'privacy',
    GRANTS,
    { after: VALUE },
    BAD,
    '`after` is no cursor of this list. Send `pageInfo.endCursor` of the previous page, with the same arguments and the same caller.',
  ],
  ['a user without an id', 'admin', REVOKE_USER, { id: '' }, BAD, '`userId` has 1 to 128 characters, and no control characters.'],
  [
    'a client with a long id',
    'admin',
    REVOKE_CLIENT,
    { id: long(129) },
    BAD,
    '`clientId` has 1 to 128 characters, and no control characters.',
  ],
  [
    'a publication of an application without a version',
    'admin',
    PUBLISH,
    { clientId: 'web', manifest: '{}', app: VALUE },
    BAD,
    '`app` and `version` belong together. Send both, or none.',
  ],
  [
    'a publication of a client with a long id',
    'admin',
    PUBLISH,
    { clientId: long(257), manifest: '{}' },
    BAD,
    '`clientId` has 1 to 256 characters, and no control characters.',
  ],
  [
    'a publication without a manifest',
    'admin',
    PUBLISH,
    { clientId: 'web', manifest: '' },
    BAD,
    'A text of the mutation is empty, or has half of a surrogate pair.',
  ],
]

describe('detailed errors of mutations', () => {
  it.each(REFUSED)(
    'P8: the local stage names the fault, without any value: %s',
    async (_name, user, query, given, code, message) => {
      const variables = { ...(query.includes('$id') && { id: first(patients) }), ...given }
      const headers = user === 'physician' ? BTG : undefined
      const answer = await local(user, query, variables, headers)
      expect(messages(answer)).toEqual([[code, message]])
      expect(answer.text).not.toContain(VALUE)
      expect(messages(await clinic.ask(user, query, variables, headers))).toEqual([[code, MESSAGES[code]]])
    },
  )

  it('names the next step of a grant that is still active, and of a review that is final', async () => {
    const opened = await local('physician', BREAK, { id: patients[1], reason: 'unconscious' }, BTG)
    const { id } = opened.data?.['breakGlass'] as { readonly id: string }
    const review = async (finding: string) => messages(await local('privacy', REVIEW, { id, finding }))
    expect(await review('APPROPRIATE')).toEqual([
      [BAD, 'The grant is still active, and a review needs an ended one. End it with `endBreakGlass`.'],
    ])
    expect(messages(await local('physician', END, { id }, BTG))).toEqual([])
    expect(await review('APPROPRIATE')).toEqual([])
    expect(await review('INAPPROPRIATE')).toEqual([['VERSION_CONFLICT', 'The record changed after it was read. Read it again.']])
  })
})

it('names the findings for a value that a schema accepts and a review does not know', async () => {
  const consents = storedConsents({ ...clinic.services, table: clinic.services.access })
  const extension = 'extend enum BreakGlassFinding { UNCLEAR }'
  const ward = await openWard(clinic, clinic.services, consents, undefined, undefined, extension)
  try {
    const answer = await ward.ask('privacy', REVIEW, { id: first(patients), finding: 'UNCLEAR', note: VALUE }, 'HOPERAT')
    expect(messages(answer)).toEqual([[BAD, '`finding` is one of: APPROPRIATE, INAPPROPRIATE, FOLLOW_UP.']])
    expect(answer.text).not.toContain(VALUE)
  } finally {
    await ward.stop()
  }
})

const BUDGETS: Readonly<Record<BudgetName, string>> = {
  VALUES: 'The user received the maximum number of values of this hour. Wait for the next hour, or raise `hour` of `PHI_LIMITS`.',
  SEARCHES:
    'The user searched by the maximum number of values of this hour. Wait for the next hour, or raise `searches` of `PHI_LIMITS`.',
  REFUSALS:
    'The user received the maximum number of refusals of this hour. Select only fields that the role may read. Wait for the next hour, or raise `refusedValues` and `unknownIds` of `PHI_LIMITS`.',
  BREAK_GLASS:
    'The user opened the maximum number of patients of this hour by break-glass. Wait for the next hour, or raise `breakGlass` of `PHI_LIMITS`.',
  DAY: 'The client received the maximum number of values of this day. Wait for the next day, or change `maxValuesPerDay` of its contract.',
}

describe('detailed errors of budgets', () => {
  it.each(Object.entries(BUDGETS))('the local stage alone names the limit and its setting: %s', (name, text) => {
    const { code, detail } = new PhiBudgetExceeded(name as BudgetName)
    expect(budgetDetail(name as BudgetName)).toBe(text)
    expect(errorText(true)(code, detail)).toBe(text)
    expect(errorText(false)(code, detail)).toBe(MESSAGES.PHI_BUDGET_EXCEEDED)
  })

  it('is the answer of a gateway whose budget is spent', async () => {
    const { ask } = await clinic.another({ env: { PHI_STAGE: 'local', PHI_LIMITS: LIMITS } })
    const chart = '{ patients(first: 2) { edges { node { familyName givenName birthDate } } } }'
    const search = 'query ($mrn: String!) { patientsByIdentifier(mrn: $mrn) { edges { cursor } } }'
    const of = (answer: ClinicAnswer) => [...new Set(answer.errors.map(({ message }) => message))]
    expect(of(await ask('nurse', chart))).toEqual([BUDGETS.VALUES])
    expect(nodesAt((await clinic.ask('nurse', chart)).data, 'patients')).not.toEqual([])
    const grant = async (id: string | undefined) => await ask('physician', BREAK, { id, reason: 'unconscious' }, BTG)
    await grant(patients[2])
    expect(of(await grant(patients[3]))).toEqual([BUDGETS.BREAK_GLASS])
    for (let n = 0; n < 3; n++) await ask('billing', search, { mrn: `MRN-${n}` })
    expect(of(await ask('billing', search, { mrn: 'MRN-9' }))).toEqual([BUDGETS.SEARCHES])
  })
})
