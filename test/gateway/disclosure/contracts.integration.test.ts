import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecordLabel, Role, Sensitivity } from '../../../directives/policy.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { seenOf, seenOfAll, watchCounts } from '../../harness/compared-work.ts'
import { contractedProcess } from '../../harness/contracted-process.ts'
import { type CountedProcess, countedProcess } from '../../harness/counted-requests.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, nodesAt, outcomesOf, RIVERSIDE } from '../asking.ts'
import { contractWith } from '../decide/contracts.ts'

const NOTICE = '42 CFR part 2 prohibits unauthorized use or disclosure of these records.'
const [ETH, HIV] = ['ETH', 'HIV'] as Sensitivity[] as [Sensitivity, Sensitivity]
const RECIPIENT = 'Organization/acme'

/** A payer that reads claims with their diagnoses, and the names of patients. */
const PAYER: Partial<Contract> = {
  roles: new Set(['BILLING'] as Role[]),
  purposes: new Set(['HPAYMT']),
  paths: new Set(['Patient.familyName', 'Patient.claims', 'Claim.status', 'Claim.total', 'Claim.diagnosis'] as SchemaPath[]),
  categories: new Set(['IDENTITY', 'FINANCIAL', 'CLINICAL']),
  sensitivities: new Set([ETH] as RecordLabel[]),
  expiresAt: Date.UTC(2100, 0) as Instant,
}

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let contract: Contract
let process: Awaited<ReturnType<typeof contractedProcess>>
let counted: CountedProcess

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  ward = new Admissions(store)
  const contractOf = ({ roles }: { roles: ReadonlySet<Role> }) => (roles.has('BILLING' as Role) ? contract : undefined)
  process = await contractedProcess(clinic, { contractOf })
  counted = await countedProcess({ ...clinic, another: () => contractedProcess(clinic, { contractOf }) })
})
afterAll(async () => {
  await counted.stop()
  await process.stop()
  await store.close()
  await clinic.stop()
})

const under = (change: Partial<Contract> = {}): void => {
  contract = contractWith({ ...PAYER, ...change })
}
const without = <T>(set: ReadonlySet<T> | undefined, member: string): ReadonlySet<T> =>
  new Set([...(set ?? [])].filter((one) => (one as unknown) !== member))

/** A patient with a claim for each label. The total names the claim in the answer. */
async function admit(
  patient: string,
  labels: readonly (Sensitivity | undefined)[],
  given: readonly Consent[] = [],
): Promise<string> {
  const claims = labels.map((label, number) =>
    ward.record(
      patient,
      'Claim',
      `claim ${number}`,
      { status: 'active', total: number, diagnosis: [{ coding: [], text: label ?? 'none' }] },
      { date: `2024-0${number + 1}-01T00:00:00.000Z`, ...(label !== undefined && { labels: [label] }) },
    ),
  )
  return await ward.write(
    patient,
    [ward.record(patient, 'Patient', '', { familyName: 'Payer', ssn: '123-45-6789' }), ...claims],
    [],
    given,
  )
}

const CLAIMS = `query ($id: ID!) { patient(id: $id) { familyName
  claims(first: 5) { edges { node { id total diagnosis { text } } } pageInfo { hasNextPage } mayBeIncomplete } } }`
const totals = ({ data }: ClinicAnswer): unknown[] => nodesAt(data, 'patient', 'claims').map((node) => at(node, 'total'))
const permitting = (more: Partial<Consent> = {}): Consent => ({
  id: 'c1',
  effect: 'PERMIT',
  labels: [ETH, HIV],
  actor: RECIPIENT,
  ...more,
})

