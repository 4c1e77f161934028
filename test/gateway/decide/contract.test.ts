import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withinContract } from '../../../gateway/decide/contract.ts'
import { decide, refuseBeforeRecord } from '../../../gateway/decide/decide.ts'
import { firstRefusedInput } from '../../../gateway/decide/decide-inputs.ts'
import { explainPath } from '../../../gateway/decide/explain.ts'
import { maySearch, searchRefused } from '../../../gateway/decide/search-right.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import type { Caller, Decision, Facts } from '../../../gateway/model/decision.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { Coordinate, SchemaPath } from '../../../directives/coordinates.ts'
import type { Category, Grant, PhiPolicy, PurposeOfUse, RecordLabel, Role, Sensitivity } from '../../../directives/policy.ts'
import { VIEWS } from '../../../directives/view-rules.ts'
import { callerWith, clinic, factsOf, NOW, RELATIONSHIPS } from './clinic-policy.ts'
import { consent as anyConsent, LABELS, MARKS } from './consent-arbitraries.ts'
import { contractWith } from './contracts.ts'

const CLAIM = 'Claim.total' as SchemaPath
const RECIPIENT = 'Organization/acme'
const CONTRACT_DENIAL = { outcome: 'DENIED', reason: 'CONTRACT', breakGlass: false } as const

const field = (path: string): PhiPolicy => clinic.policy.phi.get(path as SchemaPath) ?? expect.fail(path)
const payer = (contract: Contract, more: Partial<Caller> = {}): Caller =>
  callerWith(['PARTNER'], 'HPAYMT', { client: 'acme', contract, ...more })
const ofPatient = factsOf(['ORGANIZATION'])

/** Everything that the contract admits, without one member of a set. */
function without<T>(set: ReadonlySet<T>, member: string): ReadonlySet<T> {
  return new Set([...set].filter((one) => (one as unknown) !== member))
}
const full = contractWith()

