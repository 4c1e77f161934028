import { decoyOpenings } from '../crypto/decoy-openings.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeyHandle } from '../crypto/patient-keys.ts'
import { maxFieldBytes, type OpeningCounter } from '../crypto/sealed-field.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { Erased, Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, recordKey, type RecordRef, type TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import { failureOr, type IndexVerdict, isOutdated, type ReadRecord, verifyAgainstIndex } from './index-check.ts'
import type { FoundRecord, LoadDecision, LoadOptions, OpenRecord } from './record-source.ts'
import type { StoredRecord } from './record-items.ts'
import type { LoadedRecords, RecordTable } from './records.ts'

interface LoadParts {
  readonly table: RecordTable
  readonly keyring: Keyring
  readonly tenant: TenantId
  readonly refs: readonly RecordRef[]
  readonly paths: ReadonlySet<SchemaPath>
  readonly options: LoadOptions
}

type Keys = ReadonlyMap<PatientId, PatientKeyHandle>

/** A record that the index has to confirm. */
interface Unchecked {
  readonly ref: RecordRef
  readonly opened: OpenRecord | undefined
}

/**
 * One load of sealed records. The first batch reads records, index roots and keys. When the decision is known, the visible records are
 * opened and compared with the index. A hidden record is never opened.
 */
export class SealedLoad {
  readonly #parts: LoadParts
  readonly #answers = new Map<string, FoundRecord>()

  constructor(parts: LoadParts) {
    this.#parts = parts
  }

  async run(): Promise<readonly FoundRecord[]> {
    const { refs, options } = this.#parts
    const [loaded, cached] = await this.#firstBatch()
    for (const { ref } of loaded.records) this.#answer(ref, refused(ref, cached))
    if (cached instanceof Failure) return [...this.#answers.values()]
    const decision = await options.decision
    const keys = await this.#withoutRemembered(cached, decision.erased)
    this.#answerErased(keys, decision)
    const pending = refs.filter(
      (ref) => decision.visible.has(recordKey(ref)) && keys.get(ref.patient)?.erased !== true && !decision.erased.has(ref.patient),
    )
    await this.#settle(loaded, pending, keys, decision)
    return [...this.#answers.values()]
  }

  /** An unavailable key does not show whether a record exists: opening the record throws its failure. */
  async #firstBatch(): Promise<[LoadedRecords, Keys | Failure]> {
    const { table, keyring, tenant, refs, paths, options } = this.#parts
    const { listed, paged, timing, deadline } = options
    // the version of a listed or paged record comes with the list or the decision
    const unlisted = refs.filter((ref) => !listed.has(recordKey(ref)) && !paged.has(recordKey(ref)))
    return await Promise.all([
      table.loadWithRoots(tenant, refs, paths, patientsOf(unlisted), deadline.signal),
      keyring.patientKeys(tenant, patientsOf(refs), timing === 'uniform' ? 'always' : 'cached').catch((error: unknown) => {
        if (error instanceof Failure) return error
        throw error
      }),
    ])
  }

  /** Destroyed keys stay in memory for a while. The keys of patients that are known to be erased are read again. */
  async #withoutRemembered(cached: Keys, erased: ReadonlySet<PatientId>): Promise<Keys> {
    const { keyring, tenant } = this.#parts
    const remembered = [...erased].filter((patient) => cached.get(patient)?.erased === false)
    if (remembered.length === 0) return cached
    return new Map([...cached, ...(await keyring.patientKeys(tenant, remembered, 'always'))])
  }

