import type { GraphQLResolveInfo } from 'graphql'
import { maySearch, searchRefused } from '../access/search-right.ts'
import type { Trail } from '../audit/trail.ts'
import { searchedForm } from '../crypto/blind-index.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { lookupToken } from '../crypto/tokens.ts'
import type { OpenRecord } from '../store/record-source.ts'
import type { AccessRecord, OutcomeReason } from '../vocabulary/access-record.ts'
import type { Denial, Permit } from '../vocabulary/decision.ts'
import { BadUserInput, IntegrityFailure, keyOverdue, OperationTooCostly, PhiBudgetExceeded } from '../vocabulary/failures.ts'
import type { Coordinate, PatientId, RecordId, SchemaPath, TypeName } from '../vocabulary/ids.ts'
import type { Json } from '../vocabulary/record.ts'
import type { AccessNotes } from './access-notes.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { PhiBudget } from './phi-budget.ts'
import { noticesOf } from './notices.ts'
import { type CursorPage, type PageArguments, pageSize } from './record-lists.ts'
import { where } from './record-values.ts'
import { recordKey } from './record-view.ts'
import type { Refusals } from './refusals.ts'
import {
  type Candidate,
  type CandidateHit,
  type CandidateParts,
  type Candidates,
  type HiddenCandidate,
  SearchCandidates,
} from './search-candidates.ts'
import { searchedValues, searchTerms, type WantedTerm } from './search-terms.ts'

interface SearchParts extends CandidateParts {
  readonly budget: PhiBudget
  readonly notes: AccessNotes
  readonly keyring: Keyring
  readonly trail: Trail
  readonly counter: DisclosureCounter
  readonly refusals: Refusals
  /** What must go along with the answer. */
  readonly notices: Set<string>
}

/** What was found out in one request of one set of terms, whatever aliases and pages ask for it. */
interface Search extends Candidates {
  readonly verified: Map<PatientId, Verified>
}

/** Whether the patient has the values, and the caller may know it; what was found out is recorded by then. */
type Verified =
  | { readonly has: false }
  | { readonly has: true; readonly notices: readonly string[] }
  | { readonly unknown: OutcomeReason }

/** One who has the values, and what must go along where that is told. */
interface Found {
  readonly patient: PatientId
  readonly notices: readonly string[]
}

/** What the audit is told of the values of one record that were compared, and what must go along with them. */
interface Compared {
  readonly records: readonly AccessRecord[]
  readonly notices: readonly string[]
}

/** Whom the caller may find by the values of a root's arguments (P11). What is shown of them is decided by the record loader. */
export class PatientSearch {
  readonly #parts: SearchParts
  readonly #candidates: SearchCandidates
  readonly #searches = new Map<string, Promise<Search | OutcomeReason>>()
  /** Values opened to compare them: once a record and path, whatever is searched for (P1). */
  readonly #opened = new Map<string, Json | undefined>()
  /** Patients are verified one search after the other: two aliases must not open and reserve the same value twice. */
  #turn: Promise<unknown> = Promise.resolve()
  readonly #opening: OpeningCounter

