import { type GraphQLResolveInfo, isObjectType } from 'graphql'
import { createHash } from 'node:crypto'
import { type AttributeSources, AttributeLoader } from '../access/attribute-loader.ts'
import type { Trail } from '../audit/trail.ts'
import { createPlanner, type Planner } from '../operations/plan.ts'
import type { SearchSource } from '../store/search.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Caller, Denial } from '../model/decision.ts'
import { BadUserInput } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, RequestId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { AccessRecorder } from './access-recorder.ts'
import { Connections } from './connections.ts'
import { type DisclosureCounter, newDisclosureCounter } from './disclosure-counter.ts'
import { AccessExplainer, type AccessPlan } from './explain-access.ts'
import { FailureReasons } from './failure-reasons.ts'
import { type BudgetSource, PhiBudget } from './phi-budget.ts'
import { PatientSearch } from './patient-search.ts'
import { RecordVisibility } from './record-visibility.ts'
import type { PublicIds } from '../access/public-ids.ts'
import { RecordLists } from './record-lists.ts'
import { RecordLoader, type LoaderOptions } from './record-loader.ts'
import { RecordView, recordKey, whereOf } from './record-view.ts'
import { ResponseErrors } from './response-errors.ts'
import { MissingDecisionError } from './missing-decision.ts'

type Place = GraphQLResolveInfo['path']

export interface ScopeParts
  extends Omit<LoaderOptions, 'budget' | 'counter' | 'facts' | 'failures' | 'notices' | 'visibility'>,
    AttributeSources {
  /** The ids that the caller is given and sends. */
  readonly ids: PublicIds
  readonly budgets?: BudgetSource
  /** Where records are found by a value; none: nobody is. */
  readonly search?: SearchSource
  /** Values that the caller may be given within an hour. */
  readonly mostInHour: number
  /** Values that the caller may ask for in one operation. */
  readonly mostInOperation: number
}

/**
 * All that belongs to one request: who asks, what was found out, what was opened, what was refused. Made when the caller is
 * known, and gone with the answer. Resolvers speak to records through it alone.
 */
export class RequestScope {
  readonly counter: DisclosureCounter = newDisclosureCounter()
  readonly errors = new ResponseErrors()
  /** What the answer tells along with what it discloses. */
  readonly notices = new Set<string>()
  readonly connections: Connections
  readonly budget: PhiBudget
  readonly failures: FailureReasons
  readonly recorder: AccessRecorder
  readonly #parts: ScopeParts
  readonly #planner: Planner
  readonly #loader: RecordLoader
  readonly #explainer: AccessExplainer

