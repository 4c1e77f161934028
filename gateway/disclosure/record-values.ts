import { viewInputs } from '../decide/view-inputs.ts'
import { firstRefusedInput } from '../decide/decide-inputs.ts'
import type { OpenRecord } from '../store/record-source.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Decision, Denial, Permit, Indeterminate } from '../model/decision.ts'
import { Erased } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../model/ids.ts'
import type { LeftOut } from '../model/list.ts'
import type { View } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { PathOutcome } from './path-outcome.ts'
import { withoutFreeText } from './free-text.ts'
import { withInputs } from './computed-fields.ts'
import { noticesOf } from './notices.ts'
import type { Reserved } from './phi-budget.ts'
import type { RecordState } from './record-view.ts'
import type { ValueSize } from './response-size.ts'
import { decideInState } from './stricter-decision.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'
import { show, type ViewInputs } from './views.ts'

export interface ValueParts
  extends Pick<RequestIdentity, 'caller' | 'now'>,
    Pick<OperationRules, 'policy' | 'computed'>,
    Pick<RecordAccess, 'ids'>,
    Pick<Recording, 'counter' | 'failures' | 'notices'> {
  readonly record: (access: AccessRecord) => void
}

/** The parts of an access record that are known before the decision. */
type At = Pick<AccessRecord, 'path' | 'action' | 'recordVersion'>

/** Whether granted values may be opened. TOO_LARGE: the answer would exceed the limit of a response. */
export type Opening = Reserved | 'TOO_LARGE'

/** The JSON text of a masked value, at most: a year, three digits, a pseudonym, a period of years. It does not follow the value. */
const MASKED_BYTES = 64

/** Decides and opens the values of one record. Each outcome is found once, kept in the record's state, and recorded at once. */
export class RecordValues {
  readonly #parts: ValueParts
  readonly #state: RecordState
  readonly #opened: OpenRecord
  readonly #decisions = new Map<SchemaPath, Decision>()
  /** Without a reservation nothing is opened. */
  #opening: Opening = 'UNKNOWN'

  constructor(parts: ValueParts, state: RecordState, record: OpenRecord) {
    this.#parts = parts
    this.#state = state
    this.#opened = record
  }

