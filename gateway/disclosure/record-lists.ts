import type { AttributeSources, SubjectAttributes } from '../access/attribute-loader.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { Caller } from '../model/decision.ts'
import { firstDetail, CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput, keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Coordinate, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../model/ids.ts'
import { type ClosedBy, type LeftOut, type ListClosure, MAX_PAGE, type ListPosition } from '../model/list.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import { filterBound, listFilter } from './list-filter.ts'
import { PageCursor } from './page-cursor.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

/** The arguments of a page. */
export interface PageArguments {
  readonly first?: unknown
  readonly after?: unknown
  readonly [argument: string]: unknown
}

/** The records of a page, in order, each with its cursor and the version that the list names. */
export interface CursorPage {
  readonly items: readonly { readonly ref: RecordRef; readonly cursor: PageCursor; readonly version: number }[]
  /** Records that are closed to the caller: only for the audit. */
  readonly leftOut: readonly LeftOut[]
  readonly more: boolean
}

interface ListParts
  extends Pick<RequestIdentity, 'caller' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    RecordAccess,
    Pick<AttributeSources, 'relationships'>,
    Deciding,
    Pick<Recording, 'counter'> {}

/** Finds the records of a page: order, cursors, completeness. The record loader decides what the caller may see of them. */
export class RecordLists {
  readonly #parts: ListParts

  constructor(parts: ListParts) {
    this.#parts = parts
  }

  /**
   * The records of one type of one patient, newest first.
   *
   * @throws BadUserInput, StoreUnavailable, KeyUnavailable, IntegrityFailure: a list is complete or it is an error
   */
  async ofPatient(
    patient: PatientId,
    type: TypeName,
    coordinate: Coordinate,
    args: PageArguments,
    closure: ListClosure,
  ): Promise<CursorPage> {
    const { caller, ids, policy, sources, counter, deadline } = this.#parts
    const size = pageSize(args.first, caller)
    const filter = listFilter(args)
    const cursor = await this.#cursorKey()
    const bound: CursorBound = { caller, coordinate, patient, filter: [filterBound(filter), ...ids.bound()] }
    const after =
      args.after === undefined || args.after === null ? undefined : openPosition(openCursor(cursor, bound, text(args.after)))
    const source = sources.get(policy.records.get(type)?.source ?? '')
    if (source === undefined) throw new StoreUnavailable()
    const request = { patient, type, size, filter, closure, ...(after && { after }) }
    const page = await deadline.wait(() => source.list(caller.tenant, request, counter, deadline), storeOverdue)
    return {
      items: page.items.map(({ position: { date, id }, version }) => ({
        ref: { type, patient, id },
        cursor: new PageCursor(() => sealCursor(cursor, bound, [date, id])),
        version,
      })),
      leftOut: page.leftOut.map(({ id, version, reason }) => ({ ref: { type, patient, id }, version, reason })),
      more: page.more,
    }
  }

  /**
   * The patients that the caller has one of these relationships to.
   *
   * @param begin called with the likely records of the page before its patients are verified, so that both are read at once
   * @throws BadUserInput, StoreUnavailable, KeyUnavailable
   */
  async panel(
    type: TypeName,
    names: ReadonlySet<Relationship>,
    coordinate: Coordinate,
    args: PageArguments,
    begin: (refs: readonly RecordRef[]) => void,
  ): Promise<CursorPage> {
    const { caller, deadline, ids } = this.#parts
    const size = pageSize(args.first, caller)
    const refOf = (patient: PatientId): RecordRef => ({ type, patient, id: patient as string as RecordId })
    const cursor = await this.#cursorKey()
    const bound: CursorBound = { caller, coordinate, filter: [{}, ...ids.bound()] }
    const after =
      args.after === undefined || args.after === null ? undefined : (text(openCursor(cursor, bound, text(args.after))) as PatientId)
    const beginPage = (candidates: readonly PatientId[]): void => begin(candidates.slice(0, size).map(refOf))
    const { found, leftOut } = await deadline.wait(() => this.#current(type, names, after, size + 1, beginPage), storeOverdue)
    return {
      items: found.slice(0, size).map((patient) => ({
        ref: refOf(patient),
        cursor: new PageCursor(() => sealCursor(cursor, bound, patient)),
        // the list does not know the version of a patient record
        version: 0,
      })),
      // a closed patient is not opened, so the version stays unknown
      leftOut: leftOut.map(({ patient, reason }) => ({ ref: refOf(patient), version: 0, reason })),
      more: found.length > size,
    }
  }

  async #cursorKey(): Promise<PurposeKey<'cursor'>> {
    const { caller, keyring, deadline } = this.#parts
    return await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
  }

  /**
   * Checks the candidates of a panel again: the index may still list an ended membership. Patients that deny everything to the caller are
   * left out here, so that the page has its full length.
   */
  async #current(
    type: TypeName,
    names: ReadonlySet<Relationship>,
    after: PatientId | undefined,
    limit: number,
    begin: (candidates: readonly PatientId[]) => void,
  ): Promise<{ found: PatientId[]; leftOut: { patient: PatientId; reason: ClosedBy }[] }> {
    const { caller, relationships, deadline, visibility } = this.#parts
    const panels = [...names].flatMap((name) => relationships.get(name) ?? [])
    const found: PatientId[] = []
    const leftOut: { patient: PatientId; reason: ClosedBy }[] = []
    let from = after
    for (;;) {
      const lists = await Promise.all(panels.map(async (source) => await source.panel(caller, from, limit, deadline)))
      const candidates = inOneOrder(lists, limit)
      // an ended membership is rare: nearly always these are the page
      if (from === after) begin(candidates)
      const byPatient = await this.#parts.attributes.attributesFor(names, candidates)
      // a patient with damaged relationships becomes an entry with an error, never a shorter list
      const counts = (of: SubjectAttributes | undefined): boolean =>
        of !== undefined && (of.relationships.size > 0 || of.damage !== undefined)
      // if a service failed, there is no list instead of a shorter one
      if ([...byPatient.values()].some((of) => !counts(of) && of.unknown !== undefined)) throw new StoreUnavailable()
      for (const patient of candidates) {
        const of = byPatient.get(patient)
        if (found.length === limit || of === undefined || !counts(of)) continue
        const closure =
          of.damage === undefined ? visibility.closureOf({ type, patient, id: patient as string as RecordId }, of) : 'UNKNOWN'
        if (closure === 'OPEN' || closure === 'UNKNOWN') found.push(patient)
        else leftOut.push({ patient, reason: closure })
      }
      from = candidates.at(-1)
      if (from === undefined || found.length >= limit || lists.every((list) => list.length < limit)) return { found, leftOut }
    }
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** One list keeps its order. Several are merged up to the end of the shortest, so that no page skips a patient. */
function inOneOrder(lists: readonly (readonly PatientId[])[], limit: number): PatientId[] {
  const [only] = lists
  if (lists.length <= 1) return [...(only ?? [])]
  return [...new Set(lists.flat())].toSorted(compare).slice(0, limit)
}

function openPosition(value: Json): ListPosition {
  if (!Array.isArray(value)) throw new BadUserInput({ detail: CURSOR_DETAIL })
  return { date: text(value[0]), id: text(value[1]) as RecordId }
}

/** @throws BadUserInput beyond the limit of a page, or that of the caller's contract */
export function pageSize(first: unknown, { contract }: Pick<Caller, 'contract'>): number {
  const most = Math.min(MAX_PAGE, contract?.maxPage ?? MAX_PAGE)
  if (typeof first !== 'number' || !Number.isInteger(first) || first < 1 || first > most)
    throw new BadUserInput({ detail: () => firstDetail(first, most) })
  return first
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
  return value
}