  constructor(parts: ScopeParts) {
    const { budgets, mostInHour, policy, caller } = parts
    const { counter, notices, errors } = this
    this.#parts = parts
    this.#planner = createPlanner(policy)
    const failures = new FailureReasons({ ...parts, tenant: caller.tenant })
    this.failures = failures
    const reasonOf = (failure: unknown): OutcomeReason => failures.classify(failure)
    this.budget = new PhiBudget({ ...parts, reasonOf, most: mostInHour, ...(budgets && { source: budgets }) })
    const facts = new AttributeLoader({ ...parts, reasonOf })
    const visibility = new RecordVisibility(parts)
    const shared = { ...parts, facts, visibility, failures, counter, errors }
    this.recorder = new AccessRecorder(shared)
    this.#loader = new RecordLoader({ ...shared, notices, budget: this.budget })
    const lists = new RecordLists(shared)
    const searches = new PatientSearch({ ...shared, notices, recorder: this.recorder, budget: this.budget })
    const plan = this.#plan.bind(this)
    this.connections = new Connections({ ...shared, lists, searches, loader: this.#loader, recorder: this.recorder, plan })
    this.#explainer = new AccessExplainer(shared)
  }

  get requestId(): RequestId {
    return this.#parts.requestId
  }

  get caller(): Caller {
    return this.#parts.caller
  }

  get ids(): PublicIds {
    return this.#parts.ids
  }

  get trail(): Trail {
    return this.#parts.trail
  }

  /** The synchronous guard of every `@phi` leaf: gives what was opened before, and fails where nothing was decided (P1). */
  read(record: RecordView, field: string, place: Place): Json {
    const outcome = record.outcome(field)
    const path = record.path(field)
    if (outcome === undefined || outcome.outcome === 'PERMITTED') throw new MissingDecisionError(path)
    this.errors.record(path, record.key, outcome, place)
    return outcome.outcome === 'DISCLOSED' || outcome.outcome === 'MASKED' ? outcome.value : null
  }

  /** A record by the id that a client holds. `type` is the one expected, or undefined where any will do. */
  async byId(id: string, type: TypeName | undefined, info: GraphQLResolveInfo): Promise<RecordView | null> {
    const decoded = this.ids.decode(id)
    const known =
      decoded !== undefined && this.#parts.policy.records.has(decoded.type) && (type === undefined || decoded.type === type)
    const ref = known ? decoded : this.#nowhere(id, type)
    return await this.#given(ref, info, true)
  }

  /** The record at the other end of a to-one edge, decided against that record itself (P12). */
  async follow(ref: RecordRef, info: GraphQLResolveInfo): Promise<RecordView | null> {
    return await this.#given(ref, info, false)
  }

  /** What an operation would give this caller. Nothing of it is executed, and nothing of any record is opened. */
  async explainAccess(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<AccessPlan | null> {
    const { patientId } = args
    const type = [...this.#parts.policy.records.values()].find(({ patient }) => patient === 'id')?.type
    const decoded = typeof patientId === 'string' ? this.ids.decode(patientId) : undefined
    const ref = decoded !== undefined && decoded.type === type ? decoded : undefined
    const asked = typeof patientId === 'string' ? (ref ?? this.#nowhere(patientId, type)) : undefined
    const explained = await this.#explainer.explain(info.schema, args, asked)
    if (explained === 'NOT_FOUND') this.errors.notFound(info.path)
    else if (explained === 'UNAVAILABLE') {
      this.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, info.fieldName, info.path)
    } else return explained
    return null
  }

  /** A root or an edge that role or purpose close, whatever the record. */
  refuse(denial: Denial, coordinate: Coordinate, source: unknown, args: Record<string, unknown>, info: GraphQLResolveInfo): null {
    const at = source instanceof RecordView ? source.key : coordinate
    this.errors.record(coordinate, at, { outcome: 'DENIED', denial }, info.path)
    const path = coordinate as string as SchemaPath
    // an edge that is PHI itself was decided and recorded with its parent
    if (source instanceof RecordView && this.#parts.policy.phi.has(path)) return null
    const id = args['id'] ?? args['patientId']
    const asked = typeof id === 'string' ? this.ids.decode(id) : undefined
    const whose = source instanceof RecordView ? whereOf(source) : asked && { patient: asked.patient }
    const { reason, rule } = denial
    this.recorder.recordOnce(`${coordinate} ${source instanceof RecordView ? source.key : (asked?.patient ?? '')}`, {
      ...whose,
      path,
      action: info.parentType === info.schema.getMutationType() ? 'UPDATE' : 'READ',
      outcome: 'DENIED',
      reason,
      ...(rule !== undefined && { rule }),
    })
    return null
  }

  async #given(ref: RecordRef, info: GraphQLResolveInfo, byId: boolean): Promise<RecordView | null> {
    const paths = this.#plan(info, ref.type, [])
    const loaded = await this.#loader.load(ref, paths, { byId })
    switch (loaded.kind) {
      case 'FOUND':
        return loaded.record
      case 'NOT_FOUND':
        this.errors.notFound(info.path)
        return null
      case 'CLOSED':
        // an edge to it leads nowhere, as where there is none
        if (!byId) return null
        // asked for by its id it is not found, and counts as what is not found does
        this.counter.denied += Math.max(1, paths.size)
        this.errors.notFound(info.path)
        return null
      case 'UNAVAILABLE':
        this.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, recordKey(ref), info.path)
        return null
    }
  }

  #plan(info: GraphQLResolveInfo, name: TypeName, within: readonly string[]): ReadonlySet<SchemaPath> {
    const type = info.schema.getType(name)
    if (!isObjectType(type)) throw new MissingDecisionError(name)
    return this.#planner(info, type, within)
  }

  /** A place where nothing is, so that an id that cannot be read costs what one that leads nowhere costs. */
  #nowhere(id: string, type: TypeName | undefined): RecordRef {
    const { policy } = this.#parts
    const name = type ?? [...policy.records.values()].find(({ patient }) => patient === 'id')?.type
    if (name === undefined) throw new BadUserInput()
    const digest = createHash('sha256').update(id).digest().toString('base64url', 0, 16)
    return { type: name, patient: digest as PatientId, id: digest as RecordId }
  }
}