describe('P10: each part of a contract narrows the decision', () => {
  const labeled: PhiPolicy = { ...field(CLAIM), sensitivity: new Set(['HIV' as Sensitivity]) }
  const cases: readonly [what: string, contract: Contract, policy: PhiPolicy][] = [
    ['a path outside', { ...full, paths: without(full.paths, CLAIM) }, field(CLAIM)],
    ['a category outside', { ...full, categories: without(full.categories, 'FINANCIAL') }, field(CLAIM)],
    ['a sensitivity outside', { ...full, sensitivities: without(full.sensitivities, 'HIV') }, labeled],
    ['a role outside', { ...full, roles: without(full.roles, 'PARTNER') }, field(CLAIM)],
    ['a purpose outside', { ...full, purposes: without(full.purposes, 'HPAYMT') }, field(CLAIM)],
    ['an empty contract', { ...full, paths: new Set(), categories: new Set() }, field(CLAIM)],
  ]

  it.each(cases)('%s is denied, before a record, of a record, and for a search', (_, contract, policy) => {
    const caller = payer(contract)
    expect(decide(policy, payer(full), ofPatient, NOW)).toMatchObject({ outcome: 'GRANTED', rule: 'Claim#3' })
    expect(refuseBeforeRecord(policy, payer(full))).toBeUndefined()
    for (const action of ['READ', 'SEARCH', 'UPDATE'] as const) {
      expect(decide(policy, caller, ofPatient, NOW, action)).toEqual(CONTRACT_DENIAL)
      expect(refuseBeforeRecord(policy, caller, action)).toEqual(CONTRACT_DENIAL)
    }
    expect(maySearch(policy, caller, ofPatient, NOW)).toEqual(CONTRACT_DENIAL)
    expect(searchRefused(policy, caller, NOW)).toEqual(CONTRACT_DENIAL)
  })

  it('an expired contract opens nothing, at the instant of its end', () => {
    const until = (expiresAt: number) => decide(field(CLAIM), payer({ ...full, expiresAt: expiresAt as Instant }), ofPatient, NOW)
    expect(until(NOW + 1)).toMatchObject({ outcome: 'GRANTED' })
    expect(until(NOW)).toEqual(CONTRACT_DENIAL)
  })

  it('only the roles of the contract grant: a second role of the caller is without effect', () => {
    const both = callerWith(['PARTNER', 'BILLING'], 'HPAYMT', { contract: { ...full, roles: new Set(['PARTNER' as Role]) } })
    const ssn = field('Patient.ssn')
    expect(decide(ssn, callerWith(['PARTNER', 'BILLING'], 'HPAYMT'), ofPatient, NOW)).toMatchObject({ outcome: 'MASKED' })
    expect(decide(ssn, both, ofPatient, NOW)).toMatchObject({ outcome: 'DENIED', reason: 'ROLE' })
  })

  it('break-glass extends no contract, and a denial does not offer it', () => {
    const narrow = { ...full, paths: without(full.paths, 'Patient.familyName') }
    const emergency = callerWith(['PHYSICIAN'], 'BTG', { contract: narrow })
    const open = factsOf([], NOW + 1)
    expect(decide(field('Patient.familyName'), { ...emergency, contract: full }, open, NOW)).toMatchObject({ basis: 'BREAK_GLASS' })
    expect(decide(field('Patient.familyName'), emergency, open, NOW)).toEqual(CONTRACT_DENIAL)
  })

  it('a computed value needs each of its inputs in the contract', () => {
    const table = { phi: clinic.policy.phi, computed: new Map([['Claim.balance' as SchemaPath, [CLAIM]]]) }
    const caller = payer({ ...full, paths: without(full.paths, CLAIM) })
    expect(firstRefusedInput(table, 'Claim.balance' as SchemaPath, payer(full), ofPatient, NOW)).toBeUndefined()
    expect(firstRefusedInput(table, 'Claim.balance' as SchemaPath, caller, ofPatient, NOW)).toEqual(CONTRACT_DENIAL)
  })

  it('a path that the schema does not have stays unknown', () => {
    expect(decide(undefined, payer(full), ofPatient, NOW)).toMatchObject({ reason: 'UNKNOWN_FIELD' })
    expect(refuseBeforeRecord(undefined, payer(full))).toMatchObject({ reason: 'UNKNOWN_FIELD' })
  })
})

describe('P10: a plan names the contract', () => {
  it('says CONTRACT for a path outside, with and without a patient', () => {
    const caller = payer({ ...full, paths: without(full.paths, CLAIM) })
    for (const facts of [undefined, ofPatient]) {
      expect(explainPath(clinic.policy, CLAIM, caller, facts, NOW)).toMatchObject({
        outcome: 'DENIED',
        reason: 'CONTRACT',
        breakGlass: false,
      })
    }
    expect(explainPath(clinic.policy, CLAIM, payer(full), undefined, NOW)).toMatchObject({ dependsOn: ['ORGANIZATION'] })
  })

  it('depends on a consent for a label that needs one, and is denied if no consent can name the recipient', () => {
    const phi = new Map([[CLAIM, { ...field(CLAIM), sensitivity: new Set(['ETH' as Sensitivity]) }]])
    const table = { ...clinic.policy, phi }
    const plan = (recipient: Contract['recipient']) => explainPath(table, CLAIM, payer({ ...full, recipient }), undefined, NOW)
    expect(plan(full.recipient)).toMatchObject({ outcome: 'DEPENDS', dependsOn: ['ORGANIZATION', 'CONSENT'] })
    expect(plan({ name: 'Acme', address: '' })).toMatchObject({ outcome: 'DENIED', reason: 'CONSENT' })
  })
})

