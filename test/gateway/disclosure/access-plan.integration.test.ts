import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, LAKESIDE, madeUpId, patientsOf, pseudonymOf, RIVERSIDE, workOf } from '../asking.ts'

let clinic: RunningClinic
let own: string
let onPanel: string
let offPanel: string
let foreign: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 21, lakeside: 1 })
  own = first(await patientsOf(clinic, 'patient'))
  const panel = await patientsOf(clinic, 'physician')
  onPanel = first((await patientsOf(clinic, 'nurse')).filter((id) => id !== own))
  offPanel = first((await patientsOf(clinic, 'billing')).filter((id) => !panel.includes(id)))
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
})
afterAll(() => clinic.stop())

const ASK = `query ($q: String!, $id: ID, $name: String) { explainAccess(query: $q, operationName: $name, patientId: $id) {
  purpose policy assumed paths { path action outcome view reason rule grant at dependsOn breakGlass consentCouldClose } } }`

interface Planned {
  readonly path: string
  readonly action: string
  readonly outcome: string
  readonly view: string | null
  readonly reason: string | null
  readonly rule: string | null
  readonly grant: string | null
  readonly at: string | null
  readonly breakGlass: boolean
}
const explain = (user: string, q: string, id?: string, name?: string) => clinic.ask(user, ASK, { q, id, name })
const pathsOf = (answer: ClinicAnswer) => (at(answer.data, 'explainAccess', 'paths') ?? []) as readonly Planned[]

const RECORDS = 'code { text } recordedDate'
const OPERATIONS: Readonly<Record<string, string>> = {
  names: '{ familyName givenName birthDate ssn mrn }',
  address: '{ address { city postalCode line } gender race }',
  aliases: '{ a: ssn ssn: familyName phone }',
  fragments: '{ ...A } fragment A on Patient { birthDate ...B } fragment B on Patient { email language }',
  conditions: '{ conditions(first: 2) { edges { node { code { text } recordedDate } } } }',
  filtered: '{ conditions(first: 2, code: "44054006") { edges { node { code { text } } } } familyName }',
  observations: '{ observations(first: 2) { edges { node { code { text } effectiveDateTime patient { familyName } } } } }',
  skipped: '{ ssn @skip(if: true) familyName @include(if: true) birthDate @include(if: false) }',
  money: '{ claims(first: 1) { edges { node { created } } } coverages(first: 1) { edges { node { payor } } } }',
  careTeam: '{ careTeam(first: 1) { edges { node { role } } } }',
  back: '{ encounters(first: 1) { edges { node { period { start } patient { ssn } } } } }',
  twice: `{ a: conditions(first: 1) { edges { node { ${RECORDS} } } } b: conditions(first: 1) { edges { node { ${RECORDS} } } } }`,
}
const USERS = ['physician', 'nurse', 'frontdesk', 'billing', 'researcher', 'patient', 'acme', 'admin']

