import { consentVerdict, type Footing } from '../decide/consent.ts'
import { actingRoles, refuseByContract } from '../decide/contract.ts'
import type { AttributeLoader, AttributeSources, SubjectAttributes } from '../access/attribute-loader.ts'
import { isRecordWithinLimits } from '../decide/relationship-limits.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { ConsentSubject } from '../model/consent.ts'
import type { Facts } from '../model/decision.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import type { ListClosure } from '../model/list.ts'
import type { PhiPolicy, RecordLabel, Relationship } from '../../directives/policy.ts'
import type { RecordMetadata } from '../model/record.ts'
import type { OperationRules, RequestIdentity } from './request-parts.ts'

interface VisibilityParts
  extends Pick<RequestIdentity, 'caller' | 'now'>,
    Pick<OperationRules, 'policy'>,
    Pick<AttributeSources, 'relationships'> {}

/** The inputs of decisions: the attributes of caller and patient, and whether a record may be known of. */
export interface Deciding {
  readonly attributes: AttributeLoader
  readonly visibility: RecordVisibility
}

/** CONSENT: the patient's consents close the record. RELATIONSHIP: no relationship of the caller reaches it. */
export type Closure = 'OPEN' | 'CONSENT' | 'RELATIONSHIP' | 'UNKNOWN'

/**
 * Whether the caller may know that a record exists. BY_RECORD: the metadata of the record decides. `doubt` is the failure of a
 * service that could have made the record visible.
 */
export type VisibilityVerdict =
  | { readonly kind: 'VISIBLE' }
  | { readonly kind: 'BY_RECORD' | 'HIDDEN'; readonly doubt: OutcomeReason | undefined }

const NO_LABELS: ReadonlySet<never> = new Set()

function cachedIn<Key, Value>(cache: Map<Key, Value>, key: Key, compute: () => Value): Value {
  const value = cache.get(key) ?? compute()
  cache.set(key, value)
  return value
}

/** The features of a record that consents refer to. */
export function subjectOf({ id }: RecordRef, { labels, references: { encounter } }: RecordMetadata): ConsentSubject {
  return { id, labels: new Set(labels), ...(encounter !== undefined && { encounter }) }
}

/** Decides about patients and records as wholes, before any field: whether the caller may know of them, and whether consents close them. */
export class RecordVisibility {
  readonly #parts: VisibilityParts
  readonly #admitting = new Map<TypeName, ReadonlySet<Relationship>>()
  readonly #granting = new Map<TypeName, ReadonlySet<Relationship>>()
  readonly #admitted = new Map<TypeName, readonly PhiPolicy[]>()
  /** The records that the caller wrote in this request. */
  readonly #written = new Set<string>()

  constructor(parts: VisibilityParts) {
    this.#parts = parts
  }

  /** The caller wrote the record in this request, and so knows that it exists. Each of its fields is still decided. */
  reveal(ref: RecordRef): void {
    this.#written.add(recordKey(ref))
  }

  /** The relationships that could open anything of a type to this caller, by contract, role and purpose. */
  admitting(type: TypeName): ReadonlySet<Relationship> {
    return cachedIn(this.#admitting, type, () => this.#grantedBy(this.#admittedFields(type)))
  }

  /** The relationships that could open anything of a type by role and purpose, whatever paths the contract admits. */
  #grants(type: TypeName): ReadonlySet<Relationship> {
    return cachedIn(this.#granting, type, () => this.#grantedBy(this.#fieldsOf(type)))
  }

  #grantedBy(fields: readonly PhiPolicy[]): ReadonlySet<Relationship> {
    const { caller } = this.#parts
    const acting = actingRoles(caller)
    const grants = fields.flatMap((field) => field.grants)
    const applying = grants.filter(
      ({ roles, purposes, actions }) =>
        actions.has('READ') && purposes.has(caller.purpose) && [...roles].some((role) => acting.has(role)),
    )
    return new Set(applying.map(({ relationship }) => relationship))
  }

  #fieldsOf(type: TypeName): PhiPolicy[] {
    return [...this.#parts.policy.phi.values()].filter(({ path }) => path.startsWith(`${type}.`))
  }

