import type { AuditHistory } from './audit/history.ts'
import type { Services } from './compose.ts'
import { Deadline } from './model/deadline.ts'
import type { PatientId, RecordRef, TenantId } from './model/ids.ts'
import type { LastWrite } from './store/chart-check.ts'
import { ChartScrub } from './store/chart-scrub.ts'
import { named } from './store/record-items.ts'

/** How long the reads of one patient may take. */
const PATIENT_MS = 60_000
/** A write of a moment ago may be in the table of records and not yet in the index of the audit. */
const PAUSE_MS = 500
const CHANGES: ReadonlySet<string> = new Set(['CREATE', 'UPDATE', 'DELETE'])

/** The scrub over the services of a process. */
export function scrubOf(services: Services, pauseMs = PAUSE_MS): ChartScrub['run'] {
  const { records, keys, keyring, history, events, now } = services
  const clocks = { now, monotonic: () => performance.now() }
  const scrub = new ChartScrub({
    records,
    keys,
    keyring,
    lastWrites: async (tenant, patient) => await lastWrites(history, tenant, patient),
    pauseMs,
    now,
    deadlineOf: () => new Deadline(now() + PATIENT_MS, clocks),
  })
  return async (tenant, onFinding, onProgress, options) =>
    await scrub.run(
      tenant,
      (finding) => {
        const { patient, record, fault } = finding
        const place: RecordRef | undefined = record === undefined ? undefined : named(patient, record)
        events({ event: 'CHART_FAULT', tenant, patient, ...(place && { record: place }), what: fault })
        onFinding(finding)
      },
      onProgress,
      options,
    )
}

/** The last write of each record of a patient, by `Type#id`. A removal with the version of an update follows it. */
async function lastWrites(history: AuditHistory, tenant: TenantId, patient: PatientId): Promise<ReadonlyMap<string, LastWrite>> {
  const writes = new Map<string, LastWrite>()
  for await (const entries of history.batchesBy('patient', tenant, patient)) {
    for (const { outcome, action, recordType, recordId, recordVersion: version } of entries) {
      if (outcome !== 'WRITTEN' || !CHANGES.has(action)) continue
      if (recordType === undefined || recordId === undefined || version === undefined) continue
      const name = `${recordType}#${recordId}`
      const last = writes.get(name)
      const removed = action === 'DELETE'
      if (last === undefined || version > last.version || (version === last.version && removed))
        writes.set(name, { version, removed })
    }
  }
  return writes
}
