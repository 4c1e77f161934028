import { AssumeRoleCommand, type Credentials, STSClient } from '@aws-sdk/client-sts'
import { LRUCache } from 'lru-cache'
import { AuditLogUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { type AuditPlaces, MAX_SESSION_POLICY, readerPolicy } from './reader-policy.ts'
import {
  destroyClients,
  type SessionCredentials,
  tenantClients,
  type TenantClients,
  type TenantClientSource,
} from './tenant-clients.ts'

export interface TenantSessionParts {
  /** The ARN of the role of readers. */
  readonly role: string
  readonly places: AuditPlaces
  readonly now: Clock
  /** The default reads region, credentials and endpoint as the SDK does. */
  readonly sts?: Pick<STSClient, 'send'>
  /** The maximum number of tenants with a session at one time. */
  readonly maxTenants?: number
}

interface TenantSession {
  readonly clients: TenantClients
  /** Milliseconds since the epoch. */
  readonly ends: number
}

/** The trust policy of the role demands this name. It is the same for all users and patients: CloudTrail has it. */
const SESSION_NAME = 'phi-gateway-audit'
/** In seconds. A function has the session of its own role, and STS gives such a session no more for another role. */
const DURATION_S = 3_600
/** A session is renewed this long before its end, in milliseconds. */
const RENEW_MS = 600_000
/** A request takes at most this long: an older session could end during it, and a retired client may still be in use. */
const REQUEST_MS = 60_000
const MAX_TENANTS = 64

/**
 * Sessions of the role of readers, each for one tenant. The session policy is the tenant's, so that AWS refuses the data of others,
 * whatever the code asks for. A session serves all requests for its tenant until some minutes before its end.
 */
export class TenantSessions implements TenantClientSource {
  readonly #parts: TenantSessionParts
  readonly #sts: Pick<STSClient, 'send'>
  readonly #sessions: LRUCache<TenantId, TenantSession>
  /** One request to STS at a time for a tenant: concurrent requests share it. */
  readonly #opening = new Map<TenantId, Promise<TenantSession>>()
  /** Clients of sessions that were replaced, with the time of it. A request that began before may still use them. */
  #retired: { readonly clients: TenantClients; readonly at: number }[] = []

  constructor(parts: TenantSessionParts) {
    this.#parts = parts
    this.#sts = parts.sts ?? stsClient()
    this.#sessions = new LRUCache({
      max: parts.maxTenants ?? MAX_TENANTS,
      dispose: ({ clients }) => void this.#retired.push({ clients, at: parts.now() }),
    })
  }

  async clientsOf(tenant: TenantId): Promise<TenantClients> {
    const now = this.#parts.now()
    this.#destroyRetired(now)
    const session = this.#sessions.get(tenant)
    if (session !== undefined && now < session.ends - RENEW_MS) return session.clients
    try {
      return (await this.#renewed(tenant)).clients
    } catch (error) {
      // STS has some minutes to recover
      if (session !== undefined && now < session.ends - REQUEST_MS) return session.clients
      throw error
    }
  }

  async #renewed(tenant: TenantId): Promise<TenantSession> {
    const opening =
      this.#opening.get(tenant) ??
      this.#open(tenant).finally(() => {
        this.#opening.delete(tenant)
      })
    this.#opening.set(tenant, opening)
    return await opening
  }

  async #open(tenant: TenantId): Promise<TenantSession> {
    const { role, places, now } = this.#parts
    const policy = JSON.stringify(readerPolicy(tenant, places))
    // without this, STS refuses it with an error that is harder to read
    if (policy.length > MAX_SESSION_POLICY)
      throw new AuditLogUnavailable({ cause: new RangeError('The session policy is too long.') })
    const input = { RoleArn: role, RoleSessionName: SESSION_NAME, Policy: policy, DurationSeconds: DURATION_S }
    const answer = await this.#sts.send(new AssumeRoleCommand(input)).catch((cause: unknown) => {
      throw new AuditLogUnavailable({ cause })
    })
    const { credentials, ends } = readCredentials(answer.Credentials)
    if (ends - REQUEST_MS <= now()) throw new AuditLogUnavailable({ cause: new RangeError('The session has ended.') })
    const session = { clients: tenantClients(credentials), ends }
    this.#sessions.set(tenant, session)
    return session
  }

  #destroyRetired(now: number): void {
    const isIdle = ({ at }: { readonly at: number }): boolean => now - at > REQUEST_MS
    for (const { clients } of this.#retired.filter(isIdle)) destroyClients(clients)
    this.#retired = this.#retired.filter((one) => !isIdle(one))
  }
}

function readCredentials(given: Credentials | undefined): { readonly credentials: SessionCredentials; readonly ends: number } {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken, Expiration } = given ?? {}
  if (!accessKeyId || !secretAccessKey || !sessionToken || Expiration === undefined || Number.isNaN(Expiration.getTime()))
    throw new AuditLogUnavailable({ cause: new TypeError('STS gave no credentials.') })
  return { credentials: { accessKeyId, secretAccessKey, sessionToken }, ends: Expiration.getTime() }
}

const CONNECT_MS = 1_000
const STS_MS = 3_000
const STS_ATTEMPTS = 2

/** A client of STS that prints nothing: its answers are credentials. */
function stsClient(): STSClient {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: STS_MS, throwOnRequestTimeout: true }
  const client = new STSClient({ maxAttempts: STS_ATTEMPTS, requestHandler })
  client.middlewareStack.remove('loggerMiddleware')
  return client
}
