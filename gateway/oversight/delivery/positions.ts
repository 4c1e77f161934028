import * as z from 'zod'
import type { ObjectStore, PutCondition } from '../../model/object-store.ts'
import { PositionUnreadable } from './delivery-faults.ts'

const whole = z.int().nonnegative()

const Position = z
  .strictObject({
    format: z.literal(1),
    /** The receiver acknowledged every event of the items before this position. */
    position: whole,
    /** Where the segment of this position begins. */
    segment: whole,
    /** When a batch was acknowledged last, in milliseconds since the epoch. */
    sentAt: whole,
  })
  .refine(({ position, segment }) => segment <= position)

/** How far the log of a tenant was delivered to a receiver. */
export type Position = Omit<Readonly<z.infer<typeof Position>>, 'format'>

/** A position and the condition to move it. */
export interface StoredPosition extends Position {
  readonly condition: PutCondition
}

const START: StoredPosition = { position: 0, segment: 0, sentAt: 0, condition: { onlyIf: 'ABSENT' } }

/** The positions of one tenant and receiver: one small object, replaced on the condition that it is unchanged. */
export class Positions {
  readonly #objects: Pick<ObjectStore, 'get' | 'put'>
  readonly #name: string

  constructor(objects: Pick<ObjectStore, 'get' | 'put'>, tenant: string, receiver: string) {
    this.#objects = objects
    this.#name = `${tenant}/${receiver}.json`
  }

  /** @throws PositionUnreadable, StoreUnavailable */
  async read(): Promise<StoredPosition> {
    const stored = await this.#objects.get(this.#name)
    if (stored === undefined) return START
    try {
      const { position, segment, sentAt } = Position.parse(JSON.parse(Buffer.from(stored.bytes).toString('utf8')))
      return { position, segment, sentAt, condition: { onlyIf: { version: stored.version } } }
    } catch (cause) {
      throw new PositionUnreadable({ cause })
    }
  }

  /**
   * Moves the position.
   *
   * @returns false if another process moved it first. The stored position is then unchanged
   * @throws StoreUnavailable if it is unknown whether the position is written
   */
  async move({ condition }: StoredPosition, { position, segment, sentAt }: Position): Promise<boolean> {
    const bytes = Buffer.from(JSON.stringify({ format: 1, position, segment, sentAt }))
    return (await this.#objects.put(this.#name, bytes, condition)) === 'STORED'
  }
}
