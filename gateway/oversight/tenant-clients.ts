import { AthenaClient } from '@aws-sdk/client-athena'
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { S3Client } from '@aws-sdk/client-s3'
import type { TenantId } from '../model/ids.ts'
import { LeanDynamoDBClient } from '../store/lean-client.ts'
import { objectClient } from '../store/open-objects.ts'

/** The clients that read the audit data of one tenant. */
export interface TenantClients {
  readonly dynamodb: DynamoDBClient
  readonly s3: S3Client
  readonly athena: AthenaClient
}

/** Gives the clients of a tenant. */
export interface TenantClientSource {
  /** @throws AuditLogUnavailable */
  clientsOf(tenant: TenantId): Promise<TenantClients>
}

/** Credentials of a session of AWS. */
export interface SessionCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
}

const CONNECT_MS = 1_000
const REQUEST_MS = 3_000
const ATTEMPTS = 3

/** The only place where clients for audit data are made. They print nothing. @param credentials undefined: those of the process */
export function tenantClients(credentials?: SessionCredentials): TenantClients {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const settings = { maxAttempts: ATTEMPTS, requestHandler, ...(credentials && { credentials }) }
  const clients = {
    dynamodb: new LeanDynamoDBClient(settings),
    s3: objectClient(credentials),
    athena: new AthenaClient(settings),
  }
  clients.dynamodb.middlewareStack.remove('loggerMiddleware')
  clients.athena.middlewareStack.remove('loggerMiddleware')
  return clients
}

/** Closes the connections of clients. A request that is under way fails. */
export function destroyClients({ dynamodb, s3, athena }: TenantClients): void {
  for (const client of [dynamodb, s3, athena]) client.destroy()
}

/**
 * Clients with the credentials of the process, for all tenants. Only a stage without patients has them: the code alone keeps the tenants
 * apart there.
 */
export function sharedClients(): TenantClientSource {
  const clients = tenantClients()
  return { clientsOf: () => Promise.resolve(clients) }
}
