import { consentVerdict, type Footing } from '../access/consent.ts'
import type { KnownFacts } from '../access/patient-facts.ts'
import type { ConsentSubject } from '../vocabulary/consent.ts'
import type { Caller, Facts } from '../vocabulary/decision.ts'
import type { Instant, RecordId, RecordRef, TypeName } from '../vocabulary/ids.ts'
import type { PolicyTable, Relationship, Sensitivity } from '../vocabulary/policy.ts'

interface StandingParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
}

const NO_LABELS: ReadonlySet<Sensitivity> = new Set()

/** What a caller may know of a patient and of their records as wholes, before any field is decided: that there are such, and whether consents close them. */
export class PatientStanding {
  readonly #parts: StandingParts
  readonly #admitting = new Map<TypeName, ReadonlySet<Relationship>>()

  constructor(parts: StandingParts) {
    this.#parts = parts
  }

  /** The relationships that could open anything of a type to this caller, by role and purpose. */
  admitting(type: TypeName): ReadonlySet<Relationship> {
    const known = this.#admitting.get(type)
    if (known !== undefined) return known
    const { policy, caller } = this.#parts
    const names = new Set<Relationship>()
    for (const field of policy.phi.values()) {
      if (!field.path.startsWith(`${type}.`)) continue
      for (const { roles, purposes, actions, relationship } of field.grants) {
        const applies = actions.has('READ') && purposes.has(caller.purpose) && [...roles].some((role) => caller.roles.has(role))
        if (applies) names.add(relationship)
      }
    }
    this.#admitting.set(type, names)
    return names
  }

  /** Whether this caller may learn that a record exists. Where a patient is unrooted, it has to be found out whether there is one. */
  mayKnow(
    ref: RecordRef,
    listed: number | undefined,
    held: { readonly [Name in 'damage' | 'emergency' | 'relationships']?: KnownFacts[Name] | undefined } | undefined,
  ): boolean {
    if (listed !== undefined || held?.damage === 'UNROOTED' || held?.emergency !== undefined) return true
    if ([...this.admitting(ref.type)].some((name) => held?.relationships?.has(name) === true)) return true
    const { caller, policy } = this.#parts
    return caller.seesExistence && policy.records.get(ref.type)?.patient === 'id'
  }

  /** What decisions about one record stand on. */
  factsOf({ relationships, unknown, emergency, consents }: KnownFacts, record: ConsentSubject): Facts {
    return {
      relationships,
      ...(unknown !== undefined && { unknown: new Set(unknown.keys()) }),
      ...(emergency !== undefined && { breakGlass: emergency }),
      consent: { rules: this.#parts.policy.consent, given: consents, record },
    }
  }

  /** What decisions about a patient stand on of whom nothing is opened, or that this caller may know nothing of them, or that nobody can tell. */
  of(ref: RecordRef, known: KnownFacts): Facts | 'HIDDEN' | 'UNKNOWN' {
    const { relationships, unknown, emergency, damage } = known
    const mayKnow = this.mayKnow(ref, undefined, { relationships, emergency })
    const doubt = [...this.admitting(ref.type)].some((name) => unknown?.has(name) === true)
    if (damage !== undefined || (!mayKnow && doubt)) return 'UNKNOWN'
    if (!mayKnow) return 'HIDDEN'
    const facts = this.factsOf(known, { id: ref.id, labels: NO_LABELS })
    const closed = this.closed(ref.type, facts)
    return closed === 'OPEN' ? facts : closed === 'CLOSED' ? 'HIDDEN' : 'UNKNOWN'
  }

  /**
   * Which records of a list consents close, by the sensitivities that the list tells of them. Whether a consent speaks of one record
   * is known when it is opened: until then a permission may, and a denial may not.
   */
  closedInList(type: TypeName, facts: Facts): (labels: readonly string[]) => boolean {
    const given = facts.consent.given?.map(({ records, ...consent }) =>
      records === undefined || consent.effect === 'PERMIT' ? consent : { ...consent, records },
    )
    return (labels) => {
      if (labels.length === 0) return false
      const record = { id: '' as RecordId, labels: new Set(labels as readonly Sensitivity[]) }
      return this.closed(type, { ...facts, consent: { ...facts.consent, given, record } }) === 'CLOSED'
    }
  }

  /** Whether consents close the record as a whole, on whatever the caller stands: it is then left out, and told to nobody. */
  closed(type: TypeName, { relationships, breakGlass, consent }: Facts): 'OPEN' | 'CLOSED' | 'UNKNOWN' {
    const { caller, now } = this.#parts
    const footings: Footing[] = [...this.admitting(type)].filter((name) => relationships.has(name))
    if (breakGlass !== undefined) footings.push('BREAK_GLASS')
    const verdicts = footings.map((footing) => consentVerdict(NO_LABELS, footing, caller, consent, now).kind)
    // one to whom nothing is open anyway is told so field by field
    if (verdicts.length === 0 || verdicts.includes('OPEN')) return 'OPEN'
    return verdicts.includes('UNKNOWN') ? 'UNKNOWN' : 'CLOSED'
  }
}
