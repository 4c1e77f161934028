import type { GraphQLSchema } from 'graphql'
import { viewInputs } from '../decide/view-inputs.ts'
import { explainPath, type PathExplanation } from '../decide/explain.ts'
import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { lookupToken } from '../crypto/tokens.ts'
import { grantInWords } from '../../directives/grant-words.ts'
import { type Passage, routes, type Way } from '../operations/routes.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Facts } from '../model/decision.ts'
import { BadUserInput, IntegrityFailure, keyOverdue, storeOverdue } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { type PatientId, recordKey, type RecordRef } from '../model/ids.ts'
import { encodeNodeId } from '../model/node-id.ts'
import type { Action } from '../../directives/policy.ts'
import { decoyOf } from './decoy.ts'
import { assumptions, OperationRefused, readOperation } from '../operations/operation-text.ts'
import type { Deciding } from './record-visibility.ts'
import { where } from './record-values.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity, RequestLimits } from './request-parts.ts'

interface PlannedPath extends PathExplanation {
  readonly path: SchemaPath
  readonly action: Action
  readonly grant?: string
  /** The earlier path that closes this one, or may close it. */
  readonly at?: SchemaPath
}

/** The result that an operation would have, path by path. */
export interface AccessPlan {
  readonly purpose: string
  readonly policy: string
  readonly assumed: readonly string[]
  readonly paths: readonly PlannedPath[]
}

interface ExplainerParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<RequestLimits, 'maxCost'>,
    Pick<RecordAccess, 'sources' | 'keyring'>,
    Deciding,
    Pick<Recording, 'failures' | 'trail' | 'counter'> {}

const ROOT = 'Query.explainAccess' as SchemaPath

type Settled<T> = { readonly value: T } | { readonly failure: OutcomeReason }

/**
 * Explains the result of an operation without executing it. It reads the same attributes of a patient as an answer does:
 * relationships, break-glass grants, consents and existence. It opens no metadata and no value.
 */
export class AccessExplainer {
  readonly #parts: ExplainerParts
  #asked = false

  constructor(parts: ExplainerParts) {
    this.#parts = parts
  }

