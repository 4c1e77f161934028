import { createHash } from 'node:crypto'
import * as z from 'zod'
import { type Hour, hourOf } from './audit/hour.ts'
import { CHECKPOINTS_VARIABLE, CheckpointTable } from './audit/notary/checkpoint-table.ts'
import { LaneReader } from './audit/notary/lane-reader.ts'
import { inStore, lockName, POLICY_NAME } from './audit/verify/layout.ts'
import { logKey } from './audit/notary/log-key.ts'
import { Notary } from './audit/notary/notary.ts'
import { Publisher } from './audit/notary/publisher.ts'
import { Sealer } from './audit/notary/sealer.ts'
import { askingWitnesses } from './audit/notary/witnesses.ts'
import { type LogPolicy, parseLogPolicy } from './audit/verify/log-policy.ts'
import { verifierKeyText } from './audit/verify/verifier-key.ts'
import { type LogKeyIds, openSigners } from './crypto/kms-signer.ts'
import { jsonOf } from './json-setting.ts'
import type { CheckpointSigner } from './model/checkpoint-signer.ts'
import { type TenantId, tenantId } from './model/ids.ts'
import type { ObjectStore } from './model/object-store.ts'
import type { Clock } from './model/record.ts'
import { LeanDynamoDBClient } from './store/lean-client.ts'
import { openObjects } from './store/open-objects.ts'
import { causeName, type EventSink } from './telemetry/events.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

const name = z.string().min(1)
const LogKeys = z.object({ ed25519: name, mlDsa44: name })
/** The key of `PHI_LOG_KEYS` for tenants without keys of their own. */
const ANY_TENANT = '*'

const Environment = z.object({
  PHI_STAGE: name,
  PHI_TABLE_AUDIT: name,
  [CHECKPOINTS_VARIABLE]: name,
  /** The host of the deployment. The origin of a log is this, `/audit/` and the tenant. */
  PHI_LOG_ORIGIN: z.string().regex(/^[a-z0-9.-]{1,100}(?::\d{1,5})?$/),
  /** `{"*": {"ed25519": "...", "mlDsa44": "..."}, "tenant": {...}}`: the KMS keys that sign. */
  PHI_LOG_KEYS: jsonOf('PHI_LOG_KEYS').pipe(z.object({ [ANY_TENANT]: LogKeys }).catchall(LogKeys)),
  /** Tenants to seal beside those that the stream of the audit table named, with commas between them. */
  PHI_NOTARY_TENANTS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((tenant) => tenant !== ''))
    .pipe(z.array(z.string().refine((tenant) => tenantId(tenant) !== undefined))),
  /** Witness lines and a quorum line of a C2SP `tlog-policy`. */
  PHI_WITNESS_POLICY: z.string().default(''),
})

/** A configured tenant that was never read begins this long before now. */
const FIRST_READ_MS = 24 * 3_600_000
/** The largest number of items in a round. It bounds memory: an item has some kilobytes. */
const MAX_ITEMS = 32_768
const PARALLEL = 4
const CONNECT_MS = 1_000
const REQUEST_MS = 5_000
const ATTEMPTS = 3

const NO_WITNESS = 'quorum none\n'

/** The notary of a deployment: one call a minute seals the logs of all tenants. */
export interface NotaryService {
  /** Never throws: a failure is an event. @returns whether all tenants are sealed and published */
  run(): Promise<boolean>
}

interface Service {
  readonly notary: Notary
  readonly table: CheckpointTable
  readonly objects: ObjectStore
  readonly signersFor: (tenant: string) => readonly CheckpointSigner[]
  readonly originOf: (tenant: string) => string
  readonly witnessLines: string
  readonly lock: string
}

/**
 * @param lock the text of the policy lock in force, which is stored with each log by its digest
 * @throws ZodError naming the variable that is missing or malformed
 * @throws TypeError if the witness policy is malformed
 */
