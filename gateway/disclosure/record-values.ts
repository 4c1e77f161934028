import { decide } from '../decide/decide.ts'
import { firstRefusedInput } from '../decide/decide-inputs.ts'
import type { OpenRecord } from '../store/record-source.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Caller, Decision, Denial, Permit, Indeterminate } from '../model/decision.ts'
import { Erased } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordRef } from '../model/ids.ts'
import type { PolicyTable, View } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import type { ComputedFields } from './computed-fields.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { PathOutcome } from './path-outcome.ts'
import { withoutFreeText } from './free-text.ts'
import { noticesOf } from './notices.ts'
import type { Reserved } from './phi-budget.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { RecordState } from './record-view.ts'
import { show } from './views.ts'

export interface ValueParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly computed: ComputedFields
  readonly ids: PublicIds
  readonly counter: DisclosureCounter
  readonly failures: FailureReasons
  readonly note: (record: AccessRecord) => void
  /** What has to be told along with what is disclosed: the notice of 42 CFR 2.32. */
  readonly notices: Set<string>
}

/** The access that a trail records, as far as it is known before the decision. */
type At = Pick<AccessRecord, 'path' | 'action' | 'recordVersion'>

/** Decides and opens the values of one record. An outcome is found once, kept in the record's state, and recorded then. */
export class RecordValues {
  readonly #parts: ValueParts
  readonly #state: RecordState
  readonly #record: OpenRecord
  readonly #decisions = new Map<SchemaPath, Decision>()
  /** Nothing is opened before something is reserved for it. */
  #reserved: Reserved = 'UNKNOWN'

  constructor(parts: ValueParts, state: RecordState, record: OpenRecord) {
    this.#parts = parts
    this.#state = state
    this.#record = record
  }

  /** How many values would be opened for these paths, each once and whether it is there or not. */
  granted(paths: ReadonlySet<SchemaPath>): number {
    const { policy } = this.#parts
    if (this.#state.erased) return 0
    const granted = new Set<SchemaPath>()
    for (const path of paths) {
      const { outcome } = this.#decide(path)
      const permitted = outcome === 'GRANTED' || outcome === 'MASKED'
      if (!permitted || policy.phi.get(path)?.class === 'EDGE' || this.#inputDenied(path) !== undefined) continue
      for (const value of [path, ...(policy.computed.get(path) ?? [])]) {
        if (!this.#state.outcomes.has(value)) granted.add(value)
      }
    }
    return granted.size
  }

  /** Decides paths that the answer asks for, and opens what is granted of them as far as it was reserved. */
  settle(paths: ReadonlySet<SchemaPath>, reserved: Reserved): void {
    this.#reserved = reserved
    for (const path of paths) given(this.#parts.counter, this.#outcome(path))
  }

  #outcome(path: SchemaPath): PathOutcome {
    const known = this.#state.outcomes.get(path)
    if (known !== undefined) return known
    const outcome = this.#decided(path)
    this.#state.outcomes.set(path, outcome)
    return outcome
  }

  #decided(path: SchemaPath): PathOutcome {
    const { ref } = this.#state
    const { version } = this.#record
    const at: At = { ...(version > 0 && { recordVersion: version }), path, action: 'READ' }
    if (path === existenceOf(ref)) {
      this.#note({ ...at, outcome: 'DISCLOSED' })
      return { outcome: 'ABSENT' }
    }
    const decision = this.#decide(path)
    if (decision.outcome === 'DENIED') return this.#denied(at, decision)
    if (decision.outcome === 'INDETERMINATE') return this.#undecided(at, decision.rule)
    // the edge itself is recorded when it is known how many records it gave
    if (this.#parts.policy.phi.get(path)?.class === 'EDGE' && !this.#state.erased) return { outcome: 'PERMITTED', permit: decision }
    const inputDenied = this.#inputDenied(path)
    if (inputDenied === undefined) return this.#withheld(at, decision) ?? this.#shown(at, decision)
    return inputDenied.outcome === 'DENIED' ? this.#denied(at, inputDenied) : this.#undecided(at, inputDenied.rule)
  }

  #decide(path: SchemaPath): Decision {
    const { caller, policy, now } = this.#parts
    const decision = this.#decisions.get(path) ?? decide(policy.phi.get(path), caller, this.#state.facts, now)
    this.#decisions.set(path, decision)
    return decision
  }

  /** What is granted, and beyond what the caller may be given now. */
  #withheld(at: At, { rule }: Permit): PathOutcome | undefined {
    // nothing is opened of it, so that nothing had to be reserved
    if (this.#state.erased) return undefined
    switch (this.#reserved) {
      case 'RESERVED':
        return undefined
      case 'SPENT':
        return this.#denied(at, { outcome: 'DENIED', reason: 'BUDGET', rule, breakGlass: false })
      case 'UNKNOWN':
        return this.#undecided(at, rule)
    }
  }

  #denied(at: At, denial: Denial): PathOutcome {
    const { reason, rule } = denial
    this.#parts.counter.denied++
    this.#note({ ...at, outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) })
    return { outcome: 'DENIED', denial }
  }

  /** What the decision needs could not be found out: that is no refusal. */
  #undecided(at: At, rule: string): PathOutcome {
    this.#note({ ...at, outcome: 'UNAVAILABLE', reason: 'STORE', rule })
    return { outcome: 'UNAVAILABLE', reason: 'STORE' }
  }

