import type { Deadline } from '../vocabulary/deadline.ts'
import type { Caller } from '../vocabulary/decision.ts'
import type { Instant, PatientId } from '../vocabulary/ids.ts'
import type { Relationship } from '../vocabulary/policy.ts'
import { type Held, type RelationshipRegistry, relationshipsOf } from './relationships.ts'

interface HeldParts {
  readonly caller: Caller
  readonly now: Instant
  readonly relationships: RelationshipRegistry
  readonly deadline: Deadline
}

/** The relationships of one caller during one request: each is asked for once, so that list, record and edge decide alike. */
export class HeldRelationships {
  readonly #parts: HeldParts
  readonly #known = new Map<string, boolean>()

  constructor(parts: HeldParts) {
    this.#parts = parts
  }

  /**
   * What is known towards each of the patients. What was found damaged is asked for again.
   * @throws StoreUnavailable, KeyUnavailable
   */
  async of(names: ReadonlySet<Relationship>, patients: readonly PatientId[]): Promise<ReadonlyMap<PatientId, Held>> {
    const { relationships, caller, now, deadline } = this.#parts
    const held = new Map<PatientId, Held>()
    const unknown: PatientId[] = []
    for (const patient of patients) {
      const answers = [...names].map((name) => [name, this.#known.get(`${name} ${patient}`)] as const)
      if (answers.some(([, holds]) => holds === undefined)) unknown.push(patient)
      else held.set(patient, { relationships: new Set(answers.flatMap(([name, holds]) => (holds === true ? [name] : []))) })
    }
    if (unknown.length === 0) return held
    for (const [patient, found] of await relationshipsOf(relationships, names, caller, unknown, now, deadline)) {
      held.set(patient, found)
      if (found.damage !== undefined) continue
      for (const name of names) this.#known.set(`${name} ${patient}`, found.relationships.has(name))
    }
    return held
  }
}
