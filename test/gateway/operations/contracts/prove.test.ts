import { expect, it } from 'vitest'
import { proposeContract } from '../../../../gateway/operations/contracts/propose.ts'
import { proofFaultText } from '../../../../gateway/operations/contracts/proof-fault-text.ts'
import { Prover } from '../../../../gateway/operations/contracts/prove.ts'
import { excessOf } from '../../../../gateway/operations/contracts/reach.ts'
import { pageSizes } from '../../../../gateway/operations/page-sizes.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import { parse } from 'graphql'
import { changed, clinic, clinicProver, contractOf, dentalProver, faultsOf, PAYER, without } from './fixtures.ts'

const CLAIMS = 'query Claims($id: ID!) { patient(id: $id) { mrn claims(first: 20) { edges { node { status total } } } } }'

const proved = (text: string, changes: Partial<typeof PAYER> = {}) => faultsOf(clinicProver.prove(text, contractOf(changes)))

it('P10: an operation within its contract is proved', () => {
  expect(proved(CLAIMS)).toEqual([])
})

it('P10: an operation one path beyond the contract fails with exactly that path; added, it passes', () => {
  const wider = CLAIMS.replace('total', 'total created')
  expect(proved(wider)).toEqual(['Claim.created NOT_IN_CONTRACT'])
  expect(proved(wider, { paths: [...PAYER.paths, 'Claim.created'] })).toEqual([])
  expect(proved(CLAIMS, { paths: PAYER.paths.filter((path) => path !== 'Claim.total') })).toEqual(['Claim.total NOT_IN_CONTRACT'])
})

it('P10: names everything that exceeds, in the order of the schema', () => {
  const text = `query All($id: ID!) {
    node(id: $id) { ... on Claim { diagnosis { text } } ... on Patient { ssn claims(first: 21) { edges { cursor } } } }
    breakGlassGrants(first: 1) { edges { node { id } } }
  }`
  expect(proved(text)).toEqual([
    'Claim.diagnosis NOT_IN_CONTRACT',
    'Claim.diagnosis CATEGORY CLINICAL',
    'Patient.ssn NOT_IN_CONTRACT',
    'Patient.ssn NO_GRANT',
    'Query.breakGlassGrants',
    'Patient.claims 21',
  ])
})

it('P10: a condition includes its field, whatever its variable or default', () => {
  for (const condition of ['@include(if: $yes)', '@skip(if: $yes)']) {
    for (const variable of ['$yes: Boolean!', '$yes: Boolean! = false', '$yes: Boolean! = true']) {
      const text = `query A($id: ID!, ${variable}) { patient(id: $id) { mrn ...F ${condition} } } fragment F on Patient { gender }`
      expect(proved(text), text).toEqual(['Patient.gender NOT_IN_CONTRACT', 'Patient.gender CATEGORY DEMOGRAPHIC'])
    }
  }
  expect(proved('query A($id: ID!) { patient(id: $id) { mrn gender @skip(if: true) } }')).toEqual([])
})

it('P10: a page behind a condition counts', () => {
  const text = `query A($id: ID!, $more: Boolean! = false) { patient(id: $id) { claims(first: 1) { mayBeIncomplete }
    all: claims(first: 50) @include(if: $more) { mayBeIncomplete } } }`
  expect(proved(text)).toEqual(['Patient.claims 50'])
})

it('P10: follows aliases, fragments and interfaces to every path', () => {
  const text = `query A($id: ID!) { node(id: $id) { ...F } } fragment F on Node { id ... on Patient { mrn: familyName } }`
  expect(proved(text)).toEqual(['Patient.familyName NOT_IN_CONTRACT'])
})

it('P11: an argument reads its path, given as a literal, a variable or a default', () => {
  const found = ['Claim.created NOT_IN_CONTRACT']
  const claims = (variables: string, argument: string) =>
    `query A($id: ID!${variables}) { patient(id: $id) { claims(first: 1${argument}) { mayBeIncomplete } } }`
  expect(proved(claims('', ' since: "2026"'))).toEqual(found)
  expect(proved(claims(', $since: DateTime', ' since: $since'))).toEqual(found)
  expect(proved(claims(', $since: DateTime = null', ' since: $since'))).toEqual(found)
  expect(proved(claims('', ' since: null'))).toEqual([])
})

it('P11: an argument needs FULL READ or SEARCH for the roles and purposes', () => {
  const text = 'query A { patientsByIdentifier(ssn: "1", mrn: "2", first: 1) { edges { node { id } } } }'
  const contract = { paths: ['Patient.mrn', 'Patient.ssn'], categories: ['IDENTITY'] }
  expect(proved(text, { ...contract, roles: ['FRONT_DESK'], purposes: ['HOPERAT'] })).toEqual([])
  // billing reads the last four digits only
  expect(proved(text, { ...contract, roles: ['BILLING'] })).toEqual(['Patient.ssn NO_GRANT'])
  const reading = 'query A($id: ID!) { patient(id: $id) { ssn } }'
  expect(proved(reading, { ...contract, roles: ['BILLING'] })).toEqual([])
  expect(proved(reading, { ...contract, roles: ['FRONT_DESK'], purposes: ['HOPERAT'] })).toEqual(['Patient.ssn NO_GRANT'])
})

