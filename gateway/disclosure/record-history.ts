import type { GraphQLResolveInfo } from 'graphql'
import type { SubjectAttributes } from '../access/attribute-loader.ts'
import { openCursor, sealCursor, type CursorBound } from '../crypto/cursor.ts'
import { ENTRY_PATHS, ENTRY_RECORD } from '../../directives/history-sdl.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Denial } from '../model/decision.ts'
import {
  BadUserInput,
  Erased,
  Failure,
  IntegrityFailure,
  keyOverdue,
  OperationTooCostly,
  PhiBudgetExceeded,
  storeOverdue,
  StoreUnavailable,
} from '../model/failures.ts'
import { CURSOR_DETAIL, OF_EARLIER_VERSION } from '../model/limit-details.ts'
import { MAX_PAGE } from '../model/list.ts'
import type { OpenRecord } from '../store/record-source.ts'
import { describedVersion, type ShownVersion } from './described-version.ts'
import { type HistoryConnection, HistoryEdge, HistoryEntry } from './history-entry.ts'
import { PageCursor } from './page-cursor.ts'
import { pageSize, type PageArguments } from './record-lists.ts'
import { ReadGate } from './read-gate.ts'
import type { RecordLoader } from './record-loader.ts'
import { existenceOf, leftOutAccess } from './record-values.ts'
import { type RecordView, versionOf, whereOf } from './record-view.ts'
import type { Deciding } from './record-visibility.ts'
import type { AccessHistory, OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'
import type { AnswerPlace, ResponseSize } from './response-size.ts'
import { versionFacts } from './version-facts.ts'
import type { VersionValues } from './version-values.ts'

interface HistoryParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<RecordAccess, 'ids' | 'keyring'>,
    Pick<AccessHistory, 'recordVersions'>,
    Deciding,
    Pick<Recording, 'failures' | 'errors' | 'recorder' | 'counter'> {
  readonly loader: RecordLoader
  readonly size: ResponseSize
  readonly values: VersionValues
  /** The PHI paths that the answer selects of a type, at a place within the result of a field. */
  readonly plan: (info: GraphQLResolveInfo, type: TypeName, within: readonly string[]) => ReadonlySet<SchemaPath>
  /** The place in the answer of such a type, for the size of the answer. */
  readonly place: (info: GraphQLResolveInfo, type: TypeName, within: readonly string[]) => AnswerPlace
  /** The number of places of a field in the answer, within the result of another. */
  readonly places: (info: GraphQLResolveInfo, within: readonly string[]) => number
}

const NO_STUDY: Denial = { outcome: 'DENIED', reason: 'ROLE', breakGlass: false }
/** Histories that one request reads at the same time: the memory of the process serves all tenants. */
const MAX_PARALLEL = 4
/** The length of an error entry, beside its path. */
const ERROR_BYTES = 400
/** The digits of a version in a cursor: all positions have one length. */
const DIGITS = 10

/**
 * The histories of records. A history belongs to a record that the caller was given: the version in force comes first, then the earlier
 * ones, each decided under its own labels and the present ones. Versions are numbered without gaps from 1, so that a missing one is a
 * failure and never a shorter history.
 */
export class RecordHistory {
  readonly #parts: HistoryParts
  /** The histories in progress, by record: a value must not be opened twice (P1). */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #failed = new Map<string, OutcomeReason>()
  readonly #gate = new ReadGate(MAX_PARALLEL)

  constructor(parts: HistoryParts) {
    this.#parts = parts
  }

  /**
   * A page of the history of a record. Null with an error entry if it cannot be given.
   *
   * @throws BadUserInput, OperationTooCostly, PhiBudgetExceeded
   */
  async of(record: RecordView, args: PageArguments, info: GraphQLResolveInfo): Promise<HistoryConnection | null> {
    if (record.isEarlier) throw new BadUserInput({ detail: OF_EARLIER_VERSION })
    const path = record.path(info.fieldName)
    const at = { ...whereOf(record), path, action: 'READ' } as const
    const { recorder, errors, caller } = this.#parts
    // times of writes and ids of users are outside of a de-identified data set
    if (caller.study !== undefined) {
      errors.record(path, record.key, { outcome: 'DENIED', denial: NO_STUDY }, info.path)
      recorder.recordOnce(`${record.key} ${path} STUDY`, { ...at, outcome: 'DENIED', reason: 'ROLE' })
      return null
    }
    const before = this.#turns.get(record.key) ?? Promise.resolve()
    const answer = before.then(async () => await this.#page(record, args, info))
    this.#turns.set(
      record.key,
      answer.catch(() => undefined),
    )
    try {
      return await answer
    } catch (error) {
      if (error instanceof BadUserInput || error instanceof PhiBudgetExceeded) throw error
      if (error instanceof Erased) {
        recorder.recordOnce(`${record.key} ${path} ERASED`, { ...at, outcome: 'ERASED' })
        errors.record(path, record.key, { outcome: 'ERASED' }, info.path)
        return null
      }
      if (error instanceof OperationTooCostly) {
        recorder.recordOnce(`${record.key} ${path} SIZE`, { ...at, outcome: 'DENIED', reason: 'SIZE' })
        throw error
      }
      const reason = this.#parts.failures.classify(error, record.ref)
      recorder.recordOnce(`${record.key} ${path} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason })
      errors.unavailable(path, record.key, info.path)
      return null
    }
  }

  async #page(record: RecordView, args: PageArguments, info: GraphQLResolveInfo): Promise<HistoryConnection> {
    const { caller, ids, keyring, deadline, plan, size } = this.#parts
    if (record.state.erased) throw new Erased()
    const { type, patient, id } = record.ref
    const first = pageSize(args.first, caller)
    const cursor = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
    const coordinate = record.path(info.fieldName) as string as Coordinate
    const bound: CursorBound = { caller, coordinate, patient, filter: [id, ...ids.bound()] }
    const isContinued = args.after !== undefined && args.after !== null
    const start = isContinued ? positionOf(openCursor(cursor, bound, text(args.after))) - 1 : record.version
    const paths = plan(info, type, ENTRY_RECORD)
    const reservation = this.#parts.values.begin(record.ref, paths, Math.min(first, start))
    try {
      const shown = await this.#shown(record, start, first + 1, paths)
      const page = shown.slice(0, first)
      const described = page.map((one, index) => describedVersion(this.#parts, one, shown[index + 1]))
      const names = described.flatMap((entry) => (typeof entry === 'string' ? [] : entry.changedPaths))
      const copies = this.#parts.places(info, ENTRY_PATHS)
      size.grow(copies * names.reduce((sum, { length }) => sum + length + 3, 0))
      const place = this.#parts.place(info, type, ENTRY_RECORD)
      const views = await this.#views(record, page, described, { paths, place, reservation })
      const edges = page.map(({ version }, index) => {
        const entry = described[index]
        const key = versionOf(record.ref, version)
        const at = new PageCursor(() => sealCursor(cursor, bound, String(version).padStart(DIGITS, '0')))
        return new HistoryEdge(at, typeof entry === 'object' ? new HistoryEntry(entry, key, views[index]) : undefined, key)
      })
      return {
        edges,
        pageInfo: {
          hasNextPage: shown.length > first,
          hasPreviousPage: isContinued,
          get startCursor() {
            return edges[0]?.cursor ?? null
          },
          get endCursor() {
            return edges.at(-1)?.cursor ?? null
          },
        },
        mayBeIncomplete: true,
      }
    } finally {
      reservation.end()
    }
  }

  /** The versions that the caller may know of, newest first, from one version down. Closed ones are left out, and told to the audit. */
  async #shown(record: RecordView, start: number, most: number, paths: ReadonlySet<SchemaPath>): Promise<readonly ShownVersion[]> {
    const { caller, counter, deadline, recordVersions } = this.#parts
    const attributes = await this.#attributes(record)
    const shown: ShownVersion[] = start === record.version ? [{ version: start, state: record.state }] : []
    let next = Math.min(start, record.version - 1)
    const stored = this.#parts.values.stored(paths)
    while (shown.length < most && next >= 1) {
      if (recordVersions === undefined) throw new StoreUnavailable()
      const length = Math.min(next, most - shown.length, MAX_PAGE)
      const versions = Array.from({ length }, (_, index) => next - index)
      const read = async () => await recordVersions.open(caller.tenant, record.ref, versions, stored, counter, deadline)
      const opened = await this.#gate.through(async () => {
        if (this.#parts.size.isExceeded) throw new OperationTooCostly()
        return await deadline.wait(read, storeOverdue)
      })
      shown.push(...versions.flatMap((version) => this.#disposed(record, version, opened.get(version), attributes)))
      next -= length
    }
    return shown
  }

  async #attributes({ ref }: RecordView): Promise<SubjectAttributes> {
    const { attributes: loader, visibility } = this.#parts
    const attributes = (await loader.attributesFor(visibility.admitting(ref.type), [ref.patient])).get(ref.patient)
    if (attributes?.erased === true) throw new Erased()
    if (attributes === undefined || attributes.damage !== undefined) throw new IntegrityFailure()
    return attributes
  }

  /** An earlier version; nothing if it is closed to the caller. */
  #disposed(
    record: RecordView,
    version: number,
    opened: OpenRecord | IntegrityFailure | undefined,
    attributes: SubjectAttributes,
  ): ShownVersion[] {
    const { ref } = record
    if (opened === undefined || opened instanceof Failure) return [this.#failure(record, version, opened ?? new IntegrityFailure())]
    const { facts, also, closure } = versionFacts(this.#parts.visibility, attributes, ref, opened.metadata, record.state)
    switch (closure) {
      case 'CONSENT':
      case 'RELATIONSHIP':
        this.#parts.recorder.recordLeftOut(leftOutAccess({ ref, version, reason: closure }), String(version))
        return []
      case 'UNKNOWN':
        return [{ version, failure: 'STORE' }]
      case 'OPEN': {
        const { listed } = record
        const { metadata, seals } = opened
        const sealedDigest = (): string | undefined => opened.sealedDigest?.()
        const of = {
          ref,
          version,
          erased: false,
          listed,
          metadata,
          facts,
          sealedDigest,
          ...(also && { also }),
          ...(seals && { seals }),
        }
        return [{ version, opened, state: { ...of, isEarlier: true } }]
      }
    }
  }

  /** A version that cannot be read, reported once. */
  #failure({ ref }: RecordView, version: number, failure: Failure): ShownVersion {
    const key = versionOf(ref, version)
    const reason = this.#failed.get(key) ?? this.#parts.failures.classify(failure, ref)
    this.#failed.set(key, reason)
    return { version, failure: reason }
  }

  /** The records of the entries. Each given entry is one access of the audit, and each value another. */
  async #views(
    record: RecordView,
    page: readonly ShownVersion[],
    described: readonly (object | string)[],
    {
      paths,
      place,
      reservation,
    }: { paths: ReadonlySet<SchemaPath>; place: AnswerPlace; reservation: Parameters<VersionValues['settle']>[2] },
  ): Promise<readonly (RecordView | undefined)[]> {
    const { loader, size, values } = this.#parts
    const isSelected = place.shape.self.count > 0
    const earlier = page.flatMap(({ state, opened }, index) =>
      typeof described[index] === 'object' && state !== undefined && opened !== undefined ? [{ state, opened }] : [],
    )
    const isPresent = page[0]?.version === record.version && typeof described[0] === 'object'
    for (const [index, { version }] of page.entries()) {
      if (typeof described[index] === 'string') {
        size.add([{ key: record.key, place, metadata: undefined }])
        size.grow(place.pathBytes + ERROR_BYTES)
      } else if (version === record.version && !isSelected) {
        size.add([{ key: record.key, place, metadata: record.state.metadata }])
      }
    }
    const views = await values.settle(earlier, { paths, place }, reservation)
    for (const [index, { version }] of page.entries()) this.#recordEntry(record, version, described[index])
    const listed = record.listed ? { listed: record.version } : {}
    const present = isPresent && isSelected ? await loader.load(record.ref, paths, { ...listed, place }) : undefined
    return page.map(({ version }) => {
      if (version === record.version) return present?.kind === 'FOUND' ? present.record : undefined
      return views.get(version)
    })
  }

  /** Each entry is one access, with its version. The existence of the present version may be recorded with the record itself. */
  #recordEntry(record: RecordView, version: number, entry: object | string | undefined): void {
    const { recorder } = this.#parts
    const at = { ...whereOf(record), recordVersion: version, path: existenceOf(record.ref), action: 'READ' } as const
    const key = `${versionOf(record.ref, version)} HISTORY`
    if (typeof entry === 'string')
      recorder.recordOnce(`${key} ${entry}`, { ...at, outcome: 'UNAVAILABLE', reason: entry as OutcomeReason })
    else if (version !== record.version || record.outcome('id') === undefined)
      recorder.recordOnce(key, { ...at, outcome: 'DISCLOSED' })
  }
}

function positionOf(value: unknown): number {
  const position = Number(text(value))
  if (!Number.isSafeInteger(position)) throw new BadUserInput({ detail: CURSOR_DETAIL })
  return position
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
  return value
}
