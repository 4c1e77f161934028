import type { AttributeSources } from './access/attribute-loader.ts'
import type { AuthFailurePort } from './access/auth-failure-counter.ts'
import type { Identity } from './access/identity.ts'
import type { Sessions } from './access/sessions.ts'
import type { StudySource } from './access/studies.ts'
import type { AuditLog } from './audit/log.ts'
import type { ProcessId } from './audit/request-id.ts'
import type { Keyring } from './crypto/keyring.ts'
import type { RecordSigner } from './crypto/record-signer.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import type { PolicyTable } from '../directives/policy.ts'
import type { CorsPolicy } from './http/cors.ts'
import type { ComputedFields } from './disclosure/computed-fields.ts'
import type { BudgetSource } from './disclosure/budget-source.ts'
import type { RecordRules } from './model/record-rules.ts'
import type { Clock } from './model/record.ts'
import type { Resolvers } from './mutations/gateway-context.ts'
import type { ErasureServices } from './mutations/erasure-run.ts'
import type { MutationPorts } from './mutations/mutation-scope.ts'
import type { OperationParts } from './operations/persisted/adoption.ts'
import type { RegistryParts } from './mutations/operation-administration.ts'
import { DEFAULT_LIMITS, type Limits } from './operations/value-limits.ts'
import type { AccessTable } from './store/access.ts'
import type { IdempotencyTable } from './store/idempotency.ts'
import type { PatientAccessSource, WorkforceDirectory } from './store/patient-access-source.ts'
import type { RecordSource } from './store/record-source.ts'
import type { RecordVersions } from './store/record-versions.ts'
import type { SearchSource } from './store/search.ts'
import type { EventSink } from './telemetry/events.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

// The parts of a gateway, grouped by the code that needs them. A deployment passes them as one flat object.

/** Default of `stepUpSeconds`. */
const STEP_UP_SECONDS = 300

/** Stage name in the operators' log of a deployment without an event sink. */
const UNNAMED_STAGE = 'unnamed'

/** The schema and the functions that serve it. */
export interface SchemaParts {
  readonly typeDefs: readonly SdlSource[]
  /** Roots and edges only; every leaf is generated from the policy table. */
  readonly resolvers: Resolvers
  /** A function for each `@computed` field, by its path: `{ 'Client.age': ([birthDate], now) => ... }`. */
  readonly computed?: ComputedFields
  /** Rules for the values that clients write, by record type. A type without rules has the checks of its GraphQL types only. */
  readonly recordRules?: RecordRules
  /** The committed policy lock. The gateway does not start if the schema disagrees with it. */
  readonly lock: string
  /** Whether clients may query the schema. Default: no. */
  readonly introspection?: boolean
}

/** Authentication of callers. */
export interface CallerParts {
  /** Called when the policy is compiled: the schema declares the roles. */
  readonly identity: (policy: PolicyTable) => Identity
  /** Server-side sessions. Left out: a token is valid until it expires, and nothing can revoke it. */
  readonly sessions?: (policy: PolicyTable) => Sessions
  /** Counts failed authentications. Left out: they are not counted. */
  readonly authFailures?: AuthFailurePort
  /** Maximum age of a sign-in at a root that requires a recent one, in seconds. Default: 300. */
  readonly stepUpSeconds?: number
  /** The registered operations of clients. Left out: none is registered, GET is refused, and partners receive nothing. */
  readonly operations?: OperationParts
}

/**
 * Sources of the attributes that decisions need. `relationships` has a source for each relationship that a grant names. Without
 * `breakGlass` no caller has a grant; without `consents` each field that needs a consent is closed.
 */
export interface SubjectParts extends AttributeSources {
  /** The studies of researchers and their patients. Left out: researchers receive nothing. */
  readonly studies?: StudySource
}