describe('P10: labels of records under a contract', () => {
  const recordOf = (labels: readonly string[], given: readonly Consent[]): Facts => ({
    ...ofPatient,
    consent: { rules: clinic.policy.consent, given, record: { id: 'r1' as RecordId, labels: new Set(labels as RecordLabel[]) } },
  })
  const permit = (more: Partial<Consent> = {}): Consent => ({
    id: 'c1',
    effect: 'PERMIT',
    labels: ['ETH' as Sensitivity],
    ...more,
  })
  const outcome = (facts: Facts, more: Partial<Caller> = {}, contract = full) => {
    const decision = decide(field(CLAIM), payer(contract, more), facts, NOW)
    return decision.outcome === 'DENIED' ? decision.reason : decision.outcome
  }

  it('a label outside of the contract closes the record as a consent does, whoever opens it without', () => {
    const narrow = { ...full, sensitivities: without(full.sensitivities, 'HIV') }
    expect(outcome(recordOf(['HIV'], []))).toBe('GRANTED')
    expect(outcome(recordOf(['HIV'], []), {}, narrow)).toBe('CONSENT')
    expect(outcome(recordOf(['HIV'], [permit({ actor: RECIPIENT, labels: ['HIV' as Sensitivity] })]), {}, narrow)).toBe('CONSENT')
    expect(outcome(recordOf([], []), {}, narrow)).toBe('GRANTED')
  })

  it.each<[what: string, consent: Consent, caller: Partial<Caller>, expected: string]>([
    ['a permission that names the recipient', permit({ actor: RECIPIENT }), {}, 'GRANTED'],
    ['a permission that names nobody', permit(), {}, 'CONSENT'],
    [
      'a permission for the organization of the token',
      permit({ actor: 'Organization/1' }),
      { organization: 'Organization/1' },
      'CONSENT',
    ],
    ['a permission for the person', permit({ actor: 'Practitioner/1' }), { fhirUser: 'Practitioner/1' }, 'CONSENT'],
    ['a permission for another purpose', permit({ actor: RECIPIENT, purposes: ['TREAT'] }), {}, 'CONSENT'],
    ['a permission for another role', permit({ actor: RECIPIENT, roles: ['NURSE' as Role] }), {}, 'CONSENT'],
    ['an ended permission', permit({ actor: RECIPIENT, until: NOW }), {}, 'CONSENT'],
  ])('a label that needs a permission, with %s', (_, consent, caller, expected) => {
    expect(outcome(recordOf(['ETH'], [consent]), caller)).toBe(expected)
  })

  it('without a reference of the recipient, nothing opens such a label', () => {
    const nameless = { ...full, recipient: { name: 'Acme', address: '' } }
    for (const consent of [permit(), permit({ actor: RECIPIENT })]) {
      expect(outcome(recordOf(['ETH'], [consent]), {}, nameless)).toBe('CONSENT')
    }
  })

  it.each<[what: string, denial: Partial<Consent>, expected: string]>([
    ['nobody', {}, 'CONSENT'],
    ['the recipient', { actor: RECIPIENT }, 'CONSENT'],
    ['the organization of the token', { actor: 'Organization/1' }, 'CONSENT'],
    ['the person', { actor: 'Practitioner/1' }, 'CONSENT'],
    ['another organization', { actor: 'Organization/2' }, 'GRANTED'],
    ['a role that the contract excludes', { roles: ['BILLING' as Role] }, 'CONSENT'],
  ])('a denial for %s: %s', (_, denial, expected) => {
    const caller = { roles: new Set(['PARTNER', 'BILLING'] as Role[]), organization: 'Organization/1', fhirUser: 'Practitioner/1' }
    const contract = { ...full, roles: new Set(['PARTNER' as Role]) }
    const given: Consent[] = [permit({ actor: RECIPIENT }), { id: 'd', effect: 'DENY', ...denial }]
    expect(outcome(recordOf(['ETH'], given), caller, contract)).toBe(expected)
  })

  it('an author needs the permission too, because the recipient is not the author', () => {
    const facts = { ...recordOf(['ETH'], []), relationships: new Set(RELATIONSHIPS) }
    const note: PhiPolicy = {
      ...field(CLAIM),
      grants: field(CLAIM).grants.map((grant) => ({ ...grant, relationship: 'AUTHOR' as Grant['relationship'] })),
    }
    expect(decide(note, callerWith(['PARTNER'], 'HPAYMT'), facts, NOW)).toMatchObject({ outcome: 'GRANTED', basis: 'AUTHOR' })
    expect(decide(note, payer(full), facts, NOW)).toMatchObject({ outcome: 'DENIED', reason: 'CONSENT' })
  })
})

