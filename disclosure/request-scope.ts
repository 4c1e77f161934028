import { type GraphQLResolveInfo, isObjectType } from 'graphql'
import { createHash } from 'node:crypto'
import { decide } from '../access/decide.ts'
import { type FactSources, PatientFacts } from '../access/patient-facts.ts'
import type { Sessions } from '../access/sessions.ts'
import type { Trail } from '../audit/trail.ts'
import { createPlanner, type Planner } from '../directives/plan.ts'
import type { AccessRecord, OutcomeReason } from '../vocabulary/access-record.ts'
import type { Caller, Denial } from '../vocabulary/decision.ts'
import { BadUserInput } from '../vocabulary/failures.ts'
import type { Coordinate, PatientId, RecordId, RecordRef, RequestId, SchemaPath, TypeName } from '../vocabulary/ids.ts'
import { decodeNodeId } from '../vocabulary/node-id.ts'
import type { Json } from '../vocabulary/record.ts'
import { type Connection, ConnectionEdge, page } from './connection-edge.ts'
import { type DisclosureCounter, newDisclosureCounter } from './disclosure-counter.ts'
import { EmergencyDesk } from './emergency-desk.ts'
import { AccessExplainer, type AccessPlan } from './explain-access.ts'
import { FailureReasons } from './failure-reasons.ts'
import { type BudgetSource, PhiBudget } from './phi-budget.ts'
import { type CursorPage, type PageArguments, RecordLists } from './record-lists.ts'
import { RecordLoader, type LoaderOptions } from './record-loader.ts'
import { RecordView, recordKey } from './record-view.ts'
import { Refusals } from './refusals.ts'

type Place = GraphQLResolveInfo['path']

/** Records that are looked at for whether there is another page, at a time. */
const LOOK_AHEAD = 20

/** A leaf or an edge that nobody decided about: a fault of the gateway, and no reason to give anything. */
class Undecided extends Error {
  override readonly name = 'Undecided'
  constructor(path: string) {
    super(`nothing was decided about ${path}`)
  }
}

export interface ScopeParts extends Omit<LoaderOptions, 'budget' | 'counter' | 'facts' | 'failures' | 'notices'>, FactSources {
  readonly sessions?: Sessions
  readonly budgets?: BudgetSource
  /** Values that the caller may be given within an hour. */
  readonly mostInHour: number
}

/**
 * All that belongs to one request: who asks, what was found out, what was opened, what was refused. Made when the caller is
 * known, and gone with the answer. Resolvers speak to records through it alone.
 */
export class RequestScope {
  readonly counter: DisclosureCounter = newDisclosureCounter()
  readonly refusals = new Refusals()
  /** What the answer tells along with what it discloses. */
  readonly notices = new Set<string>()
  /** Where the glass is broken and put back. */
  readonly emergencies: EmergencyDesk
  readonly budget: PhiBudget
  readonly #parts: ScopeParts
  readonly #planner: Planner
  readonly #failures: FailureReasons
  readonly #loader: RecordLoader
  readonly #lists: RecordLists
  readonly #explainer: AccessExplainer
  readonly #edges = new Map<string, Set<string>>()
  /** What was recorded and must not be again, however many aliases lead to it. */
  readonly #told = new Set<string>()

  constructor(parts: ScopeParts) {
    this.#parts = parts
    this.#planner = createPlanner(parts.policy)
    this.#failures = new FailureReasons({ ...parts, tenant: parts.caller.tenant })
    const reasonOf = (failure: unknown): OutcomeReason => this.#failures.of(failure)
    const facts = new PatientFacts({ ...parts, reasonOf })
    const { budgets, mostInHour } = parts
    this.budget = new PhiBudget({ ...parts, reasonOf, most: mostInHour, ...(budgets && { source: budgets }) })
    const { counter, notices, budget } = this
    this.#loader = new RecordLoader({ ...parts, facts, failures: this.#failures, counter, notices, budget })
    this.emergencies = new EmergencyDesk({ ...parts, failures: this.#failures, refusals: this.refusals, counter: this.counter })
    this.#lists = new RecordLists({ ...parts, facts, counter: this.counter })
    this.#explainer = new AccessExplainer({
      ...parts,
      facts,
      failures: this.#failures,
      loader: this.#loader,
      counter: this.counter,
    })
  }