  constructor(parts: SearchParts) {
    this.#parts = parts
    this.#candidates = new SearchCandidates(parts)
    const { counter } = parts
    this.#opening = {
      get fields() {
        return counter.searched
      },
      set fields(count) {
        counter.searched = count
      },
      get metadata() {
        return counter.metadata
      },
      set metadata(count) {
        counter.metadata = count
      },
    }
  }

  /**
   * A page of those who are found, in the order of their ids; null where an argument is refused, or where it cannot be found out
   * who they are, which is told in `refusals`.
   *
   * @throws BadUserInput where nothing is asked for, or what nobody could have; OperationTooCostly where more records have a value
   *   than are looked at; PhiBudgetExceeded
   */
  async page(type: TypeName, args: PageArguments, info: GraphQLResolveInfo): Promise<CursorPage | null> {
    const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
    const { caller, policy, keyring, deadline, failures } = this.#parts
    const values = searchedValues(policy, coordinate, args)
    if (values.size === 0) throw new BadUserInput()
    const size = pageSize(args.first)
    if (!this.#allowed([...values.keys()], coordinate, info)) return null
    let reason: OutcomeReason
    try {
      const [index, cursor] = await deadline.wait(
        () => Promise.all([keyring.useKey(caller.tenant, 'index'), keyring.useKey(caller.tenant, 'cursor')]),
        keyOverdue,
      )
      const terms = searchTerms(policy, values, index, caller.tenant)
      const bound: CursorBound = { caller, coordinate, filter: terms.map(({ token }) => token) }
      const after = args.after === undefined || args.after === null ? '' : position(openCursor(cursor, bound, position(args.after)))
      const found = await this.#found(type, coordinate, terms, after, size)
      if (Array.isArray(found)) {
        const shown = found.slice(0, size)
        for (const notice of shown.flatMap(({ notices }) => notices)) this.#parts.notices.add(notice)
        return {
          items: shown.map(({ patient }) => ({
            ref: { type, patient, id: patient as string as RecordId },
            cursor: sealCursor(cursor, bound, patient),
            // of a patient, a search knows no more than that there is one
            version: 0,
          })),
          leftOut: [],
          more: found.length > size,
        }
      }
      reason = found
    } catch (error) {
      const at = { path: coordinate as string as SchemaPath, paths: [...values.keys()], action: 'SEARCH' } as const
      if (error instanceof OperationTooCostly) this.#parts.notes.once(`SEARCH ${coordinate} MANY`, { ...at, outcome: 'DENIED' })
      reason = failures.of(error)
      this.#parts.notes.once(`SEARCH ${coordinate} ${reason}`, { ...at, outcome: 'UNAVAILABLE', reason })
    }
    this.#parts.refusals.unavailable(coordinate, coordinate, info.path)
    return null
  }

  /** Each argument by role and purpose alone: what is refused here is told and recorded, and nothing is looked up. */
  #allowed(paths: readonly SchemaPath[], coordinate: Coordinate, info: GraphQLResolveInfo): boolean {
    const { policy, caller, now, refusals } = this.#parts
    let allowed = true
    for (const path of paths) {
      const denial = searchRefused(policy.phi.get(path), caller, now)
      if (denial === undefined) continue
      allowed = false
      refusals.note(path, coordinate, { outcome: 'DENIED', denial }, info.path)
      const key = `SEARCH ${coordinate} ${path}`
      this.#parts.notes.once(key, { path, action: 'SEARCH', ...refusalOf(denial) })
    }
    return allowed
  }

  /** Up to one more than a page of those who were found to have the values. */
  async #found(
    type: TypeName,
    coordinate: Coordinate,
    terms: readonly WantedTerm[],
    after: string,
    size: number,
  ): Promise<Found[] | OutcomeReason> {
    const key = terms.map(({ index, token }) => `${index.path} ${token}`).join(' ')
    const searching = this.#searches.get(key) ?? this.#search(type, coordinate, terms)
    this.#searches.set(key, searching)
    const search = await searching
    if (typeof search === 'string') return search
    const found: Found[] = []
    const left = search.open.filter(({ patient }) => patient > after)
    while (left.length > 0 && found.length <= size) {
      const next = left.splice(0, size + 1 - found.length)
      const turn = this.#turn.then(() => this.#verify(search, coordinate, next))
      this.#turn = turn.catch(() => undefined)
      const unsure = await turn
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
    const [found, lookup] = await Promise.all([
      this.#candidates.of(type, terms, this.#opening),
      deadline.wait(() => keyring.useKey(caller.tenant, 'lookup'), keyOverdue),
    ])
    const at = { path: coordinate as string as SchemaPath, paths: terms.flatMap(({ paths }) => paths), action: 'SEARCH' } as const
    if ('reason' in found) {
      this.#note({ ...at, patient: found.patient, outcome: 'UNAVAILABLE', reason: found.reason })
      return found.reason
    }
    const nobody = lookupToken(lookup, terms.map(({ token }) => token).join(' '))
    for (const record of this.#hidden(found.hidden, nobody, found.open.length)) this.#note({ ...at, ...record })
    return { ...found, verified: new Map() }
  }

  /**
   * What the audit is told of those whom the caller may not find, and of a search that leads to nobody. For one who may not learn
   * that a patient exists it is one record in either case (P5): of several it bears the first, and their number.
   */
  #hidden(hidden: readonly HiddenCandidate[], nobody: string, open: number): Omit<AccessRecord, 'path' | 'action'>[] {
    const { seesExistence } = this.#parts.caller
    const denied = hidden.map(({ patient, denial }) => ({ patient, ...refusalOf(denial) }))
    if (seesExistence) return denied.length > 0 || open > 0 ? denied : [{ patient: nobody, outcome: 'ABSENT' }]
    const [first] = denied
    if (first !== undefined) return [{ ...first, count: denied.length }]
    return [{ patient: nobody, outcome: 'DENIED', reason: 'NOT_FOUND' }]
  }

  /** Opens what is needed to know whether these patients have the values. Gives a reason where that cannot be known. */
  async #verify(search: Search, coordinate: Coordinate, candidates: readonly Candidate[]): Promise<OutcomeReason | undefined> {
    const { trail, budget } = this.#parts
    const wanted = candidates.filter(({ patient }) => !search.verified.has(patient))
    const values = new Set(
      wanted.flatMap(({ hits }) => hits.flatMap(({ term, ref }) => term.paths.map((path) => `${recordKey(ref)} ${path}`))),
    )
    const reserved = await budget.reserve([...values].filter((value) => !this.#opened.has(value)).length)
    const path = coordinate as string as SchemaPath
    if (reserved === 'SPENT') {
      for (const { patient } of wanted) trail.note({ patient, path, action: 'SEARCH', outcome: 'DENIED', reason: 'BUDGET' })
      throw new PhiBudgetExceeded()
    }
    for (const candidate of wanted) {
      const { patient } = candidate
      const verified = reserved === 'UNKNOWN' ? ({ unknown: 'STORE' } as const) : await this.#verified(search, candidate, path)
      search.verified.set(patient, verified)
      if ('unknown' in verified) this.#note({ patient, path, action: 'SEARCH', outcome: 'UNAVAILABLE', reason: verified.unknown })
    }
    for (const { patient } of candidates) {
      const verified = search.verified.get(patient)
      if (verified !== undefined && 'unknown' in verified) return verified.unknown
    }
    return undefined
  }

  async #verified(search: Search, candidate: Candidate, path: SchemaPath): Promise<Verified> {
    const { failures } = this.#parts
    const matched = new Map<WantedTerm, Compared>()
    const unproven: CandidateHit[] = []
    for (const hit of candidate.hits) {
      if (matched.has(hit.term)) continue
      try {
        const found = search.records.get(recordKey(hit.ref))
        const compared = found === undefined ? 'OTHER' : this.#compared(candidate, hit, found.open(this.#opening))
        if (compared === 'UNKNOWN') return { unknown: 'STORE' }
        if (compared === 'OTHER') unproven.push(hit)
        else if ('outcome' in compared) {
          this.#note({ patient: candidate.patient, path, action: 'SEARCH', ...refusalOf(compared) })
          return { has: false }
        } else matched.set(hit.term, compared)
      } catch (error) {
        return { unknown: failures.of(error, hit.ref) }
      }
    }
    for (const hit of unproven) {
      // a record that was changed meanwhile is listed there no more; what stays listed somebody put there
      if (!(await this.#candidates.stillListed(hit))) continue
      const reason = failures.of(new IntegrityFailure(), hit.ref, hit.term.index.path)
      this.#note({ ...where(hit.ref), path: hit.term.index.path, action: 'SEARCH', outcome: 'UNAVAILABLE', reason })
    }
    if (candidate.hits.some(({ term }) => !matched.has(term))) return { has: false }
    const compared = [...matched.values()]
    for (const record of compared.flatMap(({ records }) => records)) {
      this.#parts.notes.once(`SEARCH ${record.patient ?? ''} ${record.recordId ?? ''} ${record.path}`, record)
    }
    return { has: true, notices: compared.flatMap(({ notices }) => notices) }
  }

  /** Whether a record has what its entry says: what the audit is told of the values then. Decided anew by the record's own labels. */
  #compared(candidate: Candidate, { term, ref }: CandidateHit, open: OpenRecord): Compared | Denial | 'OTHER' | 'UNKNOWN' {
    const { policy, caller, now } = this.#parts
    const { labels, references } = open.metadata
    const { encounter } = references
    const record = { id: ref.id, labels: new Set(labels), ...(encounter !== undefined && { encounter }) }
    const facts = { ...candidate.facts, consent: { ...candidate.facts.consent, record } }
    const permits: Permit[] = []
    for (const path of term.paths) {
      const decision = maySearch(policy.phi.get(path), caller, facts, now)
      if (decision.outcome === 'UNDECIDED') return 'UNKNOWN'
      if (decision.outcome === 'DENIED') return decision
      permits.push(decision)
    }
    const same = term.paths.every((path, part) => this.#form(term, ref, path, open) === term.key[part])
    if (!same) return 'OTHER'
    const records = term.paths.flatMap((path, part) => {
      const permit = permits[part]
      if (permit === undefined) return []
      const { rule, basis, basisId, view } = permit
      const on = basisId === undefined ? basis : `${basis} ${basisId}`
      const at = { ...where(ref), recordVersion: open.version, path }
      return [{ ...at, action: 'SEARCH', view, outcome: 'DISCLOSED', rule, basis: on } as const]
    })
    return { records, notices: term.paths.flatMap((path) => noticesOf(policy, facts, path)) }
  }

  #form({ index }: WantedTerm, ref: CandidateHit['ref'], path: SchemaPath, open: OpenRecord): string | undefined {
    const key = `${recordKey(ref)} ${path}`
    if (!this.#opened.has(key)) this.#opened.set(key, open.value(path))
    return searchedForm(index, path, this.#opened.get(key))
  }

  /** What is denied here is told to nobody, by a count neither. */
  #note(record: AccessRecord): void {
    if (record.outcome === 'UNAVAILABLE') this.#parts.counter.unavailable++
    this.#parts.trail.note(record)
  }
}

const refusalOf = ({ reason, rule }: Denial) => ({ outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) }) as const

/** A position among patients: an id, or the cursor that hides it. */
function position(value: unknown): string {
  if (typeof value !== 'string') throw new BadUserInput()
  return value
}
