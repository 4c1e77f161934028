import DataLoader from 'dataloader'
import { OperationTooCostly, PhiBudgetExceeded } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import { DispositionRecorder, leadsNowhere, type ExcludedRecord } from './disposition-recorder.ts'
import { mostGranted } from './most-granted.ts'
import type { PathOutcome } from './path-outcome.ts'
import type { PatientLinks } from './patient-links.ts'
import type { PhiBudget, Reservation } from './phi-budget.ts'
import type { Disposition } from './record-disposition.ts'
import { RecordFetch, type Wanted, type WantedAt } from './record-fetch.ts'
import { RecordOpener } from './record-opener.ts'
import { existenceOf, given, type Opening, RecordValues, type ValueParts } from './record-values.ts'
import { RecordView, type RecordState } from './record-view.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'
import type { AnswerPlace, Occurrence, ResponseSize } from './response-size.ts'
import { WaveReader } from './wave-reader.ts'

export type Loaded =
  | { readonly kind: 'FOUND'; readonly record: RecordView }
  | { readonly kind: 'NOT_FOUND' }
  /**
   * Consents, or the limits of a relationship, close the record: the client must not learn that it exists. An edge that leads to no
   * record gives the same.
   */
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

/** A record that the request reached, and the paths that the answer asked it for. */
interface Known {
  readonly entry: Entry
  readonly paths: Set<SchemaPath>
}

/** The paths of one record that a batch still lacks. */
interface Missing {
  readonly ref: RecordRef
  readonly paths: Set<SchemaPath>
  listed: number | undefined
  byId: boolean
  edge: boolean
}

/** A record of this load, with the disposition that the load found. */
type Reached = Wanted & { readonly ready: ExcludedRecord | Ready }