describe('P10: a contract never opens anything', () => {
  const ROLES = ['PARTNER', 'NURSE', 'RESEARCHER'] as Role[]
  const PURPOSES: PurposeOfUse[] = ['TREAT', 'BTG', 'HPAYMT']
  const CATEGORIES: Category[] = ['IDENTITY', 'CLINICAL']
  const PATHS = ['Patient.a', 'Patient.b'] as SchemaPath[]
  const ALL = [...LABELS, ...MARKS] as RecordLabel[]
  const setOf = <T>(of: readonly T[]) => fc.subarray([...of]).map((some): ReadonlySet<T> => new Set(some))
  /** Often all of them: a value opens only if every set admits it. */
  const mostOf = <T>(of: readonly T[]) =>
    fc.oneof({ weight: 3, arbitrary: fc.constant<ReadonlySet<T>>(new Set(of)) }, { weight: 1, arbitrary: setOf(of) })
  const grant = fc.record({
    roles: mostOf(ROLES),
    purposes: mostOf(PURPOSES),
    relationship: fc.constantFrom(...RELATIONSHIPS),
    actions: fc.constant(new Set(['READ', 'SEARCH'] as const)),
    view: fc.constantFrom('FULL' as const, 'YEAR' as const, 'PRESENCE' as const),
    breakGlass: fc.boolean(),
    rule: fc.constantFrom('Patient.a#1', 'Patient.a#2'),
  })
  const policy: fc.Arbitrary<PhiPolicy> = fc.record({
    path: fc.constantFrom(...PATHS),
    coordinate: fc.constant('Patient.a' as Coordinate),
    class: fc.constant('VALUE' as const),
    category: fc.constantFrom(...CATEGORIES),
    sensitivity: fc.uniqueArray(fc.constantFrom(...LABELS), { maxLength: 1 }).map((labels) => new Set(labels)),
    grants: fc.array(grant, { minLength: 1, maxLength: 4 }),
  })
  const contract: fc.Arbitrary<Contract> = fc
    .record({
      roles: mostOf(ROLES),
      purposes: mostOf(PURPOSES),
      paths: mostOf(PATHS),
      categories: mostOf(CATEGORIES),
      sensitivities: mostOf(ALL),
      expiresAt: fc.constantFrom(1_000, 1_001) as fc.Arbitrary<Instant>,
      reference: fc.constantFrom(undefined, 'Organization/1'),
    })
    .map(({ reference, ...parts }) =>
      contractWith({ ...parts, recipient: { name: '', address: '', ...(reference !== undefined && { reference }) } }),
    )
  const facts: fc.Arbitrary<Facts> = fc
    .record({
      relationships: mostOf(RELATIONSHIPS),
      unknown: setOf(RELATIONSHIPS),
      hasBreakGlass: fc.boolean(),
      given: fc.option(fc.array(anyConsent, { maxLength: 3 }), { nil: undefined, freq: 9 }),
      labels: fc.uniqueArray(fc.constantFrom(...ALL), { maxLength: 2 }),
    })
    .map(({ relationships, unknown, hasBreakGlass, given, labels }) => ({
      relationships,
      unknown,
      ...(hasBreakGlass && { breakGlass: { grant: 'b1', until: 2_000 as Instant } }),
      consent: { rules: clinic.policy.consent, given, record: { id: 'r1' as RecordId, labels: new Set(labels) } },
    }))
  const request = fc.record({ policy, contract, facts, roles: mostOf(ROLES), purpose: fc.constantFrom(...PURPOSES) })
  const revealed = (decision: Decision): number => ('view' in decision ? VIEWS[decision.view].rank : 0)

  it('whatever policy, caller, facts and contract: no value opens that the recipient could not open without it', () => {
    const seen = { both: 0, narrowed: 0 }
    const now = 1_000 as Instant
    fc.assert(
      fc.property(request, ({ policy: of, contract: under, facts: known, roles, purpose }) => {
        const { reference } = under.recipient
        const plain = { roles, purpose, ...(reference !== undefined && { organization: reference }) }
        const bound = { ...plain, contract: under }
        for (const action of ['READ', 'SEARCH'] as const) {
          const [open, narrow] = [decide(of, plain, known, now, action), decide(of, bound, known, now, action)]
          expect(revealed(narrow)).toBeLessThanOrEqual(revealed(open))
          if (revealed(narrow) > 0) {
            seen.both++
            expect([...under.paths, ...under.categories]).toEqual(expect.arrayContaining([of.path, of.category]))
            for (const label of [...of.sensitivity, ...(known.consent.record?.labels ?? [])]) {
              expect(under.sensitivities.has(label)).toBe(true)
            }
          } else if (revealed(open) > 0) seen.narrowed++
          // what is refused before a record is refused for each record
          if (refuseBeforeRecord(of, bound, action) !== undefined) expect(narrow.outcome).toBe('DENIED')
          if (refuseBeforeRecord(of, plain, action) !== undefined) expect(refuseBeforeRecord(of, bound, action)).toBeDefined()
        }
        if (searchRefused(of, plain, now) !== undefined) expect(searchRefused(of, bound, now)).toBeDefined()
      }),
      { numRuns: 5_000 },
    )
    // the property must cover both
    expect(seen.both).toBeGreaterThan(200)
    expect(seen.narrowed).toBeGreaterThan(200)
  })
})

