import type { GraphQLResolveInfo } from 'graphql'
import { decide } from '../decide/decide.ts'
import type { Trail } from '../audit/trail.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Caller, Denial } from '../model/decision.ts'
import { BadUserInput, Erased } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, RecordRef } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AccessRecorder } from './access-recorder.ts'
import { type Connection, ConnectionEdge, page } from './connection-edge.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { PatientSearch } from './patient-search.ts'
import type { RecordVisibility } from './record-visibility.ts'
import type { CursorPage, PageArguments, RecordLists } from './record-lists.ts'
import type { RecordLoader } from './record-loader.ts'
import { type RecordView, recordKey, whereOf } from './record-view.ts'
import type { ResponseErrors } from './response-errors.ts'
import { MissingDecisionError } from './missing-decision.ts'

type Place = GraphQLResolveInfo['path']

/** Records that are looked at for whether there is another page, at a time. */
const LOOK_AHEAD = 20

interface ConnectionParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly visibility: RecordVisibility
  readonly lists: RecordLists
  readonly searches: PatientSearch
  readonly loader: RecordLoader
  readonly failures: FailureReasons
  readonly errors: ResponseErrors
  readonly recorder: AccessRecorder
  readonly trail: Trail
  /** The PHI paths that the answer selects of a type, at a place within what a field gives. */
  readonly plan: (info: GraphQLResolveInfo, type: TypeName, within: readonly string[]) => ReadonlySet<SchemaPath>
}

/** Pages of records: the panel of a caller, and what is listed of a patient. An edge is decided once, on every page (P12). */
export class Connections {
  readonly #parts: ConnectionParts
  readonly #edges = new Map<string, Set<string>>()

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  /** The records of one type of a patient, where the edge to them is granted; null and a refusal where it is not. */
  async ofPatient(patient: RecordView, type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const path = patient.path(info.fieldName)
    const outcome = patient.outcome(info.fieldName)
    if (outcome === undefined) throw new MissingDecisionError(path)
    if (outcome.outcome !== 'PERMITTED') {
      this.#parts.errors.record(path, patient.key, outcome, info.path)
      return null
    }
    if (!this.#mayFilter(patient, args, info)) return null
    const { rule, basis, view } = outcome.permit
    const at = { ...whereOf(patient), path, action: 'READ' } as const
    let connection: Connection
    try {
      connection = await this.#listOf(patient, type, path as string as Coordinate, args, info)
    } catch (error) {
      // between the reading of the patient and of the list
      if (error instanceof Erased) {
        this.#parts.recorder.recordOnce(`${patient.key} ${path} ERASED`, { ...at, outcome: 'ERASED', rule, basis })
        this.#parts.errors.record(path, patient.key, { outcome: 'ERASED' }, info.path)
        return null
      }
      const reason = this.#passing(error)
      this.#parts.recorder.recordOnce(`${patient.key} ${path} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason, rule, basis })
      this.#parts.errors.unavailable(path, patient.key, info.path)
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
    const isClosed = this.#parts.visibility.closedInList(type, patient.facts)
    const next = async (from: PageArguments): Promise<CursorPage> => {
      const listed = await this.#parts.lists.ofPatient(patient.ref.patient, type, coordinate, { ...args, ...from }, isClosed)
      for (const ref of listed.leftOut) this.#leftOut(ref, this.#parts.visibility.leavingOut(type, patient.facts))
      return listed
    }
    const paths = this.#parts.plan(info, type, ['edges', 'node'])
    let listed = await next({})
    let edges = await this.#openEdges(listed, paths)
    const wanted = listed.items.length
    while (edges.length < wanted && listed.more) {
      listed = await next({ first: wanted - edges.length, after: listed.items.at(-1)?.cursor })
      edges = [...edges, ...(await this.#openEdges(listed, paths))]
    }
    let { more } = listed
    // that there is another page must not tell of records that are closed one by one
    const isOneByOne =
      this.#parts.visibility.ofRecords(type).size > 0 ||
      patient.facts.consent.given?.some(({ effect, records }) => effect === 'DENY' && records !== undefined) === true
    if (more && isOneByOne) {
      for (let found = 0; found === 0 && listed.more; ) {
        listed = await next({ first: LOOK_AHEAD, after: listed.items.at(-1)?.cursor })
        found = (await this.#openEdges(listed, new Set())).length
        more = found > 0
      }
    }
    return this.#connection(edges, more, type, args)
  }

  /** A record of a list that consents or the caller's limits close: nobody is told of it but the audit, not by a count either. */
  #leftOut(ref: RecordRef, reason: 'CONSENT' | 'RELATIONSHIP'): void {
    const path = `${ref.type}.id` as SchemaPath
    const { patient, type: recordType, id: recordId } = ref
    const access = { patient, recordType, recordId, path, action: 'READ', outcome: 'DENIED', reason } as const
    this.#parts.recorder.recordOnce(`${recordKey(ref)} CLOSED`, access, 'UNCOUNTED')
  }

  /** The caller's patients: the care team's, the tenant's, or the own record. */
  async panel(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
    try {
      return await this.#page(
        await this.#parts.lists.panel(type, this.#parts.visibility.admitting(type), coordinate, args),
        type,
        args,
        info,
      )
    } catch (error) {
      return this.#unavailable(error, coordinate, coordinate, info.path)
    }
  }

  /** Whom the caller may find by what the arguments of a root say, each of them a read (P11). */
  async found(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<Connection | null> {
    const listed = await this.#parts.searches.page(type, args, info)
    // whoever may not be found is left out, whoever asks
    return listed && { ...(await this.#page(listed, type, args, info)), mayBeIncomplete: true }
  }

  /** What stands at the end of a connection's edge. */
  nodeOf({ loaded, record }: ConnectionEdge, coordinate: Coordinate, place: Place): RecordView | null {
    if (loaded.kind === 'FOUND') return loaded.record
    // the list says that there is one: it cannot be given, which is another thing than that there is none
    this.#parts.errors.unavailable(coordinate, record, place)
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
    const paths = this.#parts.plan(info, type, ['edges', 'node'])
    return this.#connection(await this.#openEdges(listed, paths), listed.more, type, args)
  }

  async #openEdges(listed: CursorPage, paths: ReadonlySet<SchemaPath>): Promise<ConnectionEdge[]> {
    const edges = await Promise.all(
      listed.items.map(
        async ({ ref, cursor, version }) =>
          new ConnectionEdge(cursor, await this.#parts.loader.load(ref, paths, { listed: version }), recordKey(ref)),
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

  /** An edge is one access however many pages of it the request takes; its count is known at the end. */
  #edgeOf(key: string, record: (count: number) => Parameters<Trail['record']>[0]): Set<string> {
    const known = this.#edges.get(key)
    if (known !== undefined) return known
    const given = new Set<string>()
    this.#edges.set(key, given)
    this.#parts.trail.noteAtEnd(() => record(given.size))
    return given
  }

  #unavailable(error: unknown, coordinate: string, record: string, place: Place): null {
    this.#passing(error)
    this.#parts.errors.unavailable(coordinate, record, place)
    return null
  }

  /** What kind of passing trouble it is; the caller's own mistakes and faults of the gateway go on. */
  #passing(error: unknown): OutcomeReason {
    if (error instanceof BadUserInput) throw error
    return this.#parts.failures.classify(error)
  }
}