export function openNotary(
  env: Readonly<Record<string, string | undefined>>,
  { lock, now = Date.now, events }: { readonly lock: string; readonly now?: Clock; readonly events?: EventSink },
): NotaryService {
  const settings = Environment.parse(env)
  const sink = events ?? operatorEvents({ stage: settings.PHI_STAGE, now })
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new LeanDynamoDBClient({ maxAttempts: ATTEMPTS, requestHandler })
  client.middlewareStack.remove('loggerMiddleware')
  const table = new CheckpointTable(client, settings[CHECKPOINTS_VARIABLE])
  const reader = new LaneReader(client, settings.PHI_TABLE_AUDIT)
  const objects = openObjects(env)
  const signersOf = openSigners()
  const keys: Readonly<Record<string, LogKeyIds>> = settings.PHI_LOG_KEYS
  const shared = settings.PHI_LOG_KEYS[ANY_TENANT]
  // one signer for each tenant and process, because a signer keeps its public key
  const signers = new Map<string, readonly CheckpointSigner[]>()
  const signersFor = (tenant: string): readonly CheckpointSigner[] => {
    const known = signers.get(tenant) ?? signersOf(keys[tenant] ?? shared)
    signers.set(tenant, known)
    return known
  }
  const originOf = (tenant: string): string => `${settings.PHI_LOG_ORIGIN}/audit/${tenant}`
  const witnessLines = settings.PHI_WITNESS_POLICY.trim() === '' ? NO_WITNESS : `${settings.PHI_WITNESS_POLICY.trim()}\n`
  const askWitnesses = askingWitnesses({ policy: requiredPolicy(witnessLines), objects, events: sink })
  const publisher = new Publisher({ table, reader, objects, signersFor, originOf, askWitnesses })
  const notary = new Notary({ table, sealer: new Sealer(table, reader, now, MAX_ITEMS), publisher, objects, now, events: sink })
  const service: Service = { notary, table, objects, signersFor, originOf, witnessLines, lock }
  const described = new Set<string>()

  const sealOne = async (tenant: TenantId, since: Hour): Promise<boolean> => {
    const complete = await notary.pass(tenant, since)
    try {
      if (complete && !described.has(tenant) && (await describeLog(service, tenant))) described.add(tenant)
      return complete
    } catch (error) {
      // the log itself is published; the next pass tries again
      sink({ event: 'NOTARY_FAILED', tenant, cause: causeName(error) })
      return false
    }
  }
  return {
    run: async () => {
      try {
        const since = hourOf(now() - FIRST_READ_MS)
        const tenants = new Map(settings.PHI_NOTARY_TENANTS.map((tenant): [string, Hour] => [tenant, since]))
        for (const known of await table.tenants()) tenants.set(known.tenant, known.since)
        const waiting = [...tenants]
        let complete = true
        const work = async (): Promise<void> => {
          for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
            if (!(await sealOne(next[0] as TenantId, next[1]))) complete = false
        }
        await Promise.all(Array.from({ length: PARALLEL }, work))
        return complete
      } catch (error) {
        sink({ event: 'NOTARY_FAILED', cause: causeName(error) })
        return false
      }
    },
  }
}

/**
 * Stores what a reader of the log needs: the policy lock by its digest, and the keys of the log with its witnesses. A verifier trusts
 * neither: it gets keys from the operator, and the digest is in each item.
 *
 * @returns false if nothing is published yet
 */
async function describeLog(service: Service, tenant: string): Promise<boolean> {
  const { table, objects, signersFor, originOf, witnessLines, lock } = service
  if ((await table.published(tenant)) === 0) return false
  const digest = createHash('sha256').update(lock, 'utf8').digest('hex')
  await objects.put(inStore(tenant, lockName(digest)), Buffer.from(lock), { onlyIf: 'ABSENT' })
  const keys = await Promise.all(signersFor(tenant).map((signer) => logKey(signer, originOf(tenant))))
  const lines = keys.map(({ name: origin, algorithm, publicKey }) => `log ${verifierKeyText(origin, algorithm, publicKey)}\n`)
  const policy = Buffer.from(`${lines.join('')}${witnessLines}`)
  const stored = await objects.get(inStore(tenant, POLICY_NAME))
  if (stored === undefined || !policy.equals(stored.bytes)) await objects.put(inStore(tenant, POLICY_NAME), policy)
  return true
}

function requiredPolicy(lines: string): LogPolicy {
  const read = parseLogPolicy(lines)
  if (read.outcome !== 'READ') throw new TypeError(`PHI_WITNESS_POLICY has a fault in line ${read.line}: ${read.reason}`)
  return read.policy
}
