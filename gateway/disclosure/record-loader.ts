import DataLoader from 'dataloader'
import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { OpenRecord } from '../store/record-source.ts'
import type { ConsentSubject } from '../model/consent.ts'
import { type Failure, keyOverdue, PhiBudgetExceeded, storeOverdue } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, recordKey, type RecordRef } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { AccessFault } from '../telemetry/events.ts'
import { DispositionRecorder, type ExcludedRecord } from './disposition-recorder.ts'
import type { PathOutcome } from './path-outcome.ts'
import type { PhiBudget, Reservation } from './phi-budget.ts'
import { afterOpening, beforeOpening, type Disposition, type Openable, type OpenedRecord } from './record-disposition.ts'
import { type FoundRecords, type AttributesByPatient, RecordFetch, type Settled, type Wanted } from './record-fetch.ts'
import { existenceOf, given, RecordValues, type ValueParts } from './record-values.ts'
import { RecordView, type RecordState } from './record-view.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

export type Loaded =
  | { readonly kind: 'FOUND'; readonly record: RecordView }
  | { readonly kind: 'NOT_FOUND' }
  /** Consents, or the limits of a relationship, close the record: the client must not learn that it exists. */
  | { readonly kind: 'CLOSED' }
  | { readonly kind: 'UNAVAILABLE' }

/** The result for a record, kept until the end of the request. */
type Entry = { readonly kind: 'FOUND'; readonly state: RecordState } | ExcludedRecord

/** A record that is ready for deciding and opening its paths. */
interface Ready {
  readonly kind: 'READY'
  readonly state: RecordState
  readonly values: RecordValues
}

/** The features of an opened record that consents refer to. */
function subjectOf({ id }: RecordRef, { metadata: { labels, references } }: OpenRecord): ConsentSubject {
  const { encounter } = references
  return { id, labels: new Set(labels), ...(encounter !== undefined && { encounter }) }
}

const NO_ATTRIBUTES: SubjectAttributes = { relationships: new Set(), consents: undefined }

/** A record that the request reached, and the paths that the answer asked it for. */
interface Known {
  readonly entry: Entry
  readonly paths: Set<SchemaPath>
}

interface LoaderParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    OperationRules,
    RecordAccess,
    Deciding,
    Pick<Recording, 'trail' | 'counter' | 'failures' | 'notices' | 'events'> {
  readonly budget: PhiBudget
}

/**
 * The only producer of record objects.
 *
 * All records that one tick of the answer wants are loaded together: ciphertext, attributes and keys in parallel batches. Then all
 * selected paths of a record are decided at once, the granted ones are opened, and every outcome goes to the trail. Leaf resolvers
 * only read. A value is one record and path per request: opened once and recorded once, however often it is reached.
 */
export class RecordLoader {
  readonly #parts: LoaderParts
  readonly #known = new Map<string, Known>()
  /** Records in progress, by key. Another batch that wants one of them waits; otherwise its values would be opened twice (P1). */
  readonly #settling = new Map<string, Promise<void>>()
  readonly #batch = new DataLoader<Wanted, Entry>((wanted) => this.#load(wanted), { cache: false })

  readonly #fetch: RecordFetch
  readonly #recorder: DispositionRecorder
  readonly #values: ValueParts

  constructor(parts: LoaderParts) {
    this.#parts = parts
    this.#fetch = new RecordFetch(parts)
    this.#recorder = new DispositionRecorder(parts)
    this.#values = { ...parts, record: (access) => this.#recorder.record(access) }
  }

