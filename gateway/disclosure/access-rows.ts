import type { LogPosition, PatientAccess } from '../audit/patient-accesses.ts'

/** How a request accessed a record. */
type AccessKind = 'OPENED' | 'LISTED' | 'SEARCHED' | 'REFUSED'

/** The part of one request that a caller may know of. */
export interface AccessRow extends Pick<PatientAccess, 'requestId' | 'user' | 'roles' | 'organization' | 'purpose'> {
  /** Of the first access that the caller may know of. No other access has an influence on the order. */
  readonly position: LogPosition
  readonly access: AccessKind
  /** Categories of what was shown. If the request was refused, of what was asked for. */
  readonly categories: ReadonlySet<string>
  readonly bases: ReadonlySet<string>
  readonly contract: boolean
}

/** The categories of an access that the caller may know of; undefined if the caller may not. */
export type ShownCategories = (access: PatientAccess) => readonly string[] | undefined

/**
 * The outcomes that are accesses of a reader. ABSENT shows that the record has no such value. A value that is erased or unavailable was
 * not shown.
 */
const SEEN: ReadonlySet<string> = new Set(['DISCLOSED', 'MASKED', 'ABSENT'])
const isAccess = ({ outcome }: Pick<PatientAccess, 'outcome'>): boolean => SEEN.has(outcome) || outcome === 'DENIED'

const positionOf = ({ time, lane, sequence, index }: PatientAccess): LogPosition => ({
  time: Date.parse(time),
  lane,
  sequence,
  index,
})

/** Negative if `one` comes before `other`: the latest time first, then lane, sequence and index. */
function comparePositions(one: LogPosition, other: LogPosition): number {
  if (one.time !== other.time) return other.time - one.time
  if (one.lane !== other.lane) return one.lane < other.lane ? -1 : 1
  return one.sequence - other.sequence || one.index - other.index
}

/** The accesses of one patient by request. A request can leave several items of the log, with those of other requests between them. */
export class RequestGroups {
  readonly #groups = new Map<string, PatientAccess[]>()
  readonly #accesses: PatientAccess[] = []

  /** @param accesses in the order of the log, after those that were added before */
  add(accesses: readonly PatientAccess[]): void {
    for (const access of accesses) {
      if (!isAccess(access)) continue
      this.#accesses.push(access)
      const { requestId } = access
      const group = this.#groups.get(requestId)
      if (group === undefined) this.#groups.set(requestId, [access])
      else group.push(access)
    }
  }

  /**
   * The accesses before the first one of a request that may continue, and the place where they end. Undefined if the request was not added,
   * or if nothing is before it.
   */
  before(requestId: string): { readonly groups: RequestGroups; readonly end: LogPosition } | undefined {
    const whole = this.#accesses.slice(
      0,
      Math.max(
        0,
        this.#accesses.findIndex((access) => access.requestId === requestId),
      ),
    )
    const last = whole.at(-1)
    if (last === undefined) return undefined
    const groups = new RequestGroups()
    groups.add(whole)
    return { groups, end: positionOf(last) }
  }

  /** The accesses of each request, in the order of the first of them. */
  all(): readonly (readonly PatientAccess[])[] {
    return [...this.#groups.values()]
  }
}

/** The row of a request; undefined if the caller may know of none of its accesses. */
export function rowOf(group: readonly PatientAccess[], shown: ShownCategories): AccessRow | undefined {
  const seen = new Set<string>()
  const refused = new Set<string>()
  const bases = new Set<string>()
  const kinds = new Set<AccessKind>()
  let begin: PatientAccess | undefined
  for (const access of group) {
    const categories = shown(access)
    if (categories === undefined) continue
    begin ??= access
    const isSeen = SEEN.has(access.outcome)
    kinds.add(!isSeen ? 'REFUSED' : access.action === 'SEARCH' ? 'SEARCHED' : access.listed ? 'LISTED' : 'OPENED')
    for (const category of categories) (isSeen ? seen : refused).add(category)
    if (isSeen && access.basis !== undefined) bases.add(access.basis)
  }
  if (begin === undefined) return undefined
  const { requestId, user, roles, organization, purpose, contract } = begin
  const access = (['OPENED', 'LISTED', 'SEARCHED'] as const).find((kind) => kinds.has(kind)) ?? 'REFUSED'
  return {
    position: positionOf(begin),
    requestId,
    user,
    roles,
    ...(organization !== undefined && { organization }),
    purpose,
    access,
    categories: access === 'REFUSED' ? refused : seen,
    bases,
    contract: contract === true,
  }
}

export const inOrder = (rows: readonly AccessRow[]): readonly AccessRow[] =>
  rows.toSorted((one, other) => comparePositions(one.position, other.position))
