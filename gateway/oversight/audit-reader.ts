import type { GraphQLSchema } from 'graphql'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import type { AccessAddress } from './access-address.ts'
import type { AccessFilter } from './access-filter.ts'
import type { AnomalySettings } from './anomalies/anomaly-settings.ts'
import type { WorkforceRelations } from './anomalies/relations.ts'
import type { DisclosureBook } from './disclosures/disclosure-book.ts'
import type { StoredLog } from './log/stored-log.ts'
import type { AccessPage, PageRequest, RecordedAccess } from './recorded-access.ts'
import type { AccessReviewSettings } from './reviews/review-settings.ts'
import type { SignOffBook } from './reviews/sign-off-book.ts'
import type { AuditTables } from './tables/audit-tables.ts'

/** The records of one tenant that the indexes of the log find: by patient, user or request. They are fresh to the second. */
export interface AccessHistory {
  /**
   * @param filter with a request, a patient or a user. Its other members are compared after reading
   * @throws BadUserInput if the request is no request id; StoreUnavailable
   */
  page(filter: AccessFilter, request: PageRequest, deadline: Deadline): Promise<AccessPage>
  /**
   * One record; undefined if the log of the tenant has none of this address.
   *
   * @throws StoreUnavailable
   */
  access(address: AccessAddress, deadline: Deadline): Promise<RecordedAccess | undefined>
}

/** Reads the audit data of one tenant. The tenant is bound here: no argument of a question names one. */
export interface AuditReader {
  readonly tenant: TenantId
  readonly history: AccessHistory
  readonly tables: AuditTables
  /** The objects of the sealed log. */
  readonly log: StoredLog
  /** The time of the first sealed item, in milliseconds since the epoch; undefined if nothing is sealed. @throws StoreUnavailable */
  readonly logBegan: () => Promise<number | undefined>
  /** The accounting of disclosures. */
  readonly disclosures: DisclosureBook
  /** The sign-offs of access reviews. */
  readonly signOffs: SignOffBook
  /** The patients that users of the workforce know. */
  readonly workforce: WorkforceRelations
}

/** One request to the auditor's API. */
export interface AuditReading {
  readonly reader: AuditReader
  /** The policy in force. */
  readonly policy: PolicyTable
  /** The clinical schema that the policy is compiled from. Its nodes have file and line. */
  readonly schema: GraphQLSchema
  /** The thresholds of anomalies. */
  readonly anomalies: AnomalySettings
  /** When access reviews are due. */
  readonly reviewSettings: AccessReviewSettings
  readonly now: Instant
  readonly deadline: Deadline
  /** Whether the caller may call another root field. */
  readonly isPermitted: (field: string) => boolean
}

/** The answer of a root field, and what the log says about the question. */
export interface Reviewed {
  readonly value: unknown
  /** The patient that the question is about. */
  readonly patient?: string
  /** The number of records, patients or rows in the answer. */
  readonly count: number
}

/**
 * A root field of the auditor's API.
 *
 * @throws BadUserInput, FilterTooBroad, AuditLogUnavailable, StoreUnavailable
 */
export type AuditRoot<Arguments> = (args: Arguments, reading: AuditReading) => Promise<Reviewed>
