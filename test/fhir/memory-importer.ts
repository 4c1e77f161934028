import { setTimeout as wait } from 'node:timers/promises'
import { recordName } from '../../fhir/entry-account.ts'
import type { Importer } from '../../fhir/importer.ts'
import { NO_CHANGES, type SourceResult } from '../../gateway/model/source-result.ts'
import type { MappedPatient } from '../../fhir/mapped-bundle.ts'
import type { PatientId, RecordId } from '../../gateway/model/ids.ts'
import type { WithdrawnResource } from '../../gateway/model/source.ts'
import { idFor } from './clinic.ts'

/** Keeps digests by record, like the sealed store, and counts concurrent writes. */
export class MemoryImporter implements Importer {
  readonly idFor = idFor
  readonly digests = new Map<string, string | undefined>()
  /** The time that a write takes, in milliseconds. */
  writeMs = 2
  atOnce = 0
  mostAtOnce = 0
  closed = false
  readonly withdrawn: WithdrawnResource[] = []
  readonly failing = new Map<string, Error>()
  /** Patients of earlier imports, by `lookupId`. */
  readonly patients = new Map<RecordId, PatientId>()
  /** The ids of each lookup. */
  readonly lookups: (readonly RecordId[])[] = []

  async write({ patient: whose, records }: MappedPatient): Promise<SourceResult> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce)
    await wait(this.writeMs)
    this.atOnce--
    const failure = this.failing.get(whose)
    if (failure) throw failure
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const unchangedRecords = new Set<string>()
    for (const record of records) {
      const { metadata } = record
      const key = recordName(record)
      if (!this.digests.has(key)) counts.created++
      else if (this.digests.get(key) === metadata.source) {
        counts.unchanged++
        unchangedRecords.add(key)
      } else counts.updated++
      this.digests.set(key, metadata.source)
    }
    return { ...NO_CHANGES, ...counts, unchangedRecords, accessChanged: counts.created > 0 }
  }

  storedPatients(ids: readonly RecordId[]): Promise<ReadonlyMap<RecordId, PatientId>> {
    this.lookups.push(ids)
    return Promise.resolve(this.patients)
  }

  withdraw(resources: readonly WithdrawnResource[]): Promise<SourceResult> {
    this.withdrawn.push(...resources)
    return Promise.resolve(NO_CHANGES)
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }
}