  /** The index of an erased patient cannot be opened: every requested record is answered as erased. */
  #answerErased(keys: Keys, { erased }: LoadDecision): void {
    for (const ref of this.#parts.refs) {
      if (keys.get(ref.patient)?.erased === true) this.#answer(ref, erasedRecord(ref))
      // keys that exist although they were destroyed were restored
      else if (erased.has(ref.patient)) this.#answer(ref, refused(ref, new IntegrityFailure()))
    }
  }

  async #settle(loaded: LoadedRecords, visible: readonly RecordRef[], keys: Keys, decision: LoadDecision): Promise<void> {
    let pending = visible
    let first: LoadedRecords | undefined = loaded
    const check = async () => {
      const read = first ?? (await this.#readAgain(pending))
      first = undefined
      pending = await this.#check(read, pending, keys, decision)
      return pending.length === 0 ? { value: undefined } : { torn: pending }
    }
    const report = (doubtful: readonly RecordRef[]): undefined => {
      for (const ref of doubtful) this.#answer(ref, refused(ref, new IntegrityFailure()))
    }
    await retryOptimisticRead(check, report, BUSY_READS)
  }

  async #readAgain(pending: readonly RecordRef[]): Promise<LoadedRecords> {
    const { table, tenant, paths, options } = this.#parts
    return await table.loadWithRoots(tenant, pending, paths, patientsOf(pending), options.deadline.signal)
  }

  /** Opens and compares records that were read. Returns those that do not fit their index: they must be read again. */
  async #check(read: LoadedRecords, pending: readonly RecordRef[], keys: Keys, decision: LoadDecision): Promise<RecordRef[]> {
    const { table, tenant, options } = this.#parts
    const { counter, deadline } = options
    const stored = new Map(read.records.map((record) => [recordKey(record.ref), record]))
    const unchecked: Unchecked[] = []
    for (const ref of pending) {
      const record = stored.get(recordKey(ref))
      if (record === undefined) decoyOpenings().record(counter)
      const opened = record && failureOr(() => openStored(tenant, record, keys.get(ref.patient), counter))
      const test = decision.visible.get(recordKey(ref))
      // if only its metadata can make the record visible, an absent or unreadable record stays hidden
      if (typeof test === 'function' && (opened === undefined || opened instanceof Failure || !test(opened.metadata))) continue
      if (opened instanceof Failure) this.#answer(ref, refused(ref, opened))
      else if (opened === undefined || opened.version !== this.#versionOf(ref, decision)) unchecked.push({ ref, opened })
      else if (this.#namesNewer(ref, record, decision)) this.#answer(ref, outdated(ref))
      else this.#answer(ref, { ref, open: () => opened })
    }
    const asked = unchecked.map(({ ref, opened }): ReadRecord => {
      if (opened === undefined) return { ref, found: undefined }
      const { date = '', labels = [] } = opened.metadata
      const isClosed = decision.isClosed?.(ref, opened.metadata) === true
      return { ref, found: { version: opened.version, date, isLabeled: labels.length > 0, isClosed } }
    })
    const context = { tenant, roots: read.roots, keys, manifests: decision.manifests }
    const verdicts = await verifyAgainstIndex(table, context, asked, counter, deadline.signal)
    return unchecked.flatMap(({ ref, opened }, index) => {
      const verdict = verdicts[index] ?? 'BROKEN'
      if (verdict === 'BROKEN') return [ref]
      this.#conclude(ref, opened, verdict)
      return []
    })
  }

  /** The version that a list or the access manifest names; undefined if only the index can confirm the record. */
  #versionOf(ref: RecordRef, { manifests }: LoadDecision): number | undefined {
    const { listed, paged } = this.#parts.options
    const key = recordKey(ref)
    return listed.get(key) ?? (paged.has(key) ? manifests.get(ref.patient)?.own : undefined)
  }

  /** Whether a patient's own record on a page names a newer access manifest than the decision. */
  #namesNewer(ref: RecordRef, record: StoredRecord | undefined, { manifests }: LoadDecision): boolean {
    const decided = manifests.get(ref.patient)
    return decided !== undefined && this.#parts.options.paged.has(recordKey(ref)) && isOutdated(decided, record?.access)
  }

  #conclude(ref: RecordRef, opened: OpenRecord | undefined, verdict: Exclude<IndexVerdict, 'BROKEN'>): void {
    if (verdict instanceof Failure) this.#answer(ref, refused(ref, verdict))
    else if (verdict === 'OUTDATED') this.#answer(ref, outdated(ref))
    else if (opened === undefined) this.#answers.delete(recordKey(ref))
    else this.#answer(ref, { ref, open: () => opened })
  }

  #answer(ref: RecordRef, found: FoundRecord): void {
    this.#answers.set(recordKey(ref), found)
  }
}

const patientsOf = (refs: readonly RecordRef[]): PatientId[] => [...new Set(refs.map(({ patient }) => patient))]

/** A record that exists and does not open: it is damaged, or the caller may not know of it. */
function refused(ref: RecordRef, reason: unknown): FoundRecord {
  return {
    ref,
    open: () => {
      // created here, because most records are opened and never refused
      throw reason instanceof Failure ? reason : new IntegrityFailure()
    },
  }
}

const outdated = (ref: RecordRef): FoundRecord => ({ ...refused(ref, undefined), outdated: true })

/** A record of a patient with destroyed keys. It is no longer known whether the record existed. */
const erasedRecord = (ref: RecordRef): FoundRecord => ({
  ref,
  open: () => ({
    version: 0,
    metadata: { open: {}, references: {} },
    erased: true,
    maxBytes: () => 0,
    value: () => {
      throw new Erased()
    },
  }),
})

/**
 * Opens the metadata of a stored record. Its values stay sealed.
 *
 * @throws KeyUnavailable, IntegrityFailure
 */
export function openStored(
  tenant: TenantId,
  { ref, manifest, fields }: StoredRecord,
  keys: PatientKeyHandle | undefined,
  counter: OpeningCounter,
): OpenRecord {
  if (keys === undefined) throw new KeyUnavailable()
  const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, counter)
  return {
    version: record.version,
    metadata: record.metadata,
    sealedDigest: () => record.sealedDigest,
    maxBytes: (path) => {
      const attribute = fields.get(path)
      return attribute === undefined ? 0 : maxFieldBytes(attribute)
    },
    value: (path) => {
      const attribute = fields.get(path)
      const verdict = record.verdict(path, attribute)
      if (verdict === 'ABSENT') return undefined
      if (verdict === 'INTEGRITY' || attribute === undefined) throw new IntegrityFailure()
      return record.openField(path, attribute)
    },
    seals: () => record.seals(),
  }
}
