import { type GraphQLObjectType, type GraphQLResolveInfo, isObjectType } from 'graphql'
import { createHash } from 'node:crypto'
import { AttributeLoader, type AttributeSources } from '../access/attribute-loader.ts'
import type { Trail } from '../audit/trail.ts'
import { createPlanner, type Planner } from '../operations/plan.ts'
import { createShaper, pathBytes, placesWithin, type Shaper } from '../operations/record-shape.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Caller, Denial } from '../model/decision.ts'
import { idDetail, type BudgetName } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef, type RequestId, type TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { AccessRecorder } from './access-recorder.ts'
import { ChangeTargets } from './change-targets.ts'
import { Connections } from './connections.ts'
import { type DisclosureCounter, newDisclosureCounter } from './disclosure-counter.ts'
import { AccessExplainer, type AccessPlan } from './explain-access.ts'
import { FailureReasons } from './failure-reasons.ts'
import { Notices } from './notices.ts'
import { OwnRecordQuestions } from './own-record-questions.ts'
import { PhiBudget } from './phi-budget.ts'
import { type AccessConnection, PatientAccesses } from './patient-accesses.ts'
import { PatientLinks } from './patient-links.ts'
import { PatientSearch } from './patient-search.ts'
import { RecordVisibility } from './record-visibility.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { RecordDisclosures } from './disclosed-entries.ts'
import { DisclosuresOfRecord } from './record-disclosures.ts'
import { RecordHistory } from './record-history.ts'
import { RecordLists } from './record-lists.ts'
import { RecordLoader } from './record-loader.ts'
import { RecordSignatures } from './record-signatures.ts'
import { RecordView, whereOf } from './record-view.ts'
import type {
  AccessHistory,
  OperationRules,
  RecordAccess,
  Recording,
  RequestIdentity,
  RequestLimits,
  SearchAccess,
  OperationText,
} from './request-parts.ts'
import { ResponseErrors } from './response-errors.ts'
import { type AnswerPlace, ResponseSize } from './response-size.ts'
import { SearchBudget } from './search-budget.ts'
import { VersionValues } from './version-values.ts'
import { MissingDecisionError } from './missing-decision.ts'

type Place = GraphQLResolveInfo['path']

export interface ScopeParts
  extends RequestIdentity,
    OperationRules,
    RecordAccess,
    SearchAccess,
    AccessHistory,
    AttributeSources,
    RequestLimits,
    OperationText,
    Pick<Recording, 'trail' | 'events'> {
  /** The tenants in which this process read a linked patient. */
  readonly linkedTenants: Set<TenantId>
}

/**
 * The state of one request: caller, attributes, opened values and errors. It is created when the caller is authenticated and ends
 * with the answer. Resolvers reach records only through it.
 */
export class RequestScope {
  readonly counter: DisclosureCounter = newDisclosureCounter()
  readonly errors = new ResponseErrors()
  /** Notices that the answer carries with its values. */
  readonly notices = new Notices()
  readonly connections: Connections
  readonly history: RecordHistory
  /** The records that mutations change. */
  readonly targets: ChangeTargets
  /** The signatures of records. */
  readonly signatures: RecordSignatures
  readonly budget: PhiBudget
  readonly size: ResponseSize
  readonly failures: FailureReasons
  readonly recorder: AccessRecorder
  readonly links: PatientLinks
  readonly #parts: ScopeParts
  readonly #visibility: RecordVisibility
  readonly #planner: Planner
  readonly #shaper: Shaper
  readonly #loader: RecordLoader
  readonly #explainer: AccessExplainer
  readonly #accesses: PatientAccesses
  readonly #disclosures: DisclosuresOfRecord
  readonly #questions: OwnRecordQuestions
  readonly #searchBudget: SearchBudget

