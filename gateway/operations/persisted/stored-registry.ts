import type { Keyring } from '../../crypto/keyring.ts'
import type { Clocks, Deadline } from '../../model/deadline.ts'
import { IntegrityFailure, keyOverdue } from '../../model/failures.ts'
import type { Clock } from '../../model/record.ts'
import { operationKey, textKey } from '../../store/operation-keys.ts'
import type { OperationItem, OperationTable } from '../../store/operations.ts'
import { ItemCache, momentOf } from './item-cache.ts'
import { isOperationId } from './text-limits.ts'
import type { ClientOf, OperationRegistry, Registered } from './operation-registry.ts'
import {
  type ClientContent,
  openClient,
  openOperation,
  type OperationContent,
  registeredClient,
  registeredOperation,
  type RegistryKey,
} from './registry-items.ts'
import { type ReadItem, RegistryReads } from './registry-reads.ts'
import { isServed } from './version-states.ts'

export interface StoredRegistryParts {
  readonly table: OperationTable
  readonly keyring: Pick<Keyring, 'purposeKey'>
  readonly now: Clock
  /** Milliseconds that are never set back. */
  readonly monotonic?: Clock
}

/** The registry in the table of operations. */
export const storedRegistry = (parts: StoredRegistryParts): StoredRegistry => new StoredRegistry(parts)

/** The maximum memory of opened clients, in bytes. */
const MAX_CLIENT_BYTES = 8_000_000
const BYTES_PER_BYTE = 3
/** The ids that one text is looked up by. A text has several if a client publishes it under several. */
export const MAX_IDS_OF_TEXT = 16

interface OpenedClient {
  readonly sealed: Uint8Array
  readonly content: ClientContent
}

class StoredRegistry implements OperationRegistry {
  readonly #keyring: StoredRegistryParts['keyring']
  readonly #clocks: Clocks
  readonly #reads: RegistryReads
  readonly #clients: ItemCache<OpenedClient>

  constructor({ table, keyring, now, monotonic = () => performance.now() }: StoredRegistryParts) {
    this.#keyring = keyring
    this.#clocks = { now, monotonic }
    this.#reads = new RegistryReads(table, this.#clocks)
    this.#clients = new ItemCache(MAX_CLIENT_BYTES, this.#clocks)
  }

  /** The number of cached items and their estimated memory in bytes. */
  get cached(): RegistryReads['cached'] {
    return this.#reads.cached
  }

  /** Makes this process read the entries of a client again. Call it after a change. */
  forget(of: ClientOf): void {
    this.#reads.forget(of)
  }

  async byId(of: ClientOf, id: string, deadline: Deadline): Promise<Registered> {
    const key = operationKey(of.tenant, of.client, isOperationId(id) ? id : '')
    const { client, item } = await this.#reads.read(of, key, deadline)
    if (client === undefined) return NONE
    if (this.#isOver(client.until)) return EXPIRED
    if (!mayBeServed(item)) return UNKNOWN
    const { registered } = await this.#open(of, client, [item], deadline)
    return registered.status === 'REGISTERED' && registered.operation === undefined ? UNKNOWN : registered
  }

  async byText(of: ClientOf, hash: string, deadline: Deadline): Promise<Registered> {
    const key = textKey(of.tenant, of.client, isOperationId(hash) ? hash : '')
    const { client, item } = await this.#reads.read(of, key, deadline)
    const ids = (item.item?.ids ?? []).filter(isOperationId).slice(0, MAX_IDS_OF_TEXT)
    // an unknown text takes the requests of a known one
    const keys = (ids.length === 0 ? [''] : ids).map((id) => operationKey(of.tenant, of.client, id))
    const items = await this.#reads.items(client?.version, keys, deadline)
    if (client === undefined) return NONE
    if (this.#isOver(client.until)) return EXPIRED
    const { registered, contents } = await this.#open(of, client, items.filter(mayBeServed), deadline)
    // the item of a text is not sealed, and must not lead to another text
    if (contents.some(({ textHash }) => textHash !== hash)) throw new IntegrityFailure()
    return registered
  }

  /** Opens the client and the operations, and finds the first one that is served. @throws IntegrityFailure, KeyUnavailable */
  async #open(
    { tenant }: ClientOf,
    item: OperationItem,
    operations: readonly ReadItem[],
    deadline: Deadline,
  ): Promise<{ readonly registered: Registered; readonly contents: readonly OperationContent[] }> {
    const key = await deadline.wait(() => this.#keyring.purposeKey(tenant, 'access'), keyOverdue)
    const client = this.#openedClient(key, tenant, item)
    if (this.#isOver(client.contract?.expiresAt)) return { registered: EXPIRED, contents: [] }
    const contents = operations.map((read) => openedOperation(key, tenant, read))
    const served = contents.find((one) => one.revoked === undefined && isServed(client.versions, one.publications))
    const operation = served && registeredOperation(served, client.versions)
    return { registered: { status: 'REGISTERED', client: registeredClient(client), operation }, contents }
  }

  #openedClient(key: RegistryKey, tenant: ClientOf['tenant'], item: OperationItem): ClientContent {
    const { sealed } = item
    const cached = this.#clients.get(item.key.pk)
    if (cached !== undefined && Buffer.compare(cached.sealed, sealed) === 0) return cached.content
    const from = momentOf(this.#clocks)
    const content = openClient(key, tenant, item)
    this.#clients.set(item.key.pk, { sealed, content }, sealed.length * BYTES_PER_BYTE, from)
    return content
  }

  #isOver(until: number | undefined): boolean {
    return until !== undefined && until <= this.#clocks.now()
  }
}

const NOTHING = { client: undefined, operation: undefined }
const NONE: Registered = { status: 'NONE', ...NOTHING }
const EXPIRED: Registered = { status: 'EXPIRED', ...NOTHING }
/** A registered client without the operation. The client stays sealed. */
const UNKNOWN: Registered = { status: 'REGISTERED', ...NOTHING }

/** Decided before anything is opened, so that a refusal needs no key. */
const mayBeServed = ({ item }: ReadItem): boolean => item !== undefined && item.isRevoked !== true

function openedOperation(key: RegistryKey, tenant: ClientOf['tenant'], read: ReadItem): OperationContent {
  if (read.item === undefined) throw new IntegrityFailure()
  read.content ??= openOperation(key, tenant, read.item)
  return read.content
}
