import { decide } from '../decide/decide.ts'
import { AttributeLoader, type AttributeSources, type SubjectAttributes } from '../access/attribute-loader.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Facts } from '../model/decision.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import type { RecordMetadata } from '../model/record.ts'
import { decoyId } from './decoy.ts'
import { existenceOf, where } from './record-values.ts'
import type { Deciding } from './record-visibility.ts'
import type { OperationRules, RecordAccess, Recording, RequestIdentity } from './request-parts.ts'

/** The link of a patient in an answer, with the ids that clients receive. */
interface PatientLink {
  readonly patient: string
  /** The patient whose record replaced this one. */
  readonly replacedBy?: string
  /** The patients whose records this one replaced. */
  readonly replaces?: readonly string[]
}

/** The links of an answer, and the audit records of the patients that they name. UNKNOWN: a service failed. */
export interface FoundLinks {
  readonly links: readonly PatientLink[] | 'UNKNOWN'
  readonly accesses: readonly AccessRecord[]
}

export const NO_LINKS: FoundLinks = { links: [], accesses: [] }

interface LinkParts
  extends Pick<RequestIdentity, 'caller' | 'now' | 'deadline'>,
    Pick<OperationRules, 'policy'>,
    Pick<RecordAccess, 'ids'>,
    AttributeSources,
    Pick<Deciding, 'visibility'>,
    Pick<Recording, 'failures'> {
  /** The tenants in which this process read a linked patient. */
  readonly linkedTenants: Set<TenantId>
}

/** A patient's own record that the request read. */
interface OwnRecord {
  readonly ref: RecordRef
  readonly metadata: RecordMetadata
  readonly facts: Facts
}

/** The number of patients that a check reads at least. A linked patient and an unlinked one then cause the same reads (P5). */
const MIN_CHECKED = 4
/** Patients in one batch. */
const MAX_CHECKED = 100

/**
 * The links between a replaced patient and the surviving one. A link names the person of both records, so the caller must be granted
 * some field of each of the two. A caller that may see only one of them learns nothing.
 *
 * A check reads the attributes of the other patients, or of decoys. It runs beside the rest of the request, and the answer waits for it
 * while its audit is stored. A process reads no decoys for a tenant in which it never read a link.
 */
export class PatientLinks {
  readonly #parts: LinkParts
  /** Apart from the attributes of the answer, so that the reads do not depend on the other patients of the request. */
  readonly #attributes: AttributeLoader
  readonly #read = new Map<PatientId, OwnRecord>()
  readonly #shown = new Set<PatientId>()
  readonly #asked = new Set<PatientId>()
  readonly #visible = new Set<PatientId>()
  readonly #checks: Promise<void>[] = []
  #isUnknown = false

  constructor(parts: LinkParts) {
    this.#parts = parts
    const { failures } = parts
    this.#attributes = new AttributeLoader({ ...parts, reasonOf: (failure) => failures.classify(failure) })
  }

  /** Begins to check the links of records that were found together. */
  begin(found: readonly OwnRecord[]): void {
    const { policy, caller, linkedTenants } = this.#parts
    const own = found.filter(
      ({ ref }) =>
        policy.records.get(ref.type)?.patient === 'id' && (ref.id as string) === ref.patient && !this.#read.has(ref.patient),
    )
    const [first] = own
    if (first === undefined) return
    for (const record of own) this.#read.set(record.ref.patient, record)
    const others = new Set(own.flatMap(othersOf))
    if (others.size > 0) linkedTenants.add(caller.tenant)
    if (!linkedTenants.has(caller.tenant)) return
    const wanted = [...others].filter((patient) => !this.#asked.has(patient))
    for (const patient of wanted) this.#asked.add(patient)
    const decoys = Array.from({ length: Math.max(0, MIN_CHECKED - wanted.length) }, (_, number) =>
      decoyId(`${first.ref.patient} link ${number}`),
    ) as PatientId[]
    const check = this.#check(first.ref.type, [...wanted, ...decoys])
    // `found` reports the failure; without a handler, a rejection between two ticks would end the process
    check.catch(() => undefined)
    this.#checks.push(check)
  }

  /** The answer shows the patient. Links of other patients do not leave. */
  show({ patient, id }: RecordRef): void {
    if ((id as string) === patient) this.#shown.add(patient)
  }

  /** The links of the patients that the answer shows, as far as the caller may see the other patient. Call it at the end. */
  async found(): Promise<FoundLinks> {
    const shown = [...this.#shown].flatMap((patient) => this.#read.get(patient) ?? [])
    if (shown.length === 0) return NO_LINKS
    await Promise.all(this.#checks)
    if (this.#isUnknown) return { links: 'UNKNOWN', accesses: [] }
    const named = new Map<PatientId, RecordRef>()
    const idOf = (patient: PatientId, { ref: { type } }: OwnRecord): string => {
      const ref = ownRef(type, patient)
      named.set(patient, ref)
      return this.#parts.ids.encode(ref)
    }
    const links = shown.flatMap((record): PatientLink[] => {
      const { replacedBy, replaces = [] } = record.metadata
      const by = replacedBy !== undefined && this.#visible.has(replacedBy) ? replacedBy : undefined
      const replaced = replaces.filter((patient) => this.#visible.has(patient))
      if (by === undefined && replaced.length === 0) return []
      if (!this.#isGranted(record.ref.type, record.facts)) return []
      return [
        {
          patient: this.#parts.ids.encode(record.ref),
          ...(by !== undefined && { replacedBy: idOf(by, record) }),
          ...(replaced.length > 0 && { replaces: replaced.map((patient) => idOf(patient, record)) }),
        },
      ]
    })
    const accesses = [...named.values()].map((ref): AccessRecord => {
      return { ...where(ref), path: existenceOf(ref), action: 'READ', outcome: 'DISCLOSED' }
    })
    return { links, accesses }
  }

  async #check(type: TypeName, patients: readonly PatientId[]): Promise<void> {
    const names = this.#parts.visibility.admitting(type)
    for (let start = 0; start < patients.length; start += MAX_CHECKED) {
      const attributes = await this.#attributes.attributesFor(names, patients.slice(start, start + MAX_CHECKED))
      for (const [patient, of] of attributes) this.#decide(ownRef(type, patient), of)
    }
  }

  #decide(ref: RecordRef, attributes: SubjectAttributes): void {
    const { damage, unknown, consents } = attributes
    const facts = this.#parts.visibility.visibilityOf(ref, attributes)
    if (typeof facts === 'object' && this.#isGranted(ref.type, facts)) this.#visible.add(ref.patient)
    // a patient that does not exist and a damaged one stay hidden; if a service failed, every patient is unknown
    else if (damage === undefined && (unknown !== undefined || consents === undefined)) this.#isUnknown = true
  }

  /** Whether the caller may read a field of the patient's own record. Some roles know of each patient and read nothing of them. */
  #isGranted(type: TypeName, facts: Facts): boolean {
    const { policy, caller, now } = this.#parts
    return [...policy.phi.values()].some((field) => {
      if (!field.path.startsWith(`${type}.`)) return false
      const { outcome } = decide(field, caller, facts, now)
      return outcome === 'GRANTED' || outcome === 'MASKED'
    })
  }
}

const ownRef = (type: TypeName, patient: PatientId): RecordRef => ({ type, patient, id: patient as string as RecordId })

const othersOf = ({ ref, metadata: { replacedBy, replaces = [] } }: OwnRecord): PatientId[] =>
  [...(replacedBy === undefined ? [] : [replacedBy]), ...replaces].filter((patient) => patient !== ref.patient)
