import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MESSAGES } from '../../../gateway/model/failure-messages.ts'
import { builtDetail } from '../../../gateway/model/failure-detail.ts'
import { Failure, type FailureCode } from '../../../gateway/model/failures.ts'
import { openAuditApi } from '../../../gateway/open-audit-api.ts'
import { roleOf } from '../../../gateway/oversight/reports/access-review.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'

/** Occurs in every value of a request. */
const VALUE = 'CANARY-999-12-3456'
/** The settings of a function with a role. None of these requests reads the log. */
const WITH_ROLE = {
  PHI_AUDIT_READER_ROLE: 'arn:aws:iam::111122223333:role/Reader',
  PHI_AUDIT_OBJECTS: 's3://audit-objects',
  PHI_AUDIT_TABLES: 's3://audit-tables',
  PHI_AUDIT_RESULTS: 's3://audit-results',
}

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

const PAGE =
  'query ($filter: FieldAccessFilter!, $first: Int, $after: String) { fieldAccesses(filter: $filter, first: $first, after: $after) { examined } }'

const ANOMALIES =
  'query ($from: DateTime!, $to: DateTime!, $minScore: Float, $first: Int, $after: String) { anomalies(from: $from, to: $to, minScore: $minScore, first: $first, after: $after) { examined } }'
const SUMMARY =
  'query ($filter: FieldAccessFilter!, $groupBy: [Dimension!]!) { accessSummary(filter: $filter, groupBy: $groupBy) { accesses } }'
const REVIEW =
  'query ($role: Role, $from: DateTime!, $to: DateTime!) { accessReview(role: $role, from: $from, to: $to) { examined } }'
const EXPOSURE = 'query ($from: DateTime!, $to: DateTime!) { exposureReport(filter: { from: $from, to: $to }) { __typename } }'
const TWICE =
  'query ($from: DateTime!, $to: DateTime!) { a: integrity(from: $from, to: $to) { __typename } b: integrity(from: $from, to: $to) { __typename } }'
const ROLE_NAMES = 'PHYSICIAN, NURSE, FRONT_DESK, BILLING, RESEARCHER, PATIENT, PROXY, PARTNER, PRIVACY_OFFICER, AUDITOR, ADMIN'
const LITERAL = '{ fieldAccesses(filter: { userId: "u", from: "2026-02-31" }) { examined } }'
const MUTATIONS = `mutation { ${['a', 'b'].map((alias) => `${alias}: endSuspension(id: "x", reason: "x") { id }`).join(' ')} }`
const MANY = `{ ${['a', 'b', 'c', 'd', 'e'].map((alias) => `${alias}: studyDisclosures { protocol }`).join(' ')} }`
// graphql refuses such a role before the report does
const ROLES = `The variable \`$role\` of the type \`Role\` is not valid: Expected a value of the type \`Role\`. The values of \`Role\` are ${ROLE_NAMES}.`
const SPAN = { from: '2026-03-01', to: '2026-03-02' }
const CURSOR =
  '`after` is no cursor of this list. Send `pageInfo.endCursor` of the previous page, with the same arguments and the same caller.'
const ANOMALY_SPAN = '`from` and `to` are required. `from` is not after `to`, and not in the future.'
const REVERSED = '`from` is after `to`. Exchange them.'
const CALENDAR =
  'has a text that is no date or time of the calendar. Write a date as `2026`, `2026-03` or `2026-03-15`, and a time as `2026-03-15T08:30:00Z`.'

