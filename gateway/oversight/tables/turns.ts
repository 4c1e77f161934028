import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable } from '../../model/failures.ts'

/** Runs one work after the other. DuckDB has a bound of memory for one question in a process. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Work that waits at its deadline does not start. Work that runs then keeps its turn until it ends.
   *
   * @throws AuditLogUnavailable at the deadline; the error of the work
   */
  async run<T>(work: () => Promise<T>, deadline: Deadline): Promise<T> {
    const late = (): Error => new AuditLogUnavailable()
    const turn = this.#last.then(async () => {
      if (deadline.left === 0) throw late()
      return await work()
    })
    this.#last = turn.catch(() => undefined)
    return await deadline.wait(() => turn, late)
  }
}
