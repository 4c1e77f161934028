import type { PolicyTable } from '../../directives/policy.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { AccessRecord } from '../model/access-record.ts'
import { accessDigest } from '../crypto/access-seal.ts'
import type { Trail } from '../audit/trail.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import { Erased } from '../model/failures.ts'
import type { Instant, PatientId, RequestId, TenantId } from '../model/ids.ts'
import { erasableFrom, retentionRule, type RetentionSettings } from '../model/retention.ts'
import type { AccessTable } from '../store/access.ts'
import { type ChartParts, ErasableChart } from '../store/erasable-chart.ts'
import type { ErasureAct, ErasureFile, StoredErasure } from '../store/erasure-file.ts'
import { prepareKeyDestruction } from '../store/key-destruction.ts'
import type { DynamoKeyTable } from '../store/keys.ts'
import type { ErasureRefusal } from './erasure-payloads.ts'

/** The tables of an erasure, and the rules of retention. */
export interface ErasureServices extends ChartParts {
  readonly access: AccessTable
  readonly keys: DynamoKeyTable
  readonly retention: RetentionSettings
}

interface RunPlace {
  readonly services: ErasureServices
  readonly tenant: TenantId
  readonly policy: PolicyTable
  readonly patient: PatientId
  readonly now: Instant
}

/** An approved erasure, and the request that carries it out. */
interface Approved {
  readonly erasure: StoredErasure
  readonly approved: ErasureAct
  readonly requestId: RequestId
}

/** Whether two acts are of one person. A person can have several accounts. */
export const isSamePerson = (one: ErasureAct, other: ErasureAct): boolean =>
  one.by === other.by || (one.person !== undefined && one.person === other.person)

/** Stores writes together with their audit record, or none of both. */
export type CommitErasure = (
  writes: Parameters<Trail['commit']>[0],
  record: Pick<AccessRecord, 'path' | 'action' | 'count' | 'filter'>,
) => Promise<void>

/**
 * The removals of entries in the transaction that destroys the keys. Almost every patient has fewer, so that an erasure is one
 * transaction. The others are left for keys, manifest, erasure, index root and audit.
 */
const MAX_REMOVALS = MAX_ACTIONS - 9
const DAY_MS = 86_400_000
const ENTRIES = '#search-entry' as SchemaPath
const ERASED = '#erasure' as SchemaPath

/** The rules that keep a patient from being erased, and the erasure itself. */
export class ErasureRun {
  readonly #place: RunPlace
  readonly #most: number

  /** @param most the removals in the last transaction */
  constructor(place: RunPlace, most = MAX_REMOVALS) {
    this.#place = place
    this.#most = most
  }

  /**
   * Opens the chart if holds and retention allow an erasure now.
   *
   * @throws Erased; StoreUnavailable, KeyUnavailable, IntegrityFailure: what cannot be read allows nothing
   */
  async chartOr(file: ErasureFile): Promise<ErasableChart | ErasureRefusal> {
    const { services, tenant, policy, patient, now } = this.#place
    if (file.content.holds.length > 0) return { refusal: 'LEGAL_HOLD' }
    const rule = retentionRule(services.retention, tenant)
    if (rule === undefined) return { refusal: 'NO_RETENTION_RULE' }
    const chart = await ErasableChart.open(services, { tenant, patient }, policy, rule.minors?.birthDate)
    if (chart.newest === undefined) return { refusal: 'NO_DATE' }
    const from = erasableFrom(rule, chart.newest, chart.birthDate)
    return from > now ? { refusal: 'RETENTION', erasableFrom: from } : chart
  }

  /**
   * Removes the entries and destroys the keys. The last transaction does both, with the certificate. Entries beyond its size are removed
   * before, in transactions that also store the approval, so that a run that is ended between two of them can be continued.
   *
   * @returns the finished erasure
   * @throws VersionConflict if another writer changed the chart: the next run begins again; AuditUnavailable, Erased
   */
  async erase(file: ErasureFile, chart: ErasableChart, asked: Approved, commit: CommitErasure): Promise<StoredErasure> {
    const { services, tenant, patient, now } = this.#place
    const { holds } = file.content
    const erasure = { ...asked.erasure, approved: asked.approved }
    let removals = chart.removals
    while (removals.length > this.#most) {
      const part = removals.slice(0, this.#most)
      await commit([...file.write({ holds, erasure }), chart.unchanged(), ...part], {
        path: ENTRIES,
        action: 'DELETE',
        count: part.length,
      })
      file.written()
      removals = removals.slice(part.length)
    }
    const destruction = await prepareKeyDestruction(services, tenant, patient, now)
    if (destruction === undefined) throw new Erased()
    const completeAt = now + services.retention.copiesDays * DAY_MS
    const statement = JSON.stringify({
      statement: 'phi-gateway erasure v1',
      tenant,
      patient,
      erasure: erasure.id,
      requestedBy: erasure.requested.by,
      requestedAt: timeText(erasure.requested.at),
      approvedBy: asked.approved.by,
      erasedAt: timeText(now),
      keyVersions: destruction.versions,
      tombstone: accessDigest(destruction.tombstone),
      entriesRemoved: chart.removals.length,
      copiesUntil: timeText(completeAt),
    })
    const finished = { ...withoutReason(erasure), erased: { at: now, statement, requestId: asked.requestId, completeAt } }
    const last = [...file.destroy({ holds, erasure: finished }, destruction), chart.end(destruction.tombstone), ...removals]
    await commit(last, { path: ERASED, action: 'DELETE', filter: statement })
    return finished
  }
}

const timeText = (time: number): string => new Date(time).toISOString()

/** The reason can name the patient. */
const withoutReason = ({ reason: _, ...erasure }: StoredErasure): StoredErasure => erasure