describe('C06: an explanation equals the later answer', () => {
  it.each(Object.keys(OPERATIONS))('%s: for every role, with related and unrelated patients', async (name) => {
    let held = 0
    for (const user of USERS) {
      const asked = user === 'researcher' ? [await pseudonymOf(clinic, onPanel)] : [onPanel, offPanel]
      for (const id of user === 'patient' ? [own] : asked) {
        const [body = '', ...fragments] = (OPERATIONS[name] ?? '').split(' fragment ')
        const query = [`query ($id: ID!) { patient(id: $id) ${body} }`, ...fragments].join(' fragment ')
        const [plan, answer] = [await explain(user, query, id), await clinic.ask(user, query, { id })]
        if (user === 'admin') {
          // a supervising role may not know of patients: no explanation, no answer
          expect(at(plan.data, 'explainAccess')).toBeNull()
          expect(at(answer.data, 'patient')).toBeNull()
          continue
        }
        const planned = new Map(pathsOf(plan).map((entry) => [`${entry.action} ${entry.path}`, entry]))
        expect(planned.size).toBeGreaterThan(0)
        const audit = await auditOf(clinic, answer)
        for (const { path, action, outcome, view, reason, rule } of audit) {
          const entry = planned.get(`${action} ${path}`)
          const said = entry && { outcome: entry.outcome, view: entry.view, reason: entry.reason, rule: entry.rule }
          const place = `${user} ${path}`
          if (outcome === 'DENIED') expect(said, place).toMatchObject({ outcome: 'DENIED', reason, rule: rule ?? null })
          else if (outcome === 'MASKED') expect(said, place).toMatchObject({ outcome: 'MASKED', view, rule })
          else if (outcome === 'DISCLOSED') expect(said, place).toMatchObject({ outcome: 'GRANTED', rule })
          else expect(outcome, place).toBe('ABSENT')
          held++
        }
        const recorded = new Set(audit.map(({ path }) => path))
        // a path without a record lies behind a closed edge, or behind an edge without a target
        for (const entry of planned.values()) {
          if (entry.path.startsWith('Patient.') && entry.at === null && entry.action === 'READ')
            expect(recorded).toContain(entry.path)
        }
      }
    }
    expect(held).toBeGreaterThan(10)
  })

  it('names the grant, the reason, and break-glass if it would open the path', async () => {
    const answer = await explain(
      'physician',
      'query ($x: Boolean!) { patient(id: "any") { familyName @skip(if: $x) ssn } }',
      offPanel,
    )
    expect(at(answer.data, 'explainAccess', 'assumed')).toHaveLength(1)
    expect(pathsOf(answer)).toMatchObject([
      { path: 'Patient.familyName', outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: true },
      { path: 'Patient.ssn', outcome: 'DENIED', reason: 'ROLE', rule: 'Patient.ssn#1', breakGlass: false },
    ])
    expect(pathsOf(answer)[1]?.grant).toMatch(/^BILLING, for HPAYMT, with relationship ORGANIZATION, may READ it as LAST4$/)
  })

  it('P11, P12: paths behind a closed edge or a filter are denied by it', async () => {
    const query = '{ patients { edges { node { observations(code: "1") { edges { node { code { text } } } } } } } }'
    const closed = pathsOf(await explain('billing', query, onPanel))
    expect(closed.find(({ path, action }) => path === 'Observation.code' && action === 'READ')).toMatchObject({ outcome: 'DENIED' })
    expect(closed.find(({ path }) => path === 'Patient.observations')).toMatchObject({ outcome: 'DENIED' })
  })

  it('without a patient, an explanation names what it depends on, and reads no relationships', async () => {
    const query = '{ patients { edges { node { familyName ssn } } } }'
    const { result, requests } = await workOf(clinic, () => explain('physician', query))
    expect(pathsOf(result)).toMatchObject([
      { path: 'Patient.familyName', outcome: 'DEPENDS', dependsOn: ['CARE_TEAM'], view: 'FULL' },
      { path: 'Patient.ssn', outcome: 'DENIED', reason: 'ROLE' },
    ])
    expect(requests).toMatchObject({ records: 0, access: 0 })
    expect(await auditOf(clinic, result)).toMatchObject([{ path: 'Query.explainAccess', outcome: 'ABSENT' }])
  })
})

const QUERY = '{ patients { edges { node { familyName birthDate } } } }'

