import type { GraphQLSchema } from 'graphql'
import { explainPath, type PathExplanation } from '../decide/explain.ts'
import type { SubjectAttributes, AttributeLoader } from '../access/attribute-loader.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { lookupToken } from '../crypto/tokens.ts'
import { grantInWords } from '../../directives/grant-words.ts'
import { type Passage, routes, type Way } from '../operations/routes.ts'
import type { RecordSource } from '../store/record-source.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Facts } from '../model/decision.ts'
import { BadUserInput, IntegrityFailure, keyOverdue, storeOverdue } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordRef } from '../model/ids.ts'
import { encodeNodeId } from '../model/node-id.ts'
import type { Action, PolicyTable } from '../../directives/policy.ts'
import { decoyOf } from './decoy.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import { assumptions, OperationRefused, readOperation } from '../operations/operation-text.ts'
import type { RecordVisibility } from './record-visibility.ts'
import { where } from './record-values.ts'

interface PlannedPath extends PathExplanation {
  readonly path: SchemaPath
  readonly action: Action
  readonly grant?: string
  /** What stands before the path and closes it, or may. */
  readonly at?: SchemaPath
}

/** What would be answered to an operation, path by path. */
export interface AccessPlan {
  readonly purpose: string
  readonly policy: string
  readonly assumed: readonly string[]
  readonly paths: readonly PlannedPath[]
}

interface ExplainerParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  /** Values that the caller may ask for in one operation. */
  readonly mostInOperation: number
  readonly sources: ReadonlyMap<string, RecordSource>
  readonly facts: AttributeLoader
  readonly failures: FailureReasons
  readonly visibility: RecordVisibility
  readonly keyring: Keyring
  readonly trail: Trail
  readonly counter: DisclosureCounter
  readonly deadline: Deadline
}

const ROOT = 'Query.explainAccess' as SchemaPath

type Settled<T> = { readonly value: T } | { readonly failure: OutcomeReason }

