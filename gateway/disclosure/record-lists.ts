import type { SubjectAttributes, AttributeLoader } from '../access/attribute-loader.ts'
import type { RelationshipRegistry } from '../access/relationships.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { RecordSource } from '../store/record-source.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { BadUserInput, keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Coordinate, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../model/ids.ts'
import { MAX_PAGE, type ListPosition, type ListRequest } from '../model/list.ts'
import type { PolicyTable, Relationship } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import { filterBound, listFilter } from './list-filter.ts'
import type { PublicIds } from '../access/public-ids.ts'

/** A page that was asked for. */
export interface PageArguments {
  readonly first?: unknown
  readonly after?: unknown
  readonly [argument: string]: unknown
}

/** The records of a page, in order, each with the cursor of its place and the version that the list names. */
export interface CursorPage {
  readonly items: readonly { readonly ref: RecordRef; readonly cursor: string; readonly version: number }[]
  /** Records that are closed to the caller: for the audit alone. */
  readonly leftOut: readonly RecordRef[]
  readonly more: boolean
}

export interface ListParts {
  readonly caller: Caller
  readonly policy: PolicyTable
  readonly sources: ReadonlyMap<string, RecordSource>
  readonly relationships: RelationshipRegistry
  readonly facts: AttributeLoader
  readonly ids: PublicIds
  readonly keyring: Keyring
  readonly counter: DisclosureCounter
  readonly deadline: Deadline
}

/** Which records stand on a page: order, cursors, completeness. What may be seen of them is decided by the record loader. */
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
    isClosed: ListRequest['isClosed'],
  ): Promise<CursorPage> {
    const { caller, ids, policy, sources, counter, deadline } = this.#parts
    const size = pageSize(args.first)
    const filter = listFilter(args)
    const cursor = await this.#cursorKey()
    const bound: CursorBound = { caller, coordinate, patient, filter: [filterBound(filter), ...ids.bound()] }
    const after =
      args.after === undefined || args.after === null ? undefined : openPosition(openCursor(cursor, bound, text(args.after)))
    const source = sources.get(policy.records.get(type)?.source ?? '')
    if (source === undefined) throw new StoreUnavailable()
    const request = { patient, type, size, filter, isClosed, ...(after && { after }) }
    const page = await deadline.wait(() => source.list(caller.tenant, request, counter, deadline), storeOverdue)
    return {
      items: page.items.map(({ position: { date, id }, version }) => ({
        ref: { type, patient, id },
        cursor: sealCursor(cursor, bound, [date, id]),
        version,
      })),
      leftOut: page.leftOut.map((id) => ({ type, patient, id })),
      more: page.more,
    }
  }

  /**
   * The patients whom the caller stands in one of these relationships to.
   *
   * @throws BadUserInput, StoreUnavailable, KeyUnavailable
   */
  async panel(type: TypeName, names: ReadonlySet<Relationship>, coordinate: Coordinate, args: PageArguments): Promise<CursorPage> {
    const { caller, deadline, ids } = this.#parts
    const size = pageSize(args.first)
    const cursor = await this.#cursorKey()
    const bound: CursorBound = { caller, coordinate, filter: [{}, ...ids.bound()] }
    const after =
      args.after === undefined || args.after === null ? undefined : (text(openCursor(cursor, bound, text(args.after))) as PatientId)
    const found = await deadline.wait(() => this.#visibility(names, after, size + 1), storeOverdue)
    return {
      items: found.slice(0, size).map((patient) => ({
        ref: { type, patient, id: patient as string as RecordId },
        cursor: sealCursor(cursor, bound, patient),
        // of a patient, the list knows no more than that there is one
        version: 0,
      })),
      leftOut: [],
      more: found.length > size,
    }
  }

  async #cursorKey(): Promise<PurposeKey<'cursor'>> {
    const { caller, keyring, deadline } = this.#parts
    return await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
  }

  /** Candidates of a panel are asked again before they count: an ended membership stands in the index still. */
  async #visibility(names: ReadonlySet<Relationship>, after: PatientId | undefined, limit: number): Promise<PatientId[]> {
    const { caller, relationships, deadline } = this.#parts
    const panels = [...names].flatMap((name) => relationships.get(name) ?? [])
    const found: PatientId[] = []
    let from = after
    for (;;) {
      const lists = await Promise.all(panels.map(async (source) => await source.panel(caller, from, limit, deadline)))
      const candidates = inOneOrder(lists, limit)
      const held = await this.#parts.facts.attributesFor(names, candidates)
      // one of whom is not known what holds is a gap with an error, never a shorter list
      const counts = (of: SubjectAttributes | undefined): boolean =>
        of !== undefined && (of.relationships.size > 0 || of.damage !== undefined)
      // nor is a list that a service kept back shorter: there is none
      if ([...held.values()].some((of) => !counts(of) && of.unknown !== undefined)) throw new StoreUnavailable()
      found.push(...candidates.filter((patient) => counts(held.get(patient))))
      from = candidates.at(-1)
      if (from === undefined || found.length >= limit || lists.every((list) => list.length < limit)) return found.slice(0, limit)
    }
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** One list is in its own order; several are merged, up to where the first of them ends, so that no page skips anybody. */
function inOneOrder(lists: readonly (readonly PatientId[])[], limit: number): PatientId[] {
  const [only] = lists
  if (lists.length <= 1) return [...(only ?? [])]
  return [...new Set(lists.flat())].toSorted(compare).slice(0, limit)
}

function openPosition(value: Json): ListPosition {
  if (!Array.isArray(value)) throw new BadUserInput()
  return { date: text(value[0]), id: text(value[1]) as RecordId }
}

export function pageSize(first: unknown): number {
  if (typeof first !== 'number' || !Number.isInteger(first) || first < 1 || first > MAX_PAGE) throw new BadUserInput()
  return first
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new BadUserInput()
  return value
}
