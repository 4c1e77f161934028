import type { Deadline } from '../../model/deadline.ts'
import type { TenantId } from '../../model/ids.ts'
import type { RegisteredClient, RegisteredOperation } from '../../model/registered-operation.ts'

/** A client of a tenant, as its token names it. */
export interface ClientOf {
  readonly tenant: TenantId
  readonly client: string
}

/**
 * NONE: the tenant has no such client, and no contract narrows it. EXPIRED: its contract is over, and no request of the client may be
 * served, with or without an operation of the registry.
 */
type ClientStatus = 'NONE' | 'EXPIRED' | 'REGISTERED'

/** What the registry has for one request. */
export interface Registered {
  readonly status: ClientStatus
  /** Undefined unless the client is REGISTERED. `byId` also leaves it out if there is no operation: a refusal needs no key. */
  readonly client: RegisteredClient | undefined
  /** Undefined if the client has no such operation, or the operation is revoked or in no active version. */
  readonly operation: RegisteredOperation | undefined
}

/**
 * The registry of operations and contracts, as requests read it. The entry of the client is read for each request, so that a
 * narrowed contract holds from the next request on. A revoked operation is refused within 30 seconds (P13).
 *
 * An unknown operation, a revoked one, one of another client and an unknown client cost the same requests to the table.
 */
export interface OperationRegistry {
  /**
   * Finds an operation by its id. One request to the table.
   *
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  byId(of: ClientOf, id: string, deadline: Deadline): Promise<Registered>
  /**
   * Finds an operation by the canonical hash of its text: `documentHash`. Returns a REGISTERED client with or without an operation, so
   * that its contract narrows a free text. Two requests to the table for a text that is not cached, else one.
   *
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  byText(of: ClientOf, hash: string, deadline: Deadline): Promise<Registered>
}

/** Operations that first-party clients register by themselves (automatic persisted queries). */
export interface AutomaticQueries {
  /** Returns the text with this SHA-256, if this client registered it. @throws StoreUnavailable */
  find(of: ClientOf, sha256: string, deadline: Deadline): Promise<string | undefined>
  /** Stores a text. Does nothing beyond the limits of the client. The caller has verified the hash. @throws StoreUnavailable */
  store(of: ClientOf, sha256: string, text: string, deadline: Deadline): Promise<void>
}
