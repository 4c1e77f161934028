import type { GraphQLResolveInfo } from 'graphql'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { decide } from '../decide/decide.ts'
import type { IntendedChange } from '../disclosure/change-targets.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Caller, Facts, Permit } from '../model/decision.ts'
import { type Instant, recordKey, type RecordRef } from '../model/ids.ts'
import type { GivenValues } from './input-values.ts'

interface RightsParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
}

/** A change to decide about. */
interface Asked {
  readonly ref: RecordRef
  readonly version?: number
  readonly facts: Facts
  readonly action: IntendedChange['action']
  /** Whether the change creates the patient: no audit record can name the patient before it exists. */
  readonly isNew: boolean
}

/** Decides each value of a change, and records what it decided. */
export class ChangeRights {
  readonly #parts: RightsParts
  readonly #scope: RequestScope

  constructor(parts: RightsParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
  }

  /**
   * Decides the right to each given value. If one is refused, nothing is written: every refused value has an error entry and an audit
   * record, and the others have none, because nothing happened to them.
   *
   * @returns the audit records of the values, for the transaction that writes them; null if a value is refused
   */
  decide(given: GivenValues, asked: Asked, info: GraphQLResolveInfo): readonly AccessRecord[] | null {
    const written: AccessRecord[] = []
    let isRefused = false
    for (const path of given.values.keys()) {
      const permitted = this.#decided(path, asked, info)
      if (permitted === undefined) isRefused = true
      else written.push(permitted)
    }
    return isRefused ? null : written
  }

  /** The one audit record of a retraction, on the ground of its first right. */
  retraction({ type }: RecordRef, permits: readonly AccessRecord[]): AccessRecord {
    const paths = permits.map(({ path }) => path).toSorted()
    return { ...(permits[0] as AccessRecord), path: type as string as SchemaPath, paths }
  }

  #decided(path: SchemaPath, { ref, version, facts, action, isNew }: Asked, info: GraphQLResolveInfo): AccessRecord | undefined {
    const { policy, caller, now } = this.#parts
    const { errors, recorder } = this.#scope
    const decision = decide(policy.phi.get(path), caller, facts, now, action)
    const { patient, type, id } = ref
    // a record that is not created has no id
    const place = action === 'CREATE' ? {} : { recordId: id, ...(version !== undefined && { recordVersion: version }) }
    const at = { ...(!isNew && { patient }), recordType: type, ...place, path, action } as const
    const name = `${path} ${action} ${recordKey(ref)}`
    switch (decision.outcome) {
      case 'GRANTED':
        return { patient, recordType: type, recordId: id, path, action, outcome: 'WRITTEN', ...groundsOf(decision) }
      // lint gives changes the view FULL only
      case 'MASKED':
      case 'DENIED': {
        const denial =
          decision.outcome === 'DENIED'
            ? decision
            : ({ outcome: 'DENIED', reason: 'ROLE', rule: decision.rule, breakGlass: false } as const)
        errors.record(path, recordKey(ref), { outcome: 'DENIED', denial }, info.path)
        const { reason, rule } = denial
        recorder.recordOnce(name, { ...at, outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) })
        return undefined
      }
      case 'INDETERMINATE':
        errors.unavailable(path, recordKey(ref), info.path)
        recorder.recordOnce(name, { ...at, outcome: 'UNAVAILABLE', reason: 'STORE', rule: decision.rule })
        return undefined
    }
  }
}

function groundsOf({
  rule,
  basis,
  basisId,
  since,
  limits,
}: Permit): Pick<AccessRecord, 'rule' | 'basis' | 'basisId' | 'since' | 'limits'> {
  return {
    rule,
    basis,
    ...(basisId !== undefined && { basisId }),
    ...(since !== undefined && { since }),
    ...(limits !== undefined && { limits }),
  }
}
