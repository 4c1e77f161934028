import type { GraphQLResolveInfo } from 'graphql'
import { searchRefused } from '../decide/search-right.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { Placement } from '../audit/item-draft.ts'
import type { AccessRecord, OutcomeReason } from '../model/access-record.ts'
import { CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput, keyOverdue, OperationTooCostly, PhiBudgetExceeded } from '../model/failures.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from '../model/ids.ts'
import type { Notice } from './notices.ts'
import type { PhiBudget } from './phi-budget.ts'
import { PageCursor } from './page-cursor.ts'
import { type CursorPage, type PageArguments, pageSize } from './record-lists.ts'
import type { RecordAccess, Recording } from './request-parts.ts'
import type { SearchBudget } from './search-budget.ts'
import { type CandidateParts, type HiddenCandidate, SearchCandidates } from './search-candidates.ts'
import { refusalOf, type Search, SearchComparison } from './search-comparison.ts'
import { checkSearch, searchedValues, searchTerms, valuesToken, type WantedTerm } from './search-terms.ts'

interface SearchParts
  extends CandidateParts,
    Pick<RecordAccess, 'keyring'>,
    Pick<Recording, 'recorder' | 'trail' | 'counter' | 'errors' | 'notices'> {
  readonly budget: PhiBudget
  readonly searchBudget: SearchBudget
}

/** A patient that has the values, and the notices that the answer must carry with it. */
interface Found {
  readonly patient: PatientId
  readonly notices: readonly Notice[]
}

/** Finds patients by the values of a root's arguments (P11). The record loader decides what is shown of them. */
export class PatientSearch {
  readonly #parts: SearchParts
  readonly #candidates: SearchCandidates
  readonly #comparison: SearchComparison
  readonly #searches = new Map<string, Promise<Search | OutcomeReason>>()

  constructor(parts: SearchParts) {
    this.#parts = parts
    this.#candidates = new SearchCandidates(parts)
    this.#comparison = new SearchComparison({ ...parts, record: (access) => this.#record(access) }, this.#candidates)
  }

  /**
   * A page of the found patients, in the order of their ids. If an argument is denied or a service fails, null with an error.
   *
   * @throws BadUserInput with too few values, or for a value that no record can have; OperationTooCostly if too many records have a
   *   value; PhiBudgetExceeded
   */
  async page(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<CursorPage | null> {
    const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
    const { caller, policy, keyring, deadline, failures } = this.#parts
    const values = searchedValues(policy, coordinate, args)
    checkSearch(policy, values)
    const size = pageSize(args.first, caller)
    if (!this.#allowed([...values.keys()], coordinate, info)) return null
    let reason: OutcomeReason
    try {
      const [index, cursor, lookup] = await deadline.wait(
        () =>
          Promise.all([
            keyring.purposeKey(caller.tenant, 'index'),
            keyring.purposeKey(caller.tenant, 'cursor'),
            keyring.purposeKey(caller.tenant, 'lookup'),
          ]),
        keyOverdue,
      )
      const terms = searchTerms(policy, values, index, caller.tenant)
      const bound: CursorBound = { caller, coordinate, filter: valuesToken(lookup, terms) }
      const after = args.after === undefined || args.after === null ? '' : position(openCursor(cursor, bound, position(args.after)))
      const found = await this.#found(type, coordinate, terms, after, size)
      if (Array.isArray(found)) {
        const shown = found.slice(0, size)
        for (const notice of shown.flatMap(({ notices }) => notices)) this.#parts.notices.add(notice)
        return {
          items: shown.map(({ patient }) => ({
            ref: { type, patient, id: patient as string as RecordId },
            cursor: new PageCursor(() => sealCursor(cursor, bound, patient)),
            // a search does not know the version of a patient record
            version: 0,
          })),
          leftOut: [],
          more: found.length > size,
        }
      }
      reason = found
    } catch (error) {
      const at = { path: coordinate as string as SchemaPath, paths: [...values.keys()], action: 'SEARCH' } as const
      if (error instanceof OperationTooCostly)
        this.#parts.recorder.recordOnce(`SEARCH ${coordinate} MANY`, { ...at, outcome: 'DENIED' })
      reason = failures.classify(error)
      this.#parts.recorder.recordOnce(`SEARCH ${coordinate} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason })
    }
    this.#parts.errors.unavailable(coordinate, coordinate, info.path)
    return null
  }

  /** Decides each argument by role and purpose. A denial here is answered and recorded, and no table is read. */
  #allowed(paths: readonly SchemaPath[], coordinate: Coordinate, info: GraphQLResolveInfo): boolean {
    const { policy, caller, now, errors } = this.#parts
    let allowed = true
    for (const path of paths) {
      const denial = searchRefused(policy.phi.get(path), caller, now)
      if (denial === undefined) continue
      allowed = false
      errors.record(path, coordinate, { outcome: 'DENIED', denial }, info.path)
      const key = `SEARCH ${coordinate} ${path}`
      this.#parts.recorder.recordOnce(key, { path, action: 'SEARCH', ...refusalOf(denial) })
    }
    return allowed
  }

  /** The verified patients, up to one more than a page. */
  async #found(
    type: TypeName,
    coordinate: Coordinate,
    terms: readonly WantedTerm[],
    after: string,
    size: number,
  ): Promise<Found[] | OutcomeReason> {
    const key = terms.map(({ index, tokens }) => `${index.path} ${tokens.join(' ')}`).join(' ')
    const searching = this.#searches.get(key) ?? this.#search(type, coordinate, terms)
    this.#searches.set(key, searching)
    const search = await searching
    if (typeof search === 'string') return search
    const found: Found[] = []
    const left = search.open.filter(({ patient }) => patient > after)
    while (left.length > 0 && found.length <= size) {
      const next = left.splice(0, size + 1 - found.length)
      const unsure = await this.#comparison.verify(search, coordinate, next)
      if (unsure !== undefined) return unsure
      for (const { patient } of next) {
        const verified = search.verified.get(patient)
        if (verified !== undefined && 'has' in verified && verified.has) found.push({ patient, notices: verified.notices })
      }
    }
    return found
  }