/** Storage of records and the limits of reading them. */
export interface RecordParts {
  /** By the name in `@record(source:)`. */
  readonly sources: ReadonlyMap<string, RecordSource>
  /** Finds records by a value. Left out: a root that searches is unavailable. */
  readonly search?: SearchSource
  /** Counts the values that each user receives within an hour. Left out: they are not counted. */
  readonly budgets?: BudgetSource
  /** Maximum number of values for an operation and for an hour, places and bytes of an answer. Default: `DEFAULT_LIMITS`. */
  readonly limits?: Limits
  /** Opens sealed data. It also seals values that a response must carry unreadably: cursors, ids that lead nowhere. */
  readonly keys: Keyring
  /** Signs records and verifies their signatures. Left out: no record can be signed, and a stored signature is unavailable. */
  readonly signer?: RecordSigner
}

/** The list of accesses that patients ask for. */
export interface AccessHistoryParts {
  /** Left out: `whoSawMyRecord` is unavailable. */
  readonly patientAccesses?: PatientAccessSource
  /** Earlier versions of records in the gateway's own store. Left out: under a limited relationship, no access is shown. */
  readonly recordVersions?: RecordVersions
  /** Names of members of the workforce. Left out: roles and organizations are shown. */
  readonly workforce?: WorkforceDirectory
}

/** Web pages that call the gateway. */
export interface BrowserParts {
  /** Created by `corsPolicy`. Left out: a browser lets no page of another origin call. */
  readonly cors?: CorsPolicy
}

/** Services of mutations. */
interface MutationParts {
  /** The registry of operations, for administrators. Left out: its queries and mutations fail. */
  readonly operationRegistry?: RegistryParts
  /**
   * Break-glass mutations use `breakGlass`. Session mutations use `sessions`, and mutations of operations `operationRegistry`, unless
   * this object has its own.
   */
  readonly mutations?: Omit<MutationPorts, 'breakGlass'>
  /** Remembers the results of writes by idempotency key. Left out: records are read only. */
  readonly idempotency?: IdempotencyTable
  /** Erasures of patients, with the rules of retention. Left out: nobody can be erased, and no legal hold placed. */
  readonly erasures?: ErasureServices
  /** The table of memberships and consents. Left out: mutations change neither care teams nor consents. It needs `idempotency`. */
  readonly accessTable?: AccessTable
}

/** The process around the requests. */
export interface ProcessParts {
  /**
   * Whether the messages of errors name the fault of a request: fields, types, headers and limits. For a developer's machine only.
   * Default: no, messages are fixed text.
   */
  readonly detailedErrors?: boolean
  readonly audit: GatewayAudit
  /** Receives operators' events. Default: the console, one JSON object a line. */
  readonly events?: EventSink
  /** Default: the machine's clock. */
  readonly now?: Clock
}

/** The destination of access records. Lanes of the log and request ids must carry the same process id, or records cannot be found. */
export interface GatewayAudit {
  readonly log: AuditLog
  readonly process: ProcessId
}

export interface GatewayParts
  extends SchemaParts,
    CallerParts,
    SubjectParts,
    RecordParts,
    AccessHistoryParts,
    MutationParts,
    BrowserParts,
    ProcessParts {}

export type WithDefaults<Parts, Defaulted extends keyof Parts> = Parts & Required<Pick<Parts, Defaulted>>

/** Fills in the defaults. A part without a default may still be missing: its feature is then closed. */
export function withDefaults(
  parts: GatewayParts,
): WithDefaults<GatewayParts, 'computed' | 'detailedErrors' | 'events' | 'introspection' | 'limits' | 'now' | 'stepUpSeconds'> {
  const { now = Date.now } = parts
  return {
    ...parts,
    now,
    computed: parts.computed ?? {},
    detailedErrors: parts.detailedErrors ?? false,
    events: parts.events ?? operatorEvents({ stage: UNNAMED_STAGE, now }),
    introspection: parts.introspection ?? false,
    limits: parts.limits ?? DEFAULT_LIMITS,
    stepUpSeconds: parts.stepUpSeconds ?? STEP_UP_SECONDS,
  }
}
