import DataLoader from 'dataloader'
import type { SubjectAttributes, AttributeLoader } from '../access/attribute-loader.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { lookupToken } from '../crypto/tokens.ts'
import type { OpenRecord, RecordSource } from '../store/record-source.ts'
import type { AccessRecord, OutcomeReason } from '../model/access-record.ts'
import type { ConsentSubject } from '../model/consent.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { EventSink } from '../telemetry/events.ts'
import { type Failure, IntegrityFailure, keyOverdue, PhiBudgetExceeded, storeOverdue } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordRef, RequestId } from '../model/ids.ts'
import { encodeNodeId } from '../model/node-id.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { ComputedFields } from './computed-fields.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { PathOutcome } from './path-outcome.ts'
import type { RecordVisibility } from './record-visibility.ts'
import type { PhiBudget } from './phi-budget.ts'
import type { PublicIds } from '../access/public-ids.ts'
import { type FoundRecords, type AttributesByPatient, RecordFetch, type Settled, type Wanted } from './record-fetch.ts'
import { existenceOf, given, RecordValues, type ValueParts, where } from './record-values.ts'
import { RecordView, recordKey, type RecordState } from './record-view.ts'

export type Loaded =
  | { readonly kind: 'FOUND'; readonly record: RecordView }
  | { readonly kind: 'NOT_FOUND' }
  /** It is there, and closed to the caller by the patient's consents: as if it were not. */
  | { readonly kind: 'CLOSED' }
  | { readonly kind: 'UNAVAILABLE' }

type Entry =
  | { readonly kind: 'FOUND'; readonly state: RecordState }
  | { readonly kind: 'NOT_FOUND'; readonly exists: boolean }
  | { readonly kind: 'CLOSED'; readonly version: number; readonly reason: 'CONSENT' | 'RELATIONSHIP' }
  | { readonly kind: 'UNAVAILABLE'; readonly reason: OutcomeReason }

/** A record whose paths are about to be decided and opened. */
interface Ready {
  readonly kind: 'READY'
  readonly state: RecordState
  readonly values: RecordValues
}

/** An opened record, as far as consents tell records apart. */
function subjectOf({ id }: RecordRef, { metadata: { labels, references } }: OpenRecord): ConsentSubject {
  const { encounter } = references
  return { id, labels: new Set(labels), ...(encounter !== undefined && { encounter }) }
}

const NOTHING_KNOWN: SubjectAttributes = { relationships: new Set(), consents: undefined }

/** A record that was reached, and the paths that the answer has asked it for. */
interface Known {
  readonly entry: Entry
  readonly paths: Set<SchemaPath>
}

export interface LoaderOptions {
  readonly requestId: RequestId
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  /** The paths of the operation's footprint that some record could grant to this caller. Nothing else is asked for or opened. */
  readonly grantable: ReadonlySet<SchemaPath>
  /** By the name that `@record(source:)` has. */
  readonly sources: ReadonlyMap<string, RecordSource>
  /** By path: a function for each `@computed` field. */
  readonly computed: ComputedFields
  readonly ids: PublicIds
  readonly visibility: RecordVisibility
  readonly facts: AttributeLoader
  readonly failures: FailureReasons
  readonly budget: PhiBudget
  readonly keyring: Keyring
  readonly trail: Trail
  readonly counter: DisclosureCounter
  readonly notices: Set<string>
  readonly events: EventSink
  /** Until when records may be read. */
  readonly deadline: Deadline
}

/**
 * The only producer of record objects.
 *
 * What a tick of the answer wants is loaded together: ciphertext, relationship facts and keys in parallel batches. Then all
 * selected paths of a record are decided at once, the granted ones are opened, and every outcome goes to the trail; leaves
 * only read. A value is one record and path per request: opened once and recorded once, however often it is reached.
 */
export class RecordLoader {
  readonly #options: LoaderOptions
  readonly #known = new Map<string, Known>()
  /** Records on their way, by key: whoever wants one of them meanwhile waits, or its values would be opened twice (P1). */
  readonly #settling = new Map<string, Promise<void>>()
  /** Hides, in the audit, an id that leads nowhere. */
  #lookup: PurposeKey<'lookup'> | undefined
  readonly #batch = new DataLoader<Wanted, Entry>((wanted) => this.#load(wanted), { cache: false })

  readonly #fetch: RecordFetch
  readonly #values: ValueParts

  constructor(options: LoaderOptions) {
    this.#options = options
    this.#fetch = new RecordFetch(options)
    this.#values = { ...options, note: (record) => this.#note(record) }
  }

  /** The record as this caller may see it, with an outcome for each of the paths. Never throws for what is not there. */
  async load(
    ref: RecordRef,
    paths: ReadonlySet<SchemaPath>,
    { byId = false, listed }: { byId?: boolean; listed?: number } = {},
  ): Promise<Loaded> {
    const entry = await this.#batch.load({ ref, paths: byId && paths.size === 0 ? new Set([existenceOf(ref)]) : paths, listed })
    return entry.kind === 'FOUND' ? { kind: 'FOUND', record: new RecordView(entry.state) } : { kind: entry.kind }
  }