  async #search(type: TypeName, coordinate: Coordinate, terms: readonly WantedTerm[]): Promise<Search | OutcomeReason> {
    const { caller, keyring, deadline } = this.#parts
    const uncharged = await this.#charge(coordinate, terms)
    if (uncharged !== undefined) return uncharged
    const [found, lookup] = await Promise.all([
      this.#candidates.find(type, terms, this.#comparison.opening),
      deadline.wait(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
    ])
    const at = { path: coordinate as string as SchemaPath, paths: terms.flatMap(({ paths }) => paths), action: 'SEARCH' } as const
    if ('reason' in found) {
      this.#record({ ...at, patient: found.patient, outcome: 'UNAVAILABLE', reason: found.reason })
      return found.reason
    }
    const missing = valuesToken(lookup, terms)
    const closed = this.#comparison.closed(found)
    const hidden = [...found.hidden, ...closed]
    // the length of the audit item must not depend on the outcome (P5)
    this.#record({ ...at, ...this.#hidden(hidden, missing) }, { kind: 'REFUSED', id: coordinate })
    const isClosed = new Set(closed.map(({ patient }) => patient))
    return { ...found, hidden, open: found.open.filter(({ patient }) => !isClosed.has(patient)), verified: new Map() }
  }

  /**
   * Charges the searched values, before anything is looked up.
   *
   * @returns the reason why the search cannot be charged
   * @throws PhiBudgetExceeded
   */
  async #charge(coordinate: Coordinate, terms: readonly WantedTerm[]): Promise<OutcomeReason | undefined> {
    const paths = terms.flatMap((term) => term.paths)
    const charged = await this.#parts.searchBudget.charge(paths.length)
    if (charged === 'RESERVED') return undefined
    const at = { path: coordinate as string as SchemaPath, paths, action: 'SEARCH' } as const
    if (charged === 'SPENT') {
      this.#record({ ...at, outcome: 'DENIED', reason: 'BUDGET' })
      throw new PhiBudgetExceeded('SEARCHES')
    }
    this.#record({ ...at, outcome: 'UNAVAILABLE', reason: 'STORE' })
    return 'STORE'
  }

  /**
   * The audit record of the patients that the caller may not find: the first of them, with their number. Without such patients, it is a
   * record under the keyed hash. Each search leaves exactly one (P5).
   *
   * @param missing the keyed hash of the searched values
   */
  #hidden([first, ...others]: readonly HiddenCandidate[], missing: string): Omit<AccessRecord, 'path' | 'action'> {
    if (first !== undefined) return { patient: first.patient, ...refusalOf(first.denial), count: others.length + 1 }
    if (this.#parts.caller.seesExistence) return { patient: missing, outcome: 'ABSENT' }
    return { patient: missing, outcome: 'DENIED', reason: 'NOT_FOUND' }
  }

  /** A denial here goes to the audit only: the answer does not count it. */
  #record(access: AccessRecord, placement?: Placement): void {
    if (access.outcome === 'UNAVAILABLE') this.#parts.counter.unavailable++
    this.#parts.trail.record(access, placement)
  }
}

/** A position among patients: an id, or the cursor that hides it. */
function position(value: unknown): string {
  if (typeof value !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
  return value
}
