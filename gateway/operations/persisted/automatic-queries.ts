import { hash } from 'node:crypto'
import * as z from 'zod'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from '../../crypto/access-seal.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { Clocks, Deadline } from '../../model/deadline.ts'
import { IntegrityFailure, keyOverdue, storeOverdue } from '../../model/failures.ts'
import type { Clock } from '../../model/record.ts'
import type { AutomaticQueryTable } from '../../store/automatic-queries.ts'
import { automaticQueryKey } from '../../store/operation-keys.ts'
import { ItemCache, momentOf } from './item-cache.ts'
import type { AutomaticQueries, ClientOf } from './operation-registry.ts'

interface AutomaticQueryParts {
  readonly table: AutomaticQueryTable
  readonly keyring: Pick<Keyring, 'purposeKey'>
  readonly now: Clock
  /** Milliseconds that are never set back. */
  readonly monotonic?: Clock
}

/** The length of a text in bytes of UTF-8. */
const MAX_TEXT_BYTES = 64 * 1024
/** New texts of a client in a day (UTC). */
const MAX_PER_DAY = 1_000
const DAY_MS = 24 * 60 * 60_000
const KEPT_MS = 7 * DAY_MS
const SHA256 = /^[0-9a-f]{64}$/
/** The memory of opened texts: two bytes for a character. */
const MAX_CACHED_BYTES = 8_000_000

/**
 * Automatic persisted queries in the table of operations, each for the client that registered it. A text is sealed, because a query can
 * hold an identifier or a name as a literal.
 */
export const automaticQueries = (parts: AutomaticQueryParts): AutomaticQueries => new StoredQueries(parts)

class StoredQueries implements AutomaticQueries {
  readonly #parts: AutomaticQueryParts
  readonly #clocks: Clocks
  readonly #texts: ItemCache<{ readonly text: string }>

  constructor(parts: AutomaticQueryParts) {
    this.#parts = parts
    this.#clocks = { now: parts.now, monotonic: parts.monotonic ?? (() => performance.now()) }
    this.#texts = new ItemCache(MAX_CACHED_BYTES, this.#clocks)
  }

  async find(of: ClientOf, sha256: string, deadline: Deadline): Promise<string | undefined> {
    if (!SHA256.test(sha256)) return undefined
    const { table, keyring, now } = this.#parts
    const place = placeOf(of, sha256)
    const cached = this.#texts.get(nameOf(place))
    if (cached !== undefined) return cached.text
    const from = momentOf(this.#clocks)
    const item = await deadline.wait(() => table.load(of.tenant, of.client, sha256, deadline.signal), storeOverdue)
    // an engine removes expired items late
    if (item === undefined || !isCurrent(item.expires, now())) return undefined
    const key = await deadline.wait(() => keyring.purposeKey(of.tenant, 'access'), keyOverdue)
    const text = z.string().safeParse(openAccessItem(key, place, item.sealed))
    if (!text.success || sha256Of(text.data) !== sha256) throw new IntegrityFailure()
    this.#texts.set(nameOf(place), { text: text.data }, 2 * text.data.length, from)
    return text.data
  }

  async store(of: ClientOf, sha256: string, text: string, deadline: Deadline): Promise<void> {
    if (sha256Of(text) !== sha256 || !text.isWellFormed() || Buffer.byteLength(text) > MAX_TEXT_BYTES) return
    const { table, keyring, now } = this.#parts
    const time = now()
    const stored = await deadline.wait(() => table.load(of.tenant, of.client, sha256, deadline.signal), storeOverdue)
    if (stored !== undefined && isCurrent(stored.expires, time)) return
    const day = { ...of, day: new Date(time).toISOString().slice(0, 10) }
    const count = () => table.count(day, MAX_PER_DAY, time + 2 * DAY_MS, deadline.signal)
    if (!(await deadline.wait(count, storeOverdue))) return
    const key = await deadline.wait(() => keyring.purposeKey(of.tenant, 'access'), keyOverdue)
    const place = placeOf(of, sha256)
    const item = { sealed: sealAccessItem(key, place, text), expires: time + KEPT_MS }
    await deadline.wait(() => table.put(place, item, deadline.signal), storeOverdue)
  }
}

const placeOf = ({ tenant, client }: ClientOf, sha256: string): AccessItemPlace => ({
  table: 'operations',
  tenant,
  ...automaticQueryKey(tenant, client, sha256),
})

const nameOf = ({ pk, sk }: AccessItemPlace): string => `${pk}\n${sk}`
const sha256Of = (text: string): string => hash('sha256', text, 'hex')

const isCurrent = (expires: number, now: number): boolean => now < expires