describe('an explanation opens nothing and is audited', () => {
  it('P1: opens and discloses no value, and leaves one record with the patient and the paths', async () => {
    // metadata and values are both opened through it
    const opened = vi.spyOn(SealedRecord, 'open')
    const answer = await explain('physician', QUERY, onPanel)
    expect(opened).toHaveBeenCalledTimes(0)
    await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: onPanel })
    expect(opened).toHaveBeenCalledTimes(1)
    opened.mockRestore()
    expect(answer.phi).toMatchObject({ resolved: 0, masked: [], denied: 0 })
    const entries = await auditOf(clinic, answer)
    expect(entries).toMatchObject([
      {
        path: 'Query.explainAccess',
        action: 'READ',
        outcome: 'DISCLOSED',
        recordType: 'Patient',
        paths: ['Patient.familyName', 'Patient.birthDate'],
      },
    ])
  })

  it('P5: answers a hidden patient like a patient that does not exist', async () => {
    const users = [
      ['patient', onPanel, RIVERSIDE],
      ['patient', foreign, RIVERSIDE],
      ['lakeside-physician', onPanel, LAKESIDE],
    ] as const
    for (const [user, hidden, tenant] of users) {
      // the first request of a process fetches keys
      await explain(user, QUERY, madeUpId())
      const seen = await workOf(clinic, () => explain(user, QUERY, hidden))
      const [missing, garbled] = [
        await workOf(clinic, () => explain(user, QUERY, madeUpId())),
        await workOf(clinic, () => explain(user, QUERY, 'x')),
      ]
      expect(at(seen.result.data, 'explainAccess')).toBeNull()
      for (const other of [missing, garbled]) {
        expect(bytesOf(other.result)).toBe(bytesOf(seen.result))
        expect(other.requests).toEqual(seen.requests)
        expect(await auditOf(clinic, other.result, tenant)).toHaveLength(1)
      }
      expect(await auditOf(clinic, seen.result, tenant)).toMatchObject([{ path: 'Query.explainAccess', outcome: 'DENIED' }])
    }
  })

  it.each([
    ['GRAPHQL_PARSE_FAILED', '{ secret-'],
    ['GRAPHQL_PARSE_FAILED', `{ ${'viewer { userId } '.repeat(2_000)} }`],
    ['GRAPHQL_VALIDATION_FAILED', '{ secret }'],
    ['OPERATION_RESOLUTION_FAILURE', 'query A { viewer { userId } } query B { viewer { userId } }'],
  ])('P8: reports %s of the given operation by code, and quotes nothing', async (code, query) => {
    const answer = await explain('physician', query, onPanel)
    expect(answer.status).toBe(400)
    expect(answer.errors.map(({ extensions }) => extensions)).toEqual([{ code }])
    expect(answer.text).not.toMatch(/secret|userId/)
  })

  const many = (count: number, one: (n: number) => string) => Array.from({ length: count }, (_, n) => one(n)).join(' ')
  const page = 'patients(first: 100) { edges { node { familyName ssn mrn } } }'
  it.each([
    ['deep', `{ patient(id: "a") { ${many(4, () => 'observations { edges { node { patient {')} id ${many(4, () => '} } } }')} } }`],
    ['broad at the top', `{ ${many(21, (n) => `a${n}: viewer { tenant }`)} }`],
    ['of many aliases', `{ viewer { ${many(101, (n) => `a${n}: tenant`)} } }`],
    ['of many directives', `{ viewer { ${many(101, () => 'tenant @include(if: true)')} } }`],
    [
      'unfolding to very much',
      `{ viewer { ...F0 } } ${many(12, (n) => `fragment F${n} on Viewer { ...F${n + 1} ...F${n + 1} }`)} fragment F12 on Viewer { tenant }`,
    ],
    ['of many values', `{ ${many(18, (n) => `a${n}: ${page}`)} }`],
    [
      'of many values, whatever its variables are',
      `query ($n: Int) { ${many(17, (n) => `a${n}: ${page}`)} patients(first: $n) { edges { node { id } } } }`,
    ],
  ])('C06: refuses to explain an operation that its size would exclude from execution: %s', async (_what, query) => {
    const { result, requests } = await workOf(clinic, () => explain('physician', query, onPanel))
    expect(result.status).toBe(400)
    expect(result.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'OPERATION_TOO_COSTLY' }])
    expect(requests).toEqual({ records: 0, access: 0, keys: 0, kms: 0 })
    // the same operation sent for execution is refused too
    const sent = await clinic.ask('physician', query, { n: 1 })
    expect(sent.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'OPERATION_TOO_COSTLY' }])
  })

  it('C06: explains an operation with page sizes that depend on its variables', async () => {
    const answer = await explain('physician', `query ($n: Int) { ${many(18, (n) => `a${n}: ${page.replace('100', '$n')}`)} }`)
    expect(pathsOf(answer).map(({ path }) => path)).toEqual(['Patient.familyName', 'Patient.ssn', 'Patient.mrn'])
  })

  it('C06: applies the limits of the deployment, by kind of role', async () => {
    const { ask } = await clinic.another({ env: { PHI_LIMITS: '{"operation": {"CLINICIAN": 2}}' } })
    const three = '{ patient(id: "a") { familyName ssn mrn } }'
    const codesOf = async (user: string) => (await ask(user, ASK, { q: three })).errors.map(({ extensions }) => extensions['code'])
    expect(await codesOf('physician')).toEqual(['OPERATION_TOO_COSTLY'])
    expect(await codesOf('billing')).toEqual([])
  })

  it('makes one plan for each request: aliases cannot add a second one', async () => {
    const answer = await clinic.ask(
      'nurse',
      `{ a: explainAccess(query: "${QUERY}") { policy } b: explainAccess(query: "${QUERY}") { policy } }`,
    )
    expect(answer.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'OPERATION_TOO_COSTLY' }])
  })
})
