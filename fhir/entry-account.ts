import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { Entry } from './bundle.ts'
import type { EntryIssue, MappingIssue } from './mapping-issue.ts'

/**
 * The result of one entry. Each entry of a bundle has exactly one:
 *
 * - `records`: it gives records of a patient. Only the store knows whether they are new or unchanged.
 * - `access`: it gives a consent, a proxy or memberships of a patient, without a record.
 * - `leftOut`: its own status forbids to show it, or it has nothing to show.
 * - `superseded`: another entry of the same resource is newer.
 * - `readByOthers`: other entries refer to it, and give its content.
 * - `notImported`: the import has no place for its type.
 * - `issue`: it was refused.
 */
export type EntryOutcome =
  | { readonly kind: 'records'; readonly patient: PatientId; readonly records: readonly string[] }
  | { readonly kind: 'access'; readonly patient: PatientId }
  | { readonly kind: 'leftOut' | 'superseded' | 'readByOthers' | 'notImported' | 'issue' }

interface Settled {
  readonly kind: 'leftOut' | 'superseded' | 'readByOthers' | 'notImported'
}

/** The name of a record in `EntryOutcome` and in the results of a write. */
export const recordName = ({ ref }: Pick<NewRecord, 'ref'>): string => `${ref.type}#${ref.id}`

/** Accounts for every entry of one bundle while it is mapped. */
export class EntryAccount {
  /** Resources of types that are not imported, by type. */
  readonly unknown = new Map<string, number>()
  /** Resources that are omitted on purpose, by type and reason. */
  readonly omitted = new Map<string, number>()
  readonly #faults: EntryIssue[]
  readonly #settled = new Map<number, Settled>()
  readonly #records = new Map<number, { readonly patient: PatientId; readonly records: string[] }>()
  readonly #access = new Map<number, PatientId>()

  constructor(faults: readonly EntryIssue[]) {
    this.#faults = [...faults]
  }

  fault({ index }: Pick<Entry, 'index'>, { reason }: MappingIssue): void {
    this.#faults.push({ entry: index, reason })
  }

  recorded({ index }: Entry, record: NewRecord): void {
    const known = this.#records.get(index) ?? { patient: record.ref.patient, records: [] }
    this.#records.set(index, known)
    known.records.push(recordName(record))
  }

  access({ index }: Entry, patient: PatientId): void {
    this.#access.set(index, patient)
  }

  /** @param why fixed text */
  leftOut({ index, type }: Pick<Entry, 'index' | 'type'>, why: string): void {
    count(this.omitted, `${type} ${why}`)
    this.#settled.set(index, { kind: 'leftOut' })
  }

  /** Counts a part that a record lacks by a rule. @param what fixed text with the type of the resource */
  omit(what: string): void {
    count(this.omitted, what)
  }

  superseded({ index }: Pick<Entry, 'index'>): void {
    this.#settled.set(index, { kind: 'superseded' })
  }

  readByOthers({ index }: Entry): void {
    this.#settled.set(index, { kind: 'readByOthers' })
  }

  notImported({ index, type }: Entry): void {
    count(this.unknown, type)
    this.#settled.set(index, { kind: 'notImported' })
  }

  /** The issues in the order of the entries. */
  faults(): readonly EntryIssue[] {
    return this.#faults.toSorted((one, other) => one.entry - other.entry)
  }

  /**
   * The outcome of each entry. A record with an issue beside it is imported. A consent or a care team that gives no record and has an
   * issue counts as refused.
   *
   * @param entries the number of entries of the bundle
   */
  outcomes(entries: number): readonly EntryOutcome[] {
    const refused = new Set(this.#faults.map(({ entry }) => entry))
    return Array.from({ length: entries }, (_, index) => {
      const settled = this.#settled.get(index)
      if (settled !== undefined) return settled
      const recorded = this.#records.get(index)
      if (recorded !== undefined) return { kind: 'records', ...recorded }
      const patient = this.#access.get(index)
      return patient === undefined || refused.has(index) ? { kind: 'issue' } : { kind: 'access', patient }
    })
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
