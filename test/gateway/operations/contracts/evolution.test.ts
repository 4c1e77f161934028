import { expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import { evolve } from '../../../../gateway/operations/contracts/evolution.ts'
import type { EvolvingClient } from '../../../../gateway/operations/contracts/evolving-client.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'
import { changed, clinic, contractOf, faultsOf, NOW, operations, PAYER } from './fixtures.ts'

const CLAIMS =
  'query Claims($id: ID!, $since: DateTime) { patient(id: $id) { mrn claims(first: 5, since: $since) { edges { node { status } } } } }'
const NUMBER = 'query Number($id: ID!) { patient(id: $id) { mrn } }'
const contract = contractOf({ paths: [...PAYER.paths, 'Claim.created'] })
const ACME: EvolvingClient = { client: 'acme', contract, operations: operations({ claims: CLAIMS, number: NUMBER }) }

/** The clinic with some texts of its SDL replaced. Each text has to be there. */
function edited(...edits: readonly (readonly [from: string, to: string])[]) {
  const left = new Set(edits)
  const sources = clinicTypeDefs().map(({ name, sdl }) => {
    let text = sdl
    for (const edit of edits) {
      if (text.includes(edit[0])) left.delete(edit)
      text = text.replace(...edit)
    }
    return { name, sdl: text }
  })
  expect([...left]).toEqual([])
  return compilePolicy(sources, { relationships: 'unchecked' })
}

async function evolved(after: typeof clinic, clients: readonly EvolvingClient[] = [ACME], before = clinic) {
  const evolution = await evolve({ before, after, clients, limits: DEFAULT_LIMITS, now: NOW })
  const broken = evolution.broken.map((one) => ({
    operation: `${one.client} ${one.name}`,
    faults: faultsOf(one),
    schema: one.schemaChanges.map(({ criticality, type, path }) => `${criticality} ${type} ${path}`),
    policy: one.policyChanges.map(({ subject, what }) => `${subject} ${what}`),
  }))
  const widened = evolution.widened.map(({ client, name, widenings }) => ({ operation: `${client} ${name}`, widenings }))
  return { ...evolution, broken, widened }
}

const MRN = '  mrn: String\n    @phi(category: IDENTITY, identifier: MRN)\n'
const PARTNER_MRN = `    @searchable
    @workforceComparison(as: PATIENT_NUMBER)
    @minimumNecessary(roles: [PHYSICIAN, NURSE])
    @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)
    @minimumNecessary(roles: [PROXY], purposes: [PATRQT], relationship: PROXY)
    @minimumNecessary(roles: [BILLING, PARTNER], purposes: [HPAYMT], relationship: ORGANIZATION)
`
const withMrn = (grant: string): readonly [string, string] => [
  `${MRN}${PARTNER_MRN}`,
  `${MRN}${PARTNER_MRN.replace('    @minimumNecessary(roles: [BILLING, PARTNER], purposes: [HPAYMT], relationship: ORGANIZATION)\n', grant)}`,
]

it('P10: a change that no operation notices breaks and widens nothing', async () => {
  for (const after of [clinic, edited(['  ssn: String\n', '  ssn: String @minimumNecessary(roles: [NURSE], view: LAST4)\n'])]) {
    expect(await evolved(after)).toMatchObject({ operations: 2, broken: [], widened: [], refusedBefore: [], contracts: [] })
  }
})

it('P10: names the operations that a change of the schema breaks, and the change', async () => {
  const after = edited(['  status: String @phi(category: FINANCIAL)', '  state: String @phi(category: FINANCIAL)'])
  const { broken, contracts, schemaChanges } = await evolved(after)
  expect(broken).toEqual([
    {
      operation: 'acme Claims',
      faults: ['GRAPHQL_VALIDATION_FAILED'],
      schema: ['BREAKING FIELD_REMOVED Claim.status'],
      policy: [],
    },
  ])
  // the inputs of the generated mutations lose the field too
  expect(schemaChanges.map(({ criticality, path }) => `${criticality} ${path}`)).toEqual([
    'BREAKING Claim.status',
    'BREAKING ClaimInput.status',
    'BREAKING ClaimPatch.status',
  ])
  expect(contracts).toEqual([
    { client: 'acme', faults: [expect.objectContaining({ reason: 'UNKNOWN_PATH', name: 'Claim.status' })] },
  ])
})

it('P10: names changes of arguments, types and new required arguments', async () => {
  const causes = async (from: string, to: string) => (await evolved(edited([from, to]))).broken.flatMap(({ schema }) => schema)
  const claims = 'since: DateTime @reads(field: "Claim.created")'
  expect(await causes(claims, `from: DateTime @reads(field: "Claim.created")`)).toEqual([
    'BREAKING FIELD_ARGUMENT_REMOVED Patient.claims.since',
    'DANGEROUS FIELD_ARGUMENT_ADDED Patient.claims.from',
  ])
  expect(await causes(claims, `since: DateTime! @reads(field: "Claim.created")`)).toEqual([
    'BREAKING FIELD_ARGUMENT_TYPE_CHANGED Patient.claims.since',
  ])
  expect(await causes('  patient(id: ID!): Patient\n', '  patient(id: ID!, tenant: ID!): Patient\n')).toEqual([
    ...['BREAKING FIELD_ARGUMENT_ADDED Query.patient.tenant', 'BREAKING FIELD_ARGUMENT_ADDED Query.patient.tenant'],
  ])
})

it('P10: names the operations that a change of the policy breaks', async () => {
  const { broken } = await evolved(edited(withMrn('')))
  expect(broken.map(({ operation, faults }) => [operation, ...faults])).toEqual([
    ['acme Claims', 'Patient.mrn NO_GRANT'],
    ['acme Number', 'Patient.mrn NO_GRANT'],
  ])
  expect(broken[1]?.policy).toContain('Patient.mrn PARTNER for HPAYMT as ORGANIZATION: READ')
  expect(broken[1]?.schema).toEqual([])
})

it('P10: a field that becomes PHI breaks contracts that lack it', async () => {
  const text = operations({ v: 'query Version($id: ID!) { patient(id: $id) { version } }' })
  const client: EvolvingClient = { client: 'acme', contract, operations: text }
  const grant = '@phi(category: IDENTITY) @minimumNecessary(roles: [PARTNER], purposes: [HPAYMT], relationship: ORGANIZATION)'
  const after = edited([
    '  version: Int! @notPhi(because: "a counter that reveals nothing about the patient")\n\n  "The medical',
    `  version: Int ${grant}\n\n  "The medical`,
  ])
  const { broken, widened } = await evolved(after, [client])
  expect(broken.map(({ faults }) => faults)).toEqual([['Patient.version NOT_IN_CONTRACT']])
  expect(widened).toEqual([])
})

it('P10: names the operations that get a path in a less masked view', async () => {
  const last4 = edited(
    withMrn('    @minimumNecessary(roles: [PARTNER], purposes: [HPAYMT], relationship: ORGANIZATION, view: LAST4)\n'),
  )
  const view = {
    kind: 'VIEW',
    path: 'Patient.mrn',
    role: 'PARTNER',
    purpose: 'HPAYMT',
    relationship: 'ORGANIZATION',
    action: 'READ',
  }
  const { widened, policyChanges } = await evolved(clinic, [ACME], last4)
  expect(policyChanges.widened).toContainEqual(expect.objectContaining({ subject: 'Patient.mrn', before: 'LAST4', after: 'FULL' }))
  expect(widened).toEqual([
    { operation: 'acme Claims', widenings: [{ ...view, before: 'LAST4', after: 'FULL' }] },
    { operation: 'acme Number', widenings: [{ ...view, before: 'LAST4', after: 'FULL' }] },
  ])
  expect((await evolved(last4)).widened).toEqual([])
  const presence = edited(
    withMrn('    @minimumNecessary(roles: [PARTNER], purposes: [HPAYMT], relationship: ORGANIZATION, view: PSEUDONYM)\n'),
  )
  expect((await evolved(last4, [ACME], presence)).widened[1]?.widenings).toEqual([{ ...view, before: 'PSEUDONYM', after: 'LAST4' }])
})

it('P10: names the operations that get a path by another relationship, for the roles and purposes of the contract only', async () => {
  const after = edited([
    MRN,
    `${MRN}    @minimumNecessary(roles: [PARTNER, NURSE], purposes: [HPAYMT, PUBHLTH], relationship: CARE_TEAM)\n`,
  ])
  const { widened } = await evolved(after)
  expect(widened[1]?.widenings).toEqual([
    {
      kind: 'VIEW',
      path: 'Patient.mrn',
      role: 'PARTNER',
      purpose: 'HPAYMT',
      relationship: 'CARE_TEAM',
      action: 'READ',
      before: 'none',
      after: 'FULL',
    },
  ])
})

it('P10: names fields that are no longer PHI, sensitivities that are gone, and arguments that read nothing', async () => {
  const open = edited(['  status: String @phi(category: FINANCIAL)', '  status: String @notPhi(because: "for a test")'])
  expect((await evolved(open)).widened).toEqual([
    { operation: 'acme Claims', widenings: [{ kind: 'NOT_PHI', path: 'Claim.status' }] },
  ])
  const labeled = edited([
    '  status: String @phi(category: FINANCIAL)',
    '  status: String @phi(category: FINANCIAL, sensitivity: [HIV])',
  ])
  const client = { ...ACME, contract: changed(contract, { sensitivities: ['HIV'] }) }
  expect((await evolved(clinic, [client], labeled)).widened).toEqual([
    { operation: 'acme Claims', widenings: [{ kind: 'SENSITIVITY', path: 'Claim.status', label: 'HIV' }] },
  ])
  expect((await evolved(labeled)).broken.map(({ faults }) => faults)).toEqual([['Claim.status SENSITIVITY HIV']])
  const unread = edited(['since: DateTime @reads(field: "Claim.created")', 'since: DateTime'])
  expect((await evolved(unread)).widened).toEqual([
    { operation: 'acme Claims', widenings: [{ kind: 'READ', path: 'Claim.created' }] },
  ])
})

it('P10: names paths that the same text selects now', async () => {
  const phi = '@phi(category: CLINICAL)'
  const before = edited(
    ['interface Node {', `interface Dated { status: String ${phi} }\ninterface Node {`],
    ['type Immunization implements Node', 'type Immunization implements Node & Dated'],
  )
  const after = edited(
    ['interface Node {', `interface Dated { status: String ${phi} }\ninterface Node {`],
    ['type Immunization implements Node', 'type Immunization implements Node & Dated'],
    ['type Procedure implements Node', 'type Procedure implements Node & Dated'],
  )
  const text = operations({ any: 'query Any($id: ID!) { node(id: $id) { ... on Dated { status } } }' })
  const portal: EvolvingClient = { client: 'portal', operations: text }
  const lab: EvolvingClient = {
    client: 'lab',
    contract: contractOf({ roles: ['NURSE'], purposes: ['TREAT'], paths: ['Immunization.status'], categories: ['CLINICAL'] }),
    operations: text,
  }
  const { widened, broken } = await evolved(after, [portal, lab], before)
  expect(widened.map(({ operation, widenings }) => [operation, widenings])).toEqual([
    ['portal Any', [{ kind: 'SELECTED', path: 'Procedure.status' }]],
    ['lab Any', [{ kind: 'SELECTED', path: 'Procedure.status' }]],
  ])
  expect(broken).toEqual([
    {
      operation: 'lab Any',
      faults: ['Procedure.status NOT_IN_CONTRACT'],
      schema: ['DANGEROUS OBJECT_TYPE_INTERFACE_ADDED Procedure'],
      policy: [],
    },
  ])
})

it('P10: an operation that was refused before breaks only by new faults', async () => {
  const client: EvolvingClient = { ...ACME, operations: operations({ a: 'query A($id: ID!) { patient(id: $id) { gender mrn } }' }) }
  expect(await evolved(clinic, [client])).toMatchObject({ broken: [], refusedBefore: [{ client: 'acme', id: 'a', name: 'A' }] })
  const { broken, refusedBefore } = await evolved(edited(withMrn('')), [client])
  expect([broken.map(({ faults }) => faults), refusedBefore]).toEqual([[['Patient.mrn NO_GRANT']], []])
})

it('P10: proves each client by its own contract, also with a shared text', async () => {
  const other: EvolvingClient = { ...ACME, client: 'other', contract: contractOf({ client: 'other', paths: ['Patient.mrn'] }) }
  const portal: EvolvingClient = { client: 'portal', operations: ACME.operations }
  const { broken, refusedBefore } = await evolved(edited(withMrn('')), [ACME, other, portal])
  expect(broken.map(({ operation }) => operation)).toEqual(['acme Claims', 'acme Number', 'other Claims', 'other Number'])
  expect(refusedBefore).toEqual([])
})