  get requestId(): RequestId {
    return this.#parts.requestId
  }

  get caller(): Caller {
    return this.#parts.caller
  }

  get sessions(): Sessions | undefined {
    return this.#parts.sessions
  }

  get trail(): Trail {
    return this.#parts.trail
  }

  /** The synchronous guard of every `@phi` leaf: gives what was opened before, and fails where nothing was decided (P1). */
  read(record: RecordView, field: string, place: Place): Json {
    const outcome = record.outcome(field)
    const path = record.path(field)
    if (outcome === undefined || outcome.outcome === 'PERMITTED') throw new Undecided(path)
    this.refusals.note(path, record.key, outcome, place)
    return outcome.outcome === 'DISCLOSED' || outcome.outcome === 'MASKED' ? outcome.value : null
  }

  /** A record by the id that a client holds. `type` is the one expected, or undefined where any will do. */
  async byId(id: string, type: TypeName | undefined, info: GraphQLResolveInfo): Promise<RecordView | null> {
    const decoded = decodeNodeId(id)
    const known =
      decoded !== undefined && this.#parts.policy.records.has(decoded.type) && (type === undefined || decoded.type === type)
    const ref = known ? decoded : this.#nowhere(id, type)
    return await this.#given(ref, info, true)
  }

  /** The record at the other end of a to-one edge, decided against that record itself (P12). */
  async follow(ref: RecordRef, info: GraphQLResolveInfo): Promise<RecordView | null> {
    return await this.#given(ref, info, false)
  }