it('P10: a grant counts only if a role of the contract may claim its purpose', () => {
  expect(proved(CLAIMS, { purposes: ['TREAT'] })).toEqual([
    'Claim.status NO_GRANT',
    'Claim.total NO_GRANT',
    'Patient.mrn NO_GRANT',
    'Patient.claims NO_GRANT',
  ])
  expect(proved('query A($id: ID!) { patient(id: $id) { mrn } }', { purposes: ['BTG'], roles: ['NURSE'] })).toEqual([])
})

it('P10: a grant of a purpose that no role may claim any more gives nothing', () => {
  const roles = new Map([...clinic.policy.roles].map(([role, of]) => [role, { ...of, mayClaim: [] }]))
  const prover = new Prover({ ...clinic, policy: { ...clinic.policy, roles }, limits: DEFAULT_LIMITS })
  const number = 'query A { patientsByIdentifier(mrn: "1", first: 1) { edges { node { mrn } } } }'
  expect(faultsOf(prover.prove(number, contractOf()))).toEqual(['Patient.mrn NO_GRANT'])
})

it('P10: the inputs of computed values and views are paths of a contract', () => {
  const age = 'query A($id: ID!) { client(id: $id) { age } }'
  const [operation] = [{ id: '1', name: 'A', text: age }]
  const terms = { client: 'x', recipient: PAYER.recipient, expiresAt: contractOf().expiresAt, networks: PAYER.networks }
  const dentist = proposeContract(dentalProver, [operation], { ...terms, roles: new Set(['DENTIST' as never]) }).contract
  expect([...dentist.paths].toSorted()).toEqual(['Client.age', 'Client.birthDate'])
  expect(faultsOf(dentalProver.prove(age, without(dentist, 'paths', 'Client.birthDate')))).toEqual([
    'Client.birthDate NOT_IN_CONTRACT',
  ])
  // under HOPERAT a hygienist gets the year of birth only, from which no age can be computed
  const hygienist = changed(dentist, { roles: ['HYGIENIST'], purposes: ['HOPERAT'] })
  expect(faultsOf(dentalProver.prove(age, hygienist))).toEqual(['Client.birthDate NO_GRANT'])

  const zip = 'query A($id: ID!) { patient(id: $id) { address { postalCode } } }'
  const research = { roles: ['RESEARCHER'], purposes: ['HRESCH'], paths: ['Patient.address.postalCode'], categories: ['CONTACT'] }
  expect(proved(zip, research)).toEqual(['Patient.address.country NOT_IN_CONTRACT'])
  // a front desk gets the whole code, which needs no country
  expect(proved(zip, { ...research, roles: ['FRONT_DESK'], purposes: ['HOPERAT'] })).toEqual([])
})

it('P10: a path needs its sensitivities', () => {
  const text = 'query A($id: ID!) { client(id: $id) { anxiety } }'
  const contract = contractOf({ roles: ['DENTIST'], purposes: ['TREAT'], paths: ['Client.anxiety'], categories: ['CLINICAL'] })
  expect(faultsOf(dentalProver.prove(text, contract))).toEqual(['Client.anxiety SENSITIVITY DENTAL_ANXIETY'])
  expect(faultsOf(dentalProver.prove(text, changed(contract, { sensitivities: ['DENTAL_ANXIETY'] })))).toEqual([])
})

it('P10: page sizes are those of literals and defaults', () => {
  const page = (variables: string, first: string) =>
    proved(`query A($id: ID!${variables}) { patient(id: $id) { claims${first} { mayBeIncomplete } } }`, { maxPage: 10 })
  expect(page('', '(first: 10)')).toEqual([])
  expect(page('', '(first: 11)')).toEqual(['Patient.claims 11'])
  expect(page('', '')).toEqual(['Patient.claims 20'])
  expect(page('', '(first: null)')).toEqual(['Patient.claims 20'])
  expect(page(', $n: Int', '(first: $n)')).toEqual(['Patient.claims 20'])
  expect(page(', $n: Int = 11', '(first: $n)')).toEqual(['Patient.claims 11'])
  expect(page(', $n: Int = 10', '(first: $n)')).toEqual([])
  expect(page(', $n: Int!', '(first: $n)')).toEqual([])
})

it('P10: a request is checked with the page sizes of its variables', () => {
  const document = parse(
    'query A($n: Int = 10, $more: Boolean! = false) { patients(first: $n) @include(if: $more) { mayBeIncomplete } }',
  )
  const sizes = (variables: Record<string, unknown>) =>
    pageSizes(clinic.schema, document, 'A', variables, 'AS_GIVEN').map(({ size }) => size)
  expect(sizes({})).toEqual([])
  expect(sizes({ more: true })).toEqual([10])
  expect(sizes({ more: true, n: 50 })).toEqual([50])
  expect(sizes({ more: true, n: null })).toEqual([20])
})

