import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Category, PurposeOfUse, RecordLabel, Role } from '../../directives/policy.ts'
import type { Instant } from './ids.ts'

/** The organization that receives what a client reads, for the accounting of disclosures (45 CFR 164.528(b)(2)(ii)). */
export interface Recipient {
  readonly name: string
  readonly address: string
  /** The FHIR identity by which consents name the organization: `Organization/acme`. */
  readonly reference?: string
}

/**
 * The reach that one client was admitted for. A contract only narrows: each value needs a grant of the policy besides. An empty set
 * admits nothing.
 */
export interface Contract {
  readonly client: string
  readonly recipient: Recipient
  readonly roles: ReadonlySet<Role>
  readonly purposes: ReadonlySet<PurposeOfUse>
  /** PHI paths that the client may select, filter by, or have opened for a computed value. */
  readonly paths: ReadonlySet<SchemaPath>
  readonly categories: ReadonlySet<Category>
  /** The labels of fields and records that the client may receive. A record with any other label is closed to it. */
  readonly sensitivities: ReadonlySet<RecordLabel>
  /** The largest page of a connection. */
  readonly maxPage: number
  /** PHI values that the client may receive within a day (UTC). */
  readonly valuesPerDay: number
  /** Exclusive. */
  readonly expiresAt: Instant
  /** Networks in CIDR notation. A request from any other address is refused. */
  readonly networks: readonly string[]
  /** SHA-256 of the canonical JSON, hex. Each audit record of the client carries it. */
  readonly digest: string
}
