import { LRUCache } from 'lru-cache'
import { sessionKey, type SessionKeys, type SessionState, type SessionTable } from '../store/sessions.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { SessionExpired, SessionsUnavailable, StoreUnavailable, storeOverdue } from '../model/failures.ts'
import type { RequestId } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Clock } from '../model/record.ts'
import { kindsOf, limitsOf, type SessionSettings } from './session-limits.ts'

/** Whether those who ask are still signed in, and what ends it. */
export interface Sessions {
  /** @throws SessionExpired; SessionsUnavailable where it cannot be found out */
  admit(caller: Caller, requestId: RequestId, deadline: Deadline): Promise<void>
  /** The writing that ends the caller's own session; undefined for a client acting by itself, which has none. */
  ending(caller: Caller): SessionWrite | undefined
  /** The writing that ends all sign-ins of a user, or through a client, of the caller's tenant. */
  revocation(caller: Caller, subject: 'USER' | 'CLIENT', id: string): SessionWrite
  /** What this process remembers is asked for again: something was written. */
  forget(): void
}

export type SessionWrite = ReturnType<SessionTable['end']>

export interface SessionParts {
  readonly table: SessionTable
  readonly policy: PolicyTable
  readonly settings: Pick<SessionSettings, 'idleMinutes' | 'absoluteHours'>
  readonly now: Clock
  readonly events: EventSink
}

/** A revocation works everywhere within 30 seconds: what was read is believed for less. */
const BELIEVED_MS = 25_000
const WRITE_EVERY_MS = 60_000
/** Issuers' clocks may be a minute ahead: a token that seems to be of after a revocation may be of before it. */
const CLOCK_TOLERANCE_MS = 60_000
/** While the table is away: how long what was read of a session stands, and how often the table is tried for it. */
const WARM_MS = 5 * 60_000
const RETRY_MS = 5_000
const MAX_KNOWN = 10_000

interface Known extends SessionState {
  readonly readAt: number
  /** Of this process, to the millisecond. */
  readonly lastSeen: number | undefined
  readonly retryAt: number
}

/**
 * Sessions on the server, by one table that all processes share (45 CFR 164.312(a)(2)(iii)).
 *
 * A session is seen at each request and written at most once a minute: another process may hold it for idle up to a minute early,
 * and none too late. `docs/decisions/0013` says what happens while the table is away.
 */
export class TableSessions implements Sessions {
  readonly #parts: SessionParts
  readonly #known = new LRUCache<string, Known>({ max: MAX_KNOWN })
  /** Requests of one session that come at once to a cold process ask the table once. */
  readonly #reading = new Map<string, Promise<Known>>()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  async admit(caller: Caller, requestId: RequestId, deadline: Deadline): Promise<void> {
    const now = this.#parts.now()
    const { idle, absolute } = limitsOf(this.#parts.settings, this.#parts.policy, caller)
    const since = signedInAt(caller)
    if (caller.session !== undefined && (since === undefined || now - since > absolute)) throw new SessionExpired()
    const keys = keysOf(caller)
    const name = (keys.session ?? keys.user).pk + (keys.client?.pk ?? '')
    const known = await this.#state(name, keys, caller, requestId, now, deadline)
    // let in without the table: what is not known is not remembered either
    if (known === undefined) return
    if (known.isEnded) throw new SessionExpired()
    if (known.notBefore !== undefined && (since === undefined || since <= known.notBefore + CLOCK_TOLERANCE_MS))
      throw new SessionExpired()
    if (keys.session === undefined) return
    const seen = Math.max(known.seen ?? 0, known.lastSeen ?? 0)
    if (seen > 0 && now - seen > idle) throw new SessionExpired()
    const isDue = known.seen === undefined || now - known.seen >= WRITE_EVERY_MS
    // remembered before it is written: requests side by side write once
    this.#known.set(name, { ...known, lastSeen: now, seen: isDue ? now : known.seen })
    if (isDue) await this.#touch(keys.session, caller, requestId, now, deadline)
  }

