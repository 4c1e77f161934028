import { firstRefusedInput } from '../../decide/decide-inputs.ts'
import { decide } from '../../decide/decide.ts'
import { isWithinLimits } from '../../decide/relationship-limits.ts'
import { maySearch } from '../../decide/search-right.ts'
import type { LockTable } from '../../../directives/lock-table.ts'
import type { Action, Grant, PhiPolicy, RecordLabel, Relationship, Sensitivity } from '../../../directives/policy.ts'
import type { Consent } from '../../model/consent.ts'
import type { Decision, Facts, Permit } from '../../model/decision.ts'
import type { Instant, RecordId } from '../../model/ids.ts'
import type { ReplayedCaller } from './replay-caller.ts'
import type { ClaimedAccess, ClaimedBasis } from './replay-claim.ts'
import { dependsOn, notAllowed, REPLAYED, type ReplayFault, type ReplayVerdict } from './replay-verdict.ts'

/** A time before the end of any grant. A record does not have the period of a relationship: the claim that it held is a fact. */
const NOW = 0 as Instant
const OPEN_GRANT = { grant: '', until: 1 as Instant }
const NO_RELATIONSHIPS: ReadonlySet<Relationship> = new Set()
const NO_RECORD = '' as RecordId

/**
 * Decides a disclosure of a PHI path again, by the grant that its rule names and the facts of the record. It is the decision of the
 * gateway, `gateway/decide`, with the one relationship that the record claims.
 *
 * A record has neither labels nor consents. The replay assumes a record without labels and a patient without consents. An outcome that
 * is possible only otherwise depends on them.
 */
export function replayDisclosure(
  lock: LockTable,
  caller: ReplayedCaller,
  claim: ClaimedBasis,
  access: ClaimedAccess,
): ReplayVerdict {
  const policy = lock.phi.get(access.path)
  const { recordType } = claim
  if (policy === undefined || recordType === undefined || !lock.records.has(recordType)) return notAllowed('PATH')
  if (!access.path.startsWith(`${recordType}.`)) return notAllowed('PATH')
  const grant = policy.grants.find(({ rule }) => rule === access.rule)
  if (grant === undefined) return notAllowed('RULE')
  const action = access.action
  if (action !== 'READ' && action !== 'SEARCH') return notAllowed('ACTION')
  // whoever may read a value in full may search by it
  if (!grant.actions.has('READ') && !grant.actions.has(action)) return notAllowed('ACTION')
  // no argument reads a computed value
  if (action === 'SEARCH' && lock.computed.has(access.path)) return notAllowed('ACTION')
  const isFull = grant.view === 'FULL'
  if (access.view !== grant.view || (access.outcome === 'DISCLOSED') !== isFull) return notAllowed('VIEW')
  if (action === 'SEARCH' && !isFull) return notAllowed('VIEW')
  return new GrantReplay(lock, caller, claim, { policy, grant, action }).verdict()
}

/** The grant that a record claims. */
interface Claimed {
  readonly policy: PhiPolicy
  readonly grant: Grant
  readonly action: Action
}

/** Decides again by one grant, for the basis that the record claims. */
export class GrantReplay {
  readonly #lock: LockTable
  readonly #caller: ReplayedCaller
  readonly #claim: ClaimedBasis
  readonly #policy: PhiPolicy
  /** The policy with the claimed grant alone. */
  readonly #single: PhiPolicy
  readonly #grant: Grant
  readonly #action: Claimed['action']

  constructor(lock: LockTable, caller: ReplayedCaller, claim: ClaimedBasis, { policy, grant, action }: Claimed) {
    this.#lock = lock
    this.#caller = caller
    this.#claim = claim
    this.#policy = policy
    this.#single = { ...policy, grants: [grant] }
    this.#grant = grant
    this.#action = action
  }

  verdict(): ReplayVerdict {
    const { basis } = this.#claim
    if (basis === 'BREAK_GLASS') return this.#byBreakGlass()
    if (basis === 'CONSENT') return this.#byConsent()
    return this.#byRelationship()
  }

