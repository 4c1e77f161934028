import type { Contract } from './contract.ts'
import type { Instant } from './ids.ts'

/** PENDING: published, and not served yet. RETIRED: no longer served. */
export type VersionState = 'PENDING' | 'ACTIVE' | 'RETIRED'

/** A version of an application of a client. */
export interface AppVersion {
  readonly app: string
  readonly version: string
}

/** The decision of an administrator to admit a contract or an operation. */
export interface Approval {
  /** The user id of the administrator, or `os:` and the account of the operating system. */
  readonly by: string
  readonly at: Instant
  /** Digest of the policy lock under which the proof was made, hex. */
  readonly policy: string
  /** Digest of the contract under which the proof was made, hex. Absent for a client without a contract. */
  readonly contract?: string
}

/** A client in the registry of a tenant. */
export interface RegisteredClient {
  readonly client: string
  /** Counts the changes of this entry. A change names the version that it replaces. */
  readonly version: number
  readonly contract?: Contract
  /** The approval of the contract. */
  readonly approval?: Approval
  /** The states of the versions, by application. */
  readonly apps: Readonly<Record<string, Readonly<Record<string, VersionState>>>>
}

/** A GraphQL operation of a client. Its text never changes: a changed text has another id. */
export interface RegisteredOperation {
  /** The id in the manifest, without the prefix `sha256:`. */
  readonly id: string
  readonly name: string
  /** A GraphQL document with exactly one operation. */
  readonly text: string
  /** The versions of applications that contain the operation. It is served while one of them is ACTIVE. */
  readonly versions: readonly AppVersion[]
  readonly approval: Approval
  readonly revoked?: Pick<Approval, 'by' | 'at'>
}
