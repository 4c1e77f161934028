import DataLoader from 'dataloader'
import { decide } from '../access/decide.ts'
import { type RelationshipRegistry, relationshipsOf } from '../access/relationships.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { UseKey } from '../crypto/tenant-keys.ts'
import { lookupToken } from '../crypto/tokens.ts'
import type { RecordSource, StoredRecord } from '../store/records.ts'
import type { AccessRecord, OutcomeReason } from '../vocabulary/access-record.ts'
import type { Caller, Facts } from '../vocabulary/decision.ts'
import { causeName, type EventSink } from '../vocabulary/events.ts'
import { Failure, IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../vocabulary/failures.ts'
import type { Instant, PatientId, RecordRef, RequestId, SchemaPath, TypeName } from '../vocabulary/ids.ts'
import { encodeNodeId } from '../vocabulary/node-id.ts'
import type { PolicyTable, Relationship } from '../vocabulary/policy.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { PathOutcome } from './path-outcome.ts'
import { RecordView, recordKey, type RecordState } from './record-view.ts'
import { show } from './views.ts'

/** A record that is wanted at some place of the answer, and the PHI paths selected there. */
interface Wanted {
  readonly ref: RecordRef
  readonly paths: ReadonlySet<SchemaPath>
  /** Reached through an edge that is granted, which has told already that it exists. */
  readonly listed: boolean
}

export type Loaded =
  | { readonly kind: 'FOUND'; readonly record: RecordView }
  | { readonly kind: 'NOT_FOUND' }
  | { readonly kind: 'UNAVAILABLE' }

type Entry =
  | { readonly kind: 'FOUND'; readonly state: RecordState }
  | { readonly kind: 'NOT_FOUND'; readonly exists: boolean }
  | { readonly kind: 'UNAVAILABLE'; readonly reason: OutcomeReason }

export interface LoaderOptions {
  readonly requestId: RequestId
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  /** The paths of the operation's footprint that some record could grant to this caller. Nothing else is asked for or opened. */
  readonly grantable: ReadonlySet<SchemaPath>
  readonly source: RecordSource
  readonly relationships: RelationshipRegistry
  readonly keyring: Keyring
  readonly trail: Trail
  readonly counter: DisclosureCounter
  readonly events: EventSink
}

type Settled<T> = { readonly value: T } | { readonly failure: OutcomeReason }

/**
 * The only producer of record objects.
 *
 * What a tick of the answer wants is loaded together: ciphertext, relationship facts and keys in parallel batches. Then all
 * selected paths of a record are decided at once, the granted ones are opened, and every outcome goes to the trail; leaves
 * only read. A value is one record and path per request: opened once and recorded once, however often it is reached.
 */
export class RecordLoader {
  readonly #options: LoaderOptions
  readonly #known = new Map<string, { entry: Entry; paths: Set<SchemaPath> }>()
  /** Records on their way, by key: whoever wants one of them meanwhile waits, or its values would be opened twice (P1). */
  readonly #settling = new Map<string, Promise<void>>()
  /** Hides, in the audit, an id that leads nowhere. */
  #lookup: UseKey<'lookup'> | undefined
  readonly #admitting = new Map<TypeName, ReadonlySet<Relationship>>()
  readonly #batch = new DataLoader<Wanted, Entry>((wanted) => this.#load(wanted), { cache: false })

  constructor(options: LoaderOptions) {
    this.#options = options
  }

  /** The record as this caller may see it, with an outcome for each of the paths. Never throws for what is not there. */
  async load(ref: RecordRef, paths: ReadonlySet<SchemaPath>, { byId = false, listed = false } = {}): Promise<Loaded> {
    const entry = await this.#batch.load({ ref, paths: byId && paths.size === 0 ? new Set([existenceOf(ref)]) : paths, listed })
    return entry.kind === 'FOUND' ? { kind: 'FOUND', record: new RecordView(entry.state) } : { kind: entry.kind }
  }

  async #load(batch: readonly Wanted[]): Promise<Entry[]> {
    const keys = new Set(batch.map(({ ref }) => recordKey(ref)))
    for (let busy = this.#busy(keys); busy.length > 0; busy = this.#busy(keys)) await Promise.all(busy)
    const missing = new Map<string, { ref: RecordRef; paths: Set<SchemaPath>; listed: boolean }>()
    for (const { ref, paths, listed } of batch) {
      const key = recordKey(ref)
      const known = this.#known.get(key)
      const lacking = missing.get(key) ?? { ref, paths: new Set(), listed: false }
      lacking.listed ||= listed
      for (const path of paths) if (known?.paths.has(path) !== true) lacking.paths.add(path)
      if (known === undefined || lacking.paths.size > 0) missing.set(key, lacking)
    }
    const wanted: Wanted[] = []
    for (const [key, { ref, paths, listed }] of missing) {
      const known = this.#known.get(key)
      // what was not there, or could not be had, stays so for this answer: the further paths are recorded alike
      if (known === undefined || known.entry.kind === 'FOUND') wanted.push({ ref, paths, listed })
      else if (known.entry.kind === 'NOT_FOUND') this.#notFound(ref, paths, known.entry.exists)
      else this.#unavailable(ref, paths, known.entry.reason)
      if (known === undefined) continue
      for (const path of paths) known.paths.add(path)
    }
    if (wanted.length > 0) await this.#settleOnce(wanted)
    return batch.map(({ ref }) => this.#known.get(recordKey(ref))?.entry ?? { kind: 'NOT_FOUND', exists: false })
  }

  #busy(keys: ReadonlySet<string>): Promise<void>[] {
    return [...keys].flatMap((key) => this.#settling.get(key) ?? [])
  }

  async #settleOnce(wanted: readonly Wanted[]): Promise<void> {
    const keys = wanted.map(({ ref }) => recordKey(ref))
    const settling = this.#settle(wanted)
    for (const key of keys) this.#settling.set(key, settling)
    try {
      await settling
    } finally {
      for (const key of keys) this.#settling.delete(key)
    }
  }

  async #settle(wanted: readonly Wanted[]): Promise<void> {
    const { caller, now, source, relationships, keyring } = this.#options
    const patients = [...new Set(wanted.map(({ ref }) => ref.patient))]
    const names = new Set(wanted.flatMap(({ ref }) => [...this.admitting(ref.type)]))
    // for a caller who may not learn that a patient exists, a hit must cost what a miss costs
    const read = caller.seesExistence ? 'cached' : 'always'
    const [stored, held, keys, lookup] = await Promise.all([
      this.#settled(this.#fetch(source, wanted)),
      this.#settled(relationshipsOf(relationships, names, caller, patients, now)),
      this.#settled(keyring.patientKeys(caller.tenant, patients, read)),
      this.#settled(keyring.useKey(caller.tenant, 'lookup')),
    ])
    if ('value' in lookup) this.#lookup = lookup.value
    for (const { ref, paths, listed } of wanted) {
      const known = this.#known.get(recordKey(ref))
      const entry = this.#entry({ ref, paths, listed }, stored, held, keys, known?.entry)
      if (known === undefined) this.#known.set(recordKey(ref), { entry, paths: new Set(paths) })
      else if (known.entry.kind === 'FOUND' && entry.kind !== 'FOUND') {
        const outcome: PathOutcome = { outcome: 'UNAVAILABLE', reason: entry.kind === 'UNAVAILABLE' ? entry.reason : 'VERSION' }
        for (const path of paths) known.entry.state.outcomes.set(path, outcome)
      }
    }
  }

  /** One batch for records that need the same attributes; what no record could grant is not asked for. */
  async #fetch(source: RecordSource, wanted: readonly Wanted[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const { caller, policy, grantable } = this.#options
    const groups = new Map<string, { refs: RecordRef[]; paths: ReadonlySet<SchemaPath> }>()
    for (const { ref, paths } of wanted) {
      const asked = [...paths].filter((path) => grantable.has(path) && policy.phi.get(path)?.class === 'VALUE')
      const key = asked.toSorted().join(' ')
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { refs: [ref], paths: new Set(asked) })
      else group.refs.push(ref)
    }
    const stored = await Promise.all([...groups.values()].map(({ refs, paths }) => source.load(caller.tenant, refs, paths)))
    return new Map(stored.flat().map((record) => [recordKey(record.ref), record]))
  }

  #entry(
    { ref, paths, listed }: Wanted,
    stored: Settled<ReadonlyMap<string, StoredRecord>>,
    held: Settled<ReadonlyMap<PatientId, ReadonlySet<Relationship>>>,
    keys: Settled<Awaited<ReturnType<Keyring['patientKeys']>>>,
    before: Entry | undefined,
  ): Entry {
    const { caller, now, policy } = this.#options
    if ('failure' in held) return this.#unavailable(ref, paths, held.failure)
    const facts: Facts = { relationships: held.value.get(ref.patient) ?? new Set() }
    const admitted = [...this.admitting(ref.type)].some((name) => facts.relationships.has(name))
    const mayKnow = admitted || listed || (caller.seesExistence && policy.records.get(ref.type)?.patient === 'id')
    if ('failure' in stored) return this.#unavailable(ref, paths, stored.failure)
    const record = stored.value.get(recordKey(ref))
    if (record === undefined || !mayKnow) {
      // it was there when this request first reached it: what changed since is not what this answer tells of
      if (before?.kind === 'FOUND') return this.#unavailable(ref, paths, 'VERSION')
      return this.#notFound(ref, paths, record !== undefined)
    }
    if ('failure' in keys) return this.#unavailable(ref, paths, keys.failure)

    const patientKeys = keys.value.get(ref.patient)
    if (patientKeys === undefined) return this.#unavailable(ref, paths, 'KEY')
    let sealed: SealedRecord
    try {
      sealed = SealedRecord.open(patientKeys, { tenant: caller.tenant, ...ref }, record.manifest, this.#options.counter)
    } catch (error) {
      return this.#unavailable(ref, paths, this.reason(error, ref))
    }
    const state: RecordState =
      before?.kind === 'FOUND'
        ? before.state
        : { ref, version: sealed.version, metadata: sealed.metadata, facts, outcomes: new Map() }
    // what was given before is of another version: the two must not stand in one answer
    if (state.version !== sealed.version) return this.#unavailable(ref, paths, 'VERSION')
    for (const path of paths) state.outcomes.set(path, this.#outcome(path, sealed, record, facts, now))
    return { kind: 'FOUND', state }
  }

  #outcome(path: SchemaPath, sealed: SealedRecord, record: StoredRecord, facts: Facts, now: Instant): PathOutcome {
    const { caller, policy, counter } = this.#options
    const field = policy.phi.get(path)
    if (path === existenceOf(record.ref)) {
      this.#note({ ...where(record.ref), recordVersion: sealed.version, path, action: 'READ', outcome: 'DISCLOSED' })
      return { outcome: 'ABSENT' }
    }
    const at = { ...where(record.ref), recordVersion: sealed.version, path, action: 'READ' } as const
    const decision = decide(field, caller, facts, now)
    if (decision.outcome === 'DENIED') {
      counter.denied++
      const { reason, rule } = decision
      this.#note({ ...at, outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) })
      return { outcome: 'DENIED', denial: decision }
    }
    // the edge itself is recorded when it is known how many records it gave
    if (field?.class === 'EDGE') return { outcome: 'PERMITTED', permit: decision }

    const { view, rule, basis, basisId } = decision
    const permitted = { ...at, rule, basis: basisId === undefined ? basis : `${basis} ${basisId}` } as const
    const attribute = record.fields.get(path)
    const verdict = sealed.verdict(path, attribute)
    if (verdict === 'ABSENT' || (verdict === 'OPEN' && attribute === undefined)) {
      this.#note({ ...permitted, outcome: 'ABSENT' })
      return { outcome: 'ABSENT' }
    }
    try {
      if (verdict === 'INTEGRITY' || attribute === undefined) throw new IntegrityFailure()
      const value = show(view, sealed.openField(path, attribute), now)
      // a view that cannot read a value shows nothing of it
      if (value !== null) counter.resolved++
      const outcome = decision.outcome === 'MASKED' ? 'MASKED' : 'DISCLOSED'
      this.#note({ ...permitted, view, outcome })
      return outcome === 'MASKED' ? { outcome, value, view } : { outcome, value }
    } catch (error) {
      const reason = this.reason(error, record.ref, path)
      this.#note({ ...permitted, outcome: 'UNAVAILABLE', reason })
      return { outcome: 'UNAVAILABLE', reason }
    }
  }

  /** The relationships that could open anything of a type to this caller, by role and purpose. */
  admitting(type: TypeName): ReadonlySet<Relationship> {
    const known = this.#admitting.get(type)
    if (known !== undefined) return known
    const { policy, caller } = this.#options
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

  /** One answer for what is not there, what is another tenant's and what this caller may not know of (P5). */
  #notFound(ref: RecordRef, paths: ReadonlySet<SchemaPath>, exists: boolean): Entry {
    if (this.#lookup === undefined) return this.#unavailable(ref, paths, 'KEY')
    const at = exists ? where(ref) : { patient: lookupToken(this.#lookup, encodeNodeId(ref)) }
    for (const path of paths) {
      this.#options.counter.denied++
      this.#note({ ...at, path, action: 'READ', outcome: 'DENIED', reason: exists ? 'RELATIONSHIP' : 'NOT_FOUND' })
    }
    return { kind: 'NOT_FOUND', exists }
  }

  #unavailable(ref: RecordRef, paths: ReadonlySet<SchemaPath>, reason: OutcomeReason): Entry {
    for (const path of paths) this.#note({ ...where(ref), path, action: 'READ', outcome: 'UNAVAILABLE', reason })
    return { kind: 'UNAVAILABLE', reason }
  }

  #note(record: AccessRecord): void {
    this.#options.trail.note(record)
  }

  async #settled<T>(work: Promise<T>): Promise<Settled<T>> {
    try {
      return { value: await work }
    } catch (error) {
      return { failure: this.reason(error) }
    }
  }

  /** What a failure means for the answer. One that is none of ours goes on: it is a fault, and the request fails whole. */
  reason(error: unknown, record?: RecordRef, path?: SchemaPath): OutcomeReason {
    if (!(error instanceof Failure)) throw error
    const { requestId, caller, events } = this.#options
    const cause = causeName(error.cause ?? error)
    if (error instanceof KeyUnavailable) {
      events({ event: 'KEY_UNAVAILABLE', requestId, tenant: caller.tenant, cause })
      return 'KEY'
    }
    if (error instanceof StoreUnavailable) {
      events({ event: 'STORE_UNAVAILABLE', requestId, tenant: caller.tenant, cause })
      return 'STORE'
    }
    if (error instanceof IntegrityFailure) {
      events({
        event: 'INTEGRITY_FAILURE',
        requestId,
        tenant: caller.tenant,
        ...(record !== undefined && { record }),
        ...(path !== undefined && { path }),
      })
      return 'INTEGRITY'
    }
    throw error
  }
}

const where = (ref: RecordRef): { patient: PatientId; recordType: TypeName; recordId: RecordRef['id'] } => ({
  patient: ref.patient,
  recordType: ref.type,
  recordId: ref.id,
})

/** Where a record was asked for by its id and nothing of it was selected, what is told and recorded is that it exists. */
const existenceOf = ({ type }: RecordRef): SchemaPath => `${type}.id` as SchemaPath
