import { consentVerdict, type Footing } from '../decide/consent.ts'
import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { RelationshipRegistry } from '../access/relationships.ts'
import { isRecordWithinLimits } from '../decide/relationship-limits.ts'
import type { ConsentSubject } from '../model/consent.ts'
import type { Caller, Facts } from '../model/decision.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { Instant, RecordId, RecordRef } from '../model/ids.ts'
import type { PolicyTable, Relationship, Sensitivity } from '../../directives/policy.ts'
import type { RecordMetadata } from '../model/record.ts'

interface VisibilityParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly relationships: RelationshipRegistry
}

/** CONSENT: the patient's consents close it. RELATIONSHIP: the relationship that the caller stands in does not reach it. */
type Closure = 'OPEN' | 'CONSENT' | 'RELATIONSHIP' | 'UNKNOWN'

const NO_LABELS: ReadonlySet<Sensitivity> = new Set()

/** What a caller may know of a patient and of their records as wholes, before any field is decided: that there are such, and whether consents close them. */
export class RecordVisibility {
  readonly #parts: VisibilityParts
  readonly #admitting = new Map<TypeName, ReadonlySet<Relationship>>()

  constructor(parts: VisibilityParts) {
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
  isVisible(
    ref: RecordRef,
    listed: number | undefined,
    held: { readonly [Name in 'damage' | 'breakGlass' | 'relationships']?: SubjectAttributes[Name] | undefined } | undefined,
  ): boolean {
    if (listed !== undefined || held?.damage === 'NO_MANIFEST' || held?.breakGlass !== undefined) return true
    if ([...this.admitting(ref.type)].some((name) => held?.relationships?.has(name) === true)) return true
    const { caller, policy } = this.#parts
    return caller.seesExistence && policy.records.get(ref.type)?.patient === 'id'
  }

  /** The relationships to single records that could open one of this type: each record tells, when it is open, whether they hold. */
  ofRecords(type: TypeName): ReadonlySet<Relationship> {
    const { relationships } = this.#parts
    return new Set([...this.admitting(type)].filter((name) => relationships.get(name)?.ofRecord !== undefined))
  }

  /** Those of them that hold for one record. */
  byRecord(type: TypeName, metadata: RecordMetadata): ReadonlySet<Relationship> {
    const { relationships, caller } = this.#parts
    return new Set([...this.ofRecords(type)].filter((name) => relationships.get(name)?.ofRecord?.(caller, metadata) === true))
  }

  /** What decisions about one record stand on. @param own the relationships that hold for this record alone */
  factsOf(
    { relationships, limits, unknown, breakGlass, consents }: SubjectAttributes,
    record: ConsentSubject,
    own: ReadonlySet<Relationship> = new Set(),
  ): Facts {
    return {
      relationships: own.size === 0 ? relationships : new Set([...relationships, ...own]),
      ...(limits !== undefined && { limits }),
      ...(unknown !== undefined && { unknown: new Set(unknown.keys()) }),
      ...(breakGlass !== undefined && { breakGlass }),
      consent: { rules: this.#parts.policy.consent, given: consents, record },
    }
  }

  /** What decisions about a patient stand on of whom nothing is opened, or that this caller may know nothing of them, or that nobody can tell. */
  visibilityOf(ref: RecordRef, known: SubjectAttributes): Facts | 'HIDDEN' | 'UNKNOWN' {
    const { relationships, unknown, breakGlass, damage } = known
    const isVisible = this.isVisible(ref, undefined, { relationships, breakGlass })
    const doubt = [...this.admitting(ref.type)].some((name) => unknown?.has(name) === true)
    if (damage !== undefined || (!isVisible && doubt)) return 'UNKNOWN'
    if (!isVisible) return 'HIDDEN'
    const facts = this.factsOf(known, { id: ref.id, labels: NO_LABELS })
    const closed = this.closed(ref.type, facts)
    if (closed !== 'OPEN') return closed === 'UNKNOWN' ? 'UNKNOWN' : 'HIDDEN'
    // of which records a caller is the author is not found out without opening them
    const single = [...this.#parts.relationships].flatMap(([name, { ofRecord }]) => (ofRecord === undefined ? [] : [name]))
    return single.length === 0 ? facts : { ...facts, unknown: new Set([...(facts.unknown ?? []), ...single]) }
  }

  /**
   * Which records of a list consents close, by the sensitivities that the list tells of them. Whether a consent speaks of one record
   * is known when it is opened: until then a permission may, and a denial may not. So it is with whose record it is.
   */
  closedInList(type: TypeName, facts: Facts): (labels: readonly string[]) => boolean {
    const given = facts.consent.given?.map(({ records, ...consent }) =>
      records === undefined || consent.effect === 'PERMIT' ? consent : { ...consent, records },
    )
    const isByRecord = this.ofRecords(type).size > 0
    return (labels) => {
      if (labels.length === 0 || isByRecord) return false
      const record = { id: '' as RecordId, labels: new Set(labels as readonly Sensitivity[]) }
      const closed = this.closed(type, { ...facts, consent: { ...facts.consent, given, record } })
      return closed === 'CONSENT' || closed === 'RELATIONSHIP'
    }
  }

  /** Why records are left out of a list: where no relationship reaches any that bears a label, consents are not what closes them. */
  leavingOut(type: TypeName, { relationships, limits, breakGlass }: Facts): 'CONSENT' | 'RELATIONSHIP' {
    const held = [...this.admitting(type)].filter((name) => relationships.has(name))
    const isLimited = held.every((name) => limits?.get(name)?.every(({ labeled }) => !labeled) === true)
    return breakGlass === undefined && isLimited ? 'RELATIONSHIP' : 'CONSENT'
  }

  /**
   * Whether consents, or the limits of a relationship, close the record as a whole, on whatever the caller stands: it is then left
   * out, and told to nobody.
   */
  closed(type: TypeName, facts: Facts): Closure {
    const { caller, now } = this.#parts
    const { relationships, breakGlass, consent } = facts
    const held = [...this.admitting(type)].filter((name) => relationships.has(name))
    const footings: Footing[] = held.filter((name) => isRecordWithinLimits(name, facts))
    if (breakGlass !== undefined) footings.push('BREAK_GLASS')
    if (footings.length === 0 && held.length > 0) return 'RELATIONSHIP'
    const verdicts = footings.map((footing) => consentVerdict(NO_LABELS, footing, caller, consent, now).kind)
    // one to whom nothing is open anyway is told so field by field
    if (verdicts.length === 0 || verdicts.includes('OPEN')) return 'OPEN'
    return verdicts.includes('UNKNOWN') ? 'UNKNOWN' : 'CONSENT'
  }
}