const REFUSED: readonly (readonly [string, FailureCode, string, object, string | RegExp])[] = [
  [
    'a misspelled root',
    'GRAPHQL_VALIDATION_FAILED',
    '{ fieldAcesses { examined } }',
    {},
    /^Cannot query field "fieldAcesses" on type "Query"\. Did you mean "fieldAccesses"/,
  ],
  [
    'a misspelled filter',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userID: VALUE } },
    'The variable `$filter` of the type `FieldAccessFilter!` is not valid: Field "userID" is not defined by type "FieldAccessFilter". Did you mean "userId"?',
  ],
  [
    'an enum value that does not exist',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { outcome: VALUE } },
    'The variable `$filter` of the type `FieldAccessFilter!` is not valid, at `outcome`: Expected a value of the type `[AccessOutcome!]`. The values of `AccessOutcome` are DISCLOSED, MASKED, DENIED, ABSENT, ERASED, UNAVAILABLE, WRITTEN, REVIEWED.',
  ],
  [
    'a page that is too large',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: VALUE }, first: 5000 },
    '`first` is 5000; the maximum is 500 and the minimum is 1. Continue with `after`.',
  ],
  ['a cursor of another list', 'BAD_USER_INPUT', PAGE, { filter: { userId: VALUE }, after: VALUE }, CURSOR],
  [
    'a malformed id of a request',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { requestId: VALUE } },
    '`requestId` is no id of a request. Take it from `extensions.phi.requestId` of an answer.',
  ],
  [
    'a text that is no time',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: VALUE, from: VALUE } },
    `The variable \`$filter\` ${CALENDAR}`,
  ],
  [
    'a literal that is no time',
    'BAD_USER_INPUT',
    LITERAL,
    {},
    `The argument \`filter\` ${CALENDAR} The place is line 1, column 46.`,
  ],
  [
    'two mutations in one operation',
    'OPERATION_TOO_COSTLY',
    MUTATIONS,
    {},
    'An operation calls one mutation at most. Send the other mutations in requests of their own.',
  ],
  ['a reversed span', 'BAD_USER_INPUT', PAGE, { filter: { userId: VALUE, from: '2026-03-02', to: '2026-03-01' } }, REVERSED],
  [
    'an empty text of a filter',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: '' } },
    'A text of the filter is empty, or has more than 256 characters.',
  ],
  [
    'a page of anomalies that is too large',
    'BAD_USER_INPUT',
    ANOMALIES,
    { ...SPAN, first: 501 },
    '`first` is 501; the maximum is 500 and the minimum is 1. Continue with `after`.',
  ],
  ['a score above 1', 'BAD_USER_INPUT', ANOMALIES, { ...SPAN, minScore: 2 }, '`minScore` is a number from 0 to 1.'],
  ['a reversed span of anomalies', 'BAD_USER_INPUT', ANOMALIES, { from: SPAN.to, to: '2026-02-01' }, ANOMALY_SPAN],
  ['anomalies of the future', 'BAD_USER_INPUT', ANOMALIES, { from: '2199-01-01', to: '2199-01-02' }, ANOMALY_SPAN],
  ['a cursor that is no finding', 'BAD_USER_INPUT', ANOMALIES, { ...SPAN, after: VALUE }, CURSOR],
  ['a long cursor of anomalies', 'BAD_USER_INPUT', ANOMALIES, { ...SPAN, after: VALUE.padEnd(257, 'x') }, CURSOR],
  ['a day that is none', 'BAD_USER_INPUT', ANOMALIES, { ...SPAN, to: '2026-02-31' }, `The variable \`$to\` ${CALENDAR}`],
  [
    'a dimension that occurs twice',
    'BAD_USER_INPUT',
    SUMMARY,
    { filter: SPAN, groupBy: ['USER', 'USER'] },
    '`groupBy` has a dimension twice. Name each once.',
  ],
  ['a role that the policy does not have', 'BAD_USER_INPUT', REVIEW, { ...SPAN, role: VALUE }, ROLES],
  [
    'an address that is none',
    'BAD_USER_INPUT',
    'query ($id: ID!) { fieldAccess(id: $id) { id } }',
    { id: VALUE },
    '`id` is no address of a record of the log. Take it from the field `id` of `fieldAccesses`.',
  ],
  [
    'arguments that are too long',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: VALUE }, after: VALUE.padEnd(5_000, 'x') },
    'The arguments have more than 4096 characters as JSON.',
  ],
  ['a reversed span of a review', 'BAD_USER_INPUT', REVIEW, { from: SPAN.to, to: SPAN.from }, REVERSED],
  ['a reversed span of an exposure report', 'BAD_USER_INPUT', EXPOSURE, { from: SPAN.to, to: SPAN.from }, REVERSED],
  [
    'two reports in one operation',
    'OPERATION_TOO_COSTLY',
    TWICE,
    SPAN,
    'An operation selects `integrity` once at most. Send the other selections in requests of their own.',
  ],
  [
    'too many root fields',
    'OPERATION_TOO_COSTLY',
    MANY,
    {},
    'The operation selects too many root fields. Send the other root fields in requests of their own.',
  ],
]

const apis = new Map<string, ReturnType<typeof openAuditApi>>()

function apiAt(stage: string): ReturnType<typeof openAuditApi> {
  const env = { ...clinic.stack.env, PHI_STAGE: stage, ...(stage !== 'local' && stage !== 'test' && WITH_ROLE) }
  const schemas = { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() }
  const api = apis.get(stage) ?? openAuditApi(env, schemas, { events: () => undefined })
  apis.set(stage, api)
  return api
}

const ask = async (stage: string, query: string, variables: object) =>
  read(await apiAt(stage).handle(await clinic.requestOf('auditor', query, { ...variables })))

/** The detail of the failure that a function throws. */
function detailOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error instanceof Failure ? builtDetail(error.detail) : error
  }
  return undefined
}

describe("detailed errors of the auditor's API", () => {
  it('names the roles of the policy for a role that a schema accepts and the policy does not have', () => {
    const { policy } = compiled
    expect(detailOf(() => roleOf(policy, VALUE))).toBe(`\`role\` is no role of the policy. Choose one of: ${ROLE_NAMES}.`)
  })

  it.each(REFUSED)('P8: the local stage names the fault, without any value: %s', async (_name, code, query, variables, message) => {
    const { errors, text } = await ask('local', query, variables)
    expect(errors[0]?.extensions['code']).toBe(code)
    if (typeof message === 'string') expect(errors[0]?.message).toBe(message)
    else expect(errors[0]?.message).toMatch(message)
    expect(text).not.toContain(VALUE)
  })

  it.each(REFUSED)('P8: another stage answers with fixed text: %s', async (_name, code, query, variables) => {
    const { errors, text } = await ask('test', query, variables)
    expect(errors.map(({ message }) => message)).toEqual([MESSAGES[code]])
    expect(text).not.toContain(VALUE)
  })

  it.each(['LOCAL', 'local ', 'production'])('P8: the stage "%s" is not the local one', async (stage) => {
    for (const [, code, query, variables] of REFUSED.slice(0, 3)) {
      const { errors } = await ask(stage, query, variables)
      expect(errors.map(({ message }) => message)).toEqual([MESSAGES[code]])
    }
  })
})