  /**
   * One plan a request, and one audit record of it.
   *
   * @param patient the patient's own record; undefined if the request names no patient
   * @throws BadUserInput; OperationRefused, also for a second plan: aliases must not make a cheap request expensive
   */
  async explain(
    schema: GraphQLSchema,
    { query, operationName }: Readonly<Record<string, unknown>>,
    patient: RecordRef | undefined,
  ): Promise<AccessPlan | 'NOT_FOUND' | 'UNAVAILABLE'> {
    if (typeof query !== 'string') throw new BadUserInput({ detail: '`query` is the text of an operation.' })
    if (this.#asked) throw new OperationRefused('OPERATION_TOO_COSTLY')
    this.#asked = true
    const { policy, caller, trail, maxCost: most } = this.#parts
    const name = typeof operationName === 'string' ? operationName : undefined
    const { document, operation } = readOperation(schema, query, name, { policy, most })
    const walked = (facts: Facts | undefined): Omit<PlannedPath, 'grant'>[] => {
      const passage = this.#passage(facts)
      const { paths, reads } = routes(schema, policy, document, operation, passage)
      return [...this.#planned(this.#withViewInputs(paths, facts), 'READ', facts), ...this.#planned(reads, 'SEARCH', facts)]
    }
    const asked = walked(undefined).map(({ path }) => path)
    const facts = patient === undefined ? undefined : await this.#factsOf(patient, asked)
    if (facts === 'NOT_FOUND' || facts === 'UNAVAILABLE') return facts
    const paths = walked(facts).map((planned) => ({ ...planned, ...this.#grantOf(planned) }))
    // without a patient the plan is about no person
    const about = patient === undefined ? ({ outcome: 'ABSENT' } as const) : ({ ...where(patient), outcome: 'DISCLOSED' } as const)
    trail.record({ ...about, path: ROOT, action: 'READ', paths: asked })
    return { purpose: caller.purpose, policy: policy.digest, assumed: assumptions(document), paths }
  }

  /** The paths with the values that views of them open for themselves. */
  #withViewInputs(paths: ReadonlyMap<SchemaPath, Way>, facts: Facts | undefined): ReadonlyMap<SchemaPath, Way> {
    const all = new Map(paths)
    for (const [path, way] of paths) {
      const { view } = this.#explained(path, facts)
      if (view === undefined) continue
      for (const input of viewInputs(this.#parts.policy, path, view).values()) {
        if (!all.has(input) && this.#explained(input, facts).outcome !== 'DENIED') all.set(input, way)
      }
    }
    return all
  }

  #explained(path: SchemaPath, facts: Facts | undefined, action: Action = 'READ'): PathExplanation {
    const { policy, caller, now } = this.#parts
    const read = explainPath(policy, path, caller, facts, now)
    if (action === 'READ' || read.outcome === 'GRANTED') return read
    // an argument needs a FULL grant to read the field or to search by it (P11)
    const search = explainPath(policy, path, caller, facts, now, 'SEARCH')
    if (search.outcome === 'GRANTED' || (search.outcome === 'DEPENDS' && search.view === 'FULL')) return search
    const { outcome, view } = read
    if (outcome === 'DENIED' || (outcome === 'DEPENDS' && view === 'FULL')) return read
    const { rule } = read
    return {
      outcome: 'DENIED',
      reason: 'ROLE',
      ...(rule !== undefined && { rule }),
      dependsOn: [],
      breakGlass: false,
      consentCouldClose: false,
    }
  }

  #passage(facts: Facts | undefined): Passage {
    const { policy, caller } = this.#parts
    return ({ kind, path }) => {
      if (kind === 'ROOT') {
        const call = policy.calls.get(path as string as Coordinate)
        return call === undefined || [...caller.roles].some((role) => call.roles.has(role)) ? 'OPEN' : 'DENIED'
      }
      // an edge to one record is decided against its target
      if (kind === 'EDGE' && !policy.phi.has(path)) return 'OPEN'
      const { outcome } = this.#explained(path, facts, kind === 'READ' ? 'SEARCH' : 'READ')
      return outcome === 'DEPENDS' || outcome === 'DENIED' ? outcome : 'OPEN'
    }
  }

  #planned(ways: ReadonlyMap<SchemaPath, Way>, action: Action, facts: Facts | undefined): Omit<PlannedPath, 'grant'>[] {
    return [...ways].map(([path, way]) => {
      const own = this.#explained(path, facts, action)
      if (way.passage === 'OPEN') return { ...own, path, action }
      const { at } = way
      const before = this.#before(at, facts)
      const breakGlass = before.breakGlass && (own.outcome !== 'DENIED' || own.breakGlass)
      if (way.passage === 'DENIED') return { ...before, breakGlass, path, action, at }
      if (own.outcome === 'DENIED') return { ...own, path, action }
      const dependsOn = [...new Set([...before.dependsOn, ...own.dependsOn])]
      return { ...own, outcome: 'DEPENDS', dependsOn, breakGlass, path, action, at }
    })
  }

  /** The explanation of an earlier path: a root that only some roles may call, an edge, or a field that an argument reads. */
  #before(at: SchemaPath, facts: Facts | undefined): PathExplanation {
    if (this.#parts.policy.calls.has(at as string as Coordinate)) {
      return { outcome: 'DENIED', reason: 'ROLE', dependsOn: [], breakGlass: false, consentCouldClose: false }
    }
    const isEdge = this.#parts.policy.phi.get(at)?.class === 'EDGE'
    return this.#explained(at, facts, isEdge ? 'READ' : 'SEARCH')
  }

  #grantOf({ path, at, rule, outcome }: Omit<PlannedPath, 'grant'>): { grant?: string } {
    const places = outcome === 'DENIED' ? [at, path] : [path]
    const fields = places.flatMap((place) => [
      place,
      ...(place === undefined ? [] : (this.#parts.policy.computed.get(place) ?? [])),
    ])
    const grants = fields.flatMap((field) => (field === undefined ? [] : (this.#parts.policy.phi.get(field)?.grants ?? [])))
    const grant = grants.find((written) => written.rule === rule)
    return grant === undefined ? {} : { grant: grantInWords(grant) }
  }

  /** The same work for a hidden patient, a patient of another tenant and an id without a patient (P5). */
  async #factsOf(ref: RecordRef, asked: readonly SchemaPath[]): Promise<Facts | 'NOT_FOUND' | 'UNAVAILABLE'> {
    const { caller, keyring, counter, trail } = this.#parts
    const types = new Set([ref.type, ...asked.map((path) => path.slice(0, path.indexOf('.')) as TypeName)])
    const names = new Set([...types].flatMap((type) => [...this.#parts.visibility.admitting(type)]))
    const loading = this.#settled(() => this.#parts.attributes.attributesFor(names, [ref.patient]), storeOverdue)
    const [attributes, exists, lookup] = await Promise.all([
      loading,
      this.#settled(() => this.#exists(ref, loading), storeOverdue),
      this.#settled(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
    ])
    const failed = [attributes, exists, lookup].find((settled) => 'failure' in settled)
    if (failed !== undefined && 'failure' in failed) return this.#unavailable(ref, failed.failure)
    if (!('value' in attributes && 'value' in exists && 'value' in lookup)) return this.#unavailable(ref, 'STORE')
    const visibility = this.#visibility(ref, attributes.value.get(ref.patient), exists.value)
    if (visibility === 'DAMAGED') return this.#unavailable(ref, this.#parts.failures.classify(new IntegrityFailure(), ref))
    if (visibility === 'UNKNOWN') return this.#unavailable(ref, 'STORE')
    if (visibility !== 'HIDDEN') return visibility
    counter.denied++
    const hidden = this.#hidden(ref, exists.value, lookup.value)
    const placement = { kind: 'REFUSED', id: recordKey(ref) } as const
    trail.record({ ...hidden, path: ROOT, action: 'READ', outcome: 'DENIED', paths: asked }, placement)
    return 'NOT_FOUND'
  }

  #visibility(
    ref: RecordRef,
    attributes: SubjectAttributes | undefined,
    exists: boolean,
  ): Facts | 'HIDDEN' | 'UNKNOWN' | 'DAMAGED' {
    if (attributes === undefined) return 'HIDDEN'
    // a patient without a manifest does not exist, unless the source has the record
    if (attributes.damage === 'TAMPERED' || (attributes.damage === 'NO_MANIFEST' && exists)) return 'DAMAGED'
    return exists ? this.#parts.visibility.visibilityOf(ref, attributes) : 'HIDDEN'
  }

  #hidden(ref: RecordRef, exists: boolean, lookup: PurposeKey<'lookup'>) {
    return exists
      ? ({ ...where(ref), reason: 'RELATIONSHIP' } as const)
      : ({ patient: lookupToken(lookup, encodeNodeId(ref)), reason: 'NOT_FOUND' } as const)
  }

  #unavailable(ref: RecordRef, reason: OutcomeReason): 'UNAVAILABLE' {
    const { counter, trail } = this.#parts
    counter.unavailable++
    trail.record({ ...where(ref), path: ROOT, action: 'READ', outcome: 'UNAVAILABLE', reason })
    return 'UNAVAILABLE'
  }

  /** Whether the record exists. The source opens nothing, because every record is hidden. */
  async #exists(ref: RecordRef, loading: Promise<Settled<ReadonlyMap<PatientId, SubjectAttributes>>>): Promise<boolean> {
    const { caller, policy, sources, counter, deadline } = this.#parts
    const source = sources.get(policy.records.get(ref.type)?.source ?? '')
    const hidden = !caller.seesExistence && (await this.#isHidden(ref, loading))
    const found = await source?.load(caller.tenant, [hidden ? decoyOf(ref) : ref], new Set(), {
      timing: caller.seesExistence ? 'fast' : 'uniform',
      deadline,
      counter,
      listed: new Map(),
      paged: new Set(),
      decision: Promise.resolve({ visible: new Map(), erased: new Set<PatientId>(), manifests: new Map() }),
    })
    return hidden || (found !== undefined && found.length > 0)
  }

  /** Whether the patient exists and the caller may not know it. An empty place is then read instead, as for an answer (P5). */
  async #isHidden(ref: RecordRef, loading: Promise<Settled<ReadonlyMap<PatientId, SubjectAttributes>>>): Promise<boolean> {
    const settled = await loading
    const attributes = 'value' in settled ? settled.value.get(ref.patient) : undefined
    return attributes?.hasManifest === true && !this.#parts.visibility.isVisible(ref, undefined, attributes)
  }

  async #settled<T>(work: () => Promise<T>, late: () => Error): Promise<Settled<T>> {
    try {
      return { value: await this.#parts.deadline.wait(work, late) }
    } catch (error) {
      return { failure: this.#parts.failures.classify(error) }
    }
  }
}
