import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { chunkFits, type IndexPlace, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { ChartFault } from '../telemetry/events.ts'
import { nameOf, type StoredRecord } from './record-items.ts'
import type { StoredChart } from './records.ts'

/** The last write of a record in the audit log. */
export interface LastWrite {
  readonly version: number
  /** The record left the chart with this write. */
  readonly removed: boolean
}

/**
 * Compares what is stored of a patient with the writes that the audit has. It opens indexes, manifests and metadata, and no value: the
 * manifest has a digest of each sealed value.
 *
 * @param writes the last write of each record, by `Type#id`
 * @returns one fault for each record that has one, by `Type#id`; an empty name stands for the whole chart
 * @throws KeyUnavailable
 */
export function chartFaults(
  keys: PatientKeys,
  place: IndexPlace,
  chart: StoredChart,
  writes: ReadonlyMap<string, LastWrite>,
  counter: OpeningCounter,
): ReadonlyMap<string, ChartFault> {
  const listed = listedVersions(keys, place, chart, counter)
  if (listed === undefined) return new Map([['', 'INDEX_BROKEN']])
  const stored = new Map(chart.records.map((record) => [nameOf(record.ref), record]))
  const faults = new Map<string, ChartFault>()
  for (const name of new Set([...listed.keys(), ...stored.keys(), ...writes.keys()])) {
    const record = stored.get(name)
    const version = record && versionOf(keys, place, record, counter)
    const fault = faultOf({ listed: listed.get(name), stored: version, isStored: record !== undefined }, writes.get(name))
    if (fault !== undefined) faults.set(name, fault)
  }
  return faults
}

interface Versions {
  readonly listed: number | undefined
  /** Undefined for a record that is not stored, and for one that was altered. */
  readonly stored: number | undefined
  readonly isStored: boolean
}

function faultOf({ listed, stored, isStored }: Versions, write: LastWrite | undefined): ChartFault | undefined {
  if (isStored && stored === undefined) return 'ALTERED'
  if (stored === undefined && listed !== undefined) return 'MISSING'
  if (stored !== undefined && listed === undefined) return 'UNLISTED'
  if (stored !== listed) return 'VERSION'
  if (stored === undefined) return write === undefined || write.removed ? undefined : 'ROLLED_BACK'
  if (write === undefined || write.version < stored) return 'UNRECORDED'
  return write.removed || write.version > stored ? 'ROLLED_BACK' : undefined
}

/** The versions in the index, by `Type#id`; undefined if the index is broken. */
function listedVersions(
  keys: PatientKeys,
  place: IndexPlace,
  { root: sealed, chunks }: StoredChart,
  counter: OpeningCounter,
): ReadonlyMap<string, number> | undefined {
  if (sealed === undefined) return undefined
  try {
    counter.metadata++
    const root = openRoot(keys, place, sealed)
    const versions = new Map<string, number>()
    for (const [type, summaries] of [...root.types, ...root.labeled]) {
      for (const summary of summaries) {
        const chunk = chunks.get(summary.number)
        if (chunk === undefined || !chunkFits(summary, chunk)) return undefined
        counter.metadata++
        for (const { id, version } of openChunk(keys, place, summary.number, chunk)) versions.set(`${type}#${id}`, version)
      }
    }
    const { own } = root
    return own === undefined || versions.get(`${own.type}#${place.patient}`) === own.version ? versions : undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}

/** The version of a record with an authentic manifest and exactly its values; undefined for any other record. */
function versionOf(
  keys: PatientKeys,
  { tenant }: IndexPlace,
  { ref, manifest, fields }: StoredRecord,
  counter: OpeningCounter,
): number | undefined {
  try {
    const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, counter)
    return record.isWhole(fields) ? record.version : undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}
