import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { KeyTable, KeyUse, LoadedKeys, PatientKeyItem, TenantKeyItem, WantedKeys } from '../crypto/key-table.ts'
import { StoreUnavailable } from '../vocabulary/failures.ts'
import type { PatientId, TenantId } from '../vocabulary/ids.ts'
import { batchGet, type Item, type RequestCounter } from './batch-get.ts'

const KEY = 'KEY'

/** Wrapped keys: one item for a tenant, one for each patient, each with all versions. Nothing in it opens without KMS. */
export class DynamoKeyTable implements KeyTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async load(tenant: TenantId, { tenantItem, patients }: WantedKeys): Promise<LoadedKeys> {
    const keys = patients.map((patient) => ({ pk: `${tenant}#${patient}`, sk: KEY }))
    if (tenantItem) keys.push({ pk: tenant, sk: KEY })
    if (keys.length === 0) return { patients: new Map() }
    const items = new Map(
      (await batchGet(this.#client, this.counter, this.#table, keys)).map((item) => [item['pk']?.S ?? '', item]),
    )
    const own = items.get(tenant)
    items.delete(tenant)
    return {
      ...(own !== undefined && { tenant: readTenant(own) }),
      patients: new Map([...items].map(([pk, item]) => [pk.slice(tenant.length + 1) as PatientId, readPatient(item)])),
    }
  }

  async createTenant(tenant: TenantId, { versions, uses }: TenantKeyItem): Promise<'created' | 'exists'> {
    const item: Item = {
      pk: { S: tenant },
      sk: { S: KEY },
      versions: {
        L: versions.map(({ version, wrapped, kmsKey }) => ({
          M: { version: number(version), wrapped: { B: wrapped }, kmsKey: { S: kmsKey } },
        })),
      },
      uses: {
        L: uses.map(({ use, version, tenantKeyVersion, wrapped }) => ({
          M: { use: { S: use }, version: number(version), tenantKeyVersion: number(tenantKeyVersion), wrapped: { B: wrapped } },
        })),
      },
    }
    try {
      this.counter.requests++
      await this.#client.send(
        new PutItemCommand({ TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
      )
      return 'created'
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return 'exists'
      throw new StoreUnavailable({ cause })
    }
  }

  /** The writing of a new patient's item, which fails when there is one. */
  put(tenant: TenantId, patient: PatientId, { versions }: PatientKeyItem): TransactWriteItem {
    const item: Item = {
      pk: { S: `${tenant}#${patient}` },
      sk: { S: KEY },
      versions: {
        L: versions.map(({ version, tenantKeyVersion, wrapped }) => ({
          M: { version: number(version), tenantKeyVersion: number(tenantKeyVersion), wrapped: { B: wrapped } },
        })),
      },
    }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }
}

const number = (value: number): AttributeValue => ({ N: String(value) })

function readTenant(item: Item): TenantKeyItem {
  return {
    versions: list(item['versions']).map((entry) => ({
      version: integer(entry['version']),
      wrapped: bytes(entry['wrapped']),
      kmsKey: entry['kmsKey']?.S ?? '',
    })),
    uses: list(item['uses']).map((entry) => ({
      use: (entry['use']?.S ?? '') as KeyUse,
      version: integer(entry['version']),
      tenantKeyVersion: integer(entry['tenantKeyVersion']),
      wrapped: bytes(entry['wrapped']),
    })),
  }
}

function readPatient(item: Item): PatientKeyItem {
  return {
    versions: list(item['versions']).map((entry) => ({
      version: integer(entry['version']),
      tenantKeyVersion: integer(entry['tenantKeyVersion']),
      wrapped: bytes(entry['wrapped']),
    })),
  }
}

// a malformed item has no key in it that would unwrap, so reading it can be this simple

const list = (value: AttributeValue | undefined): Item[] => (value?.L ?? []).map((entry) => entry.M ?? {})
const integer = (value: AttributeValue | undefined): number => Number(value?.N ?? 0)
const bytes = (value: AttributeValue | undefined): Uint8Array => value?.B ?? new Uint8Array()