  #byBreakGlass(): ReplayVerdict {
    const { purpose, study } = this.#caller
    // there is no break-glass in research
    if (purpose !== 'BTG' || study !== undefined || !this.#isBare()) return notAllowed('BREAK_GLASS')
    const facts: Facts = { relationships: NO_RELATIONSHIPS, breakGlass: OPEN_GRANT, consent: this.#consents() }
    const decision = this.#decide(this.#single, facts)
    if (isPermit(decision)) return this.#withInputs(facts, REPLAYED)
    const reason = reasonOf(decision)
    if (reason !== 'CONSENT') return notAllowed(reason === 'ROLE' ? 'ROLE' : 'BREAK_GLASS')
    const permitted = { ...facts, consent: this.#consents(this.#everyConsent()) }
    return isPermit(this.#decide(this.#single, permitted))
      ? this.#withInputs(permitted, dependsOn('CONSENT'))
      : notAllowed('CONSENT')
  }

  /** The record names the consent and not the relationship: it is that of the grant. */
  #byConsent(): ReplayVerdict {
    if (!this.#isBare()) return notAllowed('CONSENT')
    const facts = this.#held()
    const given = this.#everyConsent()
    for (const labels of [[], ...this.#requiredLabels().map((label) => [label])]) {
      const record = { id: NO_RECORD, labels: new Set(labels) }
      const permitted = { ...facts, consent: { ...this.#consents(given), record } }
      const decision = this.#decide(this.#single, permitted)
      if (isPermit(decision) && decision.basis === 'CONSENT') return this.#withInputs(permitted, dependsOn('CONSENT'))
    }
    const decision = this.#decide(this.#single, facts)
    // a patient and an author need no consent
    return notAllowed(isPermit(decision) ? 'CONSENT' : reasonOf(decision))
  }

  #byRelationship(): ReplayVerdict {
    const { basis, basisId, limits } = this.#claim
    const { study } = this.#caller
    if (study === undefined ? basis === 'STUDY' : basis !== 'STUDY' || basisId !== 'STUDY') return notAllowed('STUDY')
    if (limits === 'MALFORMED') return notAllowed('LIMITS')
    const { relationship, rule } = this.#grant
    const facts = this.#held()
    const single = this.#decide(this.#single, facts)
    if (study === undefined && basis !== relationship) {
      const reason = isPermit(single) ? 'RELATIONSHIP' : reasonOf(single)
      return notAllowed(reason === 'LIMITS' ? 'RELATIONSHIP' : reason)
    }
    if (!isPermit(single)) return notAllowed(reasonOf(single))
    // of the grants that one relationship opens, the decision takes the most revealing one
    const decision = this.#decide(this.#policy, facts)
    if (!isPermit(decision) || decision.rule !== rule) return notAllowed('RULE')
    if (limits === 'NONE') return this.#withInputs(facts, REPLAYED)
    const labeled = { id: NO_RECORD, labels: new Set<RecordLabel>(['?']) }
    const isOpenToLabels = isWithinLimits(relationship, this.#policy, { ...facts, consent: { ...facts.consent, record: labeled } })
    return this.#withInputs(facts, isOpenToLabels ? REPLAYED : dependsOn('LABELS'))
  }

  /** Break-glass and consents leave no member of a relationship in a record, and always an id. */
  #isBare(): boolean {
    const { basisId, hasSince, limits } = this.#claim
    return basisId !== 'ABSENT' && !hasSince && limits === 'NONE'
  }

  /** The facts of a caller that has the relationship of the grant and no other. */
  #held(): Facts {
    const { relationship } = this.#grant
    const { limits } = this.#claim
    return {
      relationships: new Set([relationship]),
      ...(typeof limits !== 'string' && { limits: new Map([[relationship, limits]]) }),
      consent: this.#consents(),
    }
  }

  #consents(given: readonly Consent[] = []): Facts['consent'] {
    return { rules: this.#lock.consent, given }
  }

  /** A consent that permits whatever needs one. */
  #everyConsent(): readonly Consent[] {
    return [{ id: 'any', effect: 'PERMIT', labels: this.#requiredLabels() }]
  }

  #requiredLabels(): Sensitivity[] {
    return [...this.#lock.consent].flatMap(([label, { rule, opensTo }]) =>
      rule === 'REQUIRED' && opensTo === 'ANY' ? [label as Sensitivity] : [],
    )
  }

  #decide(policy: PhiPolicy, facts: Facts): Decision {
    return this.#action === 'SEARCH'
      ? maySearch(policy, this.#caller, facts, NOW)
      : decide(policy, this.#caller, facts, NOW, this.#action)
  }

  /** A computed value needs each of its inputs in full. The facts of the record may not open an input that another relationship opens. */
  #withInputs(facts: Facts, verdict: ReplayVerdict): ReplayVerdict {
    const { path } = this.#policy
    const inputs = this.#lock.computed.get(path)
    if (inputs === undefined || firstRefusedInput(this.#lock, path, this.#caller, facts, NOW) === undefined) return verdict
    const names = inputs.flatMap((input) => this.#lock.phi.get(input)?.grants.map(({ relationship }) => relationship) ?? [])
    const best: Facts = {
      ...facts,
      relationships: new Set([...facts.relationships, ...names]),
      ...(this.#caller.study === undefined && { breakGlass: OPEN_GRANT }),
      consent: this.#consents(this.#everyConsent()),
    }
    const refused = firstRefusedInput(this.#lock, path, this.#caller, best, NOW)
    return refused === undefined ? dependsOn('INPUT') : notAllowed('INPUT')
  }
}

const isPermit = (decision: Decision): decision is Permit => decision.outcome === 'GRANTED' || decision.outcome === 'MASKED'

/** The reason of a denial. The relationship of the grant is held, so only its limits can deny for the relationship. */
function reasonOf(decision: Exclude<Decision, Permit>): Extract<ReplayFault, 'ROLE' | 'PURPOSE' | 'LIMITS' | 'CONSENT' | 'RULE'> {
  const reason = decision.outcome === 'DENIED' ? decision.reason : undefined
  if (reason === 'ROLE' || reason === 'PURPOSE' || reason === 'CONSENT') return reason
  // the decision has no other reasons
  return reason === 'RELATIONSHIP' ? 'LIMITS' : 'RULE'
}
