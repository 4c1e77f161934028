// The entry of the package: the parts that a deployment needs to run a schema of its own. It is the only file that re-exports
// others. Other files may change without notice. `docs/create-gateway.md` shows how the parts fit together.

// the gateway
export { createGateway } from './create-gateway.ts'
export { SchemaRefused } from './schema-refused.ts'
export type { Gateway } from './create-gateway.ts'
export type { GatewayAudit, GatewayParts } from './gateway-parts.ts'
export type { HttpRequest, HttpResponse } from './http/messages.ts'
export { corsPolicy, type CorsPolicy } from './http/cors.ts'
export { UnprotectedField } from './executable-schema.ts'
export { type AnswerLimits, DEFAULT_LIMITS, type Limits, type ValueLimits } from './operations/value-limits.ts'
export type { BudgetSource } from './disclosure/budget-source.ts'
export type { BudgetAccount, Refusals } from './model/budget.ts'
export { BudgetTable } from './store/budgets.ts'
export { SearchTable, type SearchHit, type SearchSource, type SearchTerm } from './store/search.ts'
export { searchIndexes } from '../directives/searchable.ts'
export { type Comparison, workforceComparison } from '../directives/comparisons.ts'

// the schema: its policy and the text of its lock
export { compilePolicy } from '../directives/compile.ts'
export type { CompiledPolicy } from '../directives/compile.ts'
export { diffLocks, renderDiff } from '../directives/lock-diff.ts'
export { PolicyFaults } from '../directives/fault.ts'
export type { SdlSource } from '../directives/parse-sources.ts'
export type { ComparisonPart, PolicyTable, Relationship, Role, SearchIndex } from '../directives/policy.ts'
// the package has its own copy of graphql, whose types are no others
export type { GraphQLResolveInfo, GraphQLSchema } from 'graphql'

// resolvers of roots and edges, functions of computed fields
export { foundBy, panelOf, patientOf, recordById, recordsOf, referenced } from './disclosure/edge-resolvers.ts'
export type { ReadResolver } from './disclosure/leaf-resolvers.ts'
export type { GatewayContext, Resolver, Resolvers } from './mutations/gateway-context.ts'
export { erasureQueries, mutationResolvers } from './mutations/mutation-resolvers.ts'
export type { ErasureServices } from './mutations/erasure-run.ts'
export type { RetentionRule, RetentionSettings } from './model/retention.ts'
export { operationMutations, operationQueries } from './mutations/registry-resolvers.ts'
export type { RegistryCache, RegistryParts } from './mutations/operation-administration.ts'
export { OperationRegistrar, type RegistrarParts } from './operations/persisted/registrar.ts'
export { OperationTable } from './store/operations.ts'
export { RecipientTable } from './store/recipients.ts'
export { endSession, revokeClient, revokeUser } from './mutations/session-mutations.ts'
export type { ComputedField, ComputedFields } from './disclosure/computed-fields.ts'

// callers, their sessions, and their relationships to a patient
export { tokenIdentity } from './access/identity.ts'
export type { Headers, Identity, TokenIssuer } from './access/identity.ts'
export { ClaimMap } from './access/claims.ts'
export type { ScopeGrant } from './access/scope-limits.ts'
export { type KeeperParts, type KeySet, type KeySetKeeper, SealedKeySets } from './access/issuer-key-sets.ts'
export { IssuerKeysTable, type KeySetName, type StoredKeySet } from './store/issuer-keys.ts'
export { RecordSigner, type SigningKey } from './crypto/record-signer.ts'
export { type DigestSeal, KmsSeal } from './crypto/kms-seal.ts'
export { SessionSettings } from './access/session-limits.ts'
export { TableSessions, type SessionParts, type Sessions } from './access/sessions.ts'
export { SessionTable } from './store/sessions.ts'
export {
  AuthFailureCounter,
  type AuthFailurePort,
  type AuthFailureParts,
} from './access/auth-failure-counter.ts'
export { SecurityTable } from './store/security.ts'
export type { CredentialFault } from './model/credential-fault.ts'
export type { RelationshipRegistry, RelationshipSource, RelationshipPeriod } from './access/relationships.ts'
export { authorRelationship } from './access/author.ts'
export { membershipRelationship, membershipChanges } from './access/memberships.ts'
export { breakGlassGrants } from './access/break-glass.ts'
export { BreakGlassTable } from './store/break-glass.ts'
export type { BreakGlassSource } from './access/attribute-loader.ts'
export { MINORS, minorProxyPeriods, type MinorsPolicy } from './model/minors.ts'
export { organizationRelationship } from './access/organization.ts'
export type { Caller } from './model/decision.ts'
export type { Deadline } from './model/deadline.ts'
export { BadRequest, MfaRequired, SessionExpired, SessionsUnavailable, Unauthenticated } from './model/failures.ts'

// sources of records
export type {
  FoundRecord,
  LoadDecision,
  LoadOptions,
  MetadataTest,
  OpenRecord,
  PatientDirectory,
  RecordSource,
} from './store/record-source.ts'
export type { OpeningCounter } from './crypto/sealed-field.ts'
export { IdempotencyTable } from './store/idempotency.ts'
export {
  type ChartChange,
  type FormerVersion,
  type PreparedChange,
  type RecordChange,
  type RecordChangePort,
  RecordChanges,
} from './store/record-changes.ts'
export { SealedSource } from './store/sealed-source.ts'
export {
  type UpstreamEntry,
  type UpstreamQuestion,
  type UpstreamRecord,
  upstreamSource,
  type UpstreamSystem,
} from './store/upstream-source.ts'
export { RecordTable } from './store/records.ts'
export { type AccessKind, AccessTable, type MembershipChange } from './store/access.ts'
export { type ListedPage, type ListFilter, type ListPosition, type ListRequest, newestFirst } from './model/list.ts'
export { IntegrityFailure, KeyUnavailable, StoreUnavailable } from './model/failures.ts'
export type { ConsentChanges } from './model/consent.ts'
export type { SourceResource, WithdrawnResource } from './model/source.ts'
export type { Clock, Json, Membership, MembershipPeriod, NewRecord, RecordMetadata, RelationshipScope } from './model/record.ts'
export type { RecordFacts, RecordRules, TypeRules, ValueFault } from './model/record-rules.ts'
export { encodeNodeId, decodeNodeId } from './model/node-id.ts'
export { idOfUuid, recordKey, tenantId, uuidOf } from './model/ids.ts'
export type { SchemaPath, TypeName } from '../directives/coordinates.ts'
export type {
  Instant,
  NodeId,
  PatientId,
  RecordId,
  RecordRef,
  RequestId,
  TenantId,
  UserId,
} from './model/ids.ts'

// keys, audit, and the services of a process over AWS
export type { ServedSchema } from './compose.ts'
export { openServices, type Env, type Services } from './compose.ts'
export { openStore, type SealedStore } from './admin/open-store.ts'
export {
  openStudyAdmin,
  type StudyCounts,
  type StudyAdmin,
  UnknownSubject,
} from './admin/study-admin.ts'
export type { Study } from './model/study.ts'
export { Keyring, type KeyringParts } from './crypto/keyring.ts'
export { AwsKms, type Kms } from './crypto/kms.ts'
export { DynamoKeyTable } from './store/keys.ts'
export type { AuditLog } from './audit/log.ts'
export { LaneLog } from './audit/log.ts'
export { AuditHistory } from './audit/history.ts'
export type { AuditEntry } from './audit/entry.ts'
export { newProcessId, type ProcessId } from './audit/request-id.ts'
export type { EventSink, GatewayEvent } from './telemetry/events.ts'
