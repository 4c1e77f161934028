import { maySearch } from '../decide/search-right.ts'
import type { SubjectAttributes, AttributeLoader } from '../access/attribute-loader.ts'
import { sha256 } from '../crypto/derive.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { FoundRecord, RecordSource } from '../store/record-source.ts'
import type { SearchSource } from '../store/search.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Denial, Facts } from '../model/decision.ts'
import { IntegrityFailure, OperationTooCostly, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordId, RecordRef } from '../model/ids.ts'
import { MAX_CANDIDATES, MAX_LISTED } from '../model/list.ts'
import type { PolicyTable, Relationship } from '../../directives/policy.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { RecordVisibility } from './record-visibility.ts'
import { recordKey } from './record-view.ts'
import type { WantedTerm } from './search-terms.ts'

/** A record that the search table lists, and what it is listed under. */
export interface CandidateHit {
  readonly term: WantedTerm
  readonly ref: RecordRef
}

/** A patient who may have the values, and whom this caller may find by them. Nothing of the patient has been opened. */
export interface Candidate {
  readonly patient: PatientId
  readonly hits: readonly CandidateHit[]
  readonly facts: Facts
}

/** A patient who may have the values, and whom this caller may not find by them: told to the audit alone. */
export interface HiddenCandidate {
  readonly patient: PatientId
  readonly denial: Denial
}

export interface Candidates {
  /** In the order of the patients' ids as text. */
  readonly open: readonly Candidate[]
  readonly hidden: readonly HiddenCandidate[]
  /** Sealed still; by `recordKey`. */
  readonly records: ReadonlyMap<string, FoundRecord>
}

/** Whether a patient may be found could not be found out: there is no shorter list in its place. */
export interface CandidatesUnknown {
  readonly reason: OutcomeReason
  readonly patient: PatientId
}

export interface CandidateParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly sources: ReadonlyMap<string, RecordSource>
  /** None: there is nothing to find anybody by. */
  readonly search?: SearchSource
  readonly facts: AttributeLoader
  readonly failures: FailureReasons
  readonly deadline: Deadline
  readonly visibility: RecordVisibility
}

/** Finds who may have the values that are searched for, and decides about each before anything is opened (P1, P11). */
export class SearchCandidates {
  readonly #parts: CandidateParts

  constructor(parts: CandidateParts) {
    this.#parts = parts
  }

