import type { GraphQLResolveInfo } from 'graphql'
import type { AttributeLoader, AttributeSources } from '../access/attribute-loader.ts'
import { relationshipsOf } from '../access/relationships.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Action, PhiPolicy, Relationship } from '../../directives/policy.ts'
import type { Facts } from '../model/decision.ts'
import { IntegrityFailure } from '../model/failures.ts'
import { type PatientId, recordKey, type RecordRef } from '../model/ids.ts'
import type { RecordLoader } from './record-loader.ts'
import type { RecordView } from './record-view.ts'
import type { OperationRules, Recording, RequestIdentity } from './request-parts.ts'

/** A record that a change is about, or the patient of a new record, as far as the caller may know it. */
export interface ChangeTarget {
  readonly ref: RecordRef
  readonly version: number
  /** The facts for decisions about the change. */
  readonly facts: Facts
}

/** The records of a change: the type that is written, and the action. */
export interface IntendedChange {
  readonly type: TypeName
  readonly action: Extract<Action, 'CREATE' | 'UPDATE' | 'DELETE'>
}

interface TargetParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<AttributeSources, 'relationships'>,
    Pick<Recording, 'errors' | 'failures' | 'counter'> {
  readonly attributes: AttributeLoader
  readonly loader: RecordLoader
}

const NO_PATHS: ReadonlySet<SchemaPath> = new Set()
const NONE: ReadonlySet<Relationship> = new Set()

/**
 * The targets of changes. A caller can change a record only if the caller may know that it exists, and every other id is answered as one
 * that does not exist (P5). Nothing is opened.
 */
export class ChangeTargets {
  readonly #parts: TargetParts

  constructor(parts: TargetParts) {
    this.#parts = parts
  }

  /**
   * Returns the target, or null after its error entry and its audit record.
   *
   * @param ref for an unreadable id, a place without a record
   */
  async targetOf(ref: RecordRef, intended: IntendedChange, info: GraphQLResolveInfo): Promise<ChangeTarget | null> {
    const record = await this.recordOf(ref, NO_PATHS, info)
    return record && (await this.#withFacts(record, intended))
  }

  /**
   * Returns the record with an outcome for each of the paths, or null after its error entry and its audit record. The granted values are
   * opened and recorded as reads.
   */
  async recordOf(ref: RecordRef, paths: ReadonlySet<SchemaPath>, info: GraphQLResolveInfo): Promise<RecordView | null> {
    const { loader, errors, counter } = this.#parts
    const loaded = await loader.load(ref, paths, { byId: true })
    switch (loaded.kind) {
      case 'FOUND':
        return loaded.record
      case 'NOT_FOUND':
        errors.notFound(info.path, recordKey(ref))
        return null
      case 'CLOSED':
        counter.denied++
        errors.notFound(info.path, recordKey(ref))
        return null
      case 'UNAVAILABLE':
        errors.unavailable(`${info.parentType.name}.${info.fieldName}`, recordKey(ref), info.path)
        return null
    }
  }

  /** The facts about a patient that does not exist yet: the relationships that the caller will have to it. */
  async factsOfNew(ref: RecordRef, intended: IntendedChange): Promise<Facts> {
    const { relationships: registry, caller, now, deadline, failures, policy } = this.#parts
    const names = this.#relationshipsFor(intended)
    const reasonOf = (failure: unknown) => failures.classify(failure)
    const found = await relationshipsOf(registry, names, caller, [ref.patient], now, deadline, reasonOf)
    const { relationships = NONE, limits, grounds, unknown } = found.get(ref.patient) ?? {}
    return {
      relationships,
      ...(limits && { limits }),
      ...(grounds && { grounds }),
      ...(unknown && { unknown: new Set(unknown.keys()) }),
      consent: { rules: policy.consent, given: [], record: { id: ref.id, labels: new Set() } },
    }
  }

  /** Forgets a changed record, so that the answer reads the new version. */
  forget(ref: RecordRef): void {
    const { loader, attributes } = this.#parts
    loader.forget(ref)
    // the record of a patient names the patient's access manifest, and a new patient had none
    if ((ref.id as string) === (ref.patient as string)) attributes.forget(new Set<PatientId>([ref.patient]))
  }

  /** @throws IntegrityFailure if the attributes of the patient are damaged */
  async #withFacts(record: RecordView, intended: IntendedChange): Promise<ChangeTarget> {
    const { ref, version, facts } = record
    const names = this.#relationshipsFor(intended)
    const loaded = (await this.#parts.attributes.attributesFor(names, [ref.patient])).get(ref.patient)
    if (loaded === undefined || loaded.damage !== undefined) throw new IntegrityFailure()
    const limits = new Map([...(facts.limits ?? []), ...(loaded.limits ?? [])])
    const grounds = new Map([...(facts.grounds ?? []), ...(loaded.grounds ?? [])])
    const unknown = new Set([...(facts.unknown ?? []), ...(loaded.unknown?.keys() ?? [])])
    return {
      ref,
      version,
      facts: {
        ...facts,
        relationships: new Set([...facts.relationships, ...loaded.relationships]),
        ...(limits.size > 0 && { limits }),
        ...(grounds.size > 0 && { grounds }),
        ...(unknown.size > 0 && { unknown }),
      },
    }
  }

  /** The relationships that could grant the change to anybody. */
  #relationshipsFor({ type, action }: IntendedChange): ReadonlySet<Relationship> {
    const ofType = ({ path }: PhiPolicy): boolean => path.startsWith(`${type}.`)
    const grants = [...this.#parts.policy.phi.values()].filter(ofType).flatMap((field) => field.grants)
    return new Set(grants.filter(({ actions }) => actions.has(action)).map(({ relationship }) => relationship))
  }
}