interface LoaderParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    OperationRules,
    RecordAccess,
    Deciding,
    Pick<Recording, 'trail' | 'counter' | 'failures' | 'recorder' | 'notices' | 'events'> {
  readonly budget: PhiBudget
  readonly size: ResponseSize
  readonly links: Pick<PatientLinks, 'begin' | 'show'>
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
  readonly #batch = new DataLoader<WantedAt, Entry>((wanted) => this.#load(wanted), { cache: false })

  readonly #fetch: RecordFetch
  readonly #reader: WaveReader
  readonly #opener: RecordOpener
  readonly #recorder: DispositionRecorder
  readonly #values: ValueParts

  constructor(parts: LoaderParts) {
    this.#parts = parts
    this.#fetch = new RecordFetch(parts)
    this.#reader = new WaveReader(parts, this.#fetch)
    this.#opener = new RecordOpener(parts)
    this.#recorder = new DispositionRecorder(parts)
    this.#values = { ...parts, record: (access) => this.#recorder.record(access) }
  }

  /**
   * The record as this caller may see it, with an outcome for each of the paths. Never throws for an absent record.
   *
   * @throws PhiBudgetExceeded; OperationTooCostly if the answer would be too large with the record at this place
   */
  async load(
    ref: RecordRef,
    paths: ReadonlySet<SchemaPath>,
    { byId = false, edge = false, listed, place }: { byId?: boolean; edge?: boolean; listed?: number; place?: AnswerPlace } = {},
  ): Promise<Loaded> {
    const entry = await this.#batch.load({
      ref,
      paths: byId && paths.size === 0 ? new Set([existenceOf(ref)]) : paths,
      listed,
      byId,
      edge,
      place,
    })
    if (entry.kind === 'FOUND') {
      if (place !== undefined && place.shape.self.count > 0) this.#parts.links.show(ref)
      return { kind: 'FOUND', record: new RecordView(entry.state) }
    }
    // of an edge, these two are one answer (P5)
    if (edge && leadsNowhere(entry)) return { kind: 'CLOSED' }
    // and these two are one answer
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

  /** Forgets a record that the request changed, so that a later `load` reads it again. */
  forget(ref: RecordRef): void {
    this.#known.delete(recordKey(ref))
  }

  async #load(batch: readonly WantedAt[]): Promise<Entry[]> {
    const keys = new Set(batch.map(({ ref }) => recordKey(ref)))
    for (let busy = this.#busy(keys); busy.length > 0; busy = this.#busy(keys)) await Promise.all(busy)
    const missing = new Map<string, Missing>()
    for (const { ref, paths, listed, byId = false, edge = false } of batch) {
      const key = recordKey(ref)
      const known = this.#known.get(key)
      const lacking: Missing = missing.get(key) ?? { ref, paths: new Set(), listed: undefined, byId: false, edge: true }
      lacking.listed ??= listed
      lacking.byId ||= byId
      lacking.edge &&= edge
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
    if (wanted.length > 0) await this.#settleOnce(wanted, batch)
    else if (!this.#fits(batch, [])) throw new OperationTooCostly()
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

  async #settleOnce(wanted: readonly Wanted[], batch: readonly WantedAt[]): Promise<void> {
    const keys = wanted.map(({ ref }) => recordKey(ref))
    const settling = this.#settle(wanted, batch)
    for (const key of keys) this.#settling.set(key, settling)
    try {
      await settling
    } finally {
      for (const key of keys) this.#settling.delete(key)
    }
  }

  async #settle(wanted: readonly Wanted[], batch: readonly WantedAt[]): Promise<void> {
    const reservation = this.#parts.budget.begin(mostGranted(wanted, this.#parts))
    try {
      await this.#settleReserved(wanted, batch, reservation)
    } finally {
      reservation.end()
    }
  }

  async #settleReserved(wanted: readonly Wanted[], batch: readonly WantedAt[], reservation: Reservation): Promise<void> {
    const asked = new Set(wanted.map(({ ref }) => recordKey(ref)))
    let fits = this.#fits(
      batch.filter(({ ref }) => !asked.has(recordKey(ref))),
      [],
    )
    const reached: Reached[] = []
    const unread = await this.#reader.read(wanted, (read) => {
      const { wanted: part, lookup } = read
      if ('value' in lookup) this.#recorder.lookup = lookup.value
      const ofPart = part.map((one) => ({
        ...one,
        ready: this.#ready(one, this.#opener.dispositionOf(one, read, this.#earlier(one.ref))),
      }))
      reached.push(...ofPart)
      const keys = new Set(part.map(({ ref }) => recordKey(ref)))
      fits = this.#fits(
        batch.filter(({ ref }) => keys.has(recordKey(ref))),
        ofPart,
      )
      return ofPart.reduce((sum, { paths, ready }) => sum + (ready.kind === 'READY' ? ready.values.stored(paths) : 0), 0)
    })
    this.#parts.links.begin(reached.flatMap(({ ready }) => (ready.kind === 'READY' ? [ready.state] : [])))
    const opening = fits && unread.length === 0 ? await this.#reserve(reached, reservation) : 'TOO_LARGE'
    for (const { ref, paths, ready } of reached) {
      if (ready.kind === 'READY') ready.values.settle(paths, opening)
      this.#know({ ref, paths }, ready.kind === 'READY' ? { kind: 'FOUND', state: ready.state } : ready)
    }
    for (const one of unread) {
      this.#recorder.recordUnread(one)
      this.#know(one, { kind: 'UNAVAILABLE', reason: 'SIZE' })
    }
    // the decisions are recorded, and nothing of the answer leaves
    if (opening === 'SPENT') throw new PhiBudgetExceeded(this.#parts.budget.exceeded ?? 'VALUES')
    if (opening === 'TOO_LARGE') throw new OperationTooCostly()
  }

  #know({ ref, paths }: Pick<Wanted, 'ref' | 'paths'>, entry: Entry): void {
    const known = this.#known.get(recordKey(ref))
    if (known === undefined) this.#known.set(recordKey(ref), { entry, paths: new Set(paths) })
    else if (known.entry.kind === 'FOUND' && entry.kind !== 'FOUND') {
      const outcome: PathOutcome = { outcome: 'UNAVAILABLE', reason: entry.kind === 'UNAVAILABLE' ? entry.reason : 'VERSION' }
      for (const path of paths) known.entry.state.outcomes.set(path, outcome)
    }
  }

  /** One reservation for the whole tick, after the decisions and before any opening. */
  async #reserve(reached: readonly Reached[], reservation: Reservation): Promise<Opening> {
    const amounts = reached.map(({ paths, ready }) => (ready.kind === 'READY' ? ready.values.granted(paths) : 0))
    const reserved = await reservation.settle(amounts.reduce((sum, amount) => sum + amount, 0))
    // another tick may have exceeded the size in the meantime
    return this.#parts.size.isExceeded ? 'TOO_LARGE' : reserved
  }

  /** Adds the records of a tick to the answer, at each of their places. False if it would be too large with them. Opens nothing. */
  #fits(batch: readonly WantedAt[], reached: readonly Reached[]): boolean {
    const { size } = this.#parts
    const results = new Map(reached.map(({ ref, ready }) => [recordKey(ref), ready]))
    for (const { ref, paths, ready } of reached) {
      if (ready.kind === 'READY') for (const path of paths) size.learn(recordKey(ref), path, ready.values.size(path))
    }
    return size.add(
      batch.flatMap(({ ref, place, byId }): Occurrence[] => {
        const key = recordKey(ref)
        const known = this.#known.get(key)?.entry
        const result = known?.kind === 'FOUND' ? known : (results.get(key) ?? known)
        // a closed record is left out, and an edge to it is null, as one to no record (P5). By its id, it is answered as one that does not
        // exist
        if (place === undefined || (byId !== true && result !== undefined && isLeftOut(result))) return []
        const isGiven = result?.kind === 'FOUND' || result?.kind === 'READY'
        return [{ key, place, metadata: isGiven ? result.state.metadata : undefined }]
      }),
    )
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
      sealedDigest: () => record.sealedDigest?.(),
      facts,
      ...(record.seals && { seals: record.seals }),
      outcomes: new Map(),
    }
    return { kind: 'READY', state, values: new RecordValues(this.#values, state, record) }
  }

  #earlier(ref: RecordRef): RecordState | undefined {
    const entry = this.#known.get(recordKey(ref))?.entry
    return entry?.kind === 'FOUND' ? entry.state : undefined
  }
}

/** Whether a list or an edge gives nothing for a record, not even an error. */
const isLeftOut = (result: Entry | Ready): boolean =>
  result.kind === 'CLOSED' || (result.kind === 'NOT_FOUND' && leadsNowhere(result))
