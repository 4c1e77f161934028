import type { KeyRotation, RenewableUse } from '../crypto/key-rotation.ts'
import { keyStatus, type KeyStatus, type PurposeKeyStatus } from '../crypto/key-status.ts'
import type { KeyTable } from '../crypto/key-table.ts'
import type { KeyChanger } from '../crypto/key-changes.ts'
import { rewritableFrom } from '../crypto/token-versions.ts'
import { KeyUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { RotationRun, RotationScope, RotationStep } from '../model/rotation-run.ts'
import type { DerivedReindexer } from '../store/derived-reindexer.ts'
import type { RotationRunTable } from '../store/rotation-runs.ts'
import type { SearchRow } from '../store/search.ts'

export interface TenantRotationParts {
  readonly rotation: KeyRotation
  readonly runs: RotationRunTable
  readonly keys: Pick<KeyTable, 'load'> & Pick<KeyChanger, 'pages'>
  readonly reindexer: DerivedReindexer<SearchRow>
  readonly now: Clock
  readonly sleep: (ms: number) => Promise<unknown>
}

/** The state of a tenant's keys, with its latest rotation. */
export interface RotationStatus extends KeyStatus {
  readonly run: RotationRun | undefined
}

/** What a rotation did in this call. */
export interface RotationResult {
  readonly run: RotationRun
  /** Whether an earlier call had started it. */
  readonly continued: boolean
  readonly rewrapped: number
  /** Patients whose key could not be rewrapped, or whose search entries could not be determined. */
  readonly refused: number
}

const SAVE_EVERY_MS = 1_000
const LONGEST_SLEEP_MS = 5_000

/**
 * Replaces the keys of a tenant while the gateway reads, writes and searches. You can stop a run at any time: the next one continues it.
 *
 * A search entry has the version of one key. The new `index` key is first loaded by every process, then written beside the former one, and
 * then written alone. From then on, all entries are rewritten, and the former version is destroyed. Until then, each search asks for the
 * tokens of both versions.
 */
export class TenantRotation {
  readonly #parts: TenantRotationParts

  constructor(parts: TenantRotationParts) {
    this.#parts = parts
  }

  /** Reads the keys table as a whole. @throws KeyUnavailable if the tenant has no keys; StoreUnavailable */
  async status(tenant: TenantId): Promise<RotationStatus> {
    const { keys, runs, now } = this.#parts
    const [status, run] = await Promise.all([keyStatus(keys, tenant, now()), runs.latest(tenant)])
    return { ...status, run }
  }

  /**
   * Rotates the keys of the scope. If a rotation of the tenant is unfinished, it continues that one, with its own scope.
   *
   * @param onProgress called after each group of patients
   * @throws VersionConflict if another rotation started; KeyUnavailable, IntegrityFailure, StoreUnavailable, AuditUnavailable
   */
  async run(tenant: TenantId, scope: RotationScope, onProgress: (run: RotationRun) => void): Promise<RotationResult> {
    const { runs, now } = this.#parts
    const { run: latest, ...status } = await this.status(tenant)
    const continued = latest !== undefined && latest.finished === undefined
    let run = continued ? latest : newRun(scope, status, now())
    if (!continued) await runs.start(tenant, run, latest)
    let saved = now()
    const report = async (step: RotationStep, done: number, refused: number, finished?: number): Promise<void> => {
      const changed = step !== run.step || finished !== undefined
      run = { ...run, step, done, refused, of: Math.max(done, status.patients), updated: now(), finished }
      onProgress(run)
      if (!changed && now() - saved < SAVE_EVERY_MS) return
      saved = now()
      await runs.save(tenant, run)
    }
    const { planned } = run
    await this.#newKeys(tenant, planned)
    const { rewrapped, refused } = await this.#rewrap(tenant, planned.tenant, report)
    const unwritten = planned.index === undefined ? 0 : await this.#rewrite(tenant, report)
    // with a refused patient, entries under the former key may remain: the run stays unfinished, and searches ask for both
    if (unwritten === 0) await report('RETIRE', status.patients, refused, now())
    return { run, continued, rewrapped, refused: refused + unwritten }
  }

  async #newKeys(tenant: TenantId, planned: RotationRun['planned']): Promise<void> {
    const { rotation } = this.#parts
    if (planned.tenant !== undefined) await rotation.rotate(tenant, planned.tenant)
    for (const use of ['access', 'cursor', 'index'] as const)
      if (planned[use] !== undefined) await rotation.renewUse(tenant, use, planned[use])
  }

  async #rewrap(tenant: TenantId, planned: number | undefined, report: Report): Promise<{ rewrapped: number; refused: number }> {
    if (planned === undefined) return { rewrapped: 0, refused: 0 }
    const reports = new Queue()
    const counts = await this.#parts.rotation.rewrap(tenant, ({ rewrapped, already, refused }) => {
      reports.add(() => report('REWRAP', rewrapped + already, refused))
    })
    await reports.end()
    return counts
  }

  /** Returns the number of patients whose entries could not be rewritten. Without any, the former key is destroyed. */
  async #rewrite(tenant: TenantId, report: Report): Promise<number> {
    const { rotation, reindexer, keys, now, sleep } = this.#parts
    const { tenant: item } = await keys.load(tenant, { tenantItem: true, patients: [] })
    if (item === undefined) throw new KeyUnavailable()
    const from = Math.max(...item.uses.filter(({ use }) => use === 'index').map(rewritableFrom))
    while (now() < from) {
      await report('WAIT', 0, 0)
      await sleep(Math.min(from - now(), LONGEST_SLEEP_MS))
    }
    const reports = new Queue()
    const { refused } = await reindexer.reindex(tenant, (counts, patients) => {
      reports.add(() => report('REWRITE', patients, counts.refused))
    })
    await reports.end()
    if (refused === 0) await rotation.retireFormerIndex(tenant)
    return refused
  }
}

type Report = (step: RotationStep, done: number, refused: number) => Promise<void>

/** Runs reports one after the other. The end throws the first failure. */
class Queue {
  #last: Promise<void> = Promise.resolve()

  add(work: () => Promise<void>): void {
    this.#last = this.#last.then(work)
    // the end reports the failure
    this.#last.catch(() => undefined)
  }

  async end(): Promise<void> {
    await this.#last
  }
}

function newRun(scope: RotationScope, { tenantKeys, purposeKeys }: KeyStatus, now: number): RotationRun {
  const next = (use: RenewableUse): number => Math.max(...versionsOf(purposeKeys, use)) + 1
  const indexes = versionsOf(purposeKeys, 'index')
  const planned = {
    ...(scope !== 'search' && { tenant: Math.max(...tenantKeys.map(({ version }) => version)) + 1 }),
    ...(scope === 'all' && { access: next('access'), cursor: next('cursor') }),
    // entries can be under two versions, never under three
    ...(scope !== 'tenant' && { index: indexes.length > 1 ? Math.max(...indexes) : next('index') }),
  }
  return { started: now, scope, planned, step: 'KEYS', done: 0, of: 0, refused: 0, updated: now }
}

const versionsOf = (keys: readonly PurposeKeyStatus[], use: RenewableUse): number[] =>
  keys.filter((key) => key.use === use).map(({ version }) => version)