  /** Asked before any input is opened, so that none is opened for nothing (P1). */
  #inputDenied(path: SchemaPath): Denial | Indeterminate | undefined {
    const { caller, policy, now } = this.#parts
    return firstRefusedInput(policy, path, caller, this.#state.facts, now)
  }

  #shown(at: At, { outcome, view, rule, basis, basisId }: Permit): PathOutcome {
    const permitted = { ...at, rule, basis: basisId === undefined ? basis : `${basis} ${basisId}` } as const
    const found = this.#valueOf(at.path)
    if (found.outcome !== 'FOUND') {
      this.#note({ ...permitted, ...found })
      return found
    }
    const value = this.#seen(at.path, view, found.value)
    this.#note({ ...permitted, view, outcome: outcome === 'MASKED' ? 'MASKED' : 'DISCLOSED' })
    for (const notice of noticesOf(this.#parts.policy, this.#state.facts, at.path)) this.#parts.notices.add(notice)
    return outcome === 'MASKED' ? { outcome, value, view } : { outcome: 'DISCLOSED', value }
  }

  #seen(path: SchemaPath, view: View, value: Json): Json {
    const { caller, ids, now, policy } = this.#parts
    if (view === 'PSEUDONYM') return ids.standIn(this.#state.ref, path)
    const shown = show(view, value, now)
    const texts = policy.freeText.get(path)
    // what people wrote may name anybody: it is no part of what is de-identified, in whatever view
    return caller.study === undefined || texts === undefined ? shown : withoutFreeText(texts, shown)
  }

  #valueOf(path: SchemaPath): Found | NotFound {
    const inputs = this.#parts.policy.computed.get(path)
    if (inputs !== undefined) return this.#computed(path, inputs)
    try {
      return foundOrAbsent(this.#record.value(path))
    } catch (error) {
      if (error instanceof Erased) return { outcome: 'ERASED' }
      return { outcome: 'UNAVAILABLE', reason: this.#parts.failures.classify(error, this.#state.ref, path) }
    }
  }

  #computed(path: SchemaPath, inputs: readonly SchemaPath[]): Found | NotFound {
    const values: (Json | undefined)[] = []
    for (const input of inputs) {
      const outcome = this.#outcome(input)
      // what an input cannot be had for, the value that needs it cannot be had for either
      if (outcome.outcome === 'UNAVAILABLE' || outcome.outcome === 'ERASED') return outcome
      values.push(outcome.outcome === 'DISCLOSED' ? outcome.value : undefined)
    }
    return foundOrAbsent(this.#parts.computed[path]?.(values, this.#parts.now) ?? undefined)
  }

  #note(record: At & Pick<AccessRecord, 'outcome' | 'reason' | 'rule' | 'basis' | 'view'>): void {
    this.#parts.note({ ...where(this.#state.ref), ...record })
  }
}

interface Found {
  readonly outcome: 'FOUND'
  readonly value: Json
}
type NotFound = Extract<PathOutcome, { outcome: 'ABSENT' | 'ERASED' | 'UNAVAILABLE' }>

const foundOrAbsent = (value: Json | undefined): Found | NotFound =>
  value === undefined ? { outcome: 'ABSENT' } : { outcome: 'FOUND', value }

/** Counts a value that goes into the answer; an input that nobody selected is opened and recorded, and not given. */
export function given(counter: DisclosureCounter, outcome: PathOutcome): void {
  // a view that cannot read a value shows nothing of it
  if ((outcome.outcome === 'DISCLOSED' || outcome.outcome === 'MASKED') && outcome.value !== null) counter.resolved++
}

export const where = (ref: RecordRef): { patient: PatientId; recordType: TypeName; recordId: RecordRef['id'] } => ({
  patient: ref.patient,
  recordType: ref.type,
  recordId: ref.id,
})

/** Where a record was asked for by its id and nothing of it was selected, what is told and recorded is that it exists. */
export const existenceOf = ({ type }: RecordRef): SchemaPath => `${type}.id` as SchemaPath
