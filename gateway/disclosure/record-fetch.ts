import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { FoundRecord, LoadOptions, RecordSource } from '../store/record-source.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { withInputs } from './computed-fields.ts'
import { decoyOf } from './decoy.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { RecordVisibility } from './record-visibility.ts'
import { recordKey } from './record-view.ts'

/** A record that is wanted at some place of the answer, and the PHI paths selected there. */
export interface Wanted {
  readonly ref: RecordRef
  readonly paths: ReadonlySet<SchemaPath>
  /** The version that a list names: the edge to the record is granted, which has told already that it exists. */
  readonly listed: number | undefined
}

export type FoundRecords = ReadonlyMap<string, FoundRecord>
export type AttributesByPatient = ReadonlyMap<PatientId, SubjectAttributes>
export type Settled<T> = { readonly value: T } | { readonly failure: OutcomeReason }

interface FetchParts {
  readonly caller: Caller
  readonly policy: PolicyTable
  readonly grantable: ReadonlySet<SchemaPath>
  readonly sources: ReadonlyMap<string, RecordSource>
  readonly visibility: RecordVisibility
  readonly counter: DisclosureCounter
  readonly deadline: Deadline
}

/** What is asked of the sources for the records that an answer wants, and what is not asked of them. */
export class RecordFetch {
  readonly #parts: FetchParts

  constructor(parts: FetchParts) {
    this.#parts = parts
  }

  /** One batch for records of one source that need the same values; what no record could grant is not asked for. */
  async fetch(wanted: readonly Wanted[], holding: Promise<Settled<AttributesByPatient>>): Promise<FoundRecords> {
    const { caller, policy, grantable, sources, counter, deadline } = this.#parts
    // for a caller who may not learn that a patient exists, a hit must cost what a miss costs
    const asking = caller.seesExistence ? wanted : await this.#withDecoys(wanted, holding)
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
    const versions = new Map(wanted.map(({ ref, listed }) => [recordKey(ref), listed]))
    const options: LoadOptions = {
      timing,
      deadline,
      counter,
      // of a patient, a panel knows no more than that there is one
      listed: (ref) => {
        const version = versions.get(recordKey(ref))
        return version === 0 ? undefined : version
      },
      isVisible: async (ref) => {
        const held = await holding
        // a decoy is nobody's: that there is none may be known
        if (!versions.has(recordKey(ref))) return true
        if (!('value' in held)) return false
        const { visibility } = this.#parts
        if (visibility.isVisible(ref, versions.get(recordKey(ref)), held.value.get(ref.patient))) return true
        return visibility.ofRecords(ref.type).size > 0 ? 'BY_RECORD' : false
      },
      erased: async (ref) => {
        const held = await holding
        return 'value' in held && held.value.get(ref.patient)?.erased === true
      },
      isVisibleOpened: (ref, metadata) => this.#parts.visibility.byRecord(ref.type, metadata).size > 0,
    }
    const found = await Promise.all(
      [...groups.values()].map(
        async ({ source, refs, paths }) => (await sources.get(source)?.load(caller.tenant, refs, paths, options)) ?? [],
      ),
    )
    return new Map(found.flat().map((record) => [recordKey(record.ref), record]))
  }

  /**
   * What is asked of the sources for a caller who may not learn that a patient exists: relationships first, and then of one whom the
   * caller may not know of a place where nothing is. The record itself is not fetched, and cannot tell by what it holds.
   */
  async #withDecoys(wanted: readonly Wanted[], holding: Promise<Settled<AttributesByPatient>>): Promise<readonly Wanted[]> {
    const { visibility } = this.#parts
    const held = await holding
    return wanted.map((one) => {
      const decoy = { ...one, ref: decoyOf(one.ref) }
      const known = 'value' in held ? held.value.get(one.ref.patient) : undefined
      // where nobody tells whether the patient is there, the source has to; so does a record that tells whose it is
      const isTold = known?.hasManifest === true && visibility.ofRecords(one.ref.type).size === 0
      return isTold && !visibility.isVisible(one.ref, one.listed, known) ? decoy : one
    })
  }
}
