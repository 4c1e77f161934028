import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { PatientAccess } from '../audit/patient-accesses.ts'
import { consentVerdict } from '../decide/consent.ts'
import { refuseByContract } from '../decide/contract.ts'
import { isWithinLimits } from '../decide/relationship-limits.ts'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PhiPolicy, Relationship } from '../../directives/policy.ts'
import type { ConsentSubject } from '../model/consent.ts'
import { Erased, IntegrityFailure, keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { RecordId, RecordRef } from '../model/ids.ts'
import type { ListedRecord } from '../model/list.ts'
import { versionKey } from '../store/history.ts'
import { OWN_SOURCE } from '../store/record-source.ts'
import { ACCESS_HISTORY } from './access-words.ts'
import type { RecordView } from './record-view.ts'
import { type Deciding, subjectOf } from './record-visibility.ts'
import type { AccessHistory, OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

export interface ShownParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<RecordAccess, 'sources'>,
    Pick<AccessHistory, 'recordVersions'>,
    Deciding,
    Pick<Recording, 'counter'> {}

/** The relationships of the patient, and of a person who acts for the patient. No other opens a list of accesses. */
const OWN: ReadonlySet<string> = new Set(['SELF', 'PROXY'])
/** Roots that show who accessed a record, or who may. */
const HISTORY_ROOTS: ReadonlySet<string> = new Set(['Query.whoSawMyRecord', 'Query.disclosuresOfMyRecord', 'Query.explainAccess'])
/** A patient has fewer records of a type. The rest of a longer list cannot be checked. */
const MAX_RECORDS = 100_000
/** Records whose last version is looked up at the same time. */
const PARALLEL = 50

/** The record and the fields of an access. */
export type Accessed = Pick<PatientAccess, 'recordType' | 'recordId' | 'path' | 'paths'>

type SubjectsOf = (key: string) => readonly ConsentSubject[] | undefined

/** The state of a record of the patient now. */
type Present =
  | { readonly kind: 'OPEN'; readonly subject: ConsentSubject; readonly version: number }
  /** The caller may not read it. */
  | { readonly kind: 'CLOSED' }
  /** It is in no list of the patient: it was removed. */
  | { readonly kind: 'REMOVED' }

/**
 * Decides which accesses of a patient's record the caller may know of: those of fields of records that the caller may read now, and could
 * read under the labels of each earlier version.
 *
 * The records that the caller may read now come from the patient's index, by lists of all types. The lists do not depend on what the log
 * has, and their work does not depend on closed records. Only for open records are earlier versions read. The work therefore shows
 * nothing of a closed record (P5).
 */
export class ShownAccesses {
  readonly #parts: ShownParts
  readonly #attributes: SubjectAttributes
  readonly #patient: RecordRef
  readonly #relationships: ReadonlySet<Relationship>
  /** Whether each relationship of the caller has limits. A record that cannot be checked is then left out. */
  readonly isLimited: boolean
  readonly #present = new Map<string, Present>()
  /** The features of each version of a checked record. Undefined: accesses of the record are left out. */
  readonly #checked = new Map<string, readonly ConsentSubject[] | undefined>()

  private constructor(parts: ShownParts, attributes: SubjectAttributes, patient: RecordRef, own: ReadonlySet<Relationship>) {
    this.#parts = parts
    this.#attributes = attributes
    this.#patient = patient
    this.#relationships = own
    this.isLimited = [...own].every((name) => attributes.limits?.has(name) === true)
  }

  /**
   * @param patient the patient's own record, which the caller may read
   * @returns DENIED if the caller is neither the patient nor acts for the patient
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure, Erased
   */
  static async open(parts: ShownParts, patient: RecordView): Promise<ShownAccesses | 'DENIED'> {
    const { policy, visibility, attributes: loader } = parts
    const names = new Set([...policy.records.keys()].flatMap((type) => [...visibility.admitting(type)]))
    const attributes = (await loader.attributesFor(names, [patient.ref.patient])).get(patient.ref.patient)
    // what could not be read is no denial, and no empty list
    if (attributes === undefined || attributes.unknown !== undefined || attributes.consents === undefined)
      throw new StoreUnavailable()
    if (attributes.damage !== undefined) throw new IntegrityFailure()
    if (attributes.erased === true) throw new Erased()
    const relationships = new Set([...attributes.relationships].filter((name) => OWN.has(name)))
    if (relationships.size === 0) return 'DENIED'
    const shown = new ShownAccesses(parts, attributes, patient.ref, relationships)
    const own = patient.facts.consent.record ?? { id: patient.ref.id, labels: new Set() }
    shown.#present.set(keyOf(patient.ref), { kind: 'OPEN', subject: own, version: patient.version })
    await Promise.all([...policy.records.keys()].map(async (type) => await shown.#list(type)))
    return shown
  }

  /**
   * Reads what decides about the records of these accesses.
   *
   * @throws StoreUnavailable, KeyUnavailable
   */
  async check(accesses: readonly Accessed[]): Promise<void> {
    const wanted = new Map<string, Pick<RecordRef, 'type' | 'id'>>()
    for (const { recordType, recordId } of accesses) {
      if (recordType === undefined || recordId === undefined) continue
      const ref = { type: recordType as TypeName, id: recordId as RecordId }
      if (!this.#checked.has(keyOf(ref))) wanted.set(keyOf(ref), ref)
    }
    const own = { type: this.#patient.type, id: this.#patient.id }
    if (!this.#checked.has(keyOf(own))) wanted.set(keyOf(own), own)
    const refs = [...wanted.values()]
    const last = await this.#lastVersions(refs)
    const earlier = refs.flatMap(({ type, id }) =>
      numbersTo(last.get(keyOf({ type, id })) ?? 0).map((version) => ({ type, id, version })),
    )
    const { caller, counter, deadline, recordVersions } = this.#parts
    const place = { tenant: caller.tenant, patient: this.#patient.patient }
    const read = async () => (await recordVersions?.metadataOf(place, earlier, counter, deadline)) ?? new Map<string, never>()
    const metadata = await deadline.wait(read, keyOverdue)
    for (const ref of refs) {
      const versions = numbersTo(last.get(keyOf(ref)) ?? 0).map((version) => {
        const found = metadata.get(versionKey({ ...ref, version }))
        return found && subjectOf({ ...ref, patient: this.#patient.patient }, found)
      })
      this.#checked.set(keyOf(ref), this.#concluded(ref, versions))
    }
  }

  /** Whether the caller may know of an access by the present labels of its record. Only then are earlier versions read. */
  mayBeShown(access: Accessed): boolean {
    const subjectsOf = (key: string): readonly ConsentSubject[] | undefined => {
      const present = this.#present.get(key)
      if (present === undefined) return this.isLimited ? undefined : []
      return present.kind === 'OPEN' ? [present.subject] : undefined
    }
    return this.#categories(access, subjectsOf) !== undefined
  }

  /**
   * The categories of an access that the caller may know of; undefined if the caller may not. Its record must have been checked. Empty for
   * an access to the record as a whole.
   */
  shown(access: Accessed): readonly string[] | undefined {
    return this.#categories(access, (key) => this.#checked.get(key))
  }

  /** @param subjectsOf the features of the versions of a record that decide; undefined if it is not shown */
  #categories(access: Accessed, subjectsOf: SubjectsOf): readonly string[] | undefined {
    const { policy } = this.#parts
    const { recordType, recordId, path, paths = [] } = access
    const fields = [path, ...paths].flatMap((one) => policy.phi.get(one as SchemaPath) ?? [])
    const type = (recordType ?? typeOf(fields[0]?.path ?? path)) as TypeName
    const isPatient = type === this.#patient.type
    if (fields.length === 0) {
      if (policy.classes.get(path as Coordinate) === 'ROOT') {
        if (this.isLimited) return undefined
        return HISTORY_ROOTS.has(path) ? [ACCESS_HISTORY] : []
      }
      // a field that the policy in force no longer has is shown with its record
      const isFormer = !this.isLimited && policy.records.has(type) && !policy.classes.has(path as Coordinate)
      if (path !== `${type}.id` && !isFormer) return undefined
      const some = [...policy.phi.values()].find((field) => field.path.startsWith(`${type}.`))
      if (some === undefined) return undefined
      const known = this.#known(type, recordId, [some], subjectsOf)
      if (isFormer && path !== `${type}.id`) return known === undefined ? undefined : []
      if (known === undefined || !isPatient) return known
      // under limits, only accesses to information are shown
      return this.isLimited ? undefined : []
    }
    return this.#known(type, recordId, fields, subjectsOf)
  }

  /** The categories of the fields that the caller may know of; undefined if there are none. */
  #known(
    type: TypeName,
    recordId: string | undefined,
    fields: readonly PhiPolicy[],
    subjectsOf: SubjectsOf,
  ): readonly string[] | undefined {
    // a search by a value of another record does not name the record. Safe: it is only compared with ids of records
    const id = (recordId as RecordId | undefined) ?? (type === this.#patient.type ? this.#patient.id : undefined)
    if (id === undefined && this.isLimited) return undefined
    const subjects = id === undefined ? [{ id: this.#patient.id, labels: new Set<never>() }] : subjectsOf(keyOf({ type, id }))
    if (subjects === undefined) return undefined
    const known = fields.filter((field) => subjects.every((subject) => this.#mayKnow(type, field, subject)))
    return known.length === 0 ? undefined : known.map(({ category }) => category)
  }

  /** Whether a relationship of the caller covers the field, and contract, consents and labels leave it open. */
  #mayKnow(type: TypeName, field: PhiPolicy, subject: ConsentSubject): boolean {
    const { caller, now, visibility } = this.#parts
    if (refuseByContract(field, caller, now) !== undefined) return false
    const facts = visibility.factsOf(this.#attributes, subject)
    return this.#holding(type).some(
      (name) =>
        isWithinLimits(name, field, facts) && consentVerdict(field.sensitivity, name, caller, facts.consent, now).kind === 'OPEN',
    )
  }

  /** The relationships of the caller that open anything of a type. */
  #holding(type: TypeName): readonly Relationship[] {
    return [...this.#parts.visibility.admitting(type)].filter((name) => this.#relationships.has(name))
  }

  /** The records of a type that the caller may read now. */
  async #list(type: TypeName): Promise<void> {
    const { caller, counter, deadline, policy, sources, visibility } = this.#parts
    if (type === this.#patient.type || this.#holding(type).length === 0) return
    const source = sources.get(policy.records.get(type)?.source ?? '')
    if (source === undefined) throw new StoreUnavailable()
    const { patient } = this.#patient
    const facts = visibility.factsOf(this.#attributes, { id: this.#patient.id, labels: new Set() })
    const closure = visibility.closureOfList(type, facts)
    const open = new Map<string, ConsentSubject>()
    const request = {
      patient,
      type,
      size: MAX_RECORDS,
      filter: {},
      closure: {
        closesUnlabeled: closure.closesUnlabeled,
        closedBy: (record: ListedRecord) => {
          const { id, labels, encounter } = record
          // safe: the labels of a record are those of its metadata
          open.set(id, { id, labels: new Set(labels) as ConsentSubject['labels'], ...(encounter !== undefined && { encounter }) })
          return closure.closedBy(record)
        },
      },
    }
    const listed = await deadline.wait(() => source.list(caller.tenant, request, counter, deadline), storeOverdue)
    for (const { id } of listed.leftOut) this.#present.set(keyOf({ type, id }), { kind: 'CLOSED' })
    for (const { position, version } of listed.items) {
      const subject = open.get(position.id)
      const present: Present = subject === undefined ? { kind: 'CLOSED' } : { kind: 'OPEN', subject, version }
      this.#present.set(keyOf({ type, id: position.id }), present)
    }
  }

  #presentOf(ref: Pick<RecordRef, 'type' | 'id'>): Present {
    return this.#present.get(keyOf(ref)) ?? { kind: 'REMOVED' }
  }

  /** The number of the last earlier version of each record whose versions decide. */
  async #lastVersions(refs: readonly Pick<RecordRef, 'type' | 'id'>[]): Promise<ReadonlyMap<string, number>> {
    const { caller, deadline, policy, recordVersions } = this.#parts
    const last = new Map<string, number>()
    const removed: RecordRef[] = []
    for (const ref of refs) {
      if (policy.records.get(ref.type)?.source !== OWN_SOURCE) continue
      const present = this.#presentOf(ref)
      if (present.kind === 'OPEN') last.set(keyOf(ref), present.version - 1)
      else if (present.kind === 'REMOVED' && !this.isLimited && this.#holding(ref.type).length > 0)
        removed.push({ ...ref, patient: this.#patient.patient })
    }
    for (let start = 0; start < removed.length; start += PARALLEL) {
      const part = removed.slice(start, start + PARALLEL)
      const read = async () =>
        await Promise.all(part.map(async (ref) => (await recordVersions?.lastVersion(caller.tenant, ref)) ?? 0))
      const numbers = await deadline.wait(read, storeOverdue)
      for (const [at, ref] of part.entries()) last.set(keyOf(ref), numbers[at] ?? 0)
    }
    return last
  }

  /** @param versions the features of earlier versions, in order; undefined for one that is missing or does not open */
  #concluded(
    ref: Pick<RecordRef, 'type' | 'id'>,
    versions: readonly (ConsentSubject | undefined)[],
  ): readonly ConsentSubject[] | undefined {
    const present = this.#presentOf(ref)
    const known = versions.filter((subject) => subject !== undefined)
    if (present.kind === 'CLOSED') return undefined
    if (this.isLimited) {
      const isOwn = this.#parts.policy.records.get(ref.type)?.source === OWN_SOURCE
      const isWhole = isOwn && this.#parts.recordVersions !== undefined && known.length === versions.length
      return isWhole && present.kind === 'OPEN' ? [present.subject, ...known] : undefined
    }
    if (present.kind === 'OPEN') return [present.subject, ...known]
    // the last version of a removed record decides, as the present one does
    return versions.at(-1) === undefined ? undefined : known
  }
}

const keyOf = ({ type, id }: Pick<RecordRef, 'type' | 'id'>): string => `${type}#${id}`
const typeOf = (path: string): string => path.slice(0, Math.max(0, path.indexOf('.')))
const numbersTo = (last: number): readonly number[] => Array.from({ length: Math.max(0, last) }, (_, index) => index + 1)
