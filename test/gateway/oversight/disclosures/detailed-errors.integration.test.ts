import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MESSAGES } from '../../../../gateway/model/failure-messages.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { patientsOf } from '../../asking.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from '../audit-clinic.ts'

/** Occurs in every text of a request. */
const VALUE = 'CANARY-999-12-3456'
let clinic: RunningClinic
let local: AuditDesk
let fixed: AuditDesk
let patientId: string | undefined
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  local = auditDesk(clinic, { env: { PHI_STAGE: 'local' } })
  fixed = auditDesk(clinic)
  ;[patientId] = await patientsOf(clinic, 'physician')
}, 120_000)
afterAll(() => clinic.stop(), 120_000)

const RECORD = `mutation ($patientId: ID!, $input: DisclosureInput!) { recordDisclosure(patientId: $patientId, input: $input) { id } }`
const CORRECT = `mutation ($id: ID!, $reason: String!, $input: DisclosureInput!) { correctDisclosure(id: $id, reason: $reason, input: $input) { id } }`
const WITHDRAW = `mutation ($id: ID!, $reason: String!) { withdrawDisclosure(id: $id, reason: $reason) { id } }`
const SUSPEND = `mutation ($patientId: ID!, $input: SuspensionInput!) { suspendAccounting(patientId: $patientId, input: $input) { id } }`
const REQUEST = `mutation ($patientId: ID!, $receivedAt: DateTime!, $from: DateTime, $to: DateTime) {
  requestAccounting(patientId: $patientId, receivedAt: $receivedAt, from: $from, to: $to) { id } }`
const EXTEND = `mutation ($id: ID!, $reason: String!) { extendAccounting(requestId: $id, reason: $reason) { id } }`
const GIVE = `mutation ($id: ID!) { giveAccounting(requestId: $id) { request { id } } }`
const WITHDRAW_REQUEST = `mutation ($id: ID!, $reason: String!) { withdrawAccountingRequest(requestId: $id, reason: $reason) { id } }`
const ACCOUNTING = `query ($patientId: ID!, $from: DateTime!, $to: DateTime!) { accountingOfDisclosures(patientId: $patientId, from: $from, to: $to) { patientId } }`

const STUDY = `mutation ($input: StudyDisclosuresInput!) { describeStudy(input: $input) { protocol } }`
const REQUESTS = `query ($first: Int) { accountings(first: $first) { total } }`
const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const police = (changes: object = {}) => ({
  input: {
    basis: 'LAW_ENFORCEMENT',
    date: day(-3),
    recipient: { name: VALUE, address: '2 Main Street' },
    description: VALUE,
    purpose: VALUE,
    ...changes,
  },
})
const oral = (changes: object = {}) => ({
  input: { agency: VALUE, statement: 'ORAL', identity: VALUE, statedAt: day(-1), until: day(5), ...changes },
})
const CONTACT = { name: VALUE, address: '2 Main Street', phone: '555-0100' }
const study = (changes: object = {}) => ({
  input: {
    protocol: 'A1C',
    standing: 'OTHER_ENTITY',
    description: VALUE,
    information: VALUE,
    from: '2026-01-01',
    sponsor: CONTACT,
    researcher: CONTACT,
    individuals: 60,
    ...changes,
  },
})
const messages = ({ errors }: AuditAnswer): readonly unknown[] =>
  errors.map(({ message, extensions }) => [extensions['code'], message])
const BAD = 'BAD_USER_INPUT'

const COUNT = '`count` is 1 to 100000. `lastDate` is set exactly if `count` is more than 1.'
const PURPOSE = 'Set exactly one of `purpose` and `requestCopy`.'
const NAME =
  'A text is empty, has more than 200 characters, or has characters that cannot be printed. Names and addresses are one line.'
const TEXT = 'A text is empty, has more than 2000 characters, or has characters that cannot be printed.'
const ORAL = 'An oral statement requires `identity`, and `until` is 30 days after `statedAt` at most.'

