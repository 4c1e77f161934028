import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { DecidedManifest, FoundRecord, LoadDecision, LoadOptions, MetadataTest } from '../store/record-source.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, recordKey, type RecordRef } from '../model/ids.ts'
import { withInputs } from './computed-fields.ts'
import { decoyOf } from './decoy.ts'
import type { Deciding } from './record-visibility.ts'
import type { AnswerPlace } from './response-size.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

/** A record that the answer needs, and the PHI paths selected of it. */
export interface Wanted {
  readonly ref: RecordRef
  readonly paths: ReadonlySet<SchemaPath>
  /** The version that a list names. The edge to the record is granted, so that the caller knows that the record exists. */
  readonly listed: number | undefined
  /** Whether the request names the record by its id. */
  readonly byId?: boolean
  /** Whether only edges to one record lead here. Such an edge may lead to no record. */
  readonly edge?: boolean
}

/** A record that the answer needs at one of its places. */
export interface WantedAt extends Wanted {
  /** Undefined if the record is only looked at. */
  readonly place: AnswerPlace | undefined
}

export type FoundRecords = ReadonlyMap<string, FoundRecord>
export type AttributesByPatient = ReadonlyMap<PatientId, SubjectAttributes>
export type Settled<T> = { readonly value: T } | { readonly failure: OutcomeReason }

interface FetchParts
  extends Pick<RequestIdentity, 'caller' | 'deadline'>,
    Pick<OperationRules, 'policy' | 'grantable'>,
    Pick<RecordAccess, 'sources'>,
    Pick<Deciding, 'visibility'>,
    Pick<Recording, 'counter'> {}

/** The reading of a page of patients, which began before their relationships were known. */
interface BegunPage {
  readonly page: ReadonlyMap<string, Wanted>
  readonly decide: (decision: LoadDecision) => void
  readonly found: Promise<FoundRecords>
}

/** Fetches the records that an answer wants, in one batch for each source, and nothing that no record could grant. */
export class RecordFetch {
  readonly #parts: FetchParts
  readonly #begun = new Set<BegunPage>()

  constructor(parts: FetchParts) {
    this.#parts = parts
  }

