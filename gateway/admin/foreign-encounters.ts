import { type PatientId, type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import type { NewRecord } from '../model/record.ts'
import type { SourceResource } from '../model/source.ts'
import { locatedPatient, type StoredLocator } from '../store/record-locators.ts'

/** The records of one patient, and the resources that they follow from. */
interface OfPatient {
  readonly patient: PatientId
  readonly records: readonly NewRecord[]
  readonly sources: readonly SourceResource[]
}

/**
 * Returns the resources with an encounter in the chart of another patient. An encounter that the store does not know is no fault.
 *
 * @param locators loads the locators of encounters
 */
export async function withForeignEncounter(
  { patient, records, sources }: OfPatient,
  locators: (ids: readonly RecordId[]) => Promise<ReadonlyMap<RecordId, StoredLocator>>,
): Promise<ReadonlySet<RecordId>> {
  const own = new Set(records.map(({ ref }) => ref.id))
  const encounters = new Map(
    records.flatMap(({ ref, metadata }) => {
      const { encounter } = metadata.references
      return encounter === undefined || own.has(encounter) ? [] : [[recordKey(ref), encounter]]
    }),
  )
  const found = await locators([...new Set(encounters.values())])
  const isForeign = (ref: RecordRef): boolean => {
    const encounter = encounters.get(recordKey(ref))
    const at = encounter === undefined ? undefined : locatedPatient(found.get(encounter))
    return at !== undefined && at !== patient
  }
  return new Set(sources.filter((source) => source.records.some(isForeign)).map(({ id }) => id))
}