  /** The records of one type of a patient, where the edge to them is granted; null and a refusal where it is not. */
  async recordsOf(patient: RecordView, type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const path = patient.path(info.fieldName)
    const outcome = patient.outcome(info.fieldName)
    if (outcome === undefined) throw new Undecided(path)
    if (outcome.outcome !== 'PERMITTED') {
      this.refusals.note(path, patient.key, outcome, info.path)
      return null
    }
    if (!this.#mayFilter(patient, args, info)) return null
    const { rule, basis, view } = outcome.permit
    const at = { ...whereOf(patient), path, action: 'READ' } as const
    let connection: Connection
    try {
      connection = await this.#listOf(patient, type, path as string as Coordinate, args, info)
    } catch (error) {
      const reason = this.#passing(error)
      this.#noteOnce(`${patient.key} ${path} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason, rule, basis })
      this.refusals.unavailable(path, patient.key, info.path)
      return null
    }
    const given = this.#edgeOf(`${patient.key} ${path}`, (count) => ({ ...at, outcome: 'DISCLOSED', view, rule, basis, count }))
    for (const { record } of connection.edges) given.add(record)
    return connection
  }

  /** A page as long as was asked for: what is found to be closed when it is opened is made up for by what follows. */
  async #listOf(
    patient: RecordView,
    type: TypeName,
    coordinate: Coordinate,
    args: PageArguments,
    info: GraphQLResolveInfo,
  ): Promise<Connection> {
    const isClosed = this.#loader.closedInList(type, patient.facts)
    const next = async (from: PageArguments): Promise<CursorPage> => {
      const listed = await this.#lists.ofPatient(patient.ref.patient, type, coordinate, { ...args, ...from }, isClosed)
      for (const ref of listed.leftOut) this.#leftOut(ref)
      return listed
    }
    const paths = this.#plan(info, type, ['edges', 'node'])
    let listed = await next({})
    let edges = await this.#openEdges(listed, paths)
    const wanted = listed.items.length
    while (edges.length < wanted && listed.more) {
      listed = await next({ first: wanted - edges.length, after: listed.items.at(-1)?.cursor })
      edges = [...edges, ...(await this.#openEdges(listed, paths))]
    }
    let { more } = listed
    // that there is another page must not tell of records that are closed one by one
    if (more && patient.facts.consent.given?.some(({ effect, records }) => effect === 'DENY' && records !== undefined) === true) {
      for (let found = 0; found === 0 && listed.more; ) {
        listed = await next({ first: LOOK_AHEAD, after: listed.items.at(-1)?.cursor })
        found = (await this.#openEdges(listed, new Set())).length
        more = found > 0
      }
    }
    return this.#connection(edges, more, type, args)
  }

  /** A record of a list that consents close: nobody is told of it but the audit. */
  #leftOut(ref: RecordRef): void {
    const path = `${ref.type}.id` as SchemaPath
    const key = `${recordKey(ref)} CONSENT`
    if (this.#told.has(key)) return
    this.#told.add(key)
    const { patient, type: recordType, id: recordId } = ref
    this.trail.note({ patient, recordType, recordId, path, action: 'READ', outcome: 'DENIED', reason: 'CONSENT' })
  }

  /** The caller's patients: the care team's, the tenant's, or the own record. */
  async panel(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
    try {
      return await this.#page(await this.#lists.panel(type, this.#loader.admitting(type), coordinate, args), type, args, info)
    } catch (error) {
      return this.#unavailable(error, coordinate, coordinate, info.path)
    }
  }

  /** What an operation would give this caller. Nothing of it is executed, and nothing of any record is opened. */
  async explainAccess(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<AccessPlan | null> {
    const { patientId } = args
    const type = [...this.#parts.policy.records.values()].find(({ patient }) => patient === 'id')?.type
    const decoded = typeof patientId === 'string' ? decodeNodeId(patientId) : undefined
    const ref = decoded !== undefined && decoded.type === type ? decoded : undefined
    const asked = typeof patientId === 'string' ? (ref ?? this.#nowhere(patientId, type)) : undefined
    const explained = await this.#explainer.explain(info.schema, args, asked)
    if (explained === 'NOT_FOUND') this.refusals.notFound(info.path)
    else if (explained === 'UNAVAILABLE') {
      this.refusals.unavailable(`${info.parentType.name}.${info.fieldName}`, info.fieldName, info.path)
    } else return explained
    return null
  }

  /** What stands at the end of a connection's edge. */
  nodeOf({ loaded, record }: ConnectionEdge, coordinate: Coordinate, place: Place): RecordView | null {
    if (loaded.kind === 'FOUND') return loaded.record
    // the list says that there is one: it cannot be given, which is another thing than that there is none
    this.refusals.unavailable(coordinate, record, place)
    return null
  }

  /** A root or an edge that role or purpose close, whatever the record. */
  refuse(denial: Denial, coordinate: Coordinate, source: unknown, args: Record<string, unknown>, info: GraphQLResolveInfo): null {
    const at = source instanceof RecordView ? source.key : coordinate
    this.refusals.note(coordinate, at, { outcome: 'DENIED', denial }, info.path)
    const path = coordinate as string as SchemaPath
    // an edge that is PHI itself was decided and recorded with its parent
    if (source instanceof RecordView && this.#parts.policy.phi.has(path)) return null
    const id = args['id'] ?? args['patientId']
    const asked = typeof id === 'string' ? decodeNodeId(id) : undefined
    const whose = source instanceof RecordView ? whereOf(source) : asked && { patient: asked.patient }
    const { reason, rule } = denial
    this.#noteOnce(`${coordinate} ${source instanceof RecordView ? source.key : (asked?.patient ?? '')}`, {
      ...whose,
      path,
      action: info.parentType === info.schema.getMutationType() ? 'UPDATE' : 'READ',
      outcome: 'DENIED',
      reason,
      ...(rule !== undefined && { rule }),
    })
    return null
  }

  /**
   * An argument is a read (P11): to filter by a field, the caller must be allowed to read it in full or to search by it.
   * A filter by what may not be read is refused and recorded; the list would tell what the field does not.
   */
  #mayFilter(patient: RecordView, args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): boolean {
    const { policy, caller, now } = this.#parts
    let allowed = true
    for (const [name, value] of Object.entries(args)) {
      const path = policy.reads.get(`${info.parentType.name}.${info.fieldName}(${name}:)`)
      if (path === undefined || value === undefined || value === null) continue
      const field = policy.phi.get(path)
      const read = decide(field, caller, patient.facts, now)
      if (read.outcome === 'UNDECIDED') {
        allowed = false
        this.refusals.unavailable(path, patient.key, info.path)
        continue
      }
      if (read.outcome === 'GRANTED' || decide(field, caller, patient.facts, now, 'SEARCH').outcome === 'GRANTED') continue
      allowed = false
      const denial: Denial =
        read.outcome === 'DENIED' ? read : { outcome: 'DENIED', reason: 'ROLE', rule: read.rule, breakGlass: false }
      const { reason, rule } = denial
      this.refusals.note(path, patient.key, { outcome: 'DENIED', denial }, info.path)
      this.#noteOnce(`${patient.key} SEARCH ${path}`, {
        patient: patient.ref.patient,
        path,
        action: 'SEARCH',
        outcome: 'DENIED',
        reason,
        ...(rule !== undefined && { rule }),
      })
    }
    return allowed
  }

  async #given(ref: RecordRef, info: GraphQLResolveInfo, byId: boolean): Promise<RecordView | null> {
    const paths = this.#plan(info, ref.type, [])
    const loaded = await this.#loader.load(ref, paths, { byId })
    switch (loaded.kind) {
      case 'FOUND':
        return loaded.record
      case 'NOT_FOUND':
        this.refusals.notFound(info.path)
        return null
      case 'CLOSED':
        // an edge to it leads nowhere, as where there is none
        if (!byId) return null
        // asked for by its id it is not found, and counts as what is not found does
        this.counter.denied += Math.max(1, paths.size)
        this.refusals.notFound(info.path)
        return null
      case 'UNAVAILABLE':
        this.refusals.unavailable(`${info.parentType.name}.${info.fieldName}`, recordKey(ref), info.path)
        return null
    }
  }

  async #page(listed: CursorPage, type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection> {
    const paths = this.#plan(info, type, ['edges', 'node'])
    return this.#connection(await this.#openEdges(listed, paths), listed.more, type, args)
  }

