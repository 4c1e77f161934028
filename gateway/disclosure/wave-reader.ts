import type { SubjectAttributes } from '../access/attribute-loader.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type Failure, keyOverdue, storeOverdue } from '../model/failures.ts'
import type { PatientId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { AccessFault } from '../telemetry/events.ts'
import type { AttributesByPatient, FoundRecords, RecordFetch, Settled, Wanted } from './record-fetch.ts'
import type { Deciding } from './record-visibility.ts'
import type { RecordAccess, Recording, RequestIdentity } from './request-parts.ts'
import type { ResponseSize } from './response-size.ts'

interface WaveParts
  extends Pick<RequestIdentity, 'caller' | 'deadline'>,
    Pick<RecordAccess, 'keyring'>,
    Deciding,
    Pick<Recording, 'failures' | 'events'> {
  readonly size: ResponseSize
}

/** Records of a wave, sealed, and what the decisions about them need. */
export interface ReadPart {
  readonly wanted: readonly Wanted[]
  readonly found: Settled<FoundRecords>
  readonly attributes: Settled<AttributesByPatient>
  readonly lookup: Settled<PurposeKey<'lookup'>>
}

/** Records in one part: those of one BatchGetItem. */
const MAX_PART = 100
/** Parts that one request reads at the same time. */
const MAX_PARALLEL = 4
/** If the values of a part are longer in total, the request reads the following parts one by one, and none longer than this. */
const LARGE_BYTES = 4 * 1024 * 1024

/**
 * Reads the records of a wave in parts. The lengths of values are known only when they are read, so an operation that asks for many long
 * values must not read all of them at once: the memory of the process serves all tenants.
 */
export class WaveReader {
  readonly #parts: WaveParts
  readonly #fetch: RecordFetch
  #parallel = MAX_PARALLEL
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(parts: WaveParts, fetch: RecordFetch) {
    this.#parts = parts
    this.#fetch = fetch
  }

  /**
   * @param take uses a part at once, and returns the length of the values that it may give, in bytes
   * @returns the records that were not read, because the answer is too large without them
   */
  async read(wanted: readonly Wanted[], take: (part: ReadPart) => number): Promise<readonly Wanted[]> {
    let rest = wanted
    let length = MAX_PART
    while (rest.length > 0) {
      const part = rest.slice(0, length)
      await this.#enter()
      let bytes = 0
      try {
        if (this.#parts.size.isExceeded) return rest
        bytes = take(await this.#read(part))
      } finally {
        this.#leave(bytes)
      }
      rest = rest.slice(part.length)
      length = Math.max(1, Math.floor((LARGE_BYTES * part.length) / Math.max(1, bytes)))
    }
    return rest
  }

  async #enter(): Promise<void> {
    while (this.#running >= this.#parallel) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
  }

  #leave(bytes: number): void {
    if (bytes > LARGE_BYTES) this.#parallel = 1
    this.#running--
    this.#waiting.shift()?.()
  }

  async #read(wanted: readonly Wanted[]): Promise<ReadPart> {
    const { caller, keyring, attributes: attributeLoader, visibility, events } = this.#parts
    const patients = [...new Set(wanted.map(({ ref }) => ref.patient))]
    const names = new Set(wanted.flatMap(({ ref }) => [...visibility.admitting(ref.type)]))
    const reach = async () => {
      const loading = this.#settled(() => attributeLoader.attributesFor(names, patients), storeOverdue)
      const [found, attributes, lookup] = await Promise.all([
        this.#settled(() => this.#fetch.fetch(wanted, loading), storeOverdue),
        loading,
        this.#settled(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue),
      ])
      const read = { wanted, found, attributes, lookup }
      // a write can occur between the reads of the relationships and of the records
      const faults = manifestFaults(found, attributes)
      if (faults.size === 0) return { value: read }
      attributeLoader.forget(new Set([...faults].flatMap(([patient, what]) => (what === 'ALTERED' ? [patient] : []))))
      return { torn: { ...read, faults } }
    }
    return await retryOptimisticRead(
      reach,
      (torn) => {
        for (const [patient, what] of torn.faults) events({ event: 'ACCESS_ITEM_FORGED', tenant: caller.tenant, patient, what })
        return torn
      },
      BUSY_READS,
    )
  }

  /** A failure or a timeout becomes an outcome of the paths that depend on it. The rest is given. */
  async #settled<T>(work: () => Promise<T>, late: () => Failure): Promise<Settled<T>> {
    try {
      return { value: await this.#parts.deadline.wait(work, late) }
    } catch (error) {
      return { failure: this.#parts.failures.classify(error) }
    }
  }
}

/**
 * The patients whose records do not fit the access manifest: MANIFEST_MISSING if there is none, ALTERED if the records name a newer
 * one.
 */
function manifestFaults(
  found: Settled<FoundRecords>,
  attributes: Settled<ReadonlyMap<PatientId, SubjectAttributes>>,
): ReadonlyMap<PatientId, AccessFault> {
  const faults = new Map<PatientId, AccessFault>()
  if ('failure' in found || 'failure' in attributes) return faults
  for (const { ref, outdated } of found.value.values()) {
    if (outdated === true) faults.set(ref.patient, 'ALTERED')
    else if (attributes.value.get(ref.patient)?.damage === 'NO_MANIFEST') faults.set(ref.patient, 'MANIFEST_MISSING')
  }
  return faults
}
