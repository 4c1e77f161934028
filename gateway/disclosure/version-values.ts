import type { SchemaPath } from '../../directives/coordinates.ts'
import { OperationTooCostly, PhiBudgetExceeded } from '../model/failures.ts'
import type { RecordRef } from '../model/ids.ts'
import type { OpenRecord } from '../store/record-source.ts'
import { withInputs } from './computed-fields.ts'
import { DispositionRecorder } from './disposition-recorder.ts'
import { mostGranted } from './most-granted.ts'
import type { PhiBudget, Reservation } from './phi-budget.ts'
import { RecordValues, type ValueParts } from './record-values.ts'
import { type RecordState, RecordView, versionOf } from './record-view.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'
import type { AnswerPlace, ResponseSize } from './response-size.ts'

interface VersionParts
  extends Pick<RequestIdentity, 'caller' | 'now'>,
    OperationRules,
    Pick<RecordAccess, 'ids'>,
    Pick<Recording, 'trail' | 'counter' | 'failures' | 'recorder' | 'notices'> {
  readonly budget: PhiBudget
  readonly size: ResponseSize
}

/** An earlier version that the caller may know of. */
interface OpenVersion {
  readonly state: Omit<RecordState, 'outcomes'>
  readonly opened: OpenRecord
}

/** An earlier version that the request reached, and the paths that the answer asked it for. */
interface KnownVersion {
  readonly state: RecordState
  readonly paths: Set<SchemaPath>
}

/**
 * Decides and opens the values of earlier versions. A value is one record, version and path per request: opened once and recorded once,
 * apart from the values of the version in force. Budgets and the size of the answer hold as for every value.
 */
export class VersionValues {
  readonly #parts: VersionParts
  readonly #values: ValueParts
  readonly #known = new Map<string, KnownVersion>()

  constructor(parts: VersionParts) {
    this.#parts = parts
    const recorder = new DispositionRecorder(parts)
    this.#values = { ...parts, record: (access) => recorder.record(access) }
  }

  /** Claims the values of a page of versions before they are read. */
  begin(ref: RecordRef, paths: ReadonlySet<SchemaPath>, versions: number): Reservation {
    const wanted = Array.from({ length: versions }, () => ({ ref, paths, listed: undefined }))
    return this.#parts.budget.begin(mostGranted(wanted, this.#parts))
  }

  /** The stored values to read for these paths. Nothing is read that no record could grant. */
  stored(paths: ReadonlySet<SchemaPath>): ReadonlySet<SchemaPath> {
    const { policy, caller, grantable } = this.#parts
    const asked = [...withInputs(policy, paths, caller)]
    return new Set(
      asked.filter((path) => grantable.has(path) && policy.phi.get(path)?.class === 'VALUE' && !policy.computed.has(path)),
    )
  }

  /**
   * @returns the records, by version
   * @throws PhiBudgetExceeded; OperationTooCostly if the answer would be too large. The decisions are recorded then, and nothing is opened
   */
  async settle(
    versions: readonly OpenVersion[],
    { paths, place }: { readonly paths: ReadonlySet<SchemaPath>; readonly place: AnswerPlace },
    reservation: Reservation,
  ): Promise<ReadonlyMap<number, RecordView>> {
    const { size, budget } = this.#parts
    const ready = versions.map(({ state, opened }) => {
      const known = this.#knownOf(state)
      const lacking = new Set([...paths].filter((path) => !known.paths.has(path)))
      return { known, lacking, values: new RecordValues(this.#values, known.state, opened) }
    })
    for (const { known, lacking, values } of ready) {
      const key = keyOf(known)
      for (const path of lacking) size.learn(key, path, values.size(path))
    }
    const fits = size.add(ready.map(({ known }) => ({ key: keyOf(known), place, metadata: known.state.metadata })))
    const amount = ready.reduce((sum, { values, lacking }) => sum + values.granted(lacking), 0)
    const reserved = fits ? await reservation.settle(amount) : 'TOO_LARGE'
    const opening = size.isExceeded ? 'TOO_LARGE' : reserved
    for (const { known, lacking, values } of ready) {
      values.settle(lacking, opening)
      for (const path of lacking) known.paths.add(path)
    }
    if (opening === 'SPENT') throw new PhiBudgetExceeded(budget.exceeded ?? 'VALUES')
    if (opening === 'TOO_LARGE') throw new OperationTooCostly()
    return new Map(ready.map(({ known: { state } }) => [state.version, new RecordView(state)]))
  }

  #knownOf(state: OpenVersion['state']): KnownVersion {
    const key = versionOf(state.ref, state.version)
    const known = this.#known.get(key) ?? { state: { ...state, outcomes: new Map() }, paths: new Set() }
    this.#known.set(key, known)
    return known
  }
}

const keyOf = ({ state: { ref, version } }: KnownVersion): string => versionOf(ref, version)
