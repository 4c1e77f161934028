import type { AuthFailureLine, SecurityTable } from '../store/security.ts'
import type { CredentialFault } from '../model/credential-fault.ts'
import type { Deadline } from '../model/deadline.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'
import { sourceNetwork } from './source-network.ts'

/** Counts failed authentications. No method throws. */
export interface AuthFailurePort {
  /** @param source the client address, as the trusted proxy reports it */
  count(source: string | undefined, fault: CredentialFault): void
  /** Starts to write due counters, and does not wait. */
  startFlush(deadline: Deadline): void
  /** Starts to write due counters, and waits for a short time, because the process may freeze after its response. */
  flush(deadline: Deadline): Promise<void>
}

export interface AuthFailureParts {
  readonly table: Pick<SecurityTable, 'add'>
  readonly now: Clock
  readonly events: EventSink
}

/** A process writes at most once in this time and adds up the failures in between. */
const WRITE_EVERY_MS = 5_000
/** Concurrent requests to the table. The remaining lines wait for the next write. */
const LINES_AT_ONCE = 25
/** Separate sources within a minute. All further sources count as one. */
const MAX_SOURCES = 100
/** Lines that wait while the table is unavailable. The oldest lines are dropped first. */
const MAX_LINES = 500
/** Time limits of one write, and of a response that waits for it. */
const SEND_MS = 1_000
const WAIT_MS = 200
const MINUTE_MS = 60_000
/** In place of an address: failures from sources beyond `MAX_SOURCES`. */
const OTHERS = 'other'

interface Line extends AuthFailureLine {
  readonly counts: Map<CredentialFault, number>
}

/**
 * Adds up authentication failures by source, minute and kind, then writes them (45 CFR 164.308(a)(5)(ii)(C)). They are not part
 * of the audit, because they have no known user, and because a sender of invalid tokens must not be able to fill the audit.
 *
 * If a process ends between two writes, the failures since the last write are lost. If the answer to a write is lost, the write
 * is repeated and may count twice.
 */
export class AuthFailureCounter implements AuthFailurePort {
  readonly #parts: AuthFailureParts
  readonly #lines = new Map<string, Line>()
  #minute = 0
  /** The separate sources of the current minute. */
  readonly #sources = new Set<string>()
  #startedAt: number | undefined
  #writing: Promise<void> | undefined
  #unreported = 0
  #lost = 0

  constructor(parts: AuthFailureParts) {
    this.#parts = parts
  }

  count(ip: string | undefined, fault: CredentialFault): void {
    const now = this.#parts.now()
    const minute = now - (now % MINUTE_MS)
    if (minute !== this.#minute) this.#sources.clear()
    this.#minute = minute
    this.#unreported++
    const source = sourceNetwork(ip)
    if (this.#sources.size < MAX_SOURCES) this.#sources.add(source)
    this.#add({ minute, source: this.#sources.has(source) ? source : OTHERS, counts: new Map([[fault, 1]]) })
  }

  startFlush(deadline: Deadline): void {
    const now = this.#parts.now()
    const since = this.#startedAt === undefined ? WRITE_EVERY_MS : now - this.#startedAt
    if (this.#lines.size === 0 || this.#writing !== undefined || deadline.left === 0) return
    // after the clock was set back, the time since the last write is unknown, so write now
    if (since >= 0 && since < WRITE_EVERY_MS) return
    this.#startedAt = now
    this.#writing = this.#write(AbortSignal.timeout(Math.ceil(Math.min(SEND_MS, deadline.left)))).finally(() => {
      this.#writing = undefined
    })
  }

  async flush(deadline: Deadline): Promise<void> {
    this.startFlush(deadline)
    if (this.#writing === undefined) return
    let timer: NodeJS.Timeout | undefined
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(WAIT_MS, deadline.left))
    })
    await Promise.race([this.#writing, enough])
    clearTimeout(timer)
  }

  #add({ minute, source, counts }: AuthFailureLine): void {
    const name = nameOf({ minute, source })
    let line = this.#lines.get(name)
    if (line === undefined) {
      line = { minute, source, counts: new Map() }
      this.#lines.set(name, line)
      this.#dropOldest()
    }
    for (const [fault, count] of counts) line.counts.set(fault, (line.counts.get(fault) ?? 0) + count)
  }

  #dropOldest(): void {
    const [oldest] = this.#lines
    if (this.#lines.size <= MAX_LINES || oldest === undefined) return
    this.#lines.delete(oldest[0])
    for (const count of oldest[1].counts.values()) this.#lost += count
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { table, events } = this.#parts
    const taken = [...this.#lines].slice(0, LINES_AT_ONCE)
    // failures that arrive during the write start new lines
    for (const [name] of taken) this.#lines.delete(name)
    if (this.#unreported > 0) events({ event: 'AUTH_FAILURES', count: this.#unreported })
    this.#unreported = 0
    const sent = await Promise.allSettled(taken.map(async ([, line]) => await table.add(line, signal)))
    const failed = sent.flatMap((one, index) =>
      one.status === 'rejected' ? [{ line: taken[index]?.[1], error: one.reason as unknown }] : [],
    )
    for (const { line } of failed) if (line !== undefined) this.#add(line)
    const [first] = failed
    if (first === undefined) return
    const { error } = first
    events({
      event: 'AUTH_FAILURES_UNWRITTEN',
      cause: causeName(error instanceof StoreUnavailable ? error.cause : error),
      lost: this.#lost,
    })
    this.#lost = 0
  }
}

const nameOf = ({ minute, source }: Pick<AuthFailureLine, 'minute' | 'source'>): string => `${minute} ${source}`