  /**
   * The patients listed under all of the terms. For a caller who may not learn that a patient exists, the same is read whether
   * there is somebody who is not theirs or nobody (P5).
   *
   * @param counter counts what is opened of records' metadata
   * @throws StoreUnavailable, KeyUnavailable; OperationTooCostly where more than `MAX_LISTED` records are listed under a
   *   term, or the caller may find more than `MAX_CANDIDATES`
   */
  async find(type: TypeName, terms: readonly WantedTerm[], counter: OpeningCounter): Promise<Candidates | CandidatesUnknown> {
    const { caller, facts, deadline } = this.#parts
    const listed = await this.#listed(terms)
    if (listed.size === 0 && caller.seesExistence) return { open: [], hidden: [], records: new Map() }
    const names = this.#names(type, terms)
    const { asked, hidden } = await this.#fewEnough(names, terms, listed.size === 0 ? nobody(terms) : listed)
    const patients = [...asked.keys()]
    const holding = deadline.wait(() => facts.attributesFor(names, patients), storeOverdue)
    const decided = holding.then(
      (held) => new Map(patients.map((patient) => [patient, this.#decided(patient, terms, held.get(patient))])),
    )
    // nobody is nothing that may be known, as one who is hidden
    const isVisible = async (patient: PatientId) => listed.size > 0 && (await decided).get(patient)?.kind === 'OPEN'
    const [verdicts, held, records] = await Promise.all([
      decided,
      holding,
      this.#load([...asked.values()].flat(), { counter, isVisible, holding }),
    ])
    const open: Candidate[] = []
    for (const [patient, hits] of asked) {
      const verdict = verdicts.get(patient) ?? { kind: 'UNKNOWN' }
      const damage = held.get(patient)?.damage
      const exists = hits.some(({ ref }) => records.has(recordKey(ref)))
      // whether the caller may find the patient cannot be said: that is no answer of no (P6)
      if (damage === 'TAMPERED' || (damage === 'NO_MANIFEST' && exists)) {
        return { patient, reason: this.#parts.failures.classify(new IntegrityFailure(), hits[0]?.ref) }
      }
      if (verdict.kind === 'UNKNOWN') return { patient, reason: 'STORE' }
      // of one whose keys were destroyed no value can be told, and an entry that is left finds nobody
      if (listed.size === 0 || held.get(patient)?.erased === true) continue
      if (verdict.kind === 'OPEN') open.push({ patient, hits, facts: verdict.facts })
      else hidden.push({ patient, denial: verdict.denial })
    }
    return { open, hidden, records }
  }

  /** Whether the table lists the record under the term still: a write between two reads looks like a false entry once. */
  async stillListed({ term, ref }: CandidateHit): Promise<boolean> {
    const hits = await this.#hits(term)
    return hits.some(({ patient, id }) => patient === ref.patient && id === ref.id)
  }

  async #listed(terms: readonly WantedTerm[]): Promise<ReadonlyMap<PatientId, readonly CandidateHit[]>> {
    const found = await Promise.all(terms.map(async (term) => ({ term, hits: await this.#hits(term) })))
    const byPatient = new Map<PatientId, CandidateHit[]>()
    for (const { term, hits } of found) {
      if (hits.length > MAX_LISTED) throw new OperationTooCostly()
      for (const { patient, id } of hits) {
        const known = byPatient.get(patient) ?? []
        byPatient.set(patient, known)
        known.push({ term, ref: { type: term.type, patient, id } })
      }
    }
    const whole = [...byPatient].filter(([, hits]) => terms.every((term) => hits.some((hit) => hit.term === term)))
    return new Map(whole.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  async #hits(term: WantedTerm) {
    const { caller, search, deadline } = this.#parts
    if (search === undefined) throw new StoreUnavailable()
    return await deadline.wait(() => search.hits(caller.tenant, term, MAX_LISTED, deadline), storeOverdue)
  }

  /**
   * Of many who share a value, those whom the caller may not find are left out by their relationships and consents alone, so
   * that only how many the caller may find is told by a refusal. Some at a time: what it reads at once has a bound.
   *
   * @throws OperationTooCostly
   */
  async #fewEnough(names: ReadonlySet<Relationship>, terms: readonly WantedTerm[], listed: Listed): Promise<FewEnough> {
    const most = MAX_CANDIDATES * terms.length
    const hidden: HiddenCandidate[] = []
    if (countOf(listed) <= most) return { asked: listed, hidden }
    const { facts, deadline } = this.#parts
    const asked = new Map<PatientId, readonly CandidateHit[]>()
    const left = [...listed]
    while (left.length > 0) {
      const some = left.splice(0, MAX_CANDIDATES)
      const patients = some.map(([patient]) => patient)
      const held = await deadline.wait(() => facts.attributesFor(names, patients), storeOverdue)
      for (const [patient, hits] of some) {
        const known = held.get(patient)
        const verdict = this.#decided(patient, terms, known)
        if (known?.erased === true) continue
        // where it cannot be said, the search as a whole cannot: that is found out beside the others
        if (verdict.kind === 'HIDDEN' && known?.damage === undefined) hidden.push({ patient, denial: verdict.denial })
        else asked.set(patient, hits)
      }
      if (countOf(asked) > most) throw new OperationTooCostly()
    }
    return { asked, hidden }
  }

  /** Every relationship that a right to one of the fields, or to the patient's record, could stand on. */
  #names(type: TypeName, terms: readonly WantedTerm[]): ReadonlySet<Relationship> {
    const { caller, policy, visibility } = this.#parts
    const grants = terms.flatMap(({ paths }) => paths.flatMap((path) => policy.phi.get(path)?.grants ?? []))
    const applying = grants.filter(
      ({ roles, purposes }) => purposes.has(caller.purpose) && [...roles].some((role) => caller.roles.has(role)),
    )
    return new Set([...visibility.admitting(type), ...applying.map(({ relationship }) => relationship)])
  }

  #decided(patient: PatientId, terms: readonly WantedTerm[], known: SubjectAttributes | undefined): Verdict {
    if (known === undefined) return { kind: 'UNKNOWN' }
    const facts = this.#parts.visibility.factsOf(known, { id: patient as string as RecordId, labels: new Set() })
    for (const path of new Set(terms.flatMap(({ paths }) => paths))) {
      const decision = this.#search(path, facts)
      if (decision.outcome === 'INDETERMINATE') return { kind: 'UNKNOWN' }
      if (decision.outcome === 'DENIED') return { kind: 'HIDDEN', denial: decision }
    }
    return { kind: 'OPEN', facts }
  }

  #search(path: SchemaPath, facts: Facts) {
    const { policy, caller, now } = this.#parts
    return maySearch(policy.phi.get(path), caller, facts, now)
  }

  async #load(hits: readonly CandidateHit[], { counter, isVisible, holding }: Loading): Promise<ReadonlyMap<string, FoundRecord>> {
    const { caller, policy, sources, deadline } = this.#parts
    const byType = Map.groupBy(hits, ({ term }) => term.type)
    const loaded = await Promise.all(
      [...byType].map(async ([type, of]) => {
        const source = sources.get(policy.records.get(type)?.source ?? '')
        if (source === undefined) throw new StoreUnavailable()
        const refs = [...new Map(of.map(({ ref }) => [recordKey(ref), ref])).values()]
        const paths = new Set(of.flatMap(({ term }) => term.paths))
        const timing = caller.seesExistence ? 'fast' : 'uniform'
        const options = {
          timing,
          deadline,
          counter,
          listed: () => undefined,
          isVisible: (ref: RecordRef) => isVisible(ref.patient),
          // that somebody is the author of a record makes the patient nobody's find
          isVisibleOpened: () => false,
          erased: async (ref: RecordRef) => (await holding).get(ref.patient)?.erased === true,
        } as const
        return await deadline.wait(() => source.load(caller.tenant, refs, paths, options), storeOverdue)
      }),
    )
    return new Map(loaded.flat().map((record) => [recordKey(record.ref), record]))
  }
}

type Listed = ReadonlyMap<PatientId, readonly CandidateHit[]>

interface FewEnough {
  readonly asked: Listed
  readonly hidden: HiddenCandidate[]
}

const countOf = (listed: Listed): number => [...listed.values()].reduce((sum, hits) => sum + hits.length, 0)

interface Loading {
  readonly counter: OpeningCounter
  readonly isVisible: (patient: PatientId) => Promise<boolean>
  readonly holding: Promise<ReadonlyMap<PatientId, SubjectAttributes>>
}

type Verdict =
  | { readonly kind: 'OPEN'; readonly facts: Facts }
  | { readonly kind: 'HIDDEN'; readonly denial: Denial }
  | { readonly kind: 'UNKNOWN' }

/** Somebody who is not there, for whom the same is asked as for one who is. */
function nobody(terms: readonly WantedTerm[]): ReadonlyMap<PatientId, readonly CandidateHit[]> {
  const made = sha256(terms.map(({ token }) => token).join(' ')).toString('base64url', 0, 16)
  const patient = made as PatientId
  return new Map([[patient, terms.map((term) => ({ term, ref: { type: term.type, patient, id: made as RecordId } }))]])
}
