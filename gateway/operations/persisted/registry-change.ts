import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { AccessRecord } from '../../model/access-record.ts'
import type { OperationTable, OperationWrite } from '../../store/operations.ts'
import { clientKey, clientListKey } from '../../store/operation-keys.ts'
import type { ClientOf } from './operation-registry.ts'
import { type ClientContent, openClient, type RegistryKey, sealClient, sealListed } from './registry-items.ts'
import { NO_VERSIONS } from './version-states.ts'

/** Writes of one transaction, with the record that must be committed in it. */
export interface Change {
  readonly writes: readonly OperationWrite[]
  readonly record: AccessRecord
}

/**
 * Why nothing is written. INVALID: a name, an id or a text is empty, too long or malformed. TEXT_CHANGED: an id is registered with
 * another text. REVOKED: an operation is revoked for good. TOO_MANY_VERSIONS: the client has the maximum of versions, and none of them
 * is retired.
 */
export interface RegistryRefusal {
  readonly refused:
    | 'INVALID'
    | 'TEXT_CHANGED'
    | 'REVOKED'
    | 'TOO_MANY_VERSIONS'
    | 'UNKNOWN_CLIENT'
    | 'UNKNOWN_VERSION'
    | 'UNKNOWN_OPERATION'
  /** The ids of the operations that are the reason. Empty if the reason is no operation. */
  readonly ids: readonly string[]
}

/** The changes, each one transaction, in their order. Empty if the registry already has all of it. */
export type Changes = readonly Change[] | RegistryRefusal

export const refusal = (refused: RegistryRefusal['refused'], ids: readonly string[] = []): RegistryRefusal => ({ refused, ids })

export const isRefused = (changes: Changes): changes is RegistryRefusal => 'refused' in changes

/** The paths of the registry in the audit. No path of a schema begins with `#`. */
const PATHS = { OPERATION: '#operation' as SchemaPath, CONTRACT: '#contract' as SchemaPath }

/** The record of a change, without its time. @param count the number of operations */
export function changeRecord(
  { client }: ClientOf,
  subject: keyof typeof PATHS,
  action: 'CREATE' | 'UPDATE' | 'DELETE',
  count?: number,
): AccessRecord {
  return {
    path: PATHS[subject],
    recordType: 'Client' as TypeName,
    recordId: client,
    action,
    outcome: 'WRITTEN',
    ...(count !== undefined && { count }),
  }
}

/** The entry of a client, from its stored version through the versions of the changes that are being made. */
export class ClientEntry {
  readonly of: ClientOf
  readonly key: RegistryKey
  readonly #table: OperationTable
  #isStored: boolean
  #content: ClientContent

  private constructor(table: OperationTable, of: ClientOf, key: RegistryKey, stored: ClientContent | undefined) {
    this.of = of
    this.key = key
    this.#table = table
    this.#isStored = stored !== undefined
    this.#content = stored ?? { client: of.client, version: 0, versions: NO_VERSIONS }
  }

  /** @throws StoreUnavailable, IntegrityFailure, KeyUnavailable */
  static async load(table: OperationTable, of: ClientOf, key: RegistryKey): Promise<ClientEntry> {
    const [item] = await table.load([clientKey(of.tenant, of.client)])
    return new ClientEntry(table, of, key, item && openClient(key, of.tenant, item))
  }

  /** Whether the tenant has this client, also by a change that is being made. */
  get exists(): boolean {
    return this.#isStored
  }

  get content(): ClientContent {
    return this.#content
  }

  /**
   * Returns the writes of the next version. They fail if another writer changed the client in the meantime.
   *
   * @throws ValueNotSealable if the entry is too large
   */
  next(change: Partial<Pick<ClientContent, 'contract' | 'approval' | 'versions'>> = {}): readonly OperationWrite[] {
    const { tenant, client } = this.of
    const before = this.#isStored ? this.#content.version : undefined
    const content = { ...this.#content, ...change, version: this.#content.version + 1 }
    const at = clientKey(tenant, client)
    const sealed = sealClient(this.key, tenant, at, content)
    const until = content.contract?.expiresAt
    const item = { key: at, sealed, version: content.version, ...(until !== undefined && { until }) }
    const listed = clientListKey(tenant, client)
    const listing = this.#isStored ? [] : [this.#table.put({ key: listed, sealed: sealListed(this.key, tenant, listed, client) })]
    this.#content = content
    this.#isStored = true
    return [this.#table.replace(item, before), ...listing]
  }
}
