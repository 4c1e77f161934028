import { getNamedType, type GraphQLArgument, type GraphQLField, isNonNullType, isObjectType, isScalarType } from 'graphql'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { at, auditOf, first, patientsOf } from '../gateway/asking.ts'
import { userAgentHash } from '../../gateway/audit/entry.ts'
import { read, type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { SEED_VARIABLE } from './suite-weather.ts'

// No input of a client is a fault of the gateway: it causes no 5xx and no event for operators.

const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })

/** Generated texts of a request. */
const TEXTS = Number(process.env['ANY_TEXTS'] ?? 60)

let clinic: RunningClinic
let id: string
let cursor: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 3, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
  cursor = String(at((await clinic.ask('physician', PANEL)).data, 'patients', 'edges', 0, 'cursor'))
})
afterAll(() => clinic.stop())

const PANEL = '{ patients(first: 1) { edges { cursor } } }'

interface Position {
  readonly name: string
  readonly user: string
  readonly operation: 'query' | 'mutation'
  readonly type: string
  /** The selection with the argument. The value is the variable `$value`. */
  readonly selection: string
}

const USERS: Readonly<Record<string, string>> = {
  breakGlassGrants: 'privacy',
  endBreakGlass: 'privacy',
  reviewBreakGlass: 'privacy',
  revokeUser: 'admin',
  revokeClient: 'admin',
}
/** Literals for the other required arguments of a field. */
const REQUIRED: Readonly<Record<string, string>> = {
  id: '"none"',
  patientId: '"none"',
  reason: '"a reason"',
  finding: 'APPROPRIATE',
  query: '"{ viewer { tenant } }"',
  familyName: '"Name"',
  birthDate: '"1980-01-01"',
}
/** The edge with the most kinds of arguments. */
const EDGE = 'observations'

function positions(): Position[] {
  const ofType = (type: string): GraphQLField<unknown, unknown>[] => {
    const found = schema.getType(type)
    return isObjectType(found) ? Object.values(found.getFields()) : []
  }
  const within = (operation: Position['operation'], field: GraphQLField<unknown, unknown>, wrap: (selection: string) => string) =>
    field.args.map((argument): Position => {
      const others = field.args.filter((other) => other !== argument && isNonNullType(other.type))
      const given = [`${argument.name}: $value`, ...others.map(({ name }) => `${name}: ${REQUIRED[name] ?? ''}`)].join(' ')
      const inner = isScalarType(getNamedType(field.type)) ? '' : '{ __typename }'
      return {
        name: `${field.name}(${argument.name}:)`,
        user: USERS[field.name] ?? 'physician',
        operation,
        type: typeOf(argument),
        selection: wrap(`${field.name}(${given}) ${inner}`),
      }
    })
  return [
    ...ofType('Query').flatMap((field) => within('query', field, (selection) => selection)),
    ...ofType('Mutation').flatMap((field) => within('mutation', field, (selection) => selection)),
    ...ofType('Patient')
      .filter(({ name }) => name === EDGE)
      .flatMap((field) => within('query', field, (selection) => `patient(id: "${id}") { ${selection} }`)),
  ]
}

const typeOf = ({ type }: GraphQLArgument): string => getNamedType(type).name

