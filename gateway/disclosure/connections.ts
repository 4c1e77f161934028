import type { GraphQLResolveInfo } from 'graphql'
import { decide } from '../decide/decide.ts'
import type { Trail } from '../audit/trail.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Denial } from '../model/decision.ts'
import { OF_EARLIER_VERSION } from '../model/limit-details.ts'
import { BadUserInput, Erased, OperationTooCostly } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import { type Connection, ConnectionEdge, page } from './connection-edge.ts'
import type { PatientSearch } from './patient-search.ts'
import type { CursorPage, PageArguments, RecordLists } from './record-lists.ts'
import type { RecordLoader } from './record-loader.ts'
import { type RecordView, whereOf } from './record-view.ts'
import { groundsOf, leftOutAccess } from './record-values.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, Recording, RequestIdentity } from './request-parts.ts'
import type { AnswerPlace } from './response-size.ts'
import { MissingDecisionError } from './missing-decision.ts'

type Place = GraphQLResolveInfo['path']

/** The fields between a connection and its records. */
const NODES = ['edges', 'node'] as const
/** The records of the edge do not fit into the answer. */
const TOO_LARGE = { outcome: 'DENIED', reason: 'SIZE' } as const

interface ConnectionParts
  extends Pick<RequestIdentity, 'caller' | 'now'>,
    Pick<OperationRules, 'policy'>,
    Pick<Deciding, 'visibility'>,
    Pick<Recording, 'failures' | 'errors' | 'recorder' | 'trail'> {
  readonly lists: RecordLists
  readonly searches: PatientSearch
  readonly loader: RecordLoader
  /** The PHI paths that the answer selects of a type, at a place within the result of a field. */
  readonly plan: (info: GraphQLResolveInfo, type: TypeName, within: readonly string[]) => ReadonlySet<SchemaPath>
  /** The place in the answer of such a type, for the size of the answer. */
  readonly place: (info: GraphQLResolveInfo, type: TypeName, within: readonly string[]) => AnswerPlace
}

