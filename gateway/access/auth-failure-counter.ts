import type { AuthFailureLine, SecurityTable } from '../store/security.ts'
import type { CredentialFault } from '../model/credential-fault.ts'
import type { Deadline } from '../model/deadline.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'
import { sourceNetwork } from './source-network.ts'

/** Counts whom the gateway did not let in. None of it throws. */
export interface AuthFailurePort {
  /** @param source the other end of the connection, as the trusted front saw it */
  count(source: string | undefined, fault: CredentialFault): void
  /** Begins to write what is due, and waits for nothing. */
  startFlush(deadline: Deadline): void
  /** The same, and waits for it for a moment: a process may be frozen once it has answered. */
  flush(deadline: Deadline): Promise<void>
}

export interface AuthFailureParts {
  readonly table: Pick<SecurityTable, 'add'>
  readonly now: Clock
  readonly events: EventSink
}

/** A process writes no more often than this; what comes meanwhile is added up. */
const WRITE_EVERY_MS = 5_000
/** Requests to the table at a time; what is left over waits for the next. */
const LINES_AT_ONCE = 25
/** Sources told apart within a minute. All others are one. */
const MAX_SOURCES = 100
/** Lines that wait while the table is away; the oldest go first. */
const MAX_LINES = 500
/** How long one writing may take, and how long an answer waits for it. */
const SEND_MS = 1_000
const WAIT_MS = 200
const MINUTE_MS = 60_000
/** No address: what came from more sources than are told apart. */
const OTHERS = 'other'

interface Line extends AuthFailureLine {
  readonly counts: Map<CredentialFault, number>
}

/**
 * Failures before authentication, added up by source, minute and kind before they are written (45 CFR 164.308(a)(5)(ii)(C)). They
 * stand outside of the audit: nobody is known yet to whom they could be put down, and who sends rubbish must not be able to fill it.
 *
 * A process that ends between two writings takes what came since the last one with it. A writing whose answer was lost is
 * repeated and may count twice.
 */
export class AuthFailureCounter implements AuthFailurePort {
  readonly #parts: AuthFailureParts
  readonly #lines = new Map<string, Line>()
  #minute = 0
  /** Sources of this minute that are told apart. */
  readonly #sources = new Set<string>()
  #begunAt: number | undefined
  #writing: Promise<void> | undefined
  #untold = 0
  #lost = 0

  constructor(parts: AuthFailureParts) {
    this.#parts = parts
  }

  count(ip: string | undefined, fault: CredentialFault): void {
    const now = this.#parts.now()
    const minute = now - (now % MINUTE_MS)
    if (minute !== this.#minute) this.#sources.clear()
    this.#minute = minute
    this.#untold++
    const source = sourceNetwork(ip)
    if (this.#sources.size < MAX_SOURCES) this.#sources.add(source)
    this.#add({ minute, source: this.#sources.has(source) ? source : OTHERS, counts: new Map([[fault, 1]]) })
  }

  startFlush(deadline: Deadline): void {
    const now = this.#parts.now()
    const since = this.#begunAt === undefined ? WRITE_EVERY_MS : now - this.#begunAt
    if (this.#lines.size === 0 || this.#writing !== undefined || deadline.left === 0) return
    // a clock that was set back says nothing of how long ago it was
    if (since >= 0 && since < WRITE_EVERY_MS) return
    this.#begunAt = now
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
    // what comes while these are on their way begins anew
    for (const [name] of taken) this.#lines.delete(name)
    if (this.#untold > 0) events({ event: 'AUTH_FAILURES', count: this.#untold })
    this.#untold = 0
    const sent = await Promise.allSettled(taken.map(async ([, line]) => await table.add(line, signal)))
    const failed = sent.flatMap((one, index) =>
      one.status === 'rejected' ? [{ line: taken[index]?.[1], why: one.reason as unknown }] : [],
    )
    for (const { line } of failed) if (line !== undefined) this.#add(line)
    const [first] = failed
    if (first === undefined) return
    const { why } = first
    events({
      event: 'AUTH_FAILURES_UNWRITTEN',
      cause: causeName(why instanceof StoreUnavailable ? why.cause : why),
      lost: this.#lost,
    })
    this.#lost = 0
  }
}

const nameOf = ({ minute, source }: Pick<AuthFailureLine, 'minute' | 'source'>): string => `${minute} ${source}`
