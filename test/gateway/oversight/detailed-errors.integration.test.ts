import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MESSAGES } from '../../../gateway/model/failure-messages.ts'
import type { FailureCode } from '../../../gateway/model/failures.ts'
import { openAuditApi } from '../../../gateway/open-audit-api.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
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
  [
    'a cursor of another list',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: VALUE }, after: VALUE },
    /^`after` is no cursor of this list\./,
  ],
  [
    'a malformed id of a request',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { requestId: VALUE } },
    '`requestId` is no id of a request. Take it from `extensions.phi.requestId` of an answer.',
  ],
  ['a text that is no time', 'BAD_USER_INPUT', PAGE, { filter: { userId: VALUE, from: VALUE } }, /no date or time/],
  [
    'a reversed span',
    'BAD_USER_INPUT',
    PAGE,
    { filter: { userId: VALUE, from: '2026-03-02', to: '2026-03-01' } },
    '`from` is after `to`. Exchange them.',
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

describe("detailed errors of the auditor's API", () => {
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
