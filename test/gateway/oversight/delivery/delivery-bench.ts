import fc from 'fast-check'
import { createHash } from 'node:crypto'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import type { ItemParts } from '../../../../gateway/audit/item.ts'
import type { ItemDraft } from '../../../../gateway/audit/item-draft.ts'
import { linkItems } from '../../../../gateway/audit/transaction.ts'
import { UserAgents } from '../../../../gateway/audit/user-agents.ts'
import { LATEST_NAME, noteName, segmentName } from '../../../../gateway/audit/verify/layout.ts'
import { NOTHING_BEFORE } from '../../../../gateway/audit/verify/item.ts'
import { recordsOf } from '../../../../gateway/audit/verify/item-text.ts'
import { segmentLine } from '../../../../gateway/audit/verify/segment-line.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { ObjectStore, PutCondition, StoredObject } from '../../../../gateway/model/object-store.ts'
import { Delivery, type DeliveryParts } from '../../../../gateway/oversight/delivery/delivery.ts'
import { itemText } from '../../../../gateway/oversight/exports/export-format.ts'
import type { ExportFormat } from '../../../../gateway/oversight/exports/export-formats.ts'
import type { ExportOptions } from '../../../../gateway/oversight/exports/export-options.ts'
import { packed } from '../../audit/audit-arbitraries.ts'
import { compressed } from '../../audit/sealed-log.ts'
import { requests } from '../exports/export-arbitraries.ts'
import { DIGESTS, textOf } from '../exports/export-bench.ts'

export const RIVERSIDE = 'riverside' as TenantId
export const LAKESIDE = 'lakeside' as TenantId

/** A store in memory, with the conditions of S3. */
export class MemoryObjects implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>()

  async put(name: string, bytes: Uint8Array, condition?: PutCondition): Promise<'STORED' | 'KEPT'> {
    const stored = this.objects.get(name)
    const version = stored && versionOf(stored)
    if (condition?.onlyIf === 'ABSENT' && stored !== undefined) return await Promise.resolve('KEPT')
    if (typeof condition?.onlyIf === 'object' && condition.onlyIf.version !== version) return await Promise.resolve('KEPT')
    this.objects.set(name, bytes)
    return await Promise.resolve('STORED')
  }

  async get(name: string): Promise<StoredObject | undefined> {
    const bytes = this.objects.get(name)
    return await Promise.resolve(bytes && { bytes, version: versionOf(bytes) })
  }

  async *list(prefix: string, after = ''): AsyncIterable<string> {
    for (const name of [...this.objects.keys()].sort())
      if (name.startsWith(prefix) && name > after) yield await Promise.resolve(name)
  }
}

const versionOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A note whose signature has the time and nothing else: the delivery does not verify it. @param time seconds since the epoch */
function unsignedNote(origin: string, size: number, time: number): Buffer {
  const signature = Buffer.alloc(76)
  signature.writeBigUInt64BE(BigInt(time), 4)
  return Buffer.from(`${origin}\n${size}\n${Buffer.alloc(32).toString('base64')}\n\n— ${origin} ${signature.toString('base64')}\n`)
}

const known = new Map<string, ItemDraft[]>()

/** Made once for each test file: to make them takes longer than to deliver them. */
function draftsOf(requestCount: number, seed: number): ItemDraft[] {
  const key = `${requestCount} ${seed}`
  const drafts = known.get(key) ?? fc.sample(requests, { numRuns: requestCount, seed }).flatMap(packed)
  known.set(key, drafts)
  return drafts
}

/** The sealed log of one tenant: what the delivery reads of it. */
export class WrittenLog {
  readonly items: ItemParts[] = []
  readonly #rest: ItemParts[]
  readonly #tenant: TenantId
  readonly #objects: ObjectStore

  /** @param requestCount of synthetic requests, with refusals, consents and every activity */
  constructor(objects: ObjectStore, tenant: TenantId, requestCount: number, seed: number) {
    this.#objects = objects
    this.#tenant = tenant
    const drafts = draftsOf(requestCount, seed)
    const userAgents = new UserAgents()
    userAgents.begin()
    this.#rest = linkItems(
      { tenant, lane: 'kakjK50G.1', succeeds: undefined, sequence: 0, prev: NOTHING_BEFORE },
      { drafts },
      userAgents,
    )
  }

  get isWhole(): boolean {
    return this.#rest.length === 0
  }

  /** Seals the next items as one segment. @param time seconds since the epoch */
  async seal(count: number, time: number): Promise<void> {
    const start = this.items.length
    const items = this.#rest.splice(0, count)
    if (items.length === 0) return
    this.items.push(...items)
    const end = this.items.length
    const note = unsignedNote(`phi.example.com/audit/${this.#tenant}`, end, time)
    await this.#put(segmentName(start, end), compressed(items.map((item) => segmentLine(item)).join('')))
    await this.#put(noteName(end), note)
    await this.#put(LATEST_NAME, note)
  }

  /** The records of all sealed items. */
  entries(): AuditEntry[] {
    return this.items.flatMap(({ lane, sequence, text }) =>
      recordsOf(text).map(
        (record, at) => ({ ...record, tenant: this.#tenant, lane, sequence, index: at + 1 }) as unknown as AuditEntry,
      ),
    )
  }

  /** The lines of an export of the whole log. */
  async exportLines(format: ExportFormat = 'ocsf', options = DIGESTS): Promise<string[]> {
    return (await textOf(format, this.entries(), options)).split(/(?<=\n)/)
  }

  async #put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#objects.put(`${this.#tenant}/${name}`, bytes)
  }
}

type Given = Pick<DeliveryParts, 'log' | 'positions' | 'sink' | 'now'> & {
  readonly tenant?: TenantId
  readonly format?: ExportFormat
  readonly options?: ExportOptions
  readonly maxBatchBytes?: number
}

/** A delivery as a deployment opens it, with batches of some events. */
export function deliveryOf({
  tenant = RIVERSIDE,
  format = 'ocsf',
  options = DIGESTS,
  maxBatchBytes = 12_000,
  ...parts
}: Given): Delivery {
  const stream = {
    stream: `phi.example.com/audit/${tenant}`,
    receiver: 'soc',
    format,
    identifiers: options.identifiers === 'PLAIN' ? ('PLAIN' as const) : ('DIGESTS' as const),
  }
  return new Delivery({ ...parts, tenant, stream, textOf: itemText(format, options), maxBatchBytes })
}