it('P10: an operation above the limits of the roles is refused', () => {
  const text = `query A { patients(first: 20) { edges { node { claims(first: 20) { edges { node { status } } } } } } }`
  const limits = { ...DEFAULT_LIMITS, operation: { ...DEFAULT_LIMITS.operation, PARTNER: 400 } }
  const prover = new Prover({ ...clinic, limits })
  expect(faultsOf(prover.prove(text, contractOf()))).toEqual(['COST 420'])
  expect(faultsOf(prover.prove(text, contractOf({ roles: ['PARTNER', 'BILLING'] })))).toEqual([])
  expect(faultsOf(clinicProver.prove(text.replaceAll('20', '100'), undefined))).toEqual(['COST 10100'])
})

it('P10: a page size in a variable counts as its default, or as one', () => {
  const text = (n: string) =>
    `query A($n: ${n}, $m: ${n}) { patients(first: $n) { edges { node { claims(first: $m) { edges { node { status } } } } } } }`
  expect(faultsOf(clinicProver.prove(text('Int!'), contractOf()))).toEqual([])
  expect(faultsOf(clinicProver.prove(text('Int = 100'), contractOf({ maxPage: 100 })))).toEqual(['COST 10100'])
})

it('P10: a document that a request could not have is refused, with its places', () => {
  expect(proved('query A { patient { id } ')).toEqual(['GRAPHQL_PARSE_FAILED'])
  expect(proved('query A { x: \uD800 }')).toEqual(['GRAPHQL_PARSE_FAILED'])
  expect(proved('query A { none }')).toEqual(['GRAPHQL_VALIDATION_FAILED'])
  expect(proved('query A { __schema { types { name } } }')).toEqual(['GRAPHQL_VALIDATION_FAILED'])
  expect(proved('query A { __typename } query B { __typename }')).toEqual(['GRAPHQL_VALIDATION_FAILED'])
  expect(proved('query A($id: ID!) { patient(id: $id) { claims(since: "soon") { mayBeIncomplete } } }')).toEqual(['BAD_USER_INPUT'])
  expect(proved(`query A { ${Array.from({ length: 21 }, (_, place) => `a${place}: viewer { userId }`).join(' ')} }`)).toEqual([
    'OPERATION_TOO_COSTLY',
  ])
  const [fault] = clinicProver.prove('query A {\n  none\n}', contractOf()).faults
  expect(fault && proofFaultText(fault)).toBe('The text is refused with GRAPHQL_VALIDATION_FAILED. Line 2, column 3.')
})

it('P10: without a contract the document, the cost and the page size are checked', () => {
  expect(faultsOf(clinicProver.prove('query A($id: ID!) { patient(id: $id) { ssn } }', undefined))).toEqual([])
  expect(faultsOf(clinicProver.prove('query A { patients(first: 101) { mayBeIncomplete } }', undefined))).toEqual([
    'Query.patients 101',
  ])
  expect(faultsOf(clinicProver.prove('query A { none }', undefined))).toEqual(['GRAPHQL_VALIDATION_FAILED'])
})

it('P3: a path that the policy does not know exceeds every contract', () => {
  const path = 'Patient.none' as SchemaPath
  const contract = { ...contractOf(), paths: new Set([path]) }
  expect(excessOf({ paths: new Set([path]), reads: new Set() }, clinic.policy, contract)).toEqual([{ path, reason: 'UNKNOWN' }])
  const phi = new Map([...clinic.policy.phi].filter(([name]) => name !== 'Patient.mrn'))
  const classes = new Map([...clinic.policy.classes].filter(([name]) => name !== 'Patient.mrn'))
  const prover = new Prover({ ...clinic, policy: { ...clinic.policy, phi, classes }, limits: DEFAULT_LIMITS })
  expect(faultsOf(prover.prove(CLAIMS, contractOf()))).toEqual(['Patient.mrn UNKNOWN'])
  expect(faultsOf(prover.prove(CLAIMS, undefined))).toEqual(['Patient.mrn UNKNOWN'])
})

it('P10: requests are refused by the same paths as proofs', () => {
  const text = 'query A($id: ID!) { patient(id: $id) { mrn gender claims(first: 1, since: "2026") { mayBeIncomplete } } }'
  const { operation, faults } = clinicProver.prove(text, contractOf())
  const atRunTime = operation && excessOf(operation.footprint, clinic.policy, contractOf())
  expect(new Set(atRunTime?.map(({ path, reason }) => `${path} ${reason}`))).toEqual(
    new Set(faults.map((fault) => fault.kind === 'PATH' && `${fault.path} ${fault.reason}`)),
  )
})
