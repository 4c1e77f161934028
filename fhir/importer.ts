import type { PatientId, RecordId } from '../gateway/model/ids.ts'
import type { WithdrawnResource } from '../gateway/model/source.ts'
import type { SourceResult } from '../gateway/model/source-result.ts'
import type { MappedPatient } from './mapped-bundle.ts'
import type { IdFor } from './record.ts'

/** What the mapping is written to: the sealed store of one tenant. */
export interface Importer {
  readonly idFor: IdFor
  /** Writes all of a patient's records, memberships and consents. Repeating it with the same source changes nothing. */
  write(patient: MappedPatient): Promise<SourceResult>
  /**
   * Finds the patients of earlier imports, by the ids of their resources and identifiers (`lookupId`). Erased and withdrawn patients are
   * not found, and an identifier of several patients leads to none.
   *
   * @param at ISO 8601 in UTC with milliseconds: an identifier counts if it is valid at this instant
   */
  storedPatients(ids: readonly RecordId[], at: string): Promise<ReadonlyMap<RecordId, PatientId>>
  /** Removes what follows from these resources from the charts that have it. Repeating it changes nothing. */
  withdraw(resources: readonly WithdrawnResource[]): Promise<SourceResult>
  close(): Promise<void>
}

/** How many patients are written at a time: enough to fill the waits for the store, few enough to keep memory small. */
const AT_ONCE = 4

/**
 * Writes patients as they come, a few at a time, and never one patient twice at once: two files about one person would
 * otherwise race for one record.
 *
 * @param written called after each write
 * @throws what the first failed write threw, once the writes under way have ended
 */
export async function writePatients(
  patients: AsyncIterable<MappedPatient> | Iterable<MappedPatient>,
  write: (patient: MappedPatient) => Promise<void>,
): Promise<void> {
  const running = new Map<string, Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const patient of patients) {
      await running.get(patient.patient)
      while (running.size >= AT_ONCE) await Promise.race(running.values())
      if (failures.length > 0) break
      const writing = write(patient)
        .catch((failure: unknown) => void failures.push(failure))
        .then(() => void running.delete(patient.patient))
      running.set(patient.patient, writing)
    }
  } finally {
    // whoever closes the store after this must not close it under a write
    await Promise.all(running.values())
  }
  if (failures.length > 0) throw failures[0]
}