/** Values as JSON. Its escapes can write half of a surrogate pair, and a source file cannot. */
function values(): (readonly [string, string])[] {
  return [
    ['null', 'null'],
    ['an empty text', '""'],
    ['a space', '" "'],
    ['a zero character', '"\\u0000"'],
    ['controls', '"\\u001b[2J\\u009b\\u007f"'],
    ['half of a pair', '"\\ud800"'],
    ['half of a pair in a text', '"a\\ud800b"'],
    ['the other half', '"\\udc00"'],
    ['two halves in the wrong order', '"\\udc00\\ud800"'],
    ['a half in a list', '["a", ["\\ud800"]]'],
    ['a half as a name', '{"\\ud800": 1}'],
    ['a character beyond the first plane', '"\\ud83d\\ude00"'],
    ['a long text', JSON.stringify('x'.repeat(20_000))],
    ['a long text of three bytes each', JSON.stringify('\u20ac'.repeat(20_000))],
    ['a separator of keys', '"a#b/c|d\\n"'],
    ['a name of a prototype', '"__proto__"'],
    ['another one', '"constructor"'],
    ['an id', JSON.stringify(id)],
    ['the id of a type without records', JSON.stringify(idOf('__proto__'))],
    ['the id of a grant', JSON.stringify(idOf('BreakGlassGrant'))],
    ['a cursor', JSON.stringify(cursor)],
    ['a cursor cut off', JSON.stringify(cursor.slice(0, -3))],
    ['a cursor in another spelling', JSON.stringify(`${cursor}=`)],
    ['a time that is none', '"2020-02-30T25:61:61Z"'],
    ['a year', '"0000"'],
    ['zero', '0'],
    ['minus zero', '-0'],
    ['a fraction', '0.1'],
    ['a large number', '9007199254740992'],
    ['a number beyond all', '1e999'],
    ['true', 'true'],
    ['a list', '["a", null, 1]'],
    ['a deep list', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['an object', '{"__proto__": {"a": 1}, "constructor": null, "toString": "a"}'],
  ]
}

const idOf = (type: string): string =>
  Buffer.concat([Buffer.of(1, type.length), Buffer.from(type), Buffer.alloc(32, 7)]).toString('base64url')

const ANY_VARIABLES = `query ($id: ID!, $first: Int, $after: String, $since: DateTime) {
  patient(id: $id) { observations(first: $first, after: $after, since: $since) { edges { cursor } } } }`

/** Half of a surrogate pair, which a source file cannot hold. */
const HALF = JSON.parse('"\\ud800"') as string

/** Each argument gets each third value of the table, and each value comes to each third argument. All pairs take too long. */
const EVERY = 3

/** In bad weather, services fail on their own. */
const isCalm = process.env[SEED_VARIABLE] === undefined
/** Codes of the gateway's own faults, and of services that fail. */
const FAULTS = ['INTERNAL', ...(isCalm ? ['AUDIT_UNAVAILABLE', 'FIELD_UNAVAILABLE', 'SESSIONS_UNAVAILABLE'] : [])]
const EXPECTED_EVENTS = ['REQUEST', 'BREAK_GLASS']

/** Sends a body as it is. Returns the faults in the answer, and the events for operators besides those of every request. */
async function faultsOf(user: string, body: string, headers: Record<string, string> = {}): Promise<string[]> {
  const from = clinic.events.length
  const request = await clinic.requestOf(user, '', {}, headers)
  const { status, errors } = read(await clinic.gateway.handle({ ...request, body }))
  const codes = errors.map(({ extensions }) => String(extensions['code'])).filter((code) => FAULTS.includes(code))
  const events = clinic.events
    .slice(from)
    .map(({ event }) => event)
    .filter((event) => (isCalm ? !EXPECTED_EVENTS.includes(event) : event === 'INTERNAL'))
  return [...codes, ...events, ...(status === 500 || (isCalm && status > 500) ? [String(status)] : [])]
}

const bodyWith = (query: string, variables: string): string => `{"query": ${JSON.stringify(query)}, "variables": ${variables}}`

describe('no input of a client is a fault of the gateway', () => {
  it('as a variable of the type of its argument', async () => {
    const found: string[] = []
    for (const [place, { name, user, operation, type, selection }] of positions().entries()) {
      for (const [what, value] of values().filter((_, index) => index % EVERY === place % EVERY)) {
        const query = `${operation} ($value: ${type}${value === 'null' ? '' : '!'}) { ${selection} }`
        const faults = await faultsOf(user, bodyWith(query, `{"value": ${value}}`))
        if (faults.length > 0) found.push(`${name} ${what}: ${faults.join(' ')}`)
      }
    }
    expect(found).toEqual([])
  }, 60_000)

  it('as a null for a variable with a default', async () => {
    const found: string[] = []
    for (const { name, user, operation, type, selection } of positions()) {
      const inDefault = ['Int'].includes(type)
        ? '1'
        : type === 'Boolean'
          ? 'true'
          : type === 'BreakGlassFinding'
            ? 'APPROPRIATE'
            : '"a"'
      const query = `${operation} ($value: ${type} = ${inDefault}) { ${selection} }`
      const faults = await faultsOf(user, bodyWith(query, '{"value": null}'))
      if (faults.length > 0) found.push(`${name}: ${faults.join(' ')}`)
    }
    expect(found).toEqual([])
  })

  it.each([
    ['@include', 'query ($value: Boolean = true) { viewer @include(if: $value) { tenant } }'],
    ['@skip', 'query ($value: Boolean = true) { viewer @skip(if: $value) { tenant } }'],
    ['@include below', 'query ($value: Boolean = true) { viewer { tenant @include(if: $value) } }'],
    ['@skip on a fragment', 'query ($value: Boolean = true) { ...F @skip(if: $value) } fragment F on Query { viewer { tenant } }'],
    [
      '@include within a fragment',
      'query ($value: Boolean = true) { ...F } fragment F on Query { viewer { ... @include(if: $value) { tenant } } }',
    ],
  ])('as a null for %s', async (_what, query) => {
    expect(await faultsOf('physician', bodyWith(query, '{"value": null}'))).toEqual([])
  })

  it('as a name', async () => {
    const found: string[] = []
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', '_', 'x'.repeat(10_000)]) {
      for (const query of [
        `query ${name} { ${name}: viewer { ${name}: tenant } }`,
        `query ($${name}: Int) { patients(first: $${name}) { edges { cursor } } }`,
        `query ($${name}: Boolean = true) { viewer @include(if: $${name}) { tenant } }`,
        `{ viewer { ...${name} } } fragment ${name} on Viewer { tenant }`,
        `{ ${name} }`,
        `{ viewer @${name} { tenant } }`,
        `query ($a: ${name}) { viewer { tenant } }`,
      ]) {
        for (const variables of ['{}', `{"${name}": 1}`, `{"${name}": null}`, `{"${name}": true}`]) {
          const faults = await faultsOf('physician', bodyWith(query, variables))
          if (faults.length > 0) found.push(`${query.slice(0, 100)} ${variables.slice(0, 100)}: ${faults.join(' ')}`)
        }
      }
    }
    expect(found).toEqual([])
  })

  it.each([
    ['user-agent'],
    ['apollographql-client-name'],
    ['apollographql-client-version'],
    ['traceparent'],
    ['x-purpose-of-use'],
    ['x-research-study'],
    ['x-forwarded-for'],
    ['accept'],
    ['content-type'],
    ['content-encoding'],
  ])('as the header %s', async (header) => {
    for (const value of ['', HALF, `a${HALF}b`, '\u0000', '\u001b[2J', '__proto__', '\u{1F600}'.repeat(200), 'x'.repeat(9_000)]) {
      for (const user of ['physician', 'researcher']) {
        expect(
          await faultsOf(user, bodyWith('query Q { patients(first: 1) { edges { node { id } } } }', '{}'), { [header]: value }),
        ).toEqual([])
      }
    }
  })

  it('as any text', async () => {
    const queries = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => `{ patient(id: ${JSON.stringify(text)}) { id } }`),
      fc.string({
        unit: fc.constantFrom(
          '{',
          '}',
          '(',
          ')',
          '...',
          '@include',
          '$a',
          ':',
          '"',
          '"""',
          '\\u',
          'd800',
          ' on ',
          'viewer',
          'tenant',
          '#',
          '\n',
        ),
      }),
    )
    const bodies = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .record({ query: queries, variables: fc.jsonValue(), operationName: fc.string({ unit: 'binary' }) })
        .map((body) => JSON.stringify(body)),
      fc
        .jsonValue()
        .map((value) => bodyWith(ANY_VARIABLES, JSON.stringify({ id: value, first: value, after: value, since: value }))),
    )
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        expect(await faultsOf('physician', body)).toEqual([])
      }),
      { numRuns: TEXTS },
    )
  })
})

