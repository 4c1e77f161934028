import type { PolicyTable } from '../../directives/policy.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { RecordSigner } from '../crypto/record-signer.ts'
import type { Refusals } from '../model/budget.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant, RequestId } from '../model/ids.ts'
import type { Cost } from '../operations/cost.ts'
import type { PatientAccessSource, WorkforceDirectory } from '../store/patient-access-source.ts'
import type { RecordSource } from '../store/record-source.ts'
import type { RecordVersions } from '../store/record-versions.ts'
import type { SearchSource } from '../store/search.ts'
import type { EventSink } from '../telemetry/events.ts'
import type { AccessRecorder } from './access-recorder.ts'
import type { BudgetLeases } from './budget-leases.ts'
import type { BudgetSource } from './budget-source.ts'
import type { ComputedFields } from './computed-fields.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { Notices } from './notices.ts'
import type { RefusalCounts } from './refusal-counts.ts'
import type { ResponseErrors } from './response-errors.ts'

// The parts of a request by purpose. Each class takes only the groups, or the members of a group, that it uses.

/** The request itself: its caller, its time, and the end of its time for reading. */
export interface RequestIdentity {
  readonly requestId: RequestId
  readonly caller: Caller
  readonly now: Instant
  /** Records may be read until then. */
  readonly deadline: Deadline
}

/** The operation as the client sent it. */
export interface OperationText {
  readonly operationText: string
}

/** The compiled schema, and the share of the operation that can be granted. */
export interface OperationRules {
  readonly policy: PolicyTable
  /** The paths of the operation's footprint that some record could grant to this caller. No other path is fetched or opened. */
  readonly grantable: ReadonlySet<SchemaPath>
  /** By path: a function for each `@computed` field. */
  readonly computed: ComputedFields
}

/** Access to records: their sources, their keys, and the ids that the caller receives and sends. */
export interface RecordAccess {
  /** By the name that `@record(source:)` has. */
  readonly sources: ReadonlyMap<string, RecordSource>
  readonly keyring: Keyring
  readonly ids: PublicIds
  /** Signs records and verifies their signatures. Without it, both are unavailable. */
  readonly signer?: RecordSigner
}

/** Finds records by a value. Without a source, a search fails with StoreUnavailable. */
export interface SearchAccess {
  readonly search?: SearchSource
}

/** Who accessed a patient's record. Without a source the question fails with StoreUnavailable. */
export interface AccessHistory {
  readonly patientAccesses?: PatientAccessSource
  /** Earlier versions of records, whose labels decide too. Without them, no access is shown under a limited relationship. */
  readonly recordVersions?: RecordVersions
  /** Names of members of the workforce. Without it, roles and organizations are shown. */
  readonly workforce?: WorkforceDirectory
}

/** The budgets of users, as one process knows them. */
interface Budgets {
  readonly source: BudgetSource
  readonly leases: BudgetLeases
  readonly refusals: RefusalCounts
}

/** Upper bounds for a request. */
export interface RequestLimits {
  readonly budgets?: Budgets
  /** Values that the caller may be given within an hour. */
  readonly maxInHour: number
  /** Values that the caller may search by within an hour. */
  readonly maxSearches: number
  /** Refusals that the caller may be shown within an hour. */
  readonly maxRefusals: Refusals
  /** Whether the caller was shown them. The request is refused then, and only this is recorded. */
  readonly refusalsSpent: boolean
  /** The cost that one operation of the caller may have. */
  readonly maxCost: Cost
  /** Size of the response, in bytes as Lambda carries it. */
  readonly maxBytes: number
}

/** The places that outcomes are written to. */
export interface Recording {
  readonly trail: Trail
  readonly counter: DisclosureCounter
  readonly recorder: AccessRecorder
  readonly errors: ResponseErrors
  readonly failures: FailureReasons
  /** Notices that the answer must carry with its values: the notice of 42 CFR 2.32. */
  readonly notices: Notices
  readonly events: EventSink
}
