import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decide } from '../../../gateway/decide/decide.ts'
import { demoBundles } from '../../../infra/local/demo/bundles.ts'
import { compilePolicy } from '../../../directives/compile.ts'
import { clinicTypeDefs } from '../../../schema/clinic.ts'
import type { Decision } from '../../../gateway/model/decision.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, Relationship, Role } from '../../../directives/policy.ts'
import { RELATIONSHIPS } from '../decide/clinic-policy.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, nodesAt, outcomesOf, patientsOf, pseudonymOf } from '../asking.ts'

const ON_PANEL = 20
/** The patients of the demo's study. */
const IN_STUDY = 12

let clinic: RunningClinic
let own: string
let onPanel: string
let offPanel: string
let foreign: string
let inStudy: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL + 1, lakeside: 1 })
  own = first(await patientsOf(clinic, 'patient'))
  const nurses = await patientsOf(clinic, 'nurse')
  const panel = await patientsOf(clinic, 'physician')
  onPanel = first(nurses.filter((id) => id !== own))
  offPanel = first((await patientsOf(clinic, 'billing')).filter((id) => !panel.includes(id)))
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
  // the nurse's patients are in the study too
  inStudy = await pseudonymOf(clinic, onPanel)
})
afterAll(() => clinic.stop())

const { policy } = compilePolicy(clinicTypeDefs(), {
  relationships: new Set(RELATIONSHIPS),
})

/** Every field of Patient in one query, by path. */
const SELECTION: Readonly<Record<string, string>> = {
  'Patient.mrn': 'mrn',
  'Patient.ssn': 'ssn',
  'Patient.familyName': 'familyName',
  'Patient.givenName': 'givenName',
  'Patient.birthDate': 'birthDate',
  'Patient.deceasedDate': 'deceasedDate',
  'Patient.gender': 'gender',
  'Patient.phone': 'phone',
  'Patient.email': 'email',
  'Patient.maritalStatus': 'maritalStatus { coding { code } }',
  'Patient.language': 'language',
  'Patient.race': 'race',
  'Patient.ethnicity': 'ethnicity',
  'Patient.address.line': 'address { line }',
  'Patient.address.city': 'address { city }',
  'Patient.address.district': 'address { district }',
  'Patient.address.state': 'address { state }',
  'Patient.address.postalCode': 'address { postalCode }',
  'Patient.address.country': 'address { country }',
  ...Object.fromEntries(
    [...policy.phi.values()]
      .filter(({ path, class: kind }) => kind === 'EDGE' && path.startsWith('Patient.'))
      .map(({ path }) => [path, `${path.split('.')[1] ?? ''}(first: 1) { edges { cursor } }`]),
  ),
}
const EVERYTHING = `query ($id: ID!) { patient(id: $id) { id version ${Object.values(SELECTION).join(' ')} } }`

interface RoleCase {
  readonly user: string
  readonly whose: 'own' | 'onPanel' | 'offPanel' | 'foreign' | 'inStudy'
  readonly role: string
  readonly purpose: PurposeOfUse
  readonly relationships: readonly string[]
}

const idOf = (whose: RoleCase['whose']): string => ({ own, onPanel, offPanel, foreign, inStudy })[whose]

const CASES: readonly RoleCase[] = [
  { user: 'physician', whose: 'onPanel', role: 'PHYSICIAN', purpose: 'TREAT', relationships: ['CARE_TEAM', 'ORGANIZATION'] },
  { user: 'physician', whose: 'offPanel', role: 'PHYSICIAN', purpose: 'TREAT', relationships: ['ORGANIZATION'] },
  { user: 'nurse', whose: 'onPanel', role: 'NURSE', purpose: 'TREAT', relationships: ['CARE_TEAM', 'ORGANIZATION'] },
  { user: 'nurse', whose: 'offPanel', role: 'NURSE', purpose: 'TREAT', relationships: ['ORGANIZATION'] },
  { user: 'frontdesk', whose: 'onPanel', role: 'FRONT_DESK', purpose: 'HOPERAT', relationships: ['ORGANIZATION'] },
  { user: 'billing', whose: 'offPanel', role: 'BILLING', purpose: 'HPAYMT', relationships: ['ORGANIZATION'] },
  { user: 'researcher', whose: 'inStudy', role: 'RESEARCHER', purpose: 'HRESCH', relationships: ['ORGANIZATION'] },
  { user: 'acme', whose: 'onPanel', role: 'PARTNER', purpose: 'HPAYMT', relationships: ['ORGANIZATION'] },
  { user: 'patient', whose: 'own', role: 'PATIENT', purpose: 'PATRQT', relationships: ['SELF', 'ORGANIZATION'] },
  {
    user: 'lakeside-physician',
    whose: 'foreign',
    role: 'PHYSICIAN',
    purpose: 'TREAT',
    relationships: ['CARE_TEAM', 'ORGANIZATION'],
  },
]

