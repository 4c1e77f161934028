import type { Deadline } from '../model/deadline.ts'
import { storeOverdue } from '../model/failures.ts'
import type { TenantId, UserId } from '../model/ids.ts'

/** A request that waits for its turn. GONE: its deadline passed. */
interface Waiting {
  state: 'WAITING' | 'TURN' | 'GONE'
  readonly begin: () => void
}

/** The waiting requests for one item by user. The first user is next, and then moves to the end. */
type Line = Map<UserId, Waiting[]>

/**
 * The turns of the requests of one process that change the same item. Without turns they would conflict, and each success would cost
 * every other request an attempt. The users take turns, so that a user with many requests delays another user by one.
 */
export class ChangeTurns {
  /** By the name of the item, while a request has the turn. */
  readonly #lines = new Map<string, Line>()

  /**
   * Runs the work when no other work with this name runs.
   *
   * @throws the errors of the work; StoreUnavailable if the turn does not come before the deadline
   */
  async take<T>(
    { tenant, user }: { readonly tenant: TenantId; readonly user: UserId },
    name: string,
    deadline: Deadline,
    work: () => Promise<T>,
  ): Promise<T> {
    const key = `${tenant}#${name}`
    const line = this.#lines.get(key)
    if (line === undefined) this.#lines.set(key, new Map())
    else await this.#wait(key, line, user, deadline)
    try {
      return await work()
    } finally {
      this.#pass(key)
    }
  }

  async #wait(key: string, line: Line, user: UserId, deadline: Deadline): Promise<void> {
    let waiting: Waiting | undefined
    const turn = new Promise<void>((resolve) => {
      waiting = { state: 'WAITING', begin: resolve }
      const own = line.get(user)
      if (own === undefined) line.set(user, [waiting])
      else own.push(waiting)
    })
    try {
      await deadline.wait(() => turn, storeOverdue)
    } catch (late) {
      // the turn may have come in the same moment
      if (waiting?.state === 'TURN') this.#pass(key)
      else if (waiting !== undefined) waiting.state = 'GONE'
      throw late
    }
  }

  /** Gives the turn to the next request that still waits. */
  #pass(key: string): void {
    const line = this.#lines.get(key)
    for (const [user, own] of line ?? []) {
      const next = own.shift()
      line?.delete(user)
      if (own.length > 0) line?.set(user, own)
      if (next?.state !== 'WAITING') continue
      next.state = 'TURN'
      next.begin()
      return
    }
    this.#lines.delete(key)
  }
}