  /** The number of values that these paths would open. Each value counts once, present or absent. */
  granted(paths: ReadonlySet<SchemaPath>): number {
    const { policy } = this.#parts
    if (this.#state.erased) return 0
    const granted = new Set<SchemaPath>()
    for (const path of paths) {
      const decision = this.#decide(path)
      if (decision.outcome === 'DENIED' || decision.outcome === 'INDETERMINATE') continue
      if (policy.phi.get(path)?.class === 'EDGE' || this.#inputDenied(path) !== undefined) continue
      const ofView = [...viewInputs(policy, path, decision.view).values()].filter((input) => this.#isReadable(input))
      for (const value of [path, ...(policy.computed.get(path) ?? []), ...ofView]) {
        if (!this.#state.outcomes.has(value)) granted.add(value)
      }
    }
    return granted.size
  }

  /** What a value takes of the answer at most, by its decision and its stored length. Opens nothing. */
  size(path: SchemaPath): ValueSize {
    const { policy } = this.#parts
    const decision = this.#decide(path)
    const isPermitted = decision.outcome === 'GRANTED' || decision.outcome === 'MASKED'
    if (!isPermitted || this.#state.erased || this.#inputDenied(path) !== undefined) return { kind: 'NOT_GIVEN' }
    const isEdge = policy.phi.get(path)?.class === 'EDGE'
    const stored = isEdge ? [] : (policy.computed.get(path) ?? [path])
    const bytes = stored.reduce((sum, input) => sum + this.#opened.maxBytes(input), 0)
    if (decision.outcome === 'GRANTED') return { kind: 'GIVEN', bytes }
    // LAST4 replaces each hidden character by one character
    return { kind: 'MASKED', bytes: decision.view === 'LAST4' ? bytes : MASKED_BYTES }
  }

  /** The stored length of these values, in bytes. */
  stored(paths: ReadonlySet<SchemaPath>): number {
    return [...withInputs(this.#parts.policy, paths, this.#parts.caller)].reduce(
      (sum, path) => sum + this.#opened.maxBytes(path),
      0,
    )
  }

  /** Decides the paths that the answer asks for, and opens the granted ones if that is allowed. */
  settle(paths: ReadonlySet<SchemaPath>, opening: Opening): void {
    this.#opening = opening
    for (const path of paths) given(this.#parts.counter, this.#outcome(path))
  }

  #outcome(path: SchemaPath): PathOutcome {
    const earlier = this.#state.outcomes.get(path)
    if (earlier !== undefined) return earlier
    const outcome = this.#decided(path)
    this.#state.outcomes.set(path, outcome)
    return outcome
  }

  #decided(path: SchemaPath): PathOutcome {
    const { ref } = this.#state
    const { version } = this.#opened
    const at: At = { ...(version > 0 && { recordVersion: version }), path, action: 'READ' }
    if (path === existenceOf(ref)) {
      this.#record({ ...at, outcome: 'DISCLOSED' })
      return { outcome: 'ABSENT' }
    }
    const decision = this.#decide(path)
    if (decision.outcome === 'DENIED') return this.#denied(at, decision)
    if (decision.outcome === 'INDETERMINATE') return this.#indeterminate(at, decision.rule)
    // the edge is recorded at the end, with the number of records it gave
    if (this.#parts.policy.phi.get(path)?.class === 'EDGE' && !this.#state.erased) return { outcome: 'PERMITTED', permit: decision }
    const inputDenied = this.#inputDenied(path)
    if (inputDenied === undefined) return this.#withheld(at, decision) ?? this.#shown(at, decision)
    return inputDenied.outcome === 'DENIED' ? this.#denied(at, inputDenied) : this.#indeterminate(at, inputDenied.rule)
  }

  #decide(path: SchemaPath): Decision {
    const { caller, policy, now } = this.#parts
    const decision = this.#decisions.get(path) ?? decideInState(policy.phi.get(path), caller, this.#state, now)
    this.#decisions.set(path, decision)
    return decision
  }

  /** The outcome of a granted value that may not be opened; undefined if it may. */
  #withheld(at: At, { rule }: Permit): PathOutcome | undefined {
    // an erased record opens nothing and needs no reservation
    if (this.#state.erased) return undefined
    switch (this.#opening) {
      case 'RESERVED':
        return undefined
      case 'SPENT':
        return this.#denied(at, { outcome: 'DENIED', reason: 'BUDGET', rule, breakGlass: false })
      case 'TOO_LARGE':
        return this.#denied(at, { outcome: 'DENIED', reason: 'SIZE', rule, breakGlass: false })
      case 'UNKNOWN':
        return this.#indeterminate(at, rule)
    }
  }

  #denied(at: At, denial: Denial): PathOutcome {
    const { reason, rule } = denial
    this.#parts.counter.denied++
    this.#record({ ...at, outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) })
    return { outcome: 'DENIED', denial }
  }

  /** A service failed that the decision depends on: this is not a denial. */
  #indeterminate(at: At, rule: string): PathOutcome {
    this.#record({ ...at, outcome: 'UNAVAILABLE', reason: 'STORE', rule })
    return { outcome: 'UNAVAILABLE', reason: 'STORE' }
  }

  /** Checked before any input is opened, so that no input is opened in vain (P1). */
  #inputDenied(path: SchemaPath): Denial | Indeterminate | undefined {
    const { caller, policy, now } = this.#parts
    const { facts, also } = this.#state
    const refused = firstRefusedInput(policy, path, caller, facts, now)
    return refused ?? (also && firstRefusedInput(policy, path, caller, also, now))
  }

  #shown(at: At, permit: Permit): PathOutcome {
    const { outcome, view } = permit
    const permitted = { ...at, ...groundsOf(permit) }
    const found = this.#valueOf(at.path)
    if (found.outcome !== 'FOUND') {
      this.#record({ ...permitted, ...found })
      return found
    }
    const inputs = this.#inputsOf(at.path, view)
    if ('outcome' in inputs) {
      this.#record({ ...permitted, ...inputs })
      return inputs
    }
    const value = this.#seen(at.path, view, found.value, inputs.values)
    this.#record({ ...permitted, view, outcome: outcome === 'MASKED' ? 'MASKED' : 'DISCLOSED' })
    const { policy, caller, notices, now } = this.#parts
    for (const notice of noticesOf(policy, caller, this.#state.facts, at.path, now)) notices.add(notice)
    return outcome === 'MASKED' ? { outcome, value, view } : { outcome: 'DISCLOSED', value }
  }

  /**
   * Opens the values that the view depends on. Each is decided by its own grants, opened and recorded as if it were selected (P1). An
   * input that the caller may not read in full is left out, so that the view shows nothing of its value.
   */
  #inputsOf(path: SchemaPath, view: View): { readonly values: ViewInputs } | Unavailable {
    const values: Record<string, Json> = {}
    for (const [name, input] of viewInputs(this.#parts.policy, path, view)) {
      if (this.#decide(input).outcome === 'INDETERMINATE') return { outcome: 'UNAVAILABLE', reason: 'STORE' }
      if (!this.#isReadable(input)) continue
      const outcome = this.#outcome(input)
      if (outcome.outcome === 'UNAVAILABLE') return outcome
      if (outcome.outcome === 'DISCLOSED') values[name] = outcome.value
    }
    return { values }
  }

  #isReadable(path: SchemaPath): boolean {
    return this.#decide(path).outcome === 'GRANTED'
  }

  #seen(path: SchemaPath, view: View, value: Json, inputs: ViewInputs): Json {
    const { caller, ids, now, policy } = this.#parts
    if (view === 'PSEUDONYM') return ids.standIn(this.#state.ref, path)
    const shown = show(view, value, now, inputs)
    const texts = policy.freeText.get(path)
    // free text may name anyone: no view of it is de-identified
    return caller.study === undefined || texts === undefined ? shown : withoutFreeText(texts, shown)
  }

  #valueOf(path: SchemaPath): Found | NotFound {
    const inputs = this.#parts.policy.computed.get(path)
    if (inputs !== undefined) return this.#computed(path, inputs)
    try {
      return foundOrAbsent(this.#opened.value(path))
    } catch (error) {
      if (error instanceof Erased) return { outcome: 'ERASED' }
      return { outcome: 'UNAVAILABLE', reason: this.#parts.failures.classify(error, this.#state.ref, path) }
    }
  }

  #computed(path: SchemaPath, inputs: readonly SchemaPath[]): Found | NotFound {
    const values: (Json | undefined)[] = []
    for (const input of inputs) {
      const outcome = this.#outcome(input)
      // a computed value is unavailable or erased for the same reason as its input
      if (outcome.outcome === 'UNAVAILABLE' || outcome.outcome === 'ERASED') return outcome
      values.push(outcome.outcome === 'DISCLOSED' ? outcome.value : undefined)
    }
    return foundOrAbsent(this.#parts.computed[path]?.(values, this.#parts.now) ?? undefined)
  }

  #record(access: At & Pick<AccessRecord, 'outcome' | 'reason' | 'view' | Grounds>): void {
    this.#parts.record({ ...where(this.#state.ref), listed: this.#state.listed, ...access })
  }
}

interface Found {
  readonly outcome: 'FOUND'
  readonly value: Json
}
type Unavailable = Extract<PathOutcome, { outcome: 'UNAVAILABLE' }>
type NotFound = Extract<PathOutcome, { outcome: 'ABSENT' | 'ERASED' | 'UNAVAILABLE' }>

const foundOrAbsent = (value: Json | undefined): Found | NotFound =>
  value === undefined ? { outcome: 'ABSENT' } : { outcome: 'FOUND', value }

/** Counts a value of the answer. An input that the query did not select is opened and recorded, but not counted here. */
export function given(counter: DisclosureCounter, outcome: PathOutcome): void {
  // a view that cannot read the value gives null
  if ((outcome.outcome === 'DISCLOSED' || outcome.outcome === 'MASKED') && outcome.value !== null) counter.resolved++
}

/** The rule and the basis of a permit, in the form of the audit. */
export const groundsOf = ({ rule, basis, basisId, since, limits }: Permit): Pick<AccessRecord, Grounds> => ({
  rule,
  basis,
  ...(basisId !== undefined && { basisId }),
  ...(since !== undefined && { since }),
  ...(limits !== undefined && { limits }),
})

type Grounds = 'rule' | 'basis' | 'basisId' | 'since' | 'limits'

export const where = (ref: RecordRef): { patient: PatientId; recordType: TypeName; recordId: RecordRef['id'] } => ({
  patient: ref.patient,
  recordType: ref.type,
  recordId: ref.id,
})

/** The access to a record that is left out of an answer. None of its fields is resolved, so it is one access. */
export const leftOutAccess = ({ ref, version, reason }: LeftOut): AccessRecord => ({
  ...where(ref),
  ...(version > 0 && { recordVersion: version }),
  path: existenceOf(ref),
  action: 'READ',
  outcome: 'DENIED',
  reason,
})

/** If a query selects no field of a record that it finds by id, the answer and the audit show only that it exists. */
export const existenceOf = ({ type }: RecordRef): SchemaPath => `${type}.id` as SchemaPath