describe('P10: the caller within its contract', () => {
  const caller = callerWith(['PARTNER', 'BILLING', 'FRONT_DESK'], 'HPAYMT', {
    client: 'acme',
    mayClaim: ['HPAYMT', 'HOPERAT'],
    seesExistence: true,
  })
  const within = (contract: Contract) => withinContract({ ...caller, contract }, clinic.policy, NOW)

  it('keeps the roles and purposes of the contract, and the knowledge of patients that these roles have', () => {
    const narrow = within({ ...full, roles: new Set(['PARTNER' as Role]), purposes: new Set(['HPAYMT']) })
    expect(narrow).toMatchObject({ roles: new Set(['PARTNER']), mayClaim: ['HPAYMT'], seesExistence: false })
    expect(withinContract(narrow, clinic.policy, NOW)).toEqual(narrow)
    expect(within(full)).toMatchObject({ roles: caller.roles, seesExistence: true })
    const claims = new Set([...full.paths].filter((path) => path.startsWith('Claim.')))
    expect(within({ ...full, paths: claims })).toMatchObject({ roles: caller.roles, seesExistence: false })
  })

  it.each<[string, Partial<Contract>]>([
    ['a contract of another client', { client: 'other' }],
    ['an expired contract', { expiresAt: NOW }],
    ['a contract for other purposes', { purposes: new Set(['TREAT']) }],
    ['a contract with roles that may not claim the purpose', { roles: new Set(['FRONT_DESK' as Role]) }],
  ])('%s leaves no role', (_, change) => {
    expect(within({ ...full, ...change })).toMatchObject({ roles: new Set(), seesExistence: false })
  })

  it('a caller without a contract is unchanged', () => {
    expect(withinContract(caller, clinic.policy, NOW)).toBe(caller)
  })
})