  ending(caller: Caller): SessionWrite | undefined {
    const { session } = keysOf(caller)
    return session && this.#parts.table.end(session, this.#parts.now())
  }

  revocation({ tenant }: Caller, subject: 'USER' | 'CLIENT', id: string): SessionWrite {
    return this.#parts.table.revoke(sessionKey(tenant, subject, id), this.#parts.now())
  }

  forget(): void {
    // setting an entry moves it: the list is taken first
    for (const [name, known] of [...this.#known.entries()]) this.#known.set(name, { ...known, readAt: 0, retryAt: 0 })
  }

  /** What is known of the session now; undefined where an emergency is let in although nothing is. */
  async #state(
    name: string,
    keys: SessionKeys,
    caller: Caller,
    requestId: RequestId,
    now: number,
    deadline: Deadline,
  ): Promise<Known | undefined> {
    const known = this.#known.get(name)
    if (known !== undefined && isWithin(known.readAt, now, BELIEVED_MS)) return known
    if (known !== undefined && now < known.retryAt && isWithin(known.readAt, now, WARM_MS)) return known
    try {
      const read = await deadline.wait(() => this.#read(name, keys, now, deadline), storeOverdue)
      // as it is now: who waited for the same answer may have gone on with it
      return this.#known.get(name) ?? read
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#tell(caller, requestId, error)
      if (known !== undefined && isWithin(known.readAt, now, WARM_MS)) {
        const kept = { ...known, retryAt: now + RETRY_MS }
        this.#known.set(name, kept)
        return kept
      }
      if (this.#isEmergency(caller)) return undefined
      throw new SessionsUnavailable({ cause: error })
    }
  }

  async #read(name: string, keys: SessionKeys, now: number, { signal }: Deadline): Promise<Known> {
    const read = async (): Promise<Known> => {
      try {
        const state = await this.#parts.table.read(keys, signal)
        const fresh: Known = { ...state, readAt: now, lastSeen: this.#known.get(name)?.lastSeen, retryAt: 0 }
        this.#known.set(name, fresh)
        return fresh
      } finally {
        this.#reading.delete(name)
      }
    }
    const reading = this.#reading.get(name) ?? read()
    this.#reading.set(name, reading)
    return await reading
  }

  /** Treatment that cannot wait: said by the one who asks, and recorded with every field. */
  #isEmergency(caller: Caller): boolean {
    const { purpose } = caller
    return (purpose === 'ETREAT' || purpose === 'BTG') && kindsOf(this.#parts.policy, caller).includes('CLINICIAN')
  }

  /** That it could not be written ends nobody's session: this process remembers. */
  async #touch(
    session: NonNullable<SessionKeys['session']>,
    caller: Caller,
    requestId: RequestId,
    now: number,
    deadline: Deadline,
  ): Promise<void> {
    try {
      const write = () => this.#parts.table.touch(session, now, now - WRITE_EVERY_MS + 1, deadline.signal)
      await deadline.wait(write, storeOverdue)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#tell(caller, requestId, error)
    }
  }

  #tell({ tenant }: Caller, requestId: RequestId, error: StoreUnavailable): void {
    this.#parts.events({ event: 'STORE_UNAVAILABLE', requestId, tenant, cause: causeName(error.cause) })
  }
}

/** A refreshed token is of the same sign-in; a client that acts by itself signs in with each token. */
const signedInAt = ({ session, authTime, issuedAt }: Caller): number | undefined =>
  session === undefined ? issuedAt : (authTime ?? issuedAt)

function keysOf({ tenant, user, client, session }: Caller): SessionKeys {
  return {
    session: session === undefined ? undefined : sessionKey(tenant, 'SESSION', user, session),
    user: sessionKey(tenant, 'USER', user),
    client: client === undefined ? undefined : sessionKey(tenant, 'CLIENT', client),
  }
}

// a clock that was set back makes nothing younger
const isWithin = (from: number, now: number, span: number): boolean => from <= now && now - from < span