/** Pages of records: the panel of a caller, and what is listed of a patient. An edge is decided once, on every page (P12). */
export class Connections {
  readonly #parts: ConnectionParts
  readonly #edges = new Map<string, Set<string>>()

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  /** The records of one type of a patient. If the edge to them is denied, null with an error. */
  async ofPatient(patient: RecordView, type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    if (patient.isEarlier) throw new BadUserInput({ detail: OF_EARLIER_VERSION })
    const path = patient.path(info.fieldName)
    const outcome = patient.outcome(info.fieldName)
    if (outcome === undefined) throw new MissingDecisionError(path)
    if (outcome.outcome !== 'PERMITTED') {
      this.#parts.errors.record(path, patient.key, outcome, info.path)
      return null
    }
    if (!this.#mayFilter(patient, args, info)) return null
    const { view } = outcome.permit
    const at = { ...whereOf(patient), path, action: 'READ', ...groundsOf(outcome.permit) } as const
    let connection: Connection
    try {
      connection = await this.#listOf(patient, type, path as string as Coordinate, args, info)
    } catch (error) {
      // the patient was erased after the patient record was read
      if (error instanceof Erased) {
        this.#parts.recorder.recordOnce(`${patient.key} ${path} ERASED`, { ...at, outcome: 'ERASED' })
        this.#parts.errors.record(path, patient.key, { outcome: 'ERASED' }, info.path)
        return null
      }
      if (error instanceof OperationTooCostly)
        this.#parts.recorder.recordOnce(`${patient.key} ${path} SIZE`, { ...at, ...TOO_LARGE })
      const reason = this.#passing(error)
      this.#parts.recorder.recordOnce(`${patient.key} ${path} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason })
      this.#parts.errors.unavailable(path, patient.key, info.path)
      return null
    }
    const given = this.#edgeOf(`${patient.key} ${path}`, (count) => ({ ...at, outcome: 'DISCLOSED', view, count }))
    for (const { record } of connection.edges) given.add(record)
    return connection
  }

  /**
   * A page of the requested length. The list omits closed records without opening them. A record that turns out closed when it is opened
   * was written after the list was read, or its source lists too little of it: the following ones replace it.
   */
  async #listOf(
    patient: RecordView,
    type: TypeName,
    coordinate: Coordinate,
    args: PageArguments,
    info: GraphQLResolveInfo,
  ): Promise<Connection> {
    const closure = this.#parts.visibility.closureOfList(type, patient.facts)
    const next = async (from: PageArguments): Promise<CursorPage> => {
      const listed = await this.#parts.lists.ofPatient(patient.ref.patient, type, coordinate, { ...args, ...from }, closure)
      for (const leftOut of listed.leftOut) this.#parts.recorder.recordLeftOut(leftOutAccess(leftOut))
      return listed
    }
    const paths = this.#parts.plan(info, type, NODES)
    const place = this.#parts.place(info, type, NODES)
    let listed = await next({})
    let edges = await this.#openEdges(listed, paths, place)
    const wanted = listed.items.length
    while (edges.length < wanted && listed.more) {
      listed = await next({ first: wanted - edges.length, after: listed.items.at(-1)?.cursor.text })
      edges = [...edges, ...(await this.#openEdges(listed, paths, place))]
    }
    return this.#connection(edges, listed.more, type, args)
  }

  /** The caller's patients: the care team's, the tenant's, or the own record. */
  async panel(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
    const { lists, loader, visibility } = this.#parts
    const paths = this.#parts.plan(info, type, NODES)
    let end: (() => void) | undefined
    const begin = (refs: readonly RecordRef[]): void => {
      end = loader.begin(refs, paths)
    }
    try {
      const listed = await lists.panel(type, visibility.admitting(type), coordinate, args, begin).finally(() => end?.())
      for (const leftOut of listed.leftOut) this.#parts.recorder.recordLeftOut(leftOutAccess(leftOut))
      return await this.#page(listed, type, args, info)
    } catch (error) {
      return this.#unavailable(error, coordinate, coordinate, info.path)
    }
  }

  /** The patients that the caller may find by the arguments of a root. Each argument is a read (P11). */
  async found(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const listed = await this.#parts.searches.page(type, args, info)
    // patients that may not be found are left out for every caller
    return listed && { ...(await this.#page(listed, type, args, info)), mayBeIncomplete: true }
  }

  /** The record at the end of a connection's edge. */
  nodeOf({ loaded, record }: ConnectionEdge, coordinate: Coordinate, place: Place): RecordView | null {
    if (loaded.kind === 'FOUND') return loaded.record
    // the list names the record: it is unavailable, not absent
    this.#parts.errors.unavailable(coordinate, record, place)
    return null
  }

  /**
   * An argument is a read (P11): to filter by a field, the caller must be allowed to read it in full or to search by it.
   * A filter by another field is denied and recorded; otherwise the list would reveal the field.
   */
  #mayFilter(patient: RecordView, args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): boolean {
    const { policy, caller, now } = this.#parts
    let allowed = true
    for (const [name, value] of Object.entries(args)) {
      const path = policy.reads.get(`${info.parentType.name}.${info.fieldName}(${name}:)`)
      if (path === undefined || value === undefined || value === null) continue
      const field = policy.phi.get(path)
      const read = decide(field, caller, patient.facts, now)
      if (read.outcome === 'INDETERMINATE') {
        allowed = false
        this.#parts.errors.unavailable(path, patient.key, info.path)
        continue
      }
      if (read.outcome === 'GRANTED' || decide(field, caller, patient.facts, now, 'SEARCH').outcome === 'GRANTED') continue
      allowed = false
      const denial: Denial =
        read.outcome === 'DENIED' ? read : { outcome: 'DENIED', reason: 'ROLE', rule: read.rule, breakGlass: false }
      const { reason, rule } = denial
      this.#parts.errors.record(path, patient.key, { outcome: 'DENIED', denial }, info.path)
      this.#parts.recorder.recordOnce(`${patient.key} SEARCH ${path}`, {
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

  async #page(listed: CursorPage, type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection> {
    const paths = this.#parts.plan(info, type, NODES)
    const place = this.#parts.place(info, type, NODES)
    return this.#connection(await this.#openEdges(listed, paths, place), listed.more, type, args)
  }

  /** @param place left out if the records are only looked at */
  async #openEdges(listed: CursorPage, paths: ReadonlySet<SchemaPath>, place?: AnswerPlace): Promise<ConnectionEdge[]> {
    const at = place === undefined ? {} : { place }
    const edges = await Promise.all(
      listed.items.map(
        async ({ ref, cursor, version }) =>
          new ConnectionEdge(cursor, await this.#parts.loader.load(ref, paths, { listed: version, ...at }), recordKey(ref)),
      ),
    )
    // some records turn out closed only when they are opened
    return edges.filter(({ loaded }) => loaded.kind !== 'CLOSED')
  }

  #connection(edges: readonly ConnectionEdge[], more: boolean, type: TypeName, { after }: PageArguments): Connection {
    return page(edges, {
      more,
      after: after !== undefined && after !== null,
      mayBeIncomplete: this.#parts.policy.records.get(type)?.patient !== 'id',
    })
  }

  /** An edge is one access, however many pages of it the request takes. Its count is known at the end. */
  #edgeOf(key: string, record: (count: number) => Parameters<Trail['record']>[0]): Set<string> {
    const earlier = this.#edges.get(key)
    if (earlier !== undefined) return earlier
    const given = new Set<string>()
    this.#edges.set(key, given)
    this.#parts.trail.recordAtEnd(() => record(given.size))
    return given
  }

  #unavailable(error: unknown, coordinate: string, record: string, place: Place): null {
    this.#passing(error)
    this.#parts.errors.unavailable(coordinate, record, place)
    return null
  }

  /** Classifies a failure of a service. Invalid arguments and faults of the gateway are thrown on. */
  #passing(error: unknown): OutcomeReason {
    if (error instanceof BadUserInput) throw error
    return this.#parts.failures.classify(error)
  }
}
