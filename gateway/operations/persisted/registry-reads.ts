import type { Clocks, Deadline } from '../../model/deadline.ts'
import { storeOverdue } from '../../model/failures.ts'
import type { Key } from '../../store/batch-get.ts'
import { clientKey } from '../../store/operation-keys.ts'
import type { OperationItem, OperationTable } from '../../store/operations.ts'
import { ItemCache, type Moment, momentOf } from './item-cache.ts'
import type { ClientOf } from './operation-registry.ts'
import type { OperationContent } from './registry-items.ts'

/** An item of a client as it was read, or its absence. */
export interface ReadItem {
  readonly item: OperationItem | undefined
  /** The version of the client that was read before or with the item. */
  readonly clientVersion: number | undefined
  /** The content, once it was opened. */
  content?: OperationContent
}

/** The moment before a read, and the number of changes of this process before it. */
interface Beginning extends Moment {
  readonly changes: number
}

/** The maximum memory of cached items. */
const MAX_BYTES = 16_000_000
/** The maximum memory of absent items. They have their own limit: requests for unknown ids must not drop the operations. */
const MAX_ABSENT_BYTES = 8_000_000
/** An item in memory is its sealed bytes and its opened text, of up to two bytes for a character. */
const BYTES_PER_BYTE = 3

/**
 * Reads the items of clients. The client itself is read for each request, and alone if the other item is cached. The number of requests
 * to the table does not depend on whether an item exists.
 *
 * An item is cached until the client changes, and for at most 25 seconds: a batch is no snapshot, so that an item can be older than the
 * client that was read with it. No read waits for the read of another request.
 */
export class RegistryReads {
  readonly #table: OperationTable
  readonly #clocks: Clocks
  readonly #found: ItemCache<ReadItem>
  readonly #absent: ItemCache<ReadItem>
  /** Counts the changes that this process made. */
  #changes = 0

  constructor(table: OperationTable, clocks: Clocks) {
    this.#table = table
    this.#clocks = clocks
    this.#found = new ItemCache(MAX_BYTES, clocks)
    this.#absent = new ItemCache(MAX_ABSENT_BYTES, clocks)
  }

  /** The number of cached items and their estimated memory in bytes. */
  get cached(): { readonly items: number; readonly bytes: number } {
    return { items: this.#found.size + this.#absent.size, bytes: this.#found.bytes + this.#absent.bytes }
  }

  /** Drops the items of a client. A read that began before does not store its items either: they can be older than the change. */
  forget({ tenant, client }: ClientOf): void {
    const { pk } = clientKey(tenant, client)
    this.#changes++
    for (const items of [this.#found, this.#absent]) items.deleteAll(`${pk}\n`)
  }

  /** Reads the client and one of its items. @throws StoreUnavailable */
  async read(
    { tenant, client }: ClientOf,
    key: Key,
    deadline: Deadline,
  ): Promise<{ readonly client: OperationItem | undefined; readonly item: ReadItem }> {
    const cached = this.#cachedAt(key)
    const from = this.#begin()
    const keys = [clientKey(tenant, client), ...(cached === undefined ? [key] : [])]
    const [own, loaded] = await deadline.wait(() => this.#table.load(keys, deadline.signal), storeOverdue)
    if (cached === undefined) return { client: own, item: this.#keep(key, own?.version, loaded, from) }
    if (cached.clientVersion === own?.version) return { client: own, item: cached }
    const [item = cached] = await this.items(own?.version, [key], deadline)
    return { client: own, item }
  }

  /**
   * Reads items of a client in one request, or in none if all are cached.
   *
   * @param clientVersion the version of the client that was read
   * @throws StoreUnavailable
   */
  async items(clientVersion: number | undefined, keys: readonly Key[], deadline: Deadline): Promise<readonly ReadItem[]> {
    const cached = keys.flatMap((key) => this.#cachedAt(key) ?? []).filter((item) => item.clientVersion === clientVersion)
    if (cached.length === keys.length) return cached
    const from = this.#begin()
    const loaded = await deadline.wait(() => this.#table.load(keys, deadline.signal), storeOverdue)
    return keys.map((key, place) => this.#keep(key, clientVersion, loaded[place], from))
  }

  #cachedAt(key: Key): ReadItem | undefined {
    return this.#found.get(nameOf(key)) ?? this.#absent.get(nameOf(key))
  }

  #begin(): Beginning {
    return { ...momentOf(this.#clocks), changes: this.#changes }
  }

  #keep(key: Key, clientVersion: number | undefined, item: OperationItem | undefined, from: Beginning): ReadItem {
    const read: ReadItem = { item, clientVersion }
    if (from.changes !== this.#changes) return read
    const name = nameOf(key)
    if (item === undefined) this.#absent.set(name, read, name.length, from)
    else this.#found.set(name, read, name.length + BYTES_PER_BYTE * item.sealed.length, from)
    return read
  }
}

const nameOf = ({ pk, sk }: Key): string => `${pk}\n${sk}`
