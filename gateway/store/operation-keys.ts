import { hash } from 'node:crypto'
import type { TenantId } from '../model/ids.ts'
import type { Key } from './batch-get.ts'

// The keys of the table of operations. No tenant and no digest contains a `#`.

export const OPERATION = 'OP#'
export const CONTRACT = 'CONTRACT#'

/** A client id can be any text, so that a key contains only its digest. The escapes of JSON keep half a surrogate pair apart. */
const digestOf = (client: string): string => hash('sha256', JSON.stringify(client), 'base64url')

/** The partition of a client in the registry. */
export const clientPartition = (tenant: TenantId, client: string): string => `${tenant}#${digestOf(client)}`

/** The partition of the list of clients. */
export const clientListPartition = (tenant: TenantId): string => `${tenant}##CLIENTS`

export const clientKey = (tenant: TenantId, client: string): Key => ({ pk: clientPartition(tenant, client), sk: 'CLIENT' })

export const contractKey = (tenant: TenantId, client: string, digest: string): Key => ({
  pk: clientPartition(tenant, client),
  sk: `${CONTRACT}${digest}`,
})

/** @param id empty for an operation that never exists */
export const operationKey = (tenant: TenantId, client: string, id: string): Key => ({
  pk: clientPartition(tenant, client),
  sk: `${OPERATION}${id}`,
})

/** @param text the canonical hash of the text */
export const textKey = (tenant: TenantId, client: string, text: string): Key => ({
  pk: clientPartition(tenant, client),
  sk: `TEXT#${text}`,
})

/** The place of a client in the list of its tenant. */
export const clientListKey = (tenant: TenantId, client: string): Key => ({
  pk: clientListPartition(tenant),
  sk: digestOf(client),
})

/** Automatic queries have partitions of their own: the role of the function writes them, and nothing else, outside of transactions. */
const automaticPartition = (tenant: TenantId, client: string): string => `${tenant}#APQ#${digestOf(client)}`

export const automaticQueryKey = (tenant: TenantId, client: string, sha256: string): Key => ({
  pk: automaticPartition(tenant, client),
  sk: `APQ#${sha256}`,
})

/** The count of new automatic queries of a day. @param day `2025-01-31` */
export const automaticCountKey = (tenant: TenantId, client: string, day: string): Key => ({
  pk: automaticPartition(tenant, client),
  sk: `DAY#${day}`,
})