  /** The fields of a type that the contract of the caller admits. */
  #admittedFields(type: TypeName): readonly PhiPolicy[] {
    const { caller, now } = this.#parts
    return cachedIn(this.#admitted, type, () =>
      this.#fieldsOf(type).filter((field) => refuseByContract(field, caller, now) === undefined),
    )
  }

  /** Whether the contract of the caller admits anything of a type. Without a contract, every type is within reach. */
  #isWithinReach(type: TypeName): boolean {
    return this.#parts.caller.contract === undefined || this.#admittedFields(type).length > 0
  }

  /** Whether this caller may learn that a record exists. If the patient has no access manifest, the source must look for the record. */
  isVisible(
    ref: RecordRef,
    listed: number | undefined,
    attributes: { readonly [Name in 'damage' | 'breakGlass' | 'relationships']?: SubjectAttributes[Name] | undefined } | undefined,
  ): boolean {
    if (listed !== undefined || attributes?.damage === 'NO_MANIFEST' || this.#written.has(recordKey(ref))) return true
    if (!this.#isWithinReach(ref.type)) return false
    if (attributes?.breakGlass !== undefined) return true
    if ([...this.admitting(ref.type)].some((name) => attributes?.relationships?.has(name) === true)) return true
    const { caller, policy } = this.#parts
    return caller.seesExistence && policy.records.get(ref.type)?.patient === 'id'
  }

  /** The verdict for a record that the sources were asked for. A missing access manifest makes no record visible here. */
  verdictFor(
    ref: RecordRef,
    listed: number | undefined,
    { relationships, breakGlass, unknown }: Pick<SubjectAttributes, 'relationships' | 'breakGlass' | 'unknown'>,
  ): VisibilityVerdict {
    if (this.isVisible(ref, listed, { relationships, breakGlass })) return { kind: 'VISIBLE' }
    const doubt = [...this.admitting(ref.type)].flatMap((name) => unknown?.get(name) ?? [])[0]
    return { kind: this.ofRecords(ref.type).size > 0 ? 'BY_RECORD' : 'HIDDEN', doubt }
  }

  /** The relationships to single records that could open one of this type. The metadata of each record decides whether they hold. */
  ofRecords(type: TypeName): ReadonlySet<Relationship> {
    const { relationships } = this.#parts
    return new Set([...this.admitting(type)].filter((name) => relationships.get(name)?.ofRecord !== undefined))
  }

  /** Those of them that hold for one record. */
  byRecord(type: TypeName, metadata: Pick<RecordMetadata, 'author'>): ReadonlySet<Relationship> {
    const { relationships, caller } = this.#parts
    return new Set([...this.ofRecords(type)].filter((name) => relationships.get(name)?.ofRecord?.(caller, metadata) === true))
  }

  /** The facts for decisions about one record. @param own relationships that hold for this record only */
  factsOf(
    { relationships, limits, grounds, unknown, breakGlass, consents }: SubjectAttributes,
    record: ConsentSubject,
    own: ReadonlySet<Relationship> = new Set(),
  ): Facts {
    return {
      relationships: own.size === 0 ? relationships : new Set([...relationships, ...own]),
      ...(limits !== undefined && { limits }),
      ...(grounds !== undefined && { grounds }),
      ...(unknown !== undefined && { unknown: new Set(unknown.keys()) }),
      ...(breakGlass !== undefined && { breakGlass }),
      consent: { rules: this.#parts.policy.consent, given: consents, record },
    }
  }

  /** Whether a record is closed to the caller. The default is the metadata of a patient's own record, which has no labels. */
  closureOf(ref: RecordRef, attributes: SubjectAttributes, metadata: RecordMetadata = { open: {}, references: {} }): Closure {
    return this.closed(ref.type, this.factsOf(attributes, subjectOf(ref, metadata), this.byRecord(ref.type, metadata)))
  }

  /**
   * The facts for decisions about a patient without opening anything. HIDDEN: the caller may not know of the patient. UNKNOWN: a
   * failed service or damaged data leaves that open.
   */
  visibilityOf(ref: RecordRef, attributes: SubjectAttributes): Facts | 'HIDDEN' | 'UNKNOWN' {
    const { relationships, unknown, breakGlass, damage } = attributes
    const isVisible = this.isVisible(ref, undefined, { relationships, breakGlass })
    const isDoubtful = [...this.admitting(ref.type)].some((name) => unknown?.has(name) === true)
    if (damage !== undefined || (!isVisible && isDoubtful)) return 'UNKNOWN'
    if (!isVisible) return 'HIDDEN'
    const facts = this.factsOf(attributes, { id: ref.id, labels: NO_LABELS })
    const closed = this.closed(ref.type, facts)
    if (closed !== 'OPEN') return closed === 'UNKNOWN' ? 'UNKNOWN' : 'HIDDEN'
    // relationships to single records stay unknown: only an opened record names its author
    const single = [...this.#parts.relationships].flatMap(([name, { ofRecord }]) => (ofRecord === undefined ? [] : [name]))
    return single.length === 0 ? facts : { ...facts, unknown: new Set([...(facts.unknown ?? []), ...single]) }
  }

  /**
   * The records of a list that are closed, by what the list knows of them: nothing is opened to decide it. A record without labels is
   * closed only by a denial that names records or their encounter, because a denial of everything closes the patient as well.
   */
  closureOfList(type: TypeName, facts: Facts): ListClosure {
    const closesUnlabeled = facts.consent.given?.some(({ effect, records }) => effect === 'DENY' && records !== undefined) === true
    return {
      closesUnlabeled,
      closedBy: ({ id, labels, encounter, author }) => {
        if (labels.length === 0 && !closesUnlabeled) return undefined
        const record = { id, labels: new Set(labels as readonly RecordLabel[]), ...(encounter !== undefined && { encounter }) }
        const own = this.byRecord(type, author === undefined ? {} : { author })
        const relationships = own.size === 0 ? facts.relationships : new Set([...facts.relationships, ...own])
        const closed = this.closed(type, { ...facts, relationships, consent: { ...facts.consent, record } })
        return closed === 'CONSENT' || closed === 'RELATIONSHIP' ? closed : undefined
      },
    }
  }

  /**
   * Whether consents or the limits of relationships close the record as a whole, whatever the caller's basis. A closed record is left
   * out, and only the audit mentions it.
   */
  closed(type: TypeName, facts: Facts): Closure {
    const { caller, now } = this.#parts
    const { relationships, breakGlass, consent } = facts
    const holding = [...this.#grants(type)].filter((name) => relationships.has(name))
    const footings: Footing[] = holding.filter((name) => isRecordWithinLimits(name, facts))
    if (breakGlass !== undefined) footings.push('BREAK_GLASS')
    if (footings.length === 0 && holding.length > 0) return 'RELATIONSHIP'
    const verdicts = footings.map((footing) => consentVerdict(NO_LABELS, footing, caller, consent, now).kind)
    // under a contract, the id of a labeled record alone would reveal a record that the contract or a consent closes
    if (verdicts.length === 0 && caller.contract !== undefined && (consent.record?.labels.size ?? 0) > 0) return 'CONSENT'
    // without any basis each field is denied with its own reason
    if (verdicts.length === 0 || verdicts.includes('OPEN')) return 'OPEN'
    return verdicts.includes('UNKNOWN') ? 'UNKNOWN' : 'CONSENT'
  }
}