/**
 * Explains what an operation would give. Of a patient the same is asked as for an answer: relationships, emergencies, consents,
 * and whether there is one. No metadata and no value is opened.
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
   * @param patient the patient's own record; undefined where none is named
   * @throws BadUserInput; OperationRefused, for a second plan too: aliases must not make a cheap request a dear one
   */
  async explain(
    schema: GraphQLSchema,
    { query, operationName }: Readonly<Record<string, unknown>>,
    patient: RecordRef | undefined,
  ): Promise<AccessPlan | 'NOT_FOUND' | 'UNAVAILABLE'> {
    if (typeof query !== 'string') throw new BadUserInput()
    if (this.#asked) throw new OperationRefused('OPERATION_TOO_COSTLY')
    this.#asked = true
    const { policy, caller, trail, mostInOperation: most } = this.#parts
    const name = typeof operationName === 'string' ? operationName : undefined
    const { document, operation } = readOperation(schema, query, name, { policy, most })
    const walked = (facts: Facts | undefined): Omit<PlannedPath, 'grant'>[] => {
      const passage = this.#passage(facts)
      const { paths, reads } = routes(schema, policy, document, operation, passage)
      return [...this.#planned(paths, 'READ', facts), ...this.#planned(reads, 'SEARCH', facts)]
    }
    const asked = walked(undefined).map(({ path }) => path)
    const facts = patient === undefined ? undefined : await this.#factsOf(patient, asked)
    if (facts === 'NOT_FOUND' || facts === 'UNAVAILABLE') return facts
    const paths = walked(facts).map((planned) => ({ ...planned, ...this.#grantOf(planned) }))
    // without a patient nothing is told of anybody
    const about = patient === undefined ? ({ outcome: 'ABSENT' } as const) : ({ ...where(patient), outcome: 'DISCLOSED' } as const)
    trail.record({ ...about, path: ROOT, action: 'READ', paths: asked })
    return { purpose: caller.purpose, policy: policy.digest, assumed: assumptions(document), paths }
  }

  #explained(path: SchemaPath, facts: Facts | undefined, action: Action = 'READ'): PathExplanation {
    const { policy, caller, now } = this.#parts
    const read = explainPath(policy, path, caller, facts, now)
    if (action === 'READ' || read.outcome === 'GRANTED') return read
    // an argument needs the field in full, to read or to search by (P11)
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
      // an edge to one record is decided against the record that it leads to
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

  /** What stands before a path: a root that only some roles may call, an edge, or a field that an argument reads. */
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

  /** The same for a patient who is there and may not be known of, who is another tenant's, and who is nobody (P5). */
  async #factsOf(ref: RecordRef, asked: readonly SchemaPath[]): Promise<Facts | 'NOT_FOUND' | 'UNAVAILABLE'> {
    const { caller, keyring, counter, trail } = this.#parts
    const types = new Set([ref.type, ...asked.map((path) => path.slice(0, path.indexOf('.')) as TypeName)])
    const names = new Set([...types].flatMap((type) => [...this.#parts.visibility.admitting(type)]))
    const knowing = this.#settled(() => this.#parts.facts.attributesFor(names, [ref.patient]), storeOverdue)
    const [known, exists, lookup] = await Promise.all([
      knowing,
      this.#settled(() => this.#exists(ref, knowing), storeOverdue),
      this.#settled(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
    ])
    const failed = [known, exists, lookup].find((settled) => 'failure' in settled)
    if (failed !== undefined && 'failure' in failed) return this.#unavailable(ref, failed.failure)
    if (!('value' in known && 'value' in exists && 'value' in lookup)) return this.#unavailable(ref, 'STORE')
    const visibility = this.#visibility(ref, known.value.get(ref.patient), exists.value)
    if (visibility === 'DAMAGED') return this.#unavailable(ref, this.#parts.failures.classify(new IntegrityFailure(), ref))
    if (visibility === 'UNKNOWN') return this.#unavailable(ref, 'STORE')
    if (visibility !== 'HIDDEN') return visibility
    counter.denied++
    trail.record({ ...this.#hidden(ref, exists.value, lookup.value), path: ROOT, action: 'READ', outcome: 'DENIED', paths: asked })
    return 'NOT_FOUND'
  }

  #visibility(ref: RecordRef, known: SubjectAttributes | undefined, exists: boolean): Facts | 'HIDDEN' | 'UNKNOWN' | 'DAMAGED' {
    if (known === undefined) return 'HIDDEN'
    // who keeps nothing of a patient at all is nobody, unless there is one
    if (known.damage === 'TAMPERED' || (known.damage === 'NO_MANIFEST' && exists)) return 'DAMAGED'
    return exists ? this.#parts.visibility.visibilityOf(ref, known) : 'HIDDEN'
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

  /** Whether there is such a record. To a source that is told that nobody may know of it, none is opened. */
  async #exists(ref: RecordRef, knowing: Promise<Settled<ReadonlyMap<PatientId, SubjectAttributes>>>): Promise<boolean> {
    const { caller, policy, sources, counter, deadline } = this.#parts
    const source = sources.get(policy.records.get(ref.type)?.source ?? '')
    const hidden = !caller.seesExistence && (await this.#isHidden(ref, knowing))
    const found = await source?.load(caller.tenant, [hidden ? decoyOf(ref) : ref], new Set(), {
      timing: caller.seesExistence ? 'fast' : 'uniform',
      deadline,
      counter,
      listed: () => undefined,
      isVisible: () => Promise.resolve(false),
      erased: () => Promise.resolve(false),
      isVisibleOpened: () => false,
    })
    return hidden || (found !== undefined && found.length > 0)
  }

  /** One who is there and whom the caller may not know of: a place where nothing is, is read instead, as for an answer (P5). */
  async #isHidden(ref: RecordRef, knowing: Promise<Settled<ReadonlyMap<PatientId, SubjectAttributes>>>): Promise<boolean> {
    const settled = await knowing
    const known = 'value' in settled ? settled.value.get(ref.patient) : undefined
    return known?.hasManifest === true && !this.#parts.visibility.isVisible(ref, undefined, known)
  }

  async #settled<T>(work: () => Promise<T>, late: () => Error): Promise<Settled<T>> {
    try {
      return { value: await this.#parts.deadline.wait(work, late) }
    } catch (error) {
      return { failure: this.#parts.failures.classify(error) }
    }
  }
}