const REFUSED: readonly (readonly [name: string, query: string, variables: () => object, message: string])[] = [
  [
    'an id that is none',
    RECORD,
    () => ({ ...police(), patientId: VALUE }),
    '`patientId` is no id. Take it from an earlier answer.',
  ],
  ['a count without a last date', RECORD, () => police({ count: 2 }), COUNT],
  [
    'a date in the future',
    RECORD,
    () => police({ date: day(3) }),
    '`date` is before 1990 or in the future, or `lastDate` is before `date` or in the future.',
  ],
  ['neither purpose nor copy', RECORD, () => police({ purpose: null }), PURPOSE],
  [
    'a protocol of another basis',
    RECORD,
    () => police({ protocol: 'A1C' }),
    '`protocol` is set for the basis RESEARCH only, and is the name of a protocol.',
  ],
  ['a name of two lines', RECORD, () => police({ recipient: { name: `${VALUE}\n2` } }), NAME],
  ['an empty description', RECORD, () => police({ description: ' ' }), TEXT],
  ['a suspension that ended', SUSPEND, () => oral({ until: day(-1) }), '`statedAt` is in the future, or `until` is in the past.'],
  ['an oral statement without an identity', SUSPEND, () => oral({ identity: null }), ORAL],
  ['an oral statement for too long', SUSPEND, () => oral({ until: day(40) }), ORAL],
  ['a request of the future', REQUEST, () => ({ receivedAt: day(3) }), '`receivedAt` is in the future, or more than 6 years ago.'],
  [
    'a reversed span',
    REQUEST,
    () => ({ receivedAt: day(-1), from: day(-2), to: day(-9) }),
    '`from` is after `to`, or more than 6 years before `receivedAt`.',
  ],
  ['an accounting of the future', ACCOUNTING, () => ({ from: day(3), to: day(4) }), '`from` is after `to`, or in the future.'],
  [
    'a study whose name is none',
    STUDY,
    () => study({ protocol: VALUE.padEnd(100, ' ') }),
    '`protocol` is no name of a protocol, or `individuals` is no count.',
  ],
  [
    'a study of fewer than no individuals',
    STUDY,
    () => study({ individuals: -1 }),
    '`protocol` is no name of a protocol, or `individuals` is no count.',
  ],
  ['a study that ends before it begins', STUDY, () => study({ to: '2025-01-01' }), '`to` is before `from`. Exchange them.'],
  [
    'a page of requests that is too large',
    REQUESTS,
    () => ({ first: 501 }),
    '`first` is 501; the maximum is 500 and the minimum is 1. Continue with `after`.',
  ],
  ['an accounting of old disclosures', ACCOUNTING, () => ({ from: '2001', to: day(0) }), '`from` is more than 6 years ago.'],
]

describe('detailed errors of the accounting', () => {
  it.each(REFUSED)('P8: the local stage names the fault, without any value: %s', async (_name, query, given, message) => {
    const variables = { patientId, ...given() }
    const answer = await local.ask('privacy', query, variables)
    expect(messages(answer)).toEqual([[BAD, message]])
    expect(answer.text).not.toContain(VALUE)
    expect(messages(await fixed.ask('privacy', query, variables))).toEqual([[BAD, MESSAGES[BAD]]])
  })

  const made = async (query: string, variables: object): Promise<string> => {
    const { data, errors } = await local.ask('privacy', query, { patientId, ...variables })
    expect(errors).toEqual([])
    return (Object.values(data ?? {})[0] as { readonly id: string }).id
  }
  const refused = async (query: string, variables: object) =>
    messages(await local.ask('privacy', query, { reason: VALUE, ...variables }))

  it('names the next step for a disclosure that was withdrawn', async () => {
    const id = await made(RECORD, police())
    await made(WITHDRAW, { id, reason: 'Another patient' })
    expect(await refused(CORRECT, { id, ...police() })).toEqual([
      [BAD, 'The disclosure was withdrawn, and a withdrawn one is not corrected. Enter it again.'],
    ])
  })

  it('names the next step for requests that are extended, withdrawn or answered', async () => {
    const extended = await made(REQUEST, { receivedAt: day(-1) })
    await made(EXTEND, { id: extended, reason: 'Staff is ill' })
    expect(await refused(EXTEND, { id: extended })).toEqual([
      [BAD, 'The request is answered, withdrawn, extended, or past its due day. Only an open request is extended, and only once.'],
    ])
    expect((await local.ask('privacy', GIVE, { id: extended })).errors).toEqual([])
    expect(await refused(WITHDRAW_REQUEST, { id: extended })).toEqual([
      [BAD, 'The accounting of the request was given. It is not withdrawn any more.'],
    ])
    const withdrawn = await made(REQUEST, { receivedAt: day(-1) })
    await made(WITHDRAW_REQUEST, { id: withdrawn, reason: 'The fee' })
    expect(await refused(GIVE, { id: withdrawn })).toEqual([
      [BAD, 'The request was withdrawn. Enter a new one with `requestAccounting`.'],
    ])
  })
})
