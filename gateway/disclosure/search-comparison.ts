import { maySearch } from '../decide/search-right.ts'
import { searchedForm } from '../crypto/blind-index.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { FoundRecord, OpenRecord } from '../store/record-source.ts'
import type { AccessRecord, OutcomeReason } from '../model/access-record.ts'
import type { Denial, Facts, Permit } from '../model/decision.ts'
import { IntegrityFailure, PhiBudgetExceeded } from '../model/failures.ts'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, recordKey } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { type Notice, noticesOf } from './notices.ts'
import type { PhiBudget } from './phi-budget.ts'
import { groundsOf, where } from './record-values.ts'
import type { Recording } from './request-parts.ts'
import type { Candidate, CandidateHit, CandidateParts, Candidates, HiddenCandidate, SearchCandidates } from './search-candidates.ts'
import type { WantedTerm } from './search-terms.ts'

interface ComparisonParts extends CandidateParts, Pick<Recording, 'recorder' | 'trail' | 'counter'> {
  readonly budget: PhiBudget
  /** Records an access that the answer neither shows nor counts. */
  readonly record: (access: AccessRecord) => void
}

/** The result for one set of terms in one request, shared by all aliases and pages. */
export interface Search extends Candidates {
  readonly verified: Map<PatientId, Verified>
}

/** Whether the patient has the values and the caller may know it. The access is recorded by then. */
type Verified =
  | { readonly has: false }
  | { readonly has: true; readonly notices: readonly Notice[] }
  | { readonly unknown: OutcomeReason }

/** A decision to compare the values of a record, with one permit for each path of the term. */
interface Decided {
  readonly facts: Facts
  readonly permits: readonly Permit[]
}

/** The audit records of the compared values of one record, and the notices that the answer must carry with them. */
interface Compared {
  readonly records: readonly AccessRecord[]
  readonly notices: readonly Notice[]
}

/** Compares the searched values with those of the candidates. A search opens values only here (P1, P11). */
export class SearchComparison {
  readonly #parts: ComparisonParts
  readonly #candidates: SearchCandidates
  /** Opened values by record and path: each is opened once, whatever the search (P1). */
  readonly #opened = new Map<string, Json | undefined>()
  /** Searches verify patients one after the other, so that two aliases do not open and reserve the same value twice. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Counts the openings of a search apart from those of the answer. */
  readonly opening: OpeningCounter