  /**
   * Begins to read a page of patients beside the caller's relationships to them. Nothing is opened before `fetch` brings the decision. A
   * patient that turns out not to be on the page is never opened.
   *
   * Does nothing for a caller without the right to see existence: the relationships then decide what is read.
   */
  begin(page: readonly Wanted[]): void {
    if (!this.#parts.caller.seesExistence || page.length === 0) return
    const decision = Promise.withResolvers<LoadDecision>()
    const found = this.#load(page, page, decision.promise)
    // the page may never be fetched, and an ignored rejection must not end the process
    found.catch(() => undefined)
    this.#begun.add({ page: new Map(page.map((one) => [recordKey(one.ref), one])), decide: decision.resolve, found })
  }

  /** One batch for the records of one source that need the same values. Paths that no record could grant are left out. */
  async fetch(wanted: readonly Wanted[], loading: Promise<Settled<AttributesByPatient>>): Promise<FoundRecords> {
    const { caller } = this.#parts
    const begun = [...this.#begun].find(({ page }) => wanted.some((one) => covers(page, one)))
    const rest = begun === undefined ? wanted : wanted.filter((one) => !covers(begun.page, one))
    const early = begun === undefined ? [] : [this.#finish(begun, wanted, loading)]
    if (rest.length === 0) return new Map((await Promise.all(early)).flatMap((found) => [...found]))
    // for a caller without the right to see existence, a hit must cost as much as a miss (P5)
    const asking = caller.seesExistence ? rest : await this.#withDecoys(rest, loading)
    const decision = loading.then((settled) => this.#decide(rest, asking, settled))
    // a source may ignore the decision, and an ignored rejection must not end the process
    decision.catch(() => undefined)
    const found = await Promise.all([...early, this.#load(rest, asking, decision)])
    return new Map(found.flatMap((records) => [...records]))
  }

  async #finish(
    begun: BegunPage,
    wanted: readonly Wanted[],
    loading: Promise<Settled<AttributesByPatient>>,
  ): Promise<FoundRecords> {
    this.#begun.delete(begun)
    const own = wanted.filter((one) => covers(begun.page, one))
    begun.decide(this.#decide(own, own, await loading))
    const keys = new Set(own.map(({ ref }) => recordKey(ref)))
    return new Map([...(await begun.found)].filter(([key]) => keys.has(key)))
  }

  async #load(wanted: readonly Wanted[], asking: readonly Wanted[], decision: Promise<LoadDecision>): Promise<FoundRecords> {
    const { caller, sources, counter, deadline } = this.#parts
    const versions = wanted.flatMap(({ ref, listed }): [string, number][] =>
      // a page of patients does not name the versions of their records
      listed === undefined || listed === 0 ? [] : [[recordKey(ref), listed]],
    )
    const paged = new Set(wanted.flatMap(({ ref, listed }) => (listed === 0 ? [recordKey(ref)] : [])))
    const timing = caller.seesExistence ? 'fast' : 'uniform'
    const options: LoadOptions = { timing, deadline, counter, listed: new Map(versions), paged, decision }
    const found = await Promise.all(
      this.#groups(asking).map(
        async ({ source, refs, paths }) => (await sources.get(source)?.load(caller.tenant, refs, paths, options)) ?? [],
      ),
    )
    return new Map(found.flat().map((record) => [recordKey(record.ref), record]))
  }

  /** The records of one source that need the same values. */
  #groups(asking: readonly Wanted[]): readonly { source: string; refs: RecordRef[]; paths: ReadonlySet<SchemaPath> }[] {
    const { caller, policy, grantable } = this.#parts
    const groups = new Map<string, { source: string; refs: RecordRef[]; paths: ReadonlySet<SchemaPath> }>()
    for (const { ref, paths } of asking) {
      const asked = [...withInputs(policy, paths, caller)].filter(
        (path) => grantable.has(path) && policy.phi.get(path)?.class === 'VALUE' && !policy.computed.has(path),
      )
      const source = policy.records.get(ref.type)?.source ?? ''
      const key = `${source} ${asked.toSorted().join(' ')}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { source, refs: [ref], paths: new Set(asked) })
      else group.refs.push(ref)
    }
    return [...groups.values()]
  }

  /** Without attributes every record is hidden. */
  #decide(wanted: readonly Wanted[], asking: readonly Wanted[], settled: Settled<AttributesByPatient>): LoadDecision {
    const { visibility } = this.#parts
    const attributes: AttributesByPatient | undefined = 'value' in settled ? settled.value : undefined
    const real = new Set(wanted.map(({ ref }) => recordKey(ref)))
    const visible = new Map<string, 'VISIBLE' | MetadataTest>()
    for (const { ref, listed } of asking) {
      const key = recordKey(ref)
      // a decoy belongs to no patient: its absence may be known
      if (!real.has(key)) visible.set(key, 'VISIBLE')
      else if (attributes === undefined) continue
      else if (visibility.isVisible(ref, listed, attributes.get(ref.patient))) visible.set(key, 'VISIBLE')
      else if (visibility.ofRecords(ref.type).size > 0) {
        visible.set(key, (metadata) => visibility.byRecord(ref.type, metadata).size > 0)
      }
    }
    const isClosed: LoadDecision['isClosed'] = (ref, metadata) => {
      const ofPatient = attributes?.get(ref.patient)
      const closure = ofPatient === undefined ? 'UNKNOWN' : visibility.closureOf(ref, ofPatient, metadata)
      return closure === 'CONSENT' || closure === 'RELATIONSHIP'
    }
    return { visible, isClosed, erased: erasedAmong(attributes), manifests: manifestsOf(attributes) }
  }

  /**
   * The records to fetch for a caller without the right to see existence. Relationships are read first. A record that the caller may
   * not know of is replaced by an empty place, so that its content has no influence on the work.
   */
  async #withDecoys(wanted: readonly Wanted[], loading: Promise<Settled<AttributesByPatient>>): Promise<readonly Wanted[]> {
    const { visibility } = this.#parts
    const settled = await loading
    return wanted.map((one) => {
      const decoy = { ...one, ref: decoyOf(one.ref) }
      const attributes = 'value' in settled ? settled.value.get(one.ref.patient) : undefined
      // without a manifest only the source knows whether the patient exists; a relationship to the record needs its metadata
      const isDecided = attributes?.hasManifest === true && visibility.ofRecords(one.ref.type).size === 0
      return isDecided && !visibility.isVisible(one.ref, one.listed, attributes) ? decoy : one
    })
  }
}

/** Whether a begun page reads this record with all its paths. */
const covers = (page: BegunPage['page'], { ref, paths, listed }: Wanted): boolean => {
  const begun = page.get(recordKey(ref))
  return begun !== undefined && begun.listed === listed && [...paths].every((path) => begun.paths.has(path))
}

/** The patients whose keys are known to be destroyed. */
export const erasedAmong = (attributes: AttributesByPatient = new Map()): ReadonlySet<PatientId> =>
  new Set([...attributes].flatMap(([patient, { erased }]) => (erased === true ? [patient] : [])))

/** The access manifests that decisions rest on, by patient. */
export const manifestsOf = (attributes: AttributesByPatient = new Map()): ReadonlyMap<PatientId, DecidedManifest> =>
  new Map([...attributes].flatMap(([patient, { manifest }]) => (manifest === undefined ? [] : [[patient, manifest]])))