describe('P10: nothing beyond the contract opens, whatever operation arrives', () => {
  it('a path and a category outside: null with the reason CONTRACT, recorded, and not opened', async () => {
    const id = await admit('outside', [undefined])
    const query = 'query ($id: ID!) { patient(id: $id) { familyName ssn claims { edges { node { total status created } } } } }'
    under({ categories: without(PAYER.categories, 'IDENTITY') })
    const answer = await process.ask('billing', query, { id })
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual({
      patient: { familyName: null, ssn: null, claims: { edges: [{ node: { total: 0, status: 'active', created: null } }] } },
    })
    expect(
      answer.errors.map(({ extensions: { coordinate, reason, rule, breakGlass } }) => [coordinate, reason, rule, breakGlass]),
    ).toEqual([
      ['Patient.familyName', 'CONTRACT', undefined, false],
      ['Patient.ssn', 'CONTRACT', undefined, false],
      ['Claim.created', 'CONTRACT', undefined, false],
    ])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
      'Claim.created DENIED CONTRACT',
      'Claim.status DISCLOSED',
      'Claim.total DISCLOSED',
      'Patient.claims DISCLOSED',
      'Patient.familyName DENIED CONTRACT',
      'Patient.ssn DENIED CONTRACT',
    ])
    // the same user without a contract
    expect((await clinic.ask('billing', query, { id })).errors).toEqual([])
  })

  it('an edge, a search and a root outside are denied before anything is loaded', async () => {
    const id = await admit('edge', [undefined])
    under({ paths: new Set(['Claim.total'] as SchemaPath[]) })
    const edge = await process.ask('billing', 'query ($id: ID!) { patient(id: $id) { id } }', { id })
    expect(edge.errors[0]?.extensions).toMatchObject({ coordinate: 'Query.patient', reason: 'CONTRACT' })
    expect(outcomesOf(await auditOf(clinic, edge))).toEqual(['Query.patient DENIED CONTRACT'])
    under()
    const search = await process.ask('billing', '{ patientsByIdentifier(mrn: "123") { edges { node { id } } } }')
    expect(search.data).toEqual({ patientsByIdentifier: null })
    expect(search.errors[0]?.extensions).toMatchObject({ reason: 'CONTRACT' })
    const list = await process.ask('billing', 'query ($id: ID!) { patient(id: $id) { coverages { edges { node { id } } } } }', {
      id,
    })
    expect(at(list.data, 'patient', 'coverages')).toBeNull()
    expect(list.errors[0]?.extensions).toMatchObject({ coordinate: 'Patient.coverages', reason: 'CONTRACT' })
  })

  it.each<[string, Partial<Contract>]>([
    ['an expired contract', { expiresAt: 1 as Instant }],
    ['a contract for another purpose', { purposes: new Set(['HOPERAT']) }],
    ['a contract for another role', { roles: new Set(['PARTNER'] as Role[]) }],
    ['an empty contract', { paths: new Set() }],
  ])('%s gives nothing, not even that a patient exists', async (_, change) => {
    const id = await admit('nothing', [undefined])
    under(change)
    const answer = await process.ask('billing', CLAIMS, { id })
    expect(answer.data).toEqual({ patient: null })
    expect(answer.errors[0]?.extensions).toMatchObject({ reason: 'CONTRACT' })
    const list = await process.ask('billing', '{ patients(first: 5) { edges { node { id } } } }')
    expect(list.data).toEqual({ patients: null })
    const entries = await auditOf(clinic, answer)
    expect(entries.map(({ path, outcome, reason }) => [path, outcome, reason])).toEqual([['Query.patient', 'DENIED', 'CONTRACT']])
  })

  it('a call for which the contract admits no role or purpose is denied', async () => {
    under()
    const end = 'mutation { endSession }'
    expect((await process.ask('billing', end)).errors.map(({ extensions }) => extensions['reason'])).not.toContain('CONTRACT')
    under({ purposes: new Set(['HOPERAT']) })
    const answer = await process.ask('billing', end)
    expect(answer.data).toEqual({ endSession: null })
    expect(answer.errors[0]?.extensions).toMatchObject({ coordinate: 'Mutation.endSession', reason: 'CONTRACT' })
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Mutation.endSession DENIED CONTRACT'])
  })

  it('the audit names the roles in which the caller acts, and the viewer too', async () => {
    const id = await admit('roles', [undefined])
    under({ roles: new Set(['PARTNER'] as Role[]) })
    const answer = await process.ask('billing', 'query ($id: ID!) { viewer { roles mayClaim } patient(id: $id) { familyName } }', {
      id,
    })
    expect(at(answer.data, 'viewer')).toEqual({ roles: [], mayClaim: [] })
    expect((await auditOf(clinic, answer)).map(({ roles }) => roles)).toEqual([[]])
  })

  it('a page larger than the contract is refused', async () => {
    const id = await admit('pages', [undefined])
    under({ maxPage: 4 })
    const answer = await process.ask('billing', CLAIMS, { id })
    expect([answer.status, answer.errors[0]?.extensions['code']]).toEqual([400, 'OPERATION_TOO_COSTLY'])
  })

  it('the plan of an operation says CONTRACT', async () => {
    under()
    const plan = 'query ($query: String!) { explainAccess(query: $query) { paths { path outcome reason } } }'
    const query = '{ patients { edges { node { familyName ssn } } } }'
    const answer = await process.ask('billing', plan, { query })
    expect(at(answer.data, 'explainAccess', 'paths')).toEqual([
      { path: 'Patient.familyName', outcome: 'DEPENDS', reason: null },
      { path: 'Patient.ssn', outcome: 'DENIED', reason: 'CONTRACT' },
    ])
  })
})

