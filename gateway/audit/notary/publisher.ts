import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { CheckpointSigner } from '../../model/checkpoint-signer.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import { inStore, LATEST_NAME, noteName, segmentName } from '../verify/layout.ts'
import { segmentLine } from '../verify/segment-line.ts'
import { type Checkpoint, checkpointText } from '../verify/checkpoint-text.ts'
import { EMPTY } from '../verify/tree.ts'
import type { CheckpointTable } from './checkpoint-table.ts'
import { type Round, rootOfHead } from './head.ts'
import type { LaneReader } from './lane-reader.ts'
import { cosign } from './log-key.ts'
import { leavesOf, readRound } from './round-items.ts'
import type { SealedItem } from './sealed-item.ts'
import { writeTiles } from './tiles.ts'

/**
 * Asks witnesses for cosignatures of a checkpoint. Never throws: a witness that does not answer must not hold back the log.
 *
 * @param before the size of the checkpoint before
 * @param note the checkpoint with the log's own signatures
 * @returns a signature line for each key that cosigned
 */
export type AskWitnesses = (tenant: string, before: number, checkpoint: Checkpoint, note: string) => Promise<readonly string[]>

export interface PublisherParts {
  readonly table: CheckpointTable
  readonly reader: LaneReader
  readonly objects: ObjectStore
  readonly signersFor: (tenant: string) => readonly CheckpointSigner[]
  readonly originOf: (tenant: string) => string
  readonly askWitnesses: AskWitnesses
}

/** The published checkpoint is not of the log in the tables. A signature would be the second one for a size, or fork the log. */
export class AnotherLog extends Error {
  override readonly name = 'AnotherLog'
}

const compress = promisify(gzip)

/**
 * Publishes rounds in their order: the segment, the tiles, the checkpoint. Each step writes an object once, or reads what an earlier
 * attempt wrote, so that a round can be published any number of times.
 */
export class Publisher {
  readonly #parts: PublisherParts

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /**
   * Publishes every round that is not published yet.
   *
   * @param sealed the items of rounds that this process sealed, by the start of the round, so that they are not read again
   * @returns the number of rounds
   * @throws SealedItemsAltered, AnotherLog, StoreUnavailable, KeyUnavailable
   */
  async publish(tenant: string, sealed: ReadonlyMap<number, readonly SealedItem[]>): Promise<number> {
    const { table } = this.#parts
    const rounds = await table.roundsFrom(tenant, await table.published(tenant))
    if (rounds.length > 0) await this.#requireSameLog(tenant)
    for (const round of rounds) {
      await this.#publish(tenant, round, sealed.get(round.start))
      await table.markPublished(tenant, round.frontier.size)
    }
    return rounds.length
  }

  /** Nobody can take back a published checkpoint: if the tables do not know it, they were replaced. */
  async #requireSameLog(tenant: string): Promise<void> {
    const latest = await this.#parts.objects.get(inStore(tenant, LATEST_NAME))
    if (latest === undefined) return
    const size = sizeOf(latest.bytes)
    const round = await this.#parts.table.roundBefore(tenant, size)
    if (round?.frontier.size !== size || !this.#isNoteOf(tenant, round, latest.bytes)) throw new AnotherLog()
  }

  #isNoteOf(tenant: string, { frontier }: Pick<Round, 'frontier'>, note: Uint8Array): boolean {
    const text = checkpointText({ origin: this.#parts.originOf(tenant), size: frontier.size, root: rootOfHead({ frontier }) })
    return Buffer.from(note).toString('utf8').startsWith(`${text}\n`)
  }

  async #publish(tenant: string, round: Round, sealed: readonly SealedItem[] | undefined): Promise<void> {
    const { table, reader, objects } = this.#parts
    const { start, frontier } = round
    const before = (await table.roundBefore(tenant, start))?.frontier ?? EMPTY
    const items = sealed ?? (await readRound(reader, tenant, await table.spans(tenant, round)))
    const leaves = leavesOf(round, before, items)
    const segment = await compress(items.map(segmentLine).join(''))
    await objects.put(inStore(tenant, segmentName(start, frontier.size)), segment, { onlyIf: 'ABSENT' })
    const hashes = items.map(({ hash }) => Buffer.from(hash, 'hex'))
    await writeTiles(objects, tenant, start, hashes, leaves)
    await this.#announce(tenant, await this.#note(tenant, round))
  }

  /** The stored note of a round. The first attempt that stores one decides its bytes: two ML-DSA signatures of one message differ. */
  async #note(tenant: string, round: Round): Promise<Uint8Array> {
    const { start, frontier, time } = round
    const { objects, signersFor, originOf, askWitnesses } = this.#parts
    const name = inStore(tenant, noteName(frontier.size))
    const stored = await objects.get(name)
    if (stored !== undefined && !this.#isNoteOf(tenant, round, stored.bytes)) throw new AnotherLog()
    if (stored !== undefined) return stored.bytes
    const checkpoint = { origin: originOf(tenant), size: frontier.size, root: rootOfHead({ frontier }) }
    const own = await Promise.all(signersFor(tenant).map((signer) => cosign(signer, checkpoint, time)))
    const note = `${checkpointText(checkpoint)}\n${own.join('')}`
    const witnessed = await askWitnesses(tenant, start, checkpoint, note)
    const bytes = Buffer.from(note + witnessed.join(''))
    if ((await objects.put(name, bytes, { onlyIf: 'ABSENT' })) === 'STORED') return bytes
    const first = await objects.get(name)
    if (first === undefined || !this.#isNoteOf(tenant, round, first.bytes)) throw new AnotherLog()
    return first.bytes
  }

  /** Makes the note the latest one, unless a larger one is. */
  async #announce(tenant: string, note: Uint8Array): Promise<void> {
    const { objects } = this.#parts
    const name = inStore(tenant, LATEST_NAME)
    for (;;) {
      const latest = await objects.get(name)
      if (latest !== undefined && sizeOf(latest.bytes) >= sizeOf(note)) return
      const condition = latest === undefined ? ({ onlyIf: 'ABSENT' } as const) : { onlyIf: { version: latest.version } }
      if ((await objects.put(name, note, condition)) === 'STORED') return
    }
  }
}

const sizeOf = (note: Uint8Array): number => Number(Buffer.from(note).toString('utf8').split('\n')[1])
