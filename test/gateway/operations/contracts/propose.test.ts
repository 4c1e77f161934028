import { expect, it } from 'vitest'
import type { Contract } from '../../../../gateway/model/contract.ts'
import { contractFaults } from '../../../../gateway/operations/contracts/contract-faults.ts'
import { contractJson } from '../../../../gateway/operations/contracts/contract-text.ts'
import { DEFAULT_VALUES_PER_DAY, proposeContract, type ProposalTerms } from '../../../../gateway/operations/contracts/propose.ts'
import { Prover } from '../../../../gateway/operations/contracts/prove.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import type { ManifestOperation } from '../../../../gateway/operations/persisted/manifest.ts'
import type { PurposeOfUse, Role } from '../../../../directives/policy.ts'
import { clinic, clinicProver, contractOf, dentalProver, faultsOf, NOW, operations, PAYER, without } from './fixtures.ts'
import { generatedOperations } from './generated-operations.ts'

const TERMS: ProposalTerms = {
  client: 'acme',
  recipient: PAYER.recipient,
  expiresAt: contractOf().expiresAt,
  networks: PAYER.networks,
}

const MANIFEST = operations({
  coverage: 'query Coverage($id: ID!) { patient(id: $id) { mrn coverages(first: 5) { edges { node { payor subscriberId } } } } }',
  claims: `query Claims($id: ID!, $since: DateTime, $n: Int = 15) {
    patient(id: $id) { claims(first: $n, since: $since) { edges { node { status total } } } }
  }`,
  byNumber: 'query ByNumber($number: String!) { patientsByIdentifier(memberId: $number, first: 2) { edges { node { id } } } }',
})

const rolesOf = (...names: readonly string[]) => new Set(names as Role[])

/** Leaves out each name of a contract in turn, and returns the faults of all operations together, for each of them. */
function* withoutEach(prover: Prover, contract: Contract, manifest: readonly ManifestOperation[]) {
  const measured = manifest.map(({ text }) => prover.measure(text))
  for (const list of ['paths', 'categories', 'sensitivities', 'roles', 'purposes'] as const) {
    for (const name of contract[list]) {
      const fewer = without(contract, list, name)
      yield { list, name, faults: measured.flatMap((operation) => faultsOf(prover.judge(operation, fewer))) }
    }
  }
}

/** Proves the property of the smallest contract. */
function expectSmallest(prover: Prover, contract: Contract, manifest: readonly ManifestOperation[]): void {
  expect(manifest.flatMap(({ text }) => faultsOf(prover.prove(text, contract)))).toEqual([])
  for (const { list, name, faults } of withoutEach(prover, contract, manifest)) {
    expect(faults, `${list} ${name}`).not.toEqual([])
    if (list === 'paths') expect(new Set(faults)).toEqual(new Set([`${name} NOT_IN_CONTRACT`]))
    if (list === 'categories') expect(faults.every((fault) => fault.endsWith(`CATEGORY ${name}`))).toBe(true)
    if (list === 'sensitivities') expect(faults.every((fault) => fault.endsWith(`SENSITIVITY ${name}`))).toBe(true)
    if (list === 'roles' || list === 'purposes') expect(faults.some((fault) => /NO_GRANT|\.|COST/.test(fault))).toBe(true)
  }
}

it('P10: proposes exactly what the operations of a partner need', () => {
  const { contract, refused } = proposeContract(clinicProver, MANIFEST, TERMS)
  expect(refused).toEqual([])
  expect(contractJson(contract)).toEqual({
    ...{ client: 'acme', recipient: PAYER.recipient, networks: PAYER.networks, expires: PAYER.expires },
    roles: ['PARTNER'],
    purposes: ['HPAYMT'],
    paths: [
      'Claim.created',
      'Claim.status',
      'Claim.total',
      'Coverage.payor',
      'Coverage.subscriberId',
      'Patient.claims',
      'Patient.coverages',
      'Patient.mrn',
    ],
    categories: ['COVERAGE', 'FINANCIAL', 'IDENTITY'],
    sensitivities: [],
    maxPage: 15,
    valuesPerDay: DEFAULT_VALUES_PER_DAY,
  })
  expect(contractFaults(contract, clinic.policy, NOW)).toEqual([])
})

it('P10: without any of its names, an operation fails with exactly that name', () => {
  expectSmallest(clinicProver, proposeContract(clinicProver, MANIFEST, TERMS).contract, MANIFEST)
  const dental = operations({
    a: 'query A($id: ID!) { client(id: $id) { age anxiety } }',
    b: 'query B { clients { edges { node { phone treatments { edges { node { note } } } } } } }',
  })
  const { contract, refused } = proposeContract(dentalProver, dental, { ...TERMS, roles: rolesOf('HYGIENIST', 'DENTIST') })
  expect(refused).toEqual([])
  expect([...contract.roles]).toEqual(['DENTIST'])
  expect([...contract.sensitivities]).toEqual(['DENTAL_ANXIETY'])
  expectSmallest(dentalProver, contract, dental)
})