  constructor(parts: ScopeParts) {
    const { budgets, maxInHour, maxSearches, policy, caller } = parts
    const { counter, notices, errors } = this
    this.#parts = parts
    this.#planner = createPlanner(policy)
    this.#shaper = createShaper(policy)
    this.size = new ResponseSize(parts.maxBytes, parts.operationText)
    const failures = new FailureReasons({ ...parts, tenant: caller.tenant })
    this.failures = failures
    const reasonOf = (failure: unknown): OutcomeReason => failures.classify(failure)
    this.budget = new PhiBudget({ ...parts, reasonOf, most: maxInHour, ...(budgets && { leases: budgets.leases }) })
    this.#searchBudget = new SearchBudget({ ...parts, reasonOf, most: maxSearches, ...(budgets && { source: budgets.source }) })
    const attributes = new AttributeLoader({ ...parts, reasonOf })
    const visibility = new RecordVisibility(parts)
    this.#visibility = visibility
    const shared = { ...parts, attributes, visibility, failures, counter, errors }
    this.recorder = new AccessRecorder(shared)
    this.links = new PatientLinks(shared)
    this.signatures = new RecordSignatures(shared)
    this.#loader = new RecordLoader({
      ...shared,
      notices,
      recorder: this.recorder,
      budget: this.budget,
      size: this.size,
      links: this.links,
    })
    const lists = new RecordLists(shared)
    const searches = new PatientSearch({
      ...shared,
      notices,
      recorder: this.recorder,
      budget: this.budget,
      searchBudget: this.#searchBudget,
    })
    const plan = this.#plan.bind(this)
    const place = this.#place.bind(this)
    this.connections = new Connections({ ...shared, lists, searches, loader: this.#loader, recorder: this.recorder, plan, place })
    const reading = { ...shared, recorder: this.recorder, size: this.size, loader: this.#loader }
    const values = new VersionValues({ ...reading, notices, budget: this.budget })
    this.history = new RecordHistory({ ...reading, values, plan, place, places: placesWithin })
    this.targets = new ChangeTargets({ ...shared, loader: this.#loader })
    this.#explainer = new AccessExplainer(shared)
    this.#accesses = new PatientAccesses(shared)
    this.#disclosures = new DisclosuresOfRecord(shared)
    this.#questions = new OwnRecordQuestions({ ...shared, loader: this.#loader })
  }

  /** The budget that this request exceeded. Nothing of its answer may leave then. */
  get exceeded(): BudgetName | undefined {
    if (this.budget.exceeded !== undefined) return this.budget.exceeded
    if (this.#searchBudget.spent) return 'SEARCHES'
    return this.#parts.refusalsSpent ? 'REFUSALS' : undefined
  }

  /** Counts the refusals that the answer shows. A failure of the table is reported, and changes nothing of the answer. */
  async countRefusals(): Promise<void> {
    const { budgets, caller, deadline, maxRefusals } = this.#parts
    const { tenant, user } = caller
    const refusals = { values: this.counter.denied, ids: this.errors.missing.size }
    try {
      await budgets?.refusals.add({ tenant, user, most: maxRefusals }, refusals, deadline)
    } catch (error) {
      this.failures.classify(error)
    }
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

  /** The synchronous guard of every `@phi` leaf: gives the value that was opened before, and fails without a decision (P1). */
  read(record: RecordView, field: string, place: Place): Json {
    const outcome = record.outcome(field)
    const path = record.path(field)
    if (outcome === undefined || outcome.outcome === 'PERMITTED') throw new MissingDecisionError(path)
    this.errors.record(path, record.key, outcome, place)
    return outcome.outcome === 'DISCLOSED' || outcome.outcome === 'MASKED' ? outcome.value : null
  }

  /** A record by the id that a client holds. `type` is the expected one; undefined accepts any. */
  async byId(id: string, type: TypeName | undefined, info: GraphQLResolveInfo): Promise<RecordView | null> {
    const decoded = this.ids.decode(id)
    const isKnown =
      decoded !== undefined && this.#parts.policy.records.has(decoded.type) && (type === undefined || decoded.type === type)
    const ref = isKnown ? decoded : this.#nowhere(id, type)
    return await this.#given(ref, info, true)
  }

  /** The place of a record of a type, by the id that a client sent. For any other id, a place without a record. */
  placeOf(id: string, type: TypeName): RecordRef {
    const decoded = this.ids.decode(id)
    return decoded?.type === type ? decoded : this.#nowhere(id, type)
  }

  /** The record at the other end of an edge to one record, decided against that record itself (P12). Null if there is none. */
  async follow(ref: RecordRef, info: GraphQLResolveInfo): Promise<RecordView | null> {
    return await this.#given(ref, info, false)
  }

  /** The caller wrote the record, so that `follow` gives it with the fields that the caller may read. */
  reveal(ref: RecordRef): void {
    this.#visibility.reveal(ref)
  }

  /** The result that an operation would have for this caller. Nothing is executed, and no record is opened. */
  async explainAccess(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<AccessPlan | null> {
    const { patientId } = args
    const asked = typeof patientId === 'string' ? this.#patientOf(patientId) : undefined
    const explained = await this.#explainer.explain(info.schema, args, asked)
    if (explained === 'NOT_FOUND') this.errors.notFound(info.path, String(patientId))
    else if (explained === 'UNAVAILABLE') {
      this.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, info.fieldName, info.path)
    } else return explained
    return null
  }

  /** The accesses to the record of a patient. @throws BadUserInput, OperationTooCostly for a second question in a request */
  async whoSawMyRecord(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<AccessConnection | null> {
    return await this.#questions.answer(this.#accesses, args, (id) => this.#patientOf(id), info.path)
  }

  /** The disclosures of a patient's information to others. @throws as `whoSawMyRecord` */
  async disclosuresOfMyRecord(
    args: Readonly<Record<string, unknown>>,
    info: GraphQLResolveInfo,
  ): Promise<RecordDisclosures | null> {
    return await this.#questions.answer(this.#disclosures, args, (id) => this.#patientOf(id), info.path)
  }

  /** Denies a root or an edge by role or purpose, whatever the record. */
  refuse(denial: Denial, coordinate: Coordinate, source: unknown, args: Record<string, unknown>, info: GraphQLResolveInfo): null {
    const key = source instanceof RecordView ? source.key : coordinate
    this.errors.record(coordinate, key, { outcome: 'DENIED', denial }, info.path)
    const path = coordinate as string as SchemaPath
    // an edge that is PHI itself was decided and recorded with its parent
    if (source instanceof RecordView && this.#parts.policy.phi.has(path)) return null
    const id = args['id'] ?? args['patientId']
    const asked = typeof id === 'string' ? this.ids.decode(id) : undefined
    const at = source instanceof RecordView ? whereOf(source) : asked && { patient: asked.patient }
    const { reason, rule } = denial
    this.recorder.recordOnce(`${coordinate} ${source instanceof RecordView ? source.key : (asked?.patient ?? '')}`, {
      ...at,
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
    const loaded = await this.#loader.load(ref, paths, { byId, edge: !byId, place: this.#place(info, ref.type, []) })
    switch (loaded.kind) {
      case 'FOUND':
        return loaded.record
      case 'NOT_FOUND':
        this.errors.notFound(info.path, recordKey(ref))
        return null
      case 'CLOSED':
        // an edge to a closed record gives null, and so does one to no record
        if (!byId) return null
        // requested by its id, it is answered and counted as not found
        this.counter.denied += Math.max(1, paths.size)
        this.errors.notFound(info.path, recordKey(ref))
        return null
      case 'UNAVAILABLE':
        this.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, recordKey(ref), info.path)
        return null
    }
  }

  #plan(info: GraphQLResolveInfo, name: TypeName, within: readonly string[]): ReadonlySet<SchemaPath> {
    return this.#planner(info, typeOf(info, name), within)
  }

  #place(info: GraphQLResolveInfo, name: TypeName, within: readonly string[]): AnswerPlace {
    return { shape: this.#shaper(info, typeOf(info, name), within), pathBytes: pathBytes(info.path) }
  }

  /** The place of a patient by the id of a client. */
  #patientOf(id: string): RecordRef {
    const type = [...this.#parts.policy.records.values()].find(({ patient }) => patient === 'id')?.type
    const decoded = this.ids.decode(id)
    return decoded !== undefined && decoded.type === type ? decoded : this.#nowhere(id, type)
  }

  /** An empty place, so that an unreadable id costs as much as an id without a record (P5). */
  #nowhere(id: string, type: TypeName | undefined): RecordRef {
    const { policy } = this.#parts
    const name = type ?? [...policy.records.values()].find(({ patient }) => patient === 'id')?.type
    if (name === undefined) throw new BadUserInput({ detail: idDetail('id') })
    const digest = createHash('sha256').update(id).digest().toString('base64url', 0, 16)
    return { type: name, patient: digest as PatientId, id: digest as RecordId }
  }
}

function typeOf({ schema }: GraphQLResolveInfo, name: TypeName): GraphQLObjectType {
  const type = schema.getType(name)
  if (!isObjectType(type)) throw new MissingDecisionError(name)
  return type
}