describe('half of a surrogate pair', () => {
  const codeOf = async (body: string, headers: Record<string, string> = {}): Promise<unknown> => {
    const request = await clinic.requestOf('physician', '', {}, headers)
    return read(await clinic.gateway.handle({ ...request, body })).errors[0]?.extensions['code']
  }

  it('is invalid input in a variable, and no text of GraphQL in a literal', async () => {
    expect(await codeOf(bodyWith('query ($id: ID!) { patient(id: $id) { id } }', '{"id": "\\ud800"}'))).toBe('BAD_USER_INPUT')
    expect(await codeOf(bodyWith('{ patient(id: "\\ud800") { id } }', '{}'))).toBe('GRAPHQL_PARSE_FAILED')
    expect(await codeOf(bodyWith(`{ patient(id: "${HALF}") { id } }`, '{}'))).toBe('GRAPHQL_PARSE_FAILED')
    expect(await codeOf(bodyWith(`{ viewer { tenant } } # ${HALF}`, '{}'))).toBe('GRAPHQL_PARSE_FAILED')
    expect(await codeOf('{"query": "{ viewer { tenant } }", "operationName": "\\ud800"}')).toBe('BAD_REQUEST')
  })

  it('is replaced in a header that only describes the client', async () => {
    const headers = {
      'user-agent': `a${HALF}`,
      'apollographql-client-name': `b${HALF}`,
      'apollographql-client-version': `c${HALF}`,
    }
    const answer = await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id }, headers)
    expect(answer.status).toBe(200)
    const [entry] = await auditOf(clinic, answer)
    expect(entry).toMatchObject({ userAgent: userAgentHash('a\ufffd'), app: 'b\ufffd', appVersion: 'c\ufffd' })
  })
})
