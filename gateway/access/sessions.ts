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

/** Checks whether callers are still signed in, and ends their sessions. */
export interface Sessions {
  /** @throws SessionExpired; SessionsUnavailable if the session cannot be checked */
  admit(caller: Caller, requestId: RequestId, deadline: Deadline): Promise<void>
  /** Returns the write that ends the caller's own session; undefined for a machine client, which has no session. */
  ending(caller: Caller): SessionWrite | undefined
  /** Returns the write that ends all sign-ins of a user, or through a client, in the caller's tenant. */
  revocation(caller: Caller, subject: 'USER' | 'CLIENT', id: string): SessionWrite
  /** Makes this process read all sessions again. Call it after a write. */
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

/** A revocation must take effect everywhere within 30 seconds, so a cached session is used for less. */
const FRESH_MS = 25_000
const WRITE_EVERY_MS = 60_000
/** An issuer's clock may be a minute ahead: a token with a time after a revocation may be older than the revocation. */
const CLOCK_TOLERANCE_MS = 60_000
/** While the table is unavailable: how long a cached session is used, and how often the table is tried for it. */
const WARM_MS = 5 * 60_000
const RETRY_MS = 5_000
const MAX_CACHED = 10_000

interface CachedSession extends SessionState {
  readonly readAt: number
  /** The last request in this process, to the millisecond. */
  readonly lastSeen: number | undefined
  readonly retryAt: number
}

/**
 * Server-side sessions in a table that all processes share (45 CFR 164.312(a)(2)(iii)).
 *
 * Each request renews its session, but the table is written at most once a minute. Another process may therefore expire a session
 * up to a minute early, but never late. `docs/decisions/0013` explains the behavior while the table is unavailable.
 */
export class TableSessions implements Sessions {
  readonly #parts: SessionParts
  readonly #cache = new LRUCache<string, CachedSession>({ max: MAX_CACHED })
  /** Concurrent requests of one session in a cold process share one read. */
  readonly #reading = new Map<string, Promise<CachedSession>>()

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
    const session = await this.#state(name, keys, caller, requestId, now, deadline)
    // admitted without the table: an unknown session is not cached
    if (session === undefined) return
    if (session.isEnded) throw new SessionExpired()
    if (session.notBefore !== undefined && (since === undefined || since <= session.notBefore + CLOCK_TOLERANCE_MS))
      throw new SessionExpired()
    if (keys.session === undefined) return
    const seen = Math.max(session.seen ?? 0, session.lastSeen ?? 0)
    if (seen > 0 && now - seen > idle) throw new SessionExpired()
    const isDue = session.seen === undefined || now - session.seen >= WRITE_EVERY_MS
    // cached before the write, so that concurrent requests write once
    this.#cache.set(name, { ...session, lastSeen: now, seen: isDue ? now : session.seen })
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
    // `set` reorders the entries, so iterate over a copy
    for (const [name, session] of [...this.#cache.entries()]) this.#cache.set(name, { ...session, readAt: 0, retryAt: 0 })
  }

  /** Returns the state of the session; undefined if emergency treatment is admitted without a known state. */
  async #state(
    name: string,
    keys: SessionKeys,
    caller: Caller,
    requestId: RequestId,
    now: number,
    deadline: Deadline,
  ): Promise<CachedSession | undefined> {
    const cached = this.#cache.get(name)
    if (cached !== undefined && isWithin(cached.readAt, now, FRESH_MS)) return cached
    if (cached !== undefined && now < cached.retryAt && isWithin(cached.readAt, now, WARM_MS)) return cached
    try {
      const read = await deadline.wait(() => this.#read(name, keys, now, deadline), storeOverdue)
      // the newest state: another request that waited for the same read may have changed it
      return this.#cache.get(name) ?? read
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#report(caller, requestId, error)
      if (cached !== undefined && isWithin(cached.readAt, now, WARM_MS)) {
        const stale = { ...cached, retryAt: now + RETRY_MS }
        this.#cache.set(name, stale)
        return stale
      }
      if (this.#isEmergency(caller)) return undefined
      throw new SessionsUnavailable({ cause: error })
    }
  }

  async #read(name: string, keys: SessionKeys, now: number, { signal }: Deadline): Promise<CachedSession> {
    const read = async (): Promise<CachedSession> => {
      try {
        const state = await this.#parts.table.read(keys, signal)
        const fresh: CachedSession = { ...state, readAt: now, lastSeen: this.#cache.get(name)?.lastSeen, retryAt: 0 }
        this.#cache.set(name, fresh)
        return fresh
      } finally {
        this.#reading.delete(name)
      }
    }
    const reading = this.#reading.get(name) ?? read()
    this.#reading.set(name, reading)
    return await reading
  }

  /** Treatment that cannot wait. The caller states it as the purpose, and the audit records it with every field. */
  #isEmergency(caller: Caller): boolean {
    const { purpose } = caller
    return (purpose === 'ETREAT' || purpose === 'BTG') && kindsOf(this.#parts.policy, caller).includes('CLINICIAN')
  }

  /** A failed write does not end the session, because this process has it in its cache. */
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
      this.#report(caller, requestId, error)
    }
  }

  #report({ tenant }: Caller, requestId: RequestId, error: StoreUnavailable): void {
    this.#parts.events({ event: 'STORE_UNAVAILABLE', requestId, tenant, cause: causeName(error.cause) })
  }
}

/** A refreshed token belongs to the same sign-in. A machine client signs in with each token. */
const signedInAt = ({ session, authTime, issuedAt }: Caller): number | undefined =>
  session === undefined ? issuedAt : (authTime ?? issuedAt)

function keysOf({ tenant, user, client, session }: Caller): SessionKeys {
  return {
    session: session === undefined ? undefined : sessionKey(tenant, 'SESSION', user, session),
    user: sessionKey(tenant, 'USER', user),
    client: client === undefined ? undefined : sessionKey(tenant, 'CLIENT', client),
  }
}

// a clock that was set back must not make an entry younger
const isWithin = (from: number, now: number, span: number): boolean => from <= now && now - from < span
