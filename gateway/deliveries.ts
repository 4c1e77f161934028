import * as z from 'zod'
import { readLock } from '../directives/lock-table.ts'
import { derivedKey } from './crypto/kms-mac.ts'
import { jsonOf } from './json-setting.ts'
import type { TenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import type { Stream } from './oversight/delivery/batch.ts'
import { Delivery } from './oversight/delivery/delivery.ts'
import { FileSink } from './oversight/delivery/file-sink.ts'
import { firehoseClient, FirehoseSink } from './oversight/delivery/firehose-sink.ts'
import { type Receiver, Receivers } from './oversight/delivery/receivers.ts'
import type { Sink } from './oversight/delivery/sink.ts'
import { itemText } from './oversight/exports/export-format.ts'
import { logTenants } from './oversight/tables/log-tenants.ts'
import { openObjects } from './store/open-objects.ts'
import { openPositions } from './store/open-positions.ts'

const Environment = z.object({
  /** The host of the deployment. The stream of a tenant has the name of its log: this, `/audit/` and the tenant. */
  PHI_LOG_ORIGIN: z.string().regex(/^[a-z0-9.-]{1,100}(?::\d{1,5})?$/),
  PHI_SIEM: jsonOf('PHI_SIEM').pipe(Receivers),
})

/** A receiver of the audit log of all tenants. */
export interface OpenReceiver {
  readonly receiver: Receiver
  /**
   * The delivery of a tenant's log to the receiver.
   *
   * @throws KeyUnavailable if the key for digests cannot be derived. Nothing is then delivered
   */
  readonly deliveryOf: (tenant: TenantId) => Promise<Delivery>
}

/** On Lambda, a folder is lost with its process, except on a file system that is mounted below `/mnt/`. */
class FolderNotDurable extends Error {
  override readonly name = 'FolderNotDurable'

  constructor() {
    super('PHI_SIEM: on Lambda, the folder of a sink must be on a mounted file system, below /mnt/.')
  }
}

/** All receivers of a deployment. */
export interface Deliveries {
  readonly receivers: readonly OpenReceiver[]
  /** The tenants that have a sealed log. @throws StoreUnavailable */
  tenants(): Promise<readonly TenantId[]>
}

/**
 * @param lock the text of the policy lock in force. Accesses in its partner roles are disclosures
 * @throws ZodError naming the variable that is missing or malformed: also for a receiver with neither a key for digests nor a confirmation
 * @throws FolderNotDurable, LockUnreadable
 */
export function openDeliveries(
  env: Readonly<Record<string, string | undefined>>,
  lock: string,
  { now = Date.now }: { readonly now?: Clock } = {},
): Deliveries {
  const { PHI_LOG_ORIGIN: origin, PHI_SIEM: receivers } = Environment.parse(env)
  const isLambda = env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined
  if (isLambda && receivers.some(({ sink }) => 'folder' in sink && !sink.folder.startsWith('/mnt/'))) throw new FolderNotDurable()
  const [log, positions] = [openObjects(env), openPositions(env)]
  const partnerRoles = new Set([...readLock(lock).roles.values()].flatMap(({ role, kind }) => (kind === 'PARTNER' ? [role] : [])))

  const opened = (receiver: Receiver): OpenReceiver => {
    const sink = sinkOf(receiver, now)
    const digestKey = keyOf(receiver)
    return {
      receiver,
      deliveryOf: async (tenant) => {
        const key = await digestKey()
        const options = { identifiers: key === undefined ? ('PLAIN' as const) : { digestKey: key }, gateway: `https://${origin}` }
        const stream: Stream = {
          stream: `${origin}/audit/${tenant}`,
          receiver: receiver.name,
          format: receiver.format,
          identifiers: key === undefined ? 'PLAIN' : 'DIGESTS',
        }
        return new Delivery({
          tenant,
          log,
          positions,
          stream,
          sink,
          textOf: itemText(receiver.format, { ...options, partnerRoles }),
          now,
        })
      },
    }
  }
  return { receivers: receivers.map(opened), tenants: async () => await logTenants(log) }
}

function sinkOf({ sink }: Receiver, now: Clock): Sink {
  return 'folder' in sink ? new FileSink(sink.folder) : new FirehoseSink({ client: firehoseClient(), stream: sink.firehose, now })
}

/** The key for digests, derived once; undefined for a receiver inside the boundary. A failure is not kept. */
function keyOf({ name, digestKey, insideBoundary }: Receiver): () => Promise<Uint8Array | undefined> {
  let derived: Promise<Uint8Array> | undefined
  return async () => {
    if (digestKey === undefined) {
      // the setting was refused otherwise
      if (insideBoundary === undefined) throw new TypeError('a receiver without a key for digests is confirmed')
      return undefined
    }
    derived ??= derivedKey(digestKey, `phi-gateway/delivery-digests/v1\n${name}`)
    try {
      return await derived
    } catch (failure) {
      derived = undefined
      throw failure
    }
  }
}