  /** The record as this caller may see it, with an outcome for each of the paths. Never throws for an absent record. */
  async load(
    ref: RecordRef,
    paths: ReadonlySet<SchemaPath>,
    { byId = false, listed }: { byId?: boolean; listed?: number } = {},
  ): Promise<Loaded> {
    const entry = await this.#batch.load({
      ref,
      paths: byId && paths.size === 0 ? new Set([existenceOf(ref)]) : paths,
      listed,
      byId,
    })
    if (entry.kind === 'FOUND') return { kind: 'FOUND', record: new RecordView(entry.state) }
    // the two are one answer (P5)
    return { kind: entry.kind === 'HIDDEN' ? 'NOT_FOUND' : entry.kind }
  }

  /**
   * Begins to read a page of patients that may turn out not to be on it. A later `load` with the same paths decides about each patient and
   * uses what was read.
   *
   * @returns ends the claim of values for the page; called once, before the page is loaded
   */
  begin(refs: readonly RecordRef[], paths: ReadonlySet<SchemaPath>): () => void {
    const page = refs.filter((ref) => !this.#known.has(recordKey(ref))).map((ref) => ({ ref, paths, listed: 0 }))
    const reservation = this.#parts.budget.begin(mostGranted(page, this.#parts))
    this.#fetch.begin(page)
    return () => reservation.end()
  }

  async #load(batch: readonly Wanted[]): Promise<Entry[]> {
    const keys = new Set(batch.map(({ ref }) => recordKey(ref)))
    for (let busy = this.#busy(keys); busy.length > 0; busy = this.#busy(keys)) await Promise.all(busy)
    const missing = new Map<string, { ref: RecordRef; paths: Set<SchemaPath>; listed: number | undefined; byId: boolean }>()
    for (const { ref, paths, listed, byId = false } of batch) {
      const key = recordKey(ref)
      const known = this.#known.get(key)
      const lacking = missing.get(key) ?? { ref, paths: new Set(), listed: undefined, byId: false }
      lacking.listed ??= listed
      lacking.byId ||= byId
      for (const path of paths) if (known?.paths.has(path) !== true && !this.#asInput(known, path)) lacking.paths.add(path)
      if (known === undefined || lacking.paths.size > 0) missing.set(key, lacking)
    }
    const wanted: Wanted[] = []
    for (const [key, one] of missing) {
      const known = this.#known.get(key)
      // a record that could not be given stays so for this answer: the further paths are recorded alike
      if (known === undefined || known.entry.kind === 'FOUND') wanted.push(one)
      else this.#recorder.recordExcluded(one, known.entry)
      if (known === undefined) continue
      for (const path of one.paths) known.paths.add(path)
    }
    if (wanted.length > 0) await this.#settleOnce(wanted)
    return batch.map(({ ref }) => this.#known.get(recordKey(ref))?.entry ?? { kind: 'NOT_FOUND' })
  }

  /** A value that was opened as the input of a computed one is not opened and recorded again when it is asked for itself (P1). */
  #asInput(known: Known | undefined, path: SchemaPath): boolean {
    const outcome = known?.entry.kind === 'FOUND' ? known.entry.state.outcomes.get(path) : undefined
    if (known === undefined || outcome === undefined) return false
    known.paths.add(path)
    given(this.#parts.counter, outcome)
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
    const reservation = this.#parts.budget.begin(mostGranted(wanted, this.#parts))
    try {
      await this.#settleReserved(wanted, reservation)
    } finally {
      reservation.end()
    }
  }

  async #settleReserved(wanted: readonly Wanted[], reservation: Reservation): Promise<void> {
    const { caller, keyring, attributes: attributeLoader, visibility, events } = this.#parts
    const patients = [...new Set(wanted.map(({ ref }) => ref.patient))]
    const names = new Set(wanted.flatMap(({ ref }) => [...visibility.admitting(ref.type)]))
    const reach = async () => {
      const loading = this.#settled(() => attributeLoader.attributesFor(names, patients), storeOverdue)
      const [found, attributes, lookup] = await Promise.all([
        this.#settled(() => this.#fetch.fetch(wanted, loading), storeOverdue),
        loading,
        this.#settled(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
      ])
      const reached = { found, attributes, lookup }
      // a write can occur between the reads of the relationships and of the records
      const faults = manifestFaults(found, attributes)
      if (faults.size === 0) return { value: reached }
      attributeLoader.forget(new Set([...faults].flatMap(([patient, what]) => (what === 'ALTERED' ? [patient] : []))))
      return { torn: { ...reached, faults } }
    }
    const { found, attributes, lookup } = await retryOptimisticRead(
      reach,
      (torn) => {
        for (const [patient, what] of torn.faults) events({ event: 'ACCESS_ITEM_FORGED', tenant: caller.tenant, patient, what })
        return torn
      },
      BUSY_READS,
    )
    if ('value' in lookup) this.#recorder.lookup = lookup.value
    const reached = wanted.map((one) => ({ ...one, ready: this.#ready(one, this.#disposition(one, found, attributes)) }))
    // one reservation for the whole tick, after the decisions and before any opening
    const amounts = reached.map(({ paths, ready }) => (ready.kind === 'READY' ? ready.values.granted(paths) : 0))
    const reserved = await reservation.settle(amounts.reduce((sum, amount) => sum + amount, 0))
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
    // the decisions are recorded, and nothing of the answer leaves
    if (reserved === 'SPENT') throw new PhiBudgetExceeded('VALUES')
  }

  /** Opens the record if that is allowed, and gives the disposition. Records nothing. */
  #disposition({ ref, listed }: Wanted, found: Settled<FoundRecords>, attributes: Settled<AttributesByPatient>): Disposition {
    const { caller, policy, visibility } = this.#parts
    const ofPatient = ofSettled(attributes, (byPatient) => byPatient.get(ref.patient) ?? NO_ATTRIBUTES)
    const before = beforeOpening({
      attributes: ofPatient,
      found: ofSettled(found, (records) => records.get(recordKey(ref))),
      visibility: visibility.verdictFor(ref, listed, 'value' in ofPatient ? ofPatient.value : NO_ATTRIBUTES),
      seesExistence: caller.seesExistence,
      listed,
      earlierVersion: this.#earlier(ref)?.version,
      cannotExist: policy.records.get(ref.type)?.patient === 'id' && (ref.id as string) !== ref.patient,
    })
    return before.kind === 'OPENABLE' ? afterOpening(before, this.#open(ref, before)) : before
  }

  #open(ref: RecordRef, { record: found, attributes }: Openable): OpenedRecord | { readonly failure: unknown } {
    const { visibility, counter } = this.#parts
    let record: OpenRecord
    try {
      record = found.open(counter)
    } catch (failure) {
      return { failure }
    }
    const own = visibility.byRecord(ref.type, record.metadata)
    const facts = this.#earlier(ref)?.facts ?? visibility.factsOf(attributes, subjectOf(ref, record), own)
    return { record, own, facts, closure: visibility.closed(ref.type, facts) }
  }

  /** Records a record that is not found, and prepares the values of a found one. The values are recorded one by one. */
  #ready(wanted: Wanted, disposition: Disposition): ExcludedRecord | Ready {
    if (disposition.kind !== 'FOUND') return this.#recorder.recordExcluded(wanted, disposition)
    const { ref, listed } = wanted
    const { record, facts } = disposition.opened
    const { version, metadata } = record
    const state = this.#earlier(ref) ?? {
      ref,
      version,
      erased: record.erased === true,
      listed: listed !== undefined,
      metadata,
      facts,
      outcomes: new Map(),
    }
    return { kind: 'READY', state, values: new RecordValues(this.#values, state, record) }
  }

  #earlier(ref: RecordRef): RecordState | undefined {
    const entry = this.#known.get(recordKey(ref))?.entry
    return entry?.kind === 'FOUND' ? entry.state : undefined
  }

  /** A failure or a timeout becomes an outcome of the paths that depend on it. The rest is given. */
  async #settled<T>(work: () => Promise<T>, late: () => Failure): Promise<Settled<T>> {
    try {
      return { value: await this.#parts.deadline.wait(work, late) }
    } catch (error) {
      return { failure: this.#parts.failures.classify(error) }
    }
  }
}

/** The number of values of these records if each decision is a grant. */
function mostGranted(wanted: readonly Wanted[], { policy, grantable }: OperationRules): number {
  const paths = wanted.flatMap((one) =>
    [...one.paths].filter((path) => grantable.has(path) && policy.phi.get(path)?.class !== 'EDGE'),
  )
  return paths.reduce((sum, path) => sum + 1 + (policy.computed.get(path)?.length ?? 0), 0)
}

/**
 * The patients whose records do not fit the access manifest: MANIFEST_MISSING if there is none, ALTERED if the records name a newer
 * one.
 */
function manifestFaults(
  found: Settled<FoundRecords>,
  attributes: Settled<AttributesByPatient>,
): ReadonlyMap<PatientId, AccessFault> {
  const faults = new Map<PatientId, AccessFault>()
  if ('failure' in found || 'failure' in attributes) return faults
  for (const { ref, outdated } of found.value.values()) {
    if (outdated === true) faults.set(ref.patient, 'ALTERED')
    else if (attributes.value.get(ref.patient)?.damage === 'NO_MANIFEST') faults.set(ref.patient, 'MANIFEST_MISSING')
  }
  return faults
}

const ofSettled = <From, To>(settled: Settled<From>, convert: (value: From) => To): Settled<To> =>
  'failure' in settled ? settled : { value: convert(settled.value) }