/** The only field without a value: the demo gives every patient all fields except the date of death. */
const ABSENT = 'Patient.deceasedDate'
const EDGES = new Set([...policy.phi.values()].filter(({ class: kind }) => kind === 'EDGE').map(({ path }) => path as string))

const valueAt = (answer: ClinicAnswer, path: string): unknown => at(answer.data, 'patient', ...path.split('.').slice(1))

function decisionFor({ role, purpose, relationships }: RoleCase, path: string): Decision {
  const caller = { roles: new Set([role as Role]), purpose }
  const facts = { relationships: new Set(relationships as Relationship[]), consent: { rules: policy.consent, given: [] } }
  return decide(policy.phi.get(path as SchemaPath), caller, facts, Date.now() as Instant)
}

describe('P3: each role gets exactly the values of the policy', () => {
  it('the query selects every PHI field of Patient', () => {
    const fields = [...policy.phi.keys()].filter((path) => path.startsWith('Patient.'))
    expect(Object.keys(SELECTION).toSorted()).toEqual(fields.toSorted())
  })

  it.each(CASES)('$user, a patient $whose', async (asked) => {
    const answer = await clinic.ask(asked.user, EVERYTHING, { id: idOf(asked.whose) })
    expect(answer.status).toBe(200)
    const decisions = Object.keys(SELECTION).map((path) => [path, decisionFor(asked, path)] as const)
    const audit: string[] = []
    const masked: [string, string][] = []
    let given = 0
    for (const [path, decision] of decisions) {
      const errors = answer.errors.filter(({ extensions }) => extensions['coordinate'] === path)
      if (decision.outcome === 'DENIED') {
        expect(valueAt(answer, path), path).toBeNull()
        const { reason, breakGlass } = decision
        expect(errors, path).toMatchObject([
          {
            extensions: {
              code: 'UNAUTHORIZED_FIELD_OR_TYPE',
              reason,
              breakGlass,
              count: 1,
              paths: [path.split('.').with(0, 'patient')],
            },
          },
        ])
        audit.push(`${path} DENIED ${reason}`)
        continue
      }
      expect(errors, path).toEqual([])
      if (path === ABSENT) {
        expect(valueAt(answer, path)).toBeNull()
        audit.push(`${path} ABSENT`)
        continue
      }
      expect(valueAt(answer, path), path).not.toBeNull()
      if (!EDGES.has(path)) given++
      if (decision.outcome === 'MASKED') masked.push([path, decision.view])
      audit.push(decision.outcome === 'MASKED' ? `${path} MASKED ${decision.view}` : `${path} DISCLOSED`)
    }
    expect(answer.phi.resolved).toBe(given)
    expect(answer.phi.denied).toBe(decisions.filter(([, { outcome }]) => outcome === 'DENIED').length)
    expect(answer.phi.masked?.map(({ coordinate, view }) => [coordinate, view]).toSorted()).toEqual(masked.toSorted())
    const tenant = asked.user === 'lakeside-physician' ? 'lakeside' : 'riverside'
    expect(outcomesOf(await auditOf(clinic, answer, tenant as never))).toEqual(audit.toSorted())
  })

  it('a physician learns that break-glass would open a patient outside the panel, but never the SSN', async () => {
    const answer = await clinic.ask('physician', EVERYTHING, { id: offPanel })
    expect(at(answer.data, 'patient', 'id')).toBe(offPanel)
    const byPath = new Map(answer.errors.map(({ extensions }) => [extensions['coordinate'], extensions]))
    expect(byPath.get('Patient.familyName')).toMatchObject({ reason: 'RELATIONSHIP', breakGlass: true })
    expect(byPath.get('Patient.observations')).toMatchObject({ reason: 'RELATIONSHIP', breakGlass: true })
    expect(byPath.get('Patient.ssn')).toMatchObject({ reason: 'ROLE', breakGlass: false })
  })

  it.each(['auditor', 'privacy', 'admin'])(
    '%s gets no patient through any root, and each attempt is recorded once',
    async (user) => {
      const query = 'query ($id: ID!) { patient(id: $id) { familyName } patients { edges { cursor } } node(id: $id) { id } }'
      const answer = await clinic.ask(user, query, { id: own })
      expect(answer.status).toBe(200)
      expect(answer.data).toEqual({ patient: null, patients: null, node: null })
      expect(answer.errors.map(({ extensions }) => [extensions['code'], extensions['coordinate'], extensions['reason']])).toEqual([
        ['UNAUTHORIZED_FIELD_OR_TYPE', 'Query.patient', 'ROLE'],
        ['UNAUTHORIZED_FIELD_OR_TYPE', 'Query.patients', 'ROLE'],
        ['UNAUTHORIZED_FIELD_OR_TYPE', 'Query.node', 'ROLE'],
      ])
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
        'Query.node DENIED ROLE',
        'Query.patient DENIED ROLE',
        'Query.patients DENIED ROLE',
      ])
    },
  )

  it('the values equal those of the patient in the demo data', async () => {
    const answer = await clinic.ask('patient', EVERYTHING, { id: own })
    const [bundle] = demoBundles({ tenant: 'riverside', count: 1 })
    const demo = bundle?.entry.map(({ resource }) => resource).find(({ resourceType }) => resourceType === 'Patient')
    expect(valueAt(answer, 'Patient.familyName')).toBe(at(demo, 'name', 0, 'family'))
    expect(valueAt(answer, 'Patient.givenName')).toEqual(at(demo, 'name', 0, 'given'))
    expect(valueAt(answer, 'Patient.birthDate')).toBe(at(demo, 'birthDate'))
    expect(valueAt(answer, 'Patient.address.postalCode')).toBe(at(demo, 'address', 0, 'postalCode'))
    const ssn = String(at(demo, 'identifier', 1, 'value'))
    expect(ssn).toMatch(/^9\d\d-\d\d-\d{4}$/)
    expect(valueAt(answer, 'Patient.ssn')).toBe(`***-**-${ssn.slice(-4)}`)
    expect(answer.text).not.toContain(ssn)
  })

  it('a researcher gets years and three-digit ZIP codes, never a date or a whole ZIP code', async () => {
    const query =
      '{ patients(first: 100) { edges { node { birthDate address { postalCode state } observations(first: 2) { edges { node { effectiveDateTime } } } } } } }'
    const answer = await clinic.ask('researcher', query)
    const nodes = nodesAt(answer.data, 'patients')
    expect(nodes).toHaveLength(IN_STUDY)
    const birthDates = nodes.map((node) => String(at(node, 'birthDate')))
    for (const year of birthDates) expect(year).toMatch(/^(?:\d{4}|90\+)$/)
    expect(birthDates).toContain('90+')
    const zips = nodes.map((node) => String(at(node, 'address', 'postalCode')))
    for (const zip of zips) expect(zip).toMatch(/^\d{3}$/)
    expect(zips).toContain('000')
    for (const node of nodes)
      for (const observation of nodesAt(node, 'observations')) expect(at(observation, 'effectiveDateTime')).toMatch(/^\d{4}$/)
    expect(answer.phi.masked?.map(({ coordinate, view, count }) => [coordinate, view, count])).toEqual([
      ['Patient.birthDate', 'YEAR', IN_STUDY],
      ['Patient.address.postalCode', 'ZIP3', IN_STUDY],
      ['Observation.effectiveDateTime', 'YEAR', 2 * IN_STUDY],
    ])
  })
})