  async #load(batch: readonly Wanted[]): Promise<Entry[]> {
    const keys = new Set(batch.map(({ ref }) => recordKey(ref)))
    for (let busy = this.#busy(keys); busy.length > 0; busy = this.#busy(keys)) await Promise.all(busy)
    const missing = new Map<string, { ref: RecordRef; paths: Set<SchemaPath>; listed: number | undefined }>()
    for (const { ref, paths, listed } of batch) {
      const key = recordKey(ref)
      const known = this.#known.get(key)
      const lacking = missing.get(key) ?? { ref, paths: new Set(), listed: undefined }
      lacking.listed ??= listed
      for (const path of paths) if (known?.paths.has(path) !== true && !this.#asInput(known, path)) lacking.paths.add(path)
      if (known === undefined || lacking.paths.size > 0) missing.set(key, lacking)
    }
    const wanted: Wanted[] = []
    for (const [key, { ref, paths, listed }] of missing) {
      const known = this.#known.get(key)
      // what was not there, or could not be had, stays so for this answer: the further paths are recorded alike
      if (known === undefined || known.entry.kind === 'FOUND') wanted.push({ ref, paths, listed })
      else if (known.entry.kind === 'NOT_FOUND') this.#notFound(ref, paths, known.entry.exists)
      else if (known.entry.kind === 'CLOSED') this.#closed(ref, known.entry.version, paths, known.entry.reason)
      else this.#unavailable(ref, paths, known.entry.reason)
      if (known === undefined) continue
      for (const path of paths) known.paths.add(path)
    }
    if (wanted.length > 0) await this.#settleOnce(wanted)
    return batch.map(({ ref }) => this.#known.get(recordKey(ref))?.entry ?? { kind: 'NOT_FOUND', exists: false })
  }

  /** What was opened for a value that is computed from it, and is asked for now, is not opened and recorded again (P1). */
  #asInput(known: Known | undefined, path: SchemaPath): boolean {
    const outcome = known?.entry.kind === 'FOUND' ? known.entry.state.outcomes.get(path) : undefined
    if (known === undefined || outcome === undefined) return false
    known.paths.add(path)
    given(this.#options.counter, outcome)
    return true
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
    const { caller, keyring, facts } = this.#options
    const patients = [...new Set(wanted.map(({ ref }) => ref.patient))]
    const names = new Set(wanted.flatMap(({ ref }) => [...this.#options.visibility.admitting(ref.type)]))
    const reach = async () => {
      const holding = this.#settled(() => facts.attributesFor(names, patients), storeOverdue)
      return await Promise.all([
        this.#settled(() => this.#fetch.fetch(wanted, holding), storeOverdue),
        holding,
        this.#settled(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
      ])
    }
    let [found, held, lookup] = await reach()
    // a patient who is being written for the first time has records a moment before relationships were asked for: read once more
    if (this.#withoutManifest(found, held).length > 0) {
      ;[found, held, lookup] = await reach()
      const { tenant } = caller
      const forged = { event: 'ACCESS_ITEM_FORGED', tenant, what: 'MANIFEST_MISSING' } as const
      for (const patient of this.#withoutManifest(found, held)) this.#options.events({ ...forged, patient })
    }
    if ('value' in lookup) this.#lookup = lookup.value
    const reached = wanted.map((one) => ({
      ...one,
      ready: this.#entry(one, found, held, this.#known.get(recordKey(one.ref))?.entry),
    }))
    // once for all that a tick wants, when it is known what is granted and before any of it is opened
    const amounts = reached.map(({ paths, ready }) => (ready.kind === 'READY' ? ready.values.granted(paths) : 0))
    const reserved = await this.#options.budget.reserve(amounts.reduce((sum, amount) => sum + amount, 0))
    for (const { ref, paths, ready } of reached) {
      const known = this.#known.get(recordKey(ref))
      if (ready.kind === 'READY') ready.values.settle(paths, reserved)
      const entry: Entry = ready.kind === 'READY' ? { kind: 'FOUND', state: ready.state } : ready
      if (known === undefined) this.#known.set(recordKey(ref), { entry, paths: new Set(paths) })
      else if (known.entry.kind === 'FOUND' && entry.kind !== 'FOUND') {
        const outcome: PathOutcome = { outcome: 'UNAVAILABLE', reason: entry.kind === 'UNAVAILABLE' ? entry.reason : 'VERSION' }
        for (const path of paths) known.entry.state.outcomes.set(path, outcome)
      }
    }
    // what was decided is recorded, and none of the answer leaves
    if (reserved === 'SPENT') throw new PhiBudgetExceeded()
  }

  /** Patients who exist, although the table of relationships knows nothing of them. */
  #withoutManifest(found: Settled<FoundRecords>, held: Settled<AttributesByPatient>): PatientId[] {
    if ('failure' in found || 'failure' in held) return []
    const patients = new Set([...found.value.values()].map(({ ref }) => ref.patient))
    return [...patients].filter((patient) => held.value.get(patient)?.damage === 'NO_MANIFEST')
  }

  #entry(
    { ref, paths, listed }: Wanted,
    found: Settled<FoundRecords>,
    held: Settled<AttributesByPatient>,
    before: Entry | undefined,
  ): Entry | Ready {
    if ('failure' in held) return this.#unavailable(ref, paths, held.failure)
    const known = held.value.get(ref.patient) ?? NOTHING_KNOWN
    const { damage, unknown } = known
    if ('failure' in found) return this.#unavailable(ref, paths, found.failure)
    const record = found.value.get(recordKey(ref))
    // whether the caller may see the record cannot be said: that is no answer of no (P6)
    if (damage === 'TAMPERED' || (damage === 'NO_MANIFEST' && record !== undefined)) {
      return this.#unavailable(ref, paths, this.#options.failures.classify(new IntegrityFailure(), ref))
    }
    const { visibility } = this.#options
    const isVisible = visibility.isVisible(ref, listed, { relationships: known.relationships, breakGlass: known.breakGlass })
    const byRecord = !isVisible && visibility.ofRecords(ref.type).size > 0
    // whether it may be known of depends on what a service did not tell: that is no answer of no either
    const doubt = [...visibility.admitting(ref.type)].flatMap((name) => unknown?.get(name) ?? [])[0]
    const hidden = (): Entry => {
      if (!isVisible && doubt !== undefined) return this.#unavailable(ref, paths, doubt)
      // a list names it and it is not there: somebody took it away behind the gateway's back (P6)
      if (listed !== undefined) return this.#unavailable(ref, paths, this.#options.failures.classify(new IntegrityFailure(), ref))
      // it was there when this request first reached it: what changed since is not what this answer tells of
      if (before?.kind === 'FOUND') return this.#unavailable(ref, paths, 'VERSION')
      // one whom the caller may not know of was not looked for, and is there when something is kept of the patient
      return this.#notFound(
        ref,
        paths,
        record !== undefined || (!isVisible && !this.#options.caller.seesExistence && known.hasManifest === true),
      )
    }
    if (record === undefined || (!isVisible && !byRecord)) return hidden()
    let open: OpenRecord
    try {
      open = record.open(this.#options.counter)
      // a record that is older than its place in the list was put back; one that was erased since has no version
      if (listed !== undefined && open.erased !== true && open.version < listed) throw new IntegrityFailure()
    } catch (error) {
      // whose record it is cannot be said: to one who would be told by nothing else, it is as if it were not there
      if (byRecord) return hidden()
      return this.#unavailable(ref, paths, this.#options.failures.classify(error, ref))
    }
    // of its type a patient has one record, erased or not
    const isOwn = this.#options.policy.records.get(ref.type)?.patient === 'id'
    if (open.erased === true && isOwn && (ref.id as string) !== ref.patient) return this.#notFound(ref, paths, false)
    const own = visibility.byRecord(ref.type, open.metadata)
    if (byRecord && own.size === 0) return hidden()
    const facts = before?.kind === 'FOUND' ? before.state.facts : visibility.factsOf(known, subjectOf(ref, open), own)
    const closed = visibility.closed(ref.type, facts)
    if (closed === 'UNKNOWN') return this.#unavailable(ref, paths, 'STORE')
    if (closed !== 'OPEN') return this.#closed(ref, open.version, paths, closed)
    const state: RecordState =
      before?.kind === 'FOUND'
        ? before.state
        : { ref, version: open.version, erased: open.erased === true, metadata: open.metadata, facts, outcomes: new Map() }
    // what was given before is of another version: the two must not stand in one answer
    if (state.version !== open.version) return this.#unavailable(ref, paths, 'VERSION')
    return { kind: 'READY', state, values: new RecordValues(this.#values, state, open) }
  }

  /** To the caller as if it were not there; to the audit what it is. */
  #closed(ref: RecordRef, version: number, paths: ReadonlySet<SchemaPath>, reason: 'CONSENT' | 'RELATIONSHIP'): Entry {
    const at = { ...where(ref), ...(version > 0 && { recordVersion: version }) }
    for (const path of paths) this.#note({ ...at, path, action: 'READ', outcome: 'DENIED', reason })
    return { kind: 'CLOSED', version, reason }
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
    if (record.outcome === 'UNAVAILABLE') this.#options.counter.unavailable++
    this.#options.trail.record(record)
  }

  /** What cannot be had, or not in time, is an outcome of the paths that need it; the rest is given. */
  async #settled<T>(work: () => Promise<T>, late: () => Failure): Promise<Settled<T>> {
    try {
      return { value: await this.#options.deadline.wait(work, late) }
    } catch (error) {
      return { failure: this.#options.failures.classify(error) }
    }
  }
}