  async #openEdges(listed: CursorPage, paths: ReadonlySet<SchemaPath>): Promise<ConnectionEdge[]> {
    const edges = await Promise.all(
      listed.items.map(
        async ({ ref, cursor, version }) =>
          new ConnectionEdge(cursor, await this.#loader.load(ref, paths, { listed: version }), recordKey(ref)),
      ),
    )
    // what its list does not tell to be closed is found to be so when it is opened
    return edges.filter(({ loaded }) => loaded.kind !== 'CLOSED')
  }

  #connection(edges: readonly ConnectionEdge[], more: boolean, type: TypeName, { after }: PageArguments): Connection {
    return page(edges, {
      more,
      after: after !== undefined && after !== null,
      mayBeIncomplete: this.#parts.policy.records.get(type)?.patient !== 'id',
    })
  }

  #plan(info: GraphQLResolveInfo, name: TypeName, within: readonly string[]): ReadonlySet<SchemaPath> {
    const type = info.schema.getType(name)
    if (!isObjectType(type)) throw new Undecided(name)
    return this.#planner(info, type, within)
  }

  /** An edge is one access however many pages of it the request takes; its count is known at the end. */
  #edgeOf(key: string, record: (count: number) => Parameters<Trail['note']>[0]): Set<string> {
    const known = this.#edges.get(key)
    if (known !== undefined) return known
    const given = new Set<string>()
    this.#edges.set(key, given)
    this.trail.noteAtEnd(() => record(given.size))
    return given
  }

  /** A place where nothing is, so that an id that cannot be read costs what one that leads nowhere costs. */
  #nowhere(id: string, type: TypeName | undefined): RecordRef {
    const { policy } = this.#parts
    const name = type ?? [...policy.records.values()].find(({ patient }) => patient === 'id')?.type
    if (name === undefined) throw new BadUserInput()
    const digest = createHash('sha256').update(id).digest().toString('base64url', 0, 16)
    return { type: name, patient: digest as PatientId, id: digest as RecordId }
  }

  #noteOnce(key: string, record: AccessRecord): void {
    if (this.#told.has(key)) return
    this.#told.add(key)
    if (record.outcome === 'DENIED') this.counter.denied++
    if (record.outcome === 'UNAVAILABLE') this.counter.unavailable++
    this.trail.note(record)
  }

  #unavailable(error: unknown, coordinate: string, record: string, place: Place): null {
    this.#passing(error)
    this.refusals.unavailable(coordinate, record, place)
    return null
  }

  /** What kind of passing trouble it is; the caller's own mistakes and faults of the gateway go on. */
  #passing(error: unknown): OutcomeReason {
    if (error instanceof BadUserInput) throw error
    return this.#failures.of(error)
  }
}

const whereOf = ({ ref: { patient, type, id }, version }: RecordView) => ({
  patient,
  recordType: type,
  recordId: id,
  recordVersion: version,
})
