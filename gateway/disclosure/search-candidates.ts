import { maySearch } from '../decide/search-right.ts'
import type { SubjectAttributes } from '../access/attribute-loader.ts'
import { sha256 } from '../crypto/derive.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { FoundRecord, LoadDecision } from '../store/record-source.ts'
import type { SearchHit } from '../store/search.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Denial, Facts } from '../model/decision.ts'
import { IntegrityFailure, OperationTooCostly, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import { MAX_CANDIDATES, MAX_LISTED } from '../model/list.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { Relationship } from '../../directives/policy.ts'
import { type AttributesByPatient, erasedAmong, manifestsOf } from './record-fetch.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity, SearchAccess } from './request-parts.ts'
import type { WantedTerm } from './search-terms.ts'

const MANY_HITS = 'Too many records have the searched value. Send a further argument, so that fewer records match.'

/** A record that the search table lists under a term. */
export interface CandidateHit {
  readonly term: WantedTerm
  readonly ref: RecordRef
}

/** A patient that may have the values, and that this caller may find by them. Nothing of the patient is opened yet. */
export interface Candidate {
  readonly patient: PatientId
  readonly hits: readonly CandidateHit[]
  readonly facts: Facts
}

/** A patient that may have the values, and that this caller may not find by them: only for the audit. */
export interface HiddenCandidate {
  readonly patient: PatientId
  readonly denial: Denial
}

export interface Candidates {
  /** In the order of the patients' ids as text. */
  readonly open: readonly Candidate[]
  readonly hidden: readonly HiddenCandidate[]
  /** Not opened yet; by `recordKey`. */
  readonly records: ReadonlyMap<string, FoundRecord>
}

/** The decision about a patient failed. There is no result then, not a shorter list. */
export interface CandidatesUnknown {
  readonly reason: OutcomeReason
  readonly patient: PatientId
}

export interface CandidateParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<RecordAccess, 'sources'>,
    SearchAccess,
    Deciding,
    Pick<Recording, 'failures'> {}

/** Finds the patients that may have the searched values, and decides about each before anything is opened (P1, P11). */
export class SearchCandidates {
  readonly #parts: CandidateParts

  constructor(parts: CandidateParts) {
    this.#parts = parts
  }

  /**
   * The patients listed under all of the terms. A hidden patient and a search without a result cost the same reads (P5).
   *
   * @param counter counts the opened metadata of records
   * @throws StoreUnavailable, KeyUnavailable; OperationTooCostly if more than `MAX_LISTED` records are listed under a term, or
   *   the caller may find more than `MAX_CANDIDATES`
   */
  async find(type: TypeName, terms: readonly WantedTerm[], counter: OpeningCounter): Promise<Candidates | CandidatesUnknown> {
    const { attributes } = this.#parts
    const listed = await this.#listed(terms)
    const names = this.#names(type, terms)
    const { asked, hidden } = await this.#fewEnough(names, terms, listed.size === 0 ? dummyPatient(terms) : listed)
    const isMiss = listed.size === 0
    // a write can occur between the reads of the relationships and of the records
    const read = async () => {
      const candidates = await this.#read(names, terms, asked, isMiss, counter)
      const outdated = [...candidates.records.values()].flatMap((record) => (record.outdated === true ? [record.ref.patient] : []))
      attributes.forget(new Set(outdated))
      return outdated.length === 0 ? { value: candidates } : { torn: candidates }
    }
    // a record that stays outdated does not open
    const { verdicts, byPatient, records } = await retryOptimisticRead(read, (torn) => torn, BUSY_READS)
    const open: Candidate[] = []
    for (const [patient, hits] of asked) {
      const verdict = verdicts.get(patient) ?? { kind: 'UNKNOWN' }
      const damage = byPatient.get(patient)?.damage
      const exists = hits.some(({ ref }) => records.has(recordKey(ref)))
      // without intact relationships there is no verdict, and no verdict is not a denial (P6)
      if (damage === 'TAMPERED' || (damage === 'NO_MANIFEST' && exists)) {
        return { patient, reason: this.#parts.failures.classify(new IntegrityFailure(), hits[0]?.ref) }
      }
      if (verdict.kind === 'UNKNOWN') return { patient, reason: 'STORE' }
      // the values of an erased patient cannot be compared: a remaining entry finds no patient
      if (isMiss || byPatient.get(patient)?.erased === true) continue
      if (verdict.kind === 'OPEN') open.push({ patient, hits, facts: verdict.facts })
      else hidden.push({ patient, denial: verdict.denial })
    }
    return { open, hidden, records }
  }

  /** Reads attributes and records in one round trip, and decides which of the records may be opened. */
  async #read(
    names: ReadonlySet<Relationship>,
    terms: readonly WantedTerm[],
    asked: Listed,
    isMiss: boolean,
    counter: OpeningCounter,
  ): Promise<DecidedCandidates> {
    const { attributes, deadline } = this.#parts
    const patients = [...asked.keys()]
    const loading = deadline.wait(() => attributes.attributesFor(names, patients), storeOverdue)
    const deciding = loading.then(
      (byPatient) => new Map(patients.map((patient) => [patient, this.#verdictFor(patient, terms, byPatient.get(patient))])),
    )
    const wanted = [...asked.values()].flat()
    const decision = Promise.all([deciding, loading]).then(([verdicts, byPatient]): LoadDecision => {
      // the dummy patient is hidden as well, and the author of a record may not find the patient by it
      const open = isMiss ? [] : wanted.filter(({ ref }) => verdicts.get(ref.patient)?.kind === 'OPEN')
      const visible = new Map(open.map(({ ref }) => [recordKey(ref), 'VISIBLE'] as const))
      return { visible, erased: erasedAmong(byPatient), manifests: manifestsOf(byPatient) }
    })
    // a source may ignore the decision, and an ignored rejection must not end the process
    decision.catch(() => undefined)
    const [verdicts, byPatient, records] = await Promise.all([deciding, loading, this.#load(wanted, { counter, decision })])
    return { verdicts, byPatient, records }
  }

  /** Whether the table still lists the record under the term. After a write between two reads, an entry can look forged once. */
  async stillListed({ term, ref }: CandidateHit): Promise<boolean> {
    const hits = await this.#hits(term)
    return hits.some(({ patient, id }) => patient === ref.patient && id === ref.id)
  }

  async #listed(terms: readonly WantedTerm[]): Promise<ReadonlyMap<PatientId, readonly CandidateHit[]>> {
    const lookedUp = terms.filter(({ use }) => use === 'LOOKED_UP')
    const found = await Promise.all(lookedUp.map(async (term) => ({ term, hits: await this.#hits(term) })))
    const byPatient = new Map<PatientId, CandidateHit[]>()
    for (const { term, hits } of found) {
      if (hits.length > MAX_LISTED) throw new OperationTooCostly({ detail: MANY_HITS })
      for (const { patient, id } of hits) {
        const own = byPatient.get(patient) ?? []
        byPatient.set(patient, own)
        own.push({ term, ref: { type: term.type, patient, id } })
      }
    }
    const complete = [...byPatient].filter(([, hits]) => lookedUp.every((term) => hits.some((hit) => hit.term === term)))
    const compared = terms.filter(({ use }) => use === 'COMPARED')
    const withCompared = complete.map(([patient, hits]): [PatientId, CandidateHit[]] => {
      return [patient, [...hits, ...compared.map((term) => ({ term, ref: ownRecord(term.type, patient) }))]]
    })
    return new Map(withCompared.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** While a key of the index is replaced, a record can be listed under two tokens of one value. It counts once. */
  async #hits({ paths, tokens }: WantedTerm): Promise<readonly SearchHit[]> {
    const { caller, search, deadline } = this.#parts
    if (search === undefined) throw new StoreUnavailable()
    const hits = new Map<string, SearchHit>()
    // a row moves to the newer token: only a reader that asks for the older token first sees it at one of them
    for (const token of tokens) {
      const listed = await deadline.wait(() => search.hits(caller.tenant, { paths, token }, MAX_LISTED, deadline), storeOverdue)
      for (const hit of listed) hits.set(`${hit.patient}#${hit.id}`, hit)
    }
    return [...hits.values()]
  }

  /**
   * If many patients share a value, those that the caller may not find are left out first, by relationships and consents. A refusal
   * then depends only on the number that the caller may find. Attributes are read for a bounded number of patients at a time.
   *
   * @throws OperationTooCostly
   */
  async #fewEnough(names: ReadonlySet<Relationship>, terms: readonly WantedTerm[], listed: Listed): Promise<FewEnough> {
    const most = MAX_CANDIDATES * terms.length
    const hidden: HiddenCandidate[] = []
    if (countOf(listed) <= most) return { asked: listed, hidden }
    const { attributes: attributeLoader, deadline } = this.#parts
    const asked = new Map<PatientId, readonly CandidateHit[]>()
    const left = [...listed]
    while (left.length > 0) {
      const some = left.splice(0, MAX_CANDIDATES)
      const patients = some.map(([patient]) => patient)
      const byPatient = await deadline.wait(() => attributeLoader.attributesFor(names, patients), storeOverdue)
      for (const [patient, hits] of some) {
        const attributes = byPatient.get(patient)
        const verdict = this.#verdictFor(patient, terms, attributes)
        if (attributes?.erased === true) continue
        // a patient without a verdict stays: `find` then ends the search as a whole
        if (verdict.kind === 'HIDDEN' && attributes?.damage === undefined) hidden.push({ patient, denial: verdict.denial })
        else asked.set(patient, hits)
      }
      if (countOf(asked) > most) throw new OperationTooCostly({ detail: MANY_HITS })
    }
    return { asked, hidden }
  }

  /** All relationships that could open one of the fields, or the patient record, to this caller. */
  #names(type: TypeName, terms: readonly WantedTerm[]): ReadonlySet<Relationship> {
    const { caller, policy, visibility } = this.#parts
    const grants = terms.flatMap(({ paths }) => paths.flatMap((path) => policy.phi.get(path)?.grants ?? []))
    const applying = grants.filter(
      ({ roles, purposes, actions }) =>
        (actions.has('READ') || actions.has('SEARCH')) &&
        purposes.has(caller.purpose) &&
        [...roles].some((role) => caller.roles.has(role)),
    )
    return new Set([...visibility.admitting(type), ...applying.map(({ relationship }) => relationship)])
  }

  #verdictFor(patient: PatientId, terms: readonly WantedTerm[], attributes: SubjectAttributes | undefined): Verdict {
    if (attributes === undefined) return { kind: 'UNKNOWN' }
    const facts = this.#parts.visibility.factsOf(attributes, { id: patient as string as RecordId, labels: new Set() })
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

  async #load(hits: readonly CandidateHit[], { counter, decision }: Loading): Promise<ReadonlyMap<string, FoundRecord>> {
    const { caller, policy, sources, deadline } = this.#parts
    const byType = Map.groupBy(hits, ({ term }) => term.type)
    const loaded = await Promise.all(
      [...byType].map(async ([type, of]) => {
        const source = sources.get(policy.records.get(type)?.source ?? '')
        if (source === undefined) throw new StoreUnavailable()
        const refs = [...new Map(of.map(({ ref }) => [recordKey(ref), ref])).values()]
        const paths = new Set(of.flatMap(({ term }) => term.paths))
        // the access manifest names the version of a patient's own record
        const paged = new Set(policy.records.get(type)?.patient === 'id' ? refs.map(recordKey) : [])
        const options = { timing: 'uniform', deadline, counter, listed: new Map<string, number>(), paged, decision } as const
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

interface DecidedCandidates {
  readonly verdicts: ReadonlyMap<PatientId, Verdict>
  readonly byPatient: AttributesByPatient
  readonly records: ReadonlyMap<string, FoundRecord>
}

interface Loading {
  readonly counter: OpeningCounter
  readonly decision: Promise<LoadDecision>
}

type Verdict =
  | { readonly kind: 'OPEN'; readonly facts: Facts }
  | { readonly kind: 'HIDDEN'; readonly denial: Denial }
  | { readonly kind: 'UNKNOWN' }

/** A dummy patient, so that a miss does the same work as a hit (P5). */
function dummyPatient(terms: readonly WantedTerm[]): ReadonlyMap<PatientId, readonly CandidateHit[]> {
  const digest = sha256(terms.flatMap(({ tokens }) => tokens).join(' ')).toString('base64url', 0, 16)
  const patient = digest as PatientId
  return new Map([[patient, terms.map((term) => ({ term, ref: ownRecord(term.type, patient) }))]])
}

const ownRecord = (type: TypeName, patient: PatientId): RecordRef => ({ type, patient, id: patient as string as RecordId })
