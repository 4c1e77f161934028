import { setTimeout as sleep } from 'node:timers/promises'
import type { Keyring } from '../crypto/keyring.ts'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { ChartFault } from '../telemetry/events.ts'
import { chartFaults, type LastWrite } from './chart-check.ts'
import type { DynamoKeyTable } from './keys.ts'
import type { RecordTable } from './records.ts'

/** What a scrub found of one patient. */
export interface ScrubFinding {
  readonly patient: PatientId
  /** `Type#id`. Left out: the finding is about the whole chart. */
  readonly record?: string
  readonly fault: ChartFault
}

/** One of several equal parts of the patients, by their ids. Each part can be compared on its own. */
export interface ScrubPart {
  /** From 0. */
  readonly number: number
  readonly of: number
}

/** Patients by result. */
export interface ScrubCounts {
  sound: number
  /** Patients with at least one finding. */
  faulty: number
  /** Patients whose keys were destroyed. Nothing of them can be compared. */
  erased: number
  /** Patients that changed during each read. The next scrub compares them. */
  busy: number
  records: number
  /** Patients that were not reached before the end of the time. */
  left: number
}

interface ScrubParts {
  readonly records: RecordTable
  readonly keys: Pick<DynamoKeyTable, 'pages' | 'load'>
  readonly keyring: Keyring
  /** The last write of each record of a patient that the audit has. @throws StoreUnavailable */
  readonly lastWrites: (tenant: TenantId, patient: PatientId) => Promise<ReadonlyMap<string, LastWrite>>
  /** The end of the time for one patient. */
  readonly deadlineOf: () => Deadline
  readonly now: Clock
  /** The pause before a patient is read again. */
  readonly pauseMs: number
}

/** The reads of one patient. A write between two requests looks like a fault, and the audit's index can be a moment behind its table. */
const READS = 4
const PARALLEL = 4
const LISTED = 1_000

/**
 * Compares the charts of a tenant with the audit of writes while the gateway reads and writes. Only the audit shows that record and index
 * were put back together. A scrub changes nothing and opens no value. You can stop it at any time.
 */
export class ChartScrub {
  readonly #parts: ScrubParts

  constructor(parts: ScrubParts) {
    this.#parts = parts
  }

  /**
   * @param onFinding called for each finding, as soon as it is certain
   * @param onProgress called after each page of patients
   * @param options `part`: only these patients. `until`: the time after which no patient is begun
   * @throws KeyUnavailable if the tenant has no keys; StoreUnavailable
   */
  async run(
    tenant: TenantId,
    onFinding: (finding: ScrubFinding) => void,
    onProgress: (counts: ScrubCounts) => void,
    { part, until = Number.POSITIVE_INFINITY }: { readonly part?: ScrubPart; readonly until?: number } = {},
  ): Promise<ScrubCounts> {
    const { keys, now } = this.#parts
    const counts: ScrubCounts = { sound: 0, faulty: 0, erased: 0, busy: 0, records: 0, left: 0 }
    const isOfPart = (patient: PatientId): boolean => part === undefined || partOf(patient, part.of) === part.number
    const seen = new Set<PatientId>()
    for await (const page of keys.pages(tenant)) {
      const patients = [...page.keys()].filter(isOfPart)
      for (const patient of patients) seen.add(patient)
      for (let first = 0; first < patients.length; first += PARALLEL) {
        const some = patients.slice(first, first + PARALLEL)
        if (now() >= until) {
          counts.left += some.length
          continue
        }
        const results = await Promise.all(some.map(async (patient) => await this.#patient(tenant, patient)))
        for (const { state, records, findings } of results) {
          counts[state]++
          counts.records += records
          for (const finding of findings) onFinding(finding)
        }
      }
      onProgress({ ...counts })
    }
    if (now() >= until) return counts
    for (const patient of (await this.#withoutKeys(tenant, seen)).filter(isOfPart)) {
      counts.faulty++
      onFinding({ patient, fault: 'KEYS_MISSING' })
    }
    return counts
  }

  async #patient(tenant: TenantId, patient: PatientId): Promise<Scrubbed> {
    for (let read = 1; ; read++) {
      const scrubbed = await this.#once(tenant, patient)
      if (read >= READS || (scrubbed.state !== 'faulty' && scrubbed.state !== 'busy')) return scrubbed
      await sleep(this.#parts.pauseMs)
    }
  }

  async #once(tenant: TenantId, patient: PatientId): Promise<Scrubbed> {
    const { records, keyring, lastWrites, deadlineOf } = this.#parts
    const deadline = deadlineOf()
    const keys = (await keyring.patientKeys(tenant, [patient], 'always')).get(patient)
    if (keys?.erased === true) return { state: 'erased', records: 0, findings: [] }
    if (keys === undefined) return { state: 'faulty', records: 0, findings: [{ patient, fault: 'KEYS_MISSING' }] }
    const chart = await records.chart(tenant, patient, deadline)
    const writes = await lastWrites(tenant, patient)
    // each write of a record changes the root, so that an equal root means that nothing was written in between
    const root = await records.indexRoot(tenant, patient, deadline.signal)
    if (Buffer.compare(root ?? NONE, chart.root ?? NONE) !== 0) return { state: 'busy', records: 0, findings: [] }
    const faults = [...chartFaults(keys, { tenant, patient }, chart, writes, { fields: 0, metadata: 0 })]
    const findings = faults.map(([record, fault]) => ({ patient, ...(record !== '' && { record }), fault }))
    return { state: findings.length === 0 ? 'sound' : 'faulty', records: chart.records.length, findings }
  }

  /** The patients in the tenant's list that no page of keys had. */
  async #withoutKeys(tenant: TenantId, seen: ReadonlySet<PatientId>): Promise<readonly PatientId[]> {
    const { records, keys, deadlineOf } = this.#parts
    const missing: PatientId[] = []
    let after: PatientId | undefined
    for (let isEnd = false; !isEnd; ) {
      const page = await records.patients(tenant, after, LISTED, deadlineOf())
      missing.push(...page.filter((patient) => !seen.has(patient)))
      after = page.at(-1)
      isEnd = page.length < LISTED
    }
    // a patient that was registered meanwhile has keys
    const { patients } = await keys.load(tenant, { tenantItem: false, patients: missing })
    return missing.filter((patient) => !patients.has(patient))
  }
}

interface Scrubbed {
  readonly state: 'sound' | 'faulty' | 'erased' | 'busy'
  readonly records: number
  readonly findings: readonly ScrubFinding[]
}

/** The ids of patients are random, so that the parts are of one size. */
const partOf = (patient: PatientId, of: number): number => Buffer.from(patient, 'base64url').readUInt16BE(0) % of

const NONE = new Uint8Array()