it('P10: the smallest contract of many generated operations', () => {
  const generated = generatedOperations(clinic.schema, 40)
  for (const roles of [rolesOf('NURSE'), rolesOf('PARTNER', 'BILLING', 'NURSE', 'FRONT_DESK'), rolesOf('RESEARCHER', 'PATIENT')]) {
    const { contract, refused } = proposeContract(clinicProver, generated, { ...TERMS, roles })
    const names = new Set(refused.map(({ operation }) => operation.id))
    const admitted = generated.filter(({ id }) => !names.has(id))
    expect(admitted).not.toEqual([])
    expectSmallest(clinicProver, contract, admitted)
    expect(contractFaults(contract, clinic.policy, NOW)).toEqual([])
  }
})

it('P10: break-glass is no purpose of a proposal, although it would open everything', () => {
  const manifest = operations({ a: 'query A($id: ID!) { patient(id: $id) { mrn } }' })
  const { contract } = proposeContract(clinicProver, manifest, { ...TERMS, roles: rolesOf('NURSE') })
  expect([...contract.purposes]).toEqual(['TREAT'])
})

it('P10: an operation that the roles could never run is refused, and its paths are left out', () => {
  const manifest = operations({
    good: 'query Good($id: ID!) { patient(id: $id) { mrn } }',
    beyond: 'query Beyond($id: ID!) { patient(id: $id) { ssn claims(first: 90) { mayBeIncomplete } } }',
    invalid: 'query Invalid { none }',
    closed: 'query Closed { breakGlassGrants(first: 1) { mayBeIncomplete: edges { cursor } } }',
  })
  const { contract, refused } = proposeContract(clinicProver, manifest, TERMS)
  expect([...contract.paths]).toEqual(['Patient.mrn'])
  expect(contract.maxPage).toBe(1)
  expect(refused.map(({ operation, faults }) => [operation.name, ...faultsOf({ faults })])).toEqual([
    ['Beyond', 'Patient.ssn NO_GRANT'],
    ['Invalid', 'GRAPHQL_VALIDATION_FAILED'],
    ['Closed', 'Query.breakGlassGrants'],
  ])
})

it('P10: keeps a role that only the cost of an operation needs', () => {
  const manifest = operations({ a: 'query A { patients(first: 20) { edges { node { mrn } } } }' })
  const limits = { ...DEFAULT_LIMITS, operation: { ...DEFAULT_LIMITS.operation, PARTNER: 10 } }
  const prover = new Prover({ ...clinic, limits })
  for (const roles of [rolesOf('PARTNER', 'BILLING'), rolesOf('BILLING', 'PARTNER')]) {
    const { contract, refused } = proposeContract(prover, manifest, { ...TERMS, roles })
    expect([[...contract.roles], refused]).toEqual([['BILLING'], []])
  }
})

it('P10: a page size that a required variable sets counts as the default of the schema', () => {
  const manifest = operations({ a: 'query A($n: Int!) { patients(first: $n) { mayBeIncomplete } }' })
  expect(proposeContract(clinicProver, manifest, TERMS).contract.maxPage).toBe(20)
})

it('keeps the roles, purposes and budget that are given', () => {
  const manifest = operations({ a: 'query A($id: ID!) { patient(id: $id) { gender } }' })
  const purposes = new Set(['ETREAT'] as PurposeOfUse[])
  const { contract } = proposeContract(clinicProver, manifest, { ...TERMS, roles: rolesOf('NURSE'), purposes, valuesPerDay: 7 })
  expect([[...contract.roles], [...contract.purposes], contract.valuesPerDay]).toEqual([['NURSE'], ['ETREAT'], 7])
})

it('P10: an operation without PHI still gets one role, and a purpose that it may claim', () => {
  const manifest = operations({ a: 'query A { viewer { userId } }' })
  const roles = rolesOf('PARTNER', 'NURSE')
  const { contract } = proposeContract(clinicProver, manifest, { ...TERMS, roles })
  expect([contract.roles.size, contract.purposes.size]).toEqual([1, 1])
  expect(contractFaults(contract, clinic.policy, NOW)).toEqual([])
})

it('refuses invalid terms, and a schema without roles to choose from', () => {
  expect(() => proposeContract(clinicProver, MANIFEST, { ...TERMS, networks: ['here'] })).toThrow('networks[0]')
  expect(() => proposeContract(dentalProver, [], { ...TERMS, roles: new Set() })).toThrow('roles')
})
