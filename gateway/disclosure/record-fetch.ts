import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { FoundRecord, LoadDecision, LoadOptions, MetadataTest } from '../store/record-source.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, recordKey, type RecordRef } from '../model/ids.ts'
import { withInputs } from './computed-fields.ts'
import { decoyOf } from './decoy.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

/** A record that the answer needs, and the PHI paths selected of it. */
export interface Wanted {
  readonly ref: RecordRef
  readonly paths: ReadonlySet<SchemaPath>
  /** The version that a list names. The edge to the record is granted, so that the caller knows that the record exists. */
  readonly listed: number | undefined
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

/** Fetches the records that an answer wants, in one batch for each source, and nothing that no record could grant. */
export class RecordFetch {
  readonly #parts: FetchParts

  constructor(parts: FetchParts) {
    this.#parts = parts
  }

  /** One batch for the records of one source that need the same values. Paths that no record could grant are left out. */
  async fetch(wanted: readonly Wanted[], loading: Promise<Settled<AttributesByPatient>>): Promise<FoundRecords> {
    const { caller, policy, grantable, sources, counter, deadline } = this.#parts
    // for a caller without the right to see existence, a hit must cost as much as a miss (P5)
    const asking = caller.seesExistence ? wanted : await this.#withDecoys(wanted, loading)
    const groups = new Map<string, { source: string; refs: RecordRef[]; paths: ReadonlySet<SchemaPath> }>()
    for (const { ref, paths } of asking) {
      const asked = [...withInputs(policy, paths)].filter(
        (path) => grantable.has(path) && policy.phi.get(path)?.class === 'VALUE' && !policy.computed.has(path),
      )
      const source = policy.records.get(ref.type)?.source ?? ''
      const key = `${source} ${asked.toSorted().join(' ')}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { source, refs: [ref], paths: new Set(asked) })
      else group.refs.push(ref)
    }
    const timing = caller.seesExistence ? 'fast' : 'uniform'
    const versions = wanted.flatMap(({ ref, listed }): [string, number][] =>
      // a panel does not know the version of a patient record
      listed === undefined || listed === 0 ? [] : [[recordKey(ref), listed]],
    )
    const decision = loading.then((settled) => this.#decide(wanted, asking, settled))
    // a source may ignore the decision, and an ignored rejection must not end the process
    decision.catch(() => undefined)
    const options: LoadOptions = { timing, deadline, counter, listed: new Map(versions), decision }
    const found = await Promise.all(
      [...groups.values()].map(
        async ({ source, refs, paths }) => (await sources.get(source)?.load(caller.tenant, refs, paths, options)) ?? [],
      ),
    )
    return new Map(found.flat().map((record) => [recordKey(record.ref), record]))
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
    return { visible, erased: erasedAmong(attributes) }
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

/** The patients whose keys are known to be destroyed. */
export const erasedAmong = (attributes: AttributesByPatient = new Map()): ReadonlySet<PatientId> =>
  new Set([...attributes].flatMap(([patient, { erased }]) => (erased === true ? [patient] : [])))