describe('P10: a label outside of the contract closes a record as a consent does', () => {
  it('a list leaves it out, and its id looks like an id without a record', async () => {
    const id = await admit('label', [undefined, HIV, undefined])
    under()
    const answer = await process.ask('billing', CLAIMS, { id })
    expect(answer.errors).toEqual([])
    expect(totals(answer)).toEqual([2, 0])
    expect(outcomesOf(await auditOf(clinic, answer))).toContain('Claim.id DENIED CONSENT')
    const one = 'query ($id: ID!) { node(id: $id) { id ... on Claim { total } } }'
    const byId = await process.ask('billing', one, { id: ward.id('label', 'Claim', 'claim 1') })
    const nobody = await process.ask('billing', one, { id: ward.id('label', 'Claim', 'never was') })
    expect(byId.data).toEqual({ node: null })
    expect(bytesOf(byId)).toBe(bytesOf(nobody))
    expect(outcomesOf(await auditOf(clinic, byId))).toEqual(['Claim.total DENIED CONSENT'])
    under({ sensitivities: new Set([ETH, HIV] as RecordLabel[]) })
    expect(totals(await process.ask('billing', CLAIMS, { id }))).toEqual([2, 1, 0])
  })

  it('also if the contract admits no field of the record, and a list asks for ids alone', async () => {
    const id = await admit('bare', [undefined, HIV, ETH])
    under({ paths: new Set(['Patient.familyName', 'Patient.claims'] as SchemaPath[]) })
    const ids = 'query ($id: ID!) { patient(id: $id) { claims { edges { node { id } } } } }'
    expect(nodesAt((await process.ask('billing', ids, { id })).data, 'patient', 'claims')).toHaveLength(1)
  })
})

describe('P10: records of substance use go to the recipient that a consent names (42 CFR 2.31, 2.32, 2.33)', () => {
  it('a consent that names the recipient opens them, with the notice and the scope and id of the consent', async () => {
    const since = Date.UTC(2024, 0) as Instant
    const consent = permitting({ since, purposes: ['HPAYMT'], records: [ward.ref('named', 'Claim', 'claim 1').id] })
    const id = await admit('named', [undefined, ETH], [consent])
    under()
    const answer = await process.ask('billing', CLAIMS, { id })
    expect(totals(answer)).toEqual([1, 0])
    // HIV is a label of the consent that the contract does not admit
    const scope = {
      id: 'c1',
      labels: ['ETH'],
      actor: RECIPIENT,
      purposes: ['HPAYMT'],
      since: '2024-01-01T00:00:00.000Z',
      certainRecords: true,
    }
    expect(at(answer.phi, 'notices')).toEqual([{ text: NOTICE, consents: [scope] }])
    const entries = await auditOf(clinic, answer)
    const ofClaim = entries.filter(({ path, basis }) => path === 'Claim.total' && basis === 'CONSENT')
    expect(ofClaim).toMatchObject([{ basisId: 'c1', outcome: 'DISCLOSED' }])
  })

  it('values that are denied or withheld bring no notice', async () => {
    const id = await admit('withheld', [ETH], [permitting()])
    under({ paths: without(PAYER.paths, 'Claim.total') })
    const denied = await process.ask('billing', 'query ($id: ID!) { patient(id: $id) { claims { edges { node { total } } } } }', {
      id,
    })
    expect(denied.errors[0]?.extensions).toMatchObject({ coordinate: 'Claim.total', reason: 'CONTRACT' })
    expect(denied.text).not.toContain('notices')
  })

  it.each<[string, readonly Consent[]]>([
    ['no consent', []],
    ['a general consent, which names nobody', [permitting({ actor: undefined as never })]],
    ['a consent for another organization', [permitting({ actor: 'Organization/other' })]],
    ['a consent for another purpose', [permitting({ purposes: ['TREAT'] })]],
    ['a denial beside the consent', [permitting(), { id: 'd1', effect: 'DENY', labels: [ETH] }]],
    ['a denial of the recipient', [permitting(), { id: 'd1', effect: 'DENY', labels: [ETH], actor: RECIPIENT }]],
  ])('with %s, the answer and its work equal those for a patient without such records', async (what, consents) => {
    const given = consents.map(({ actor, ...consent }): Consent => ({ ...consent, ...(actor !== undefined && { actor }) }))
    const ids = [await admit(`${what} with`, [undefined, ETH], given), await admit(`${what} none`, [undefined], given)] as const
    under()
    const counts = watchCounts()
    for (const id of ids) await counted.ask('billing', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })
    const [one, other] = await seenOfAll(ids, async (id) => {
      counts.start()
      const work = await counted.ask('billing', CLAIMS, { id })
      return { work, seen: seenOf(work, counts.counts()) }
    })
    counts.stop()
    if (one === undefined || other === undefined) throw new Error('a pair has two patients')
    expect(totals(one.work.answer)).toEqual([0])
    expect(one.seen).toEqual(other.seen)
    expect(one.seen.text).not.toContain('notices')
    expect(outcomesOf(await auditOf(clinic, one.work.answer))).toContain('Claim.id DENIED CONSENT')
  })
})