  constructor(parts: ComparisonParts, candidates: SearchCandidates) {
    this.#parts = parts
    this.#candidates = candidates
    const { counter } = parts
    this.opening = {
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
   * Verifies whether these candidates have the values, in `search.verified`. If that is not possible, returns the reason.
   * @throws PhiBudgetExceeded
   */
  async verify(search: Search, coordinate: Coordinate, candidates: readonly Candidate[]): Promise<OutcomeReason | undefined> {
    const turn = this.#turn.then(() => this.#verify(search, coordinate, candidates))
    this.#turn = turn.catch(() => undefined)
    return await turn
  }

  async #verify(search: Search, coordinate: Coordinate, candidates: readonly Candidate[]): Promise<OutcomeReason | undefined> {
    const { trail, budget } = this.#parts
    const wanted = candidates.filter(({ patient }) => !search.verified.has(patient))
    const values = new Set(
      wanted.flatMap(({ hits }) => hits.flatMap(({ term, ref }) => term.paths.map((path) => `${recordKey(ref)} ${path}`))),
    )
    const reserved = await budget.reserve([...values].filter((value) => !this.#opened.has(value)).length)
    const path = coordinate as string as SchemaPath
    if (reserved === 'SPENT') {
      for (const { patient } of wanted) trail.record({ patient, path, action: 'SEARCH', outcome: 'DENIED', reason: 'BUDGET' })
      throw new PhiBudgetExceeded(budget.exceeded ?? 'VALUES')
    }
    for (const candidate of wanted) {
      const { patient } = candidate
      const verified = reserved === 'UNKNOWN' ? ({ unknown: 'STORE' } as const) : await this.#verified(search, candidate, path)
      search.verified.set(patient, verified)
      if ('unknown' in verified)
        this.#parts.record({ patient, path, action: 'SEARCH', outcome: 'UNAVAILABLE', reason: verified.unknown })
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
        const compared = found === undefined ? 'OTHER' : this.#compared(candidate, hit, found.open(this.opening))
        if (compared === 'UNKNOWN') return { unknown: 'STORE' }
        if (compared === 'OTHER' && hit.term.use === 'COMPARED') return { has: false }
        if (compared === 'OTHER') unproven.push(hit)
        else if ('outcome' in compared) {
          this.#parts.record({ patient: candidate.patient, path, action: 'SEARCH', ...refusalOf(compared) })
          return { has: false }
        } else matched.set(hit.term, compared)
      } catch (error) {
        return { unknown: failures.classify(error, hit.ref) }
      }
    }
    for (const hit of unproven) {
      // a record that changed meanwhile is no longer listed; an entry that remains was forged
      if (!(await this.#candidates.stillListed(hit))) continue
      const reason = failures.classify(new IntegrityFailure(), hit.ref, hit.term.index.path)
      this.#parts.record({ ...where(hit.ref), path: hit.term.index.path, action: 'SEARCH', outcome: 'UNAVAILABLE', reason })
    }
    if (candidate.hits.some(({ term }) => !matched.has(term))) return { has: false }
    const compared = [...matched.values()]
    for (const record of compared.flatMap(({ records }) => records)) {
      this.#parts.recorder.recordOnce(`SEARCH ${record.patient ?? ''} ${record.recordId ?? ''} ${record.path}`, record)
    }
    return { has: true, notices: compared.flatMap(({ notices }) => notices) }
  }

  /**
   * The candidates that the labels of their records close. They are hidden before anything is reserved or compared, so that such a
   * patient costs as little as no patient.
   */
  closed({ open, records }: Candidates): HiddenCandidate[] {
    return open.flatMap((candidate) => {
      for (const hit of candidate.hits) {
        const decided = this.#decided(candidate, hit, records.get(recordKey(hit.ref)))
        if (typeof decided === 'object' && 'outcome' in decided) return [{ patient: candidate.patient, denial: decided }]
      }
      return []
    })
  }

  /** A record that cannot be opened is UNKNOWN. The comparison reports its failure. */
  #decided(candidate: Candidate, hit: CandidateHit, found: FoundRecord | undefined): Decided | Denial | 'UNKNOWN' {
    try {
      return found === undefined ? 'UNKNOWN' : this.#decide(candidate, hit, found.open(this.opening))
    } catch {
      return 'UNKNOWN'
    }
  }

  /** Decides about the values of an entry again, with the labels of its record. */
  #decide(candidate: Candidate, { term, ref }: CandidateHit, open: OpenRecord): Decided | Denial | 'UNKNOWN' {
    const { policy, caller, now } = this.#parts
    const { labels, references } = open.metadata
    const { encounter } = references
    const record = { id: ref.id, labels: new Set(labels), ...(encounter !== undefined && { encounter }) }
    const facts = { ...candidate.facts, consent: { ...candidate.facts.consent, record } }
    const permits: Permit[] = []
    for (const path of term.paths) {
      const decision = maySearch(policy.phi.get(path), caller, facts, now)
      if (decision.outcome === 'INDETERMINATE') return 'UNKNOWN'
      if (decision.outcome === 'DENIED') return decision
      permits.push(decision)
    }
    return { facts, permits }
  }

  /** Whether a record has the values of its entry, and the audit records if it does. */
  #compared(candidate: Candidate, hit: CandidateHit, open: OpenRecord): Compared | Denial | 'OTHER' | 'UNKNOWN' {
    const decided = this.#decide(candidate, hit, open)
    if (decided === 'UNKNOWN' || 'outcome' in decided) return decided
    const { policy, caller, now } = this.#parts
    const { term, ref } = hit
    const { facts, permits } = decided
    const same = term.paths.every((path, part) => this.#form(term, ref, path, open) === term.key[part])
    if (!same) return 'OTHER'
    const records = term.paths.flatMap((path, part) => {
      const permit = permits[part]
      if (permit === undefined) return []
      const at = { ...where(ref), recordVersion: open.version, path }
      return [{ ...at, action: 'SEARCH', view: permit.view, outcome: 'DISCLOSED', ...groundsOf(permit) } as const]
    })
    return { records, notices: term.paths.flatMap((path) => noticesOf(policy, caller, facts, path, now)) }
  }

  #form({ index }: WantedTerm, ref: CandidateHit['ref'], path: SchemaPath, open: OpenRecord): string | undefined {
    const key = `${recordKey(ref)} ${path}`
    if (!this.#opened.has(key)) this.#opened.set(key, open.value(path))
    return searchedForm(index, path, this.#opened.get(key))
  }
}

export const refusalOf = ({ reason, rule }: Denial) => ({ outcome: 'DENIED', reason, ...(rule !== undefined && { rule }) }) as const
