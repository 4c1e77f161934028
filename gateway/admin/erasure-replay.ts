import type { SchemaPath } from '../../directives/coordinates.ts'
import { ItemPacker } from '../audit/item-packer.ts'
import type { LogPolicy } from '../audit/verify/log-policy.ts'
import { verifyProof } from '../audit/verify/tlog-proof.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { ObjectStore } from '../model/object-store.ts'
import { proveItem } from '../oversight/log/item-proof.ts'
import { StoredLog } from '../oversight/log/stored-log.ts'
import { SealedItems } from '../oversight/tables/sealed-items.ts'
import { destroyPatientKeys } from '../store/key-destruction.ts'
import { openAuditObjects } from './audit-objects.ts'
import { UnknownTenant } from './open-store.ts'
import { operatorContext } from './operator-context.ts'

/** Numbers of erased patients by result. */
export interface ReplayCounts {
  /** The keys had come back, and were destroyed again. */
  destroyed: number
  /** The keys are destroyed. */
  already: number
  /** The key item is missing or damaged, or the access manifest is. The gateway gives nothing of such a patient. */
  refused: number
}

/** The proof of an erasure does not hold under the policy: the log was altered, or it is not the log of the policy. */
export class UnprovenErasure extends Error {
  override readonly name = 'UnprovenErasure'
  constructor() {
    super('The log has an erasure whose proof does not hold. Verify the log with `phi audit verify`. Nothing was destroyed.')
  }
}

const ERASURE = '#erasure'
/** The path of a repeated destruction in the audit. */
const REPLAY = '#erasure.replay' as SchemaPath
const DEADLINE_MS = 30_000
const PATIENT = /^[\w-]{22}$/

/**
 * The patients that the sealed log names as erased. Each erasure is proven against a signed checkpoint.
 *
 * @throws UnprovenErasure; SegmentMissing, MalformedSegment for a damaged log; StoreUnavailable
 */
export async function erasedPatients(objects: ObjectStore, tenant: TenantId, policy: LogPolicy): Promise<ReadonlySet<PatientId>> {
  const log = new StoredLog(objects, tenant)
  const items = new SealedItems(objects, tenant)
  const patients = new Set<PatientId>()
  for await (const segment of items.segments(0, await items.size()))
    for await (const { records, lane, sequence, time } of items.items(segment)) {
      const erasures = records.filter(
        ({ path, action, outcome }) => path === ERASURE && action === 'DELETE' && outcome === 'WRITTEN',
      )
      if (erasures.length === 0) continue
      const proven = await proveItem(log, { lane, sequence, time })
      const verdict = proven === 'NOT_SEALED' ? undefined : await verifyProof(proven.proof, proven.line, policy)
      if (verdict?.outcome !== 'PROVEN') throw new UnprovenErasure()
      for (const { patient } of erasures)
        if (typeof patient === 'string' && PATIENT.test(patient)) patients.add(patient as PatientId)
    }
  return patients
}

/**
 * Destroys the keys of erased patients again after a restore, before the gateway serves. You can stop a run at any time: the next run
 * skips keys that are destroyed.
 *
 * @param digest of the policy lock, for the audit
 * @throws StoreUnavailable, KeyUnavailable, AuditUnavailable; VersionConflict if a writer of the patient is running
 */
export async function replayErasures(
  services: Services,
  tenant: TenantId,
  patients: Iterable<PatientId>,
  digest: string,
): Promise<ReplayCounts> {
  const counts = { destroyed: 0, already: 0, refused: 0 }
  // an unavailable tenant key must not count as damage of each patient
  await services.keyring.purposeKey(tenant, 'access')
  for (const patient of patients) counts[await replayed(services, tenant, patient, digest)]++
  return counts
}

async function replayed(services: Services, tenant: TenantId, patient: PatientId, policy: string): Promise<keyof ReplayCounts> {
  const { audit, now } = services
  const at = now() as Instant
  try {
    const writes = await destroyPatientKeys(services, tenant, patient, at)
    if (writes.length === 0) return 'already'
    const context = operatorContext(services, { tenant, client: 'phi-keys', operation: 'replay-erasures', policy })
    const record = { patient, path: REPLAY, action: 'DELETE', outcome: 'WRITTEN', at } as const
    await audit.commit(writes, new ItemPacker(context).ofWrite([record]), at + DEADLINE_MS)
    return 'destroyed'
  } catch (error) {
    if (error instanceof IntegrityFailure || error instanceof KeyUnavailable) return 'refused'
    throw error
  }
}

/**
 * Reads the erasures of a tenant from the sealed log, and replays them.
 *
 * @param policyOf the keys of the log and the quorum of witnesses
 * @param digest of the policy lock, for the audit
 * @throws UnknownTenant, NoSealedLog; the errors of `erasedPatients` and `replayErasures`; ZodError for a missing variable
 */
export async function replayFromLog(
  tenant: TenantId,
  policyOf: () => Promise<LogPolicy>,
  digest: string,
  env: Env,
): Promise<ReplayCounts> {
  const services = openServices(env)
  try {
    if (!(await services.keyring.hasTenant(tenant))) throw new UnknownTenant()
    const erased = await erasedPatients(openAuditObjects(env), tenant, await policyOf())
    return await replayErasures(services, tenant, erased, digest)
  } finally {
    services.close()
  }
}