describe('P9, P12: denied, absent and masked values have different forms', () => {
  it('a denied edge is null with one error, never an empty list', async () => {
    const query = '{ patients(first: 4) { edges { node { familyName observations { edges { node { category } } } } } } }'
    const answer = await clinic.ask('billing', query)
    const nodes = nodesAt(answer.data, 'patients')
    expect(nodes.map((node) => at(node, 'observations'))).toEqual([null, null, null, null])
    const paths = [0, 1, 2, 3].map((index) => ['patients', 'edges', index, 'node', 'observations'])
    expect(answer.errors).toMatchObject([
      {
        path: paths[0],
        extensions: {
          code: 'UNAUTHORIZED_FIELD_OR_TYPE',
          coordinate: 'Patient.observations',
          reason: 'ROLE',
          count: 4,
          paths,
          breakGlass: false,
        },
      },
    ])
    expect(answer.errors).toHaveLength(1)
    const audit = outcomesOf(await auditOf(clinic, answer))
    expect(audit.filter((entry) => entry === 'Patient.observations DENIED ROLE')).toHaveLength(4)
  })

  it('one error covers one path and reason, lists the place of each null, and counts each value once', async () => {
    const query = `query ($id: ID!) {
      a: patient(id: $id) { one: ssn two: ssn }
      b: patient(id: $id) { ssn mrn }
    }`
    const answer = await clinic.ask('physician', query, { id: offPanel })
    expect(
      answer.errors.map(({ path, extensions }) => [path, extensions['coordinate'], extensions['count'], extensions['paths']]),
    ).toEqual([
      [
        ['a', 'one'],
        'Patient.ssn',
        1,
        [
          ['a', 'one'],
          ['a', 'two'],
          ['b', 'ssn'],
        ],
      ],
      [['b', 'mrn'], 'Patient.mrn', 1, [['b', 'mrn']]],
    ])
    expect(answer.phi.denied).toBe(2)
  })

  it('the outcomes of this data leave different audit records', async () => {
    const query = 'query ($id: ID!) { patient(id: $id) { familyName ssn deceasedDate phone careTeam { edges { cursor } } } }'
    const answer = await clinic.ask('billing', query, { id: own })
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
      'Patient.careTeam DENIED ROLE',
      'Patient.deceasedDate DENIED ROLE',
      'Patient.familyName DISCLOSED',
      'Patient.phone DENIED ROLE',
      'Patient.ssn MASKED LAST4',
    ])
    const self = await clinic.ask('patient', 'query ($id: ID!) { patient(id: $id) { deceasedDate } }', { id: own })
    expect(self.data).toEqual({ patient: { deceasedDate: null } })
    expect(self.errors).toEqual([])
    expect(outcomesOf(await auditOf(clinic, self))).toEqual(['Patient.deceasedDate ABSENT'])
  })

  it('every edge is decided by the patient of its target: a care team member and an observation by id', async () => {
    const list = `query ($id: ID!) { patient(id: $id) {
      careTeam { edges { node { id role } } } observations(first: 1) { edges { node { id } } }
    } }`
    const { data } = await clinic.ask('physician', list, { id: onPanel })
    const ids = ['careTeam', 'observations'].map((edge) => at(nodesAt(data, 'patient', edge)[0], 'id'))
    const query = `query ($id: ID!) { node(id: $id) { id ... on CareTeamMember { role } ... on Observation { category patient { mrn } } } }`
    for (const id of ids) {
      expect(at((await clinic.ask('physician', query, { id })).data, 'node', 'id')).toBe(id)
      expect((await clinic.ask('patient', query, { id })).data).toEqual({ node: null })
      expect((await clinic.ask('lakeside-physician', query, { id })).data).toEqual({ node: null })
    }
    const researcher = await clinic.ask('researcher', query, { id: await pseudonymOf(clinic, String(ids[1])) })
    expect(researcher.data).toMatchObject({ node: { category: expect.any(String) as string, patient: { mrn: null } } })
  })

  it('P1: a blocked root is recorded once under its patient, for any number of requests', async () => {
    const query = 'query ($id: ID!) { a: patient(id: $id) { mrn } b: patient(id: $id) { ssn } }'
    const answer = await clinic.ask('auditor', query, { id: own })
    expect(answer.data).toEqual({ a: null, b: null })
    expect(answer.phi.denied).toBe(1)
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Query.patient DENIED ROLE'])
  })

  it('P11: a filter by a field that the caller may not read in full is refused and recorded, together with the list', async () => {
    const query = (filter: string): string =>
      `query ($id: ID!) { patient(id: $id) { observations(${filter}) { edges { node { category } } } } }`
    const subject = await pseudonymOf(clinic, own)
    const refused = await clinic.ask('researcher', query('since: "2020"'), { id: subject })
    expect(refused.data).toEqual({ patient: { observations: null } })
    expect(refused.errors.map(({ extensions }) => extensions['coordinate'])).toEqual(['Observation.effectiveDateTime'])
    expect(await auditOf(clinic, refused)).toMatchObject([
      { path: 'Observation.effectiveDateTime', action: 'SEARCH', outcome: 'DENIED' },
    ])

    const all = nodesAt((await clinic.ask('researcher', query('first: 100'), { id: subject })).data, 'patient', 'observations')
    const some = nodesAt(
      (await clinic.ask('researcher', query('category: "vital-signs", first: 100'), { id: subject })).data,
      'patient',
      'observations',
    )
    expect(some).toEqual(all.filter((node) => at(node, 'category') === 'vital-signs'))
    expect(some.length).toBeGreaterThan(0)
    expect(some.length).toBeLessThan(all.length)
    for (const bad of ['since: "yesterday"', 'since: 5', 'code: ""']) {
      const answer = await clinic.ask('physician', query(bad), { id: onPanel })
      if (bad.startsWith('code')) expect(answer.data).toEqual({ patient: { observations: { edges: [] } } })
      else expect(answer.status).toBe(400)
    }
  })
})
