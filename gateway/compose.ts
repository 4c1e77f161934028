import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { storedConsents } from './access/consents.ts'
import { tokenIdentity } from './access/identity.ts'
import { ClaimMap } from './access/claims.ts'
import { SealedKeySets } from './access/issuer-key-sets.ts'
import type { BreakGlassSource } from './access/attribute-loader.ts'
import { AuthFailureCounter } from './access/auth-failure-counter.ts'
import type { RelationshipRegistry } from './access/relationships.ts'
import { SessionSettings } from './access/session-limits.ts'
import { TableSessions } from './access/sessions.ts'
import { storedStudies } from './access/studies.ts'
import { AuditHistory } from './audit/history.ts'
import { LaneLog } from './audit/log.ts'
import { newProcessId, type ProcessId } from './audit/request-id.ts'
import { Keyring } from './crypto/keyring.ts'
import type { KmsKeys } from './crypto/kms-keys.ts'
import { type DigestSeal, KmsSeal } from './crypto/kms-seal.ts'
import { AwsKms, type Kms } from './crypto/kms.ts'
import { RecordSigner } from './crypto/record-signer.ts'
import { AccessTable } from './store/access.ts'
import { AutomaticQueryTable } from './store/automatic-queries.ts'
import { BreakGlassTable } from './store/break-glass.ts'
import { BudgetTable } from './store/budgets.ts'
import { ComparisonTable } from './store/comparisons.ts'
import { DisclosureTable } from './store/disclosures.ts'
import { HistoryTable } from './store/history.ts'
import { IdempotencyTable } from './store/idempotency.ts'
import { IssuerKeysTable } from './store/issuer-keys.ts'
import { DynamoKeyTable } from './store/keys.ts'
import { LeanDynamoDBClient } from './store/lean-client.ts'
import { writeClient } from './store/write-client.ts'
import { PatientAccessFunction } from './store/patient-access-function.ts'
import type { PatientAccessSource } from './store/patient-access-source.ts'
import { OWN_SOURCE, type RecordSource } from './store/record-source.ts'
import { SealedVersions } from './store/record-versions.ts'
import { LocatorTable } from './store/record-locators.ts'
import { RecordTable } from './store/records.ts'
import { OperationTable } from './store/operations.ts'
import { RecipientTable } from './store/recipients.ts'
import { RecordChanges } from './store/record-changes.ts'
import { SealedSource } from './store/sealed-source.ts'
import { SecurityTable } from './store/security.ts'
import { RotationRunTable } from './store/rotation-runs.ts'
import { SearchTable } from './store/search.ts'
import { SessionTable } from './store/sessions.ts'
import { StudyTable } from './store/studies.ts'
import type { EventSink } from './telemetry/events.ts'
import { type TenantId, tenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import { RetentionSettings } from './model/retention.ts'
import { isLocal, isWithoutPatients } from './model/stage.ts'
import { StoredWorkforce } from './store/stored-workforce.ts'
import { WorkforceTable } from './store/workforce.ts'
import { createGateway, type Gateway } from './create-gateway.ts'
import type { SchemaParts } from './gateway-parts.ts'
import { OperationSettings } from './operations/persisted/adoption.ts'
import { automaticQueries } from './operations/persisted/automatic-queries.ts'
import type { AutomaticQueries, OperationRegistry } from './operations/persisted/operation-registry.ts'
import { OperationRegistrar } from './operations/persisted/registrar.ts'
import { storedRegistry } from './operations/persisted/stored-registry.ts'
import { DEFAULT_LIMITS, LimitsText } from './operations/value-limits.ts'
import { operatorEvents } from './telemetry/operator-events.ts'
import { corsFrom } from './cors-setting.ts'
import { jsonOf } from './json-setting.ts'
import { kmsKeysOf, TenantKmsKeys } from './tenant-kms-keys.ts'

const name = z.string().min(1)

/** The services that a class over a table can use. */
interface TableParts {
  readonly reads: DynamoDBClient
  /** Without retries of the SDK. */
  readonly writes: DynamoDBClient
  readonly process: ProcessId
  readonly now: Clock
  readonly events: EventSink
}

const tableIn = <const Variable extends `PHI_TABLE_${string}`, Table>(
  variable: Variable,
  open: (parts: TableParts, table: string) => Table,
) => ({ variable, open })

/** The tables by their member of `Services`, each with the variable that holds its name. `infra/tables.yml` sets the variables. */
const TABLES = {
  records: tableIn('PHI_TABLE_RECORDS', ({ reads }, table) => new RecordTable(reads, table)),
  locators: tableIn('PHI_TABLE_RECORDS', ({ reads }, table) => new LocatorTable(reads, table)),
  access: tableIn('PHI_TABLE_ACCESS', ({ reads }, table) => new AccessTable(reads, table)),
  studies: tableIn('PHI_TABLE_ACCESS', ({ reads }, table) => new StudyTable(reads, table)),
  breakGlass: tableIn('PHI_TABLE_BREAK_GLASS', ({ reads }, table) => new BreakGlassTable(reads, table)),
  keys: tableIn('PHI_TABLE_KEYS', ({ reads }, table) => new DynamoKeyTable(reads, table)),
  rotationRuns: tableIn('PHI_TABLE_KEYS', ({ reads }, table) => new RotationRunTable(reads, table)),
  audit: tableIn(
    'PHI_TABLE_AUDIT',
    ({ writes, process, now, events }, table) => new LaneLog({ client: writes, table, process, now, events }),
  ),
  recordHistory: tableIn('PHI_TABLE_HISTORY', ({ reads }, table) => new HistoryTable(reads, table)),
  history: tableIn('PHI_TABLE_AUDIT', ({ reads }, table) => new AuditHistory(reads, table)),
  sessions: tableIn('PHI_TABLE_SESSIONS', ({ reads }, table) => new SessionTable(reads, table)),
  idempotency: tableIn('PHI_TABLE_IDEMPOTENCY', ({ reads }, table) => new IdempotencyTable(reads, table)),
  issuerKeys: tableIn('PHI_TABLE_SESSIONS', ({ reads }, table) => new IssuerKeysTable(reads, table)),
  budgets: tableIn('PHI_TABLE_BUDGETS', ({ reads }, table) => new BudgetTable(reads, table)),
  // a retry of the SDK would count twice
  security: tableIn('PHI_TABLE_SECURITY', ({ writes }, table) => new SecurityTable(writes, table)),
  search: tableIn('PHI_TABLE_SEARCH', ({ reads }, table) => new SearchTable(reads, table)),
  comparisons: tableIn('PHI_TABLE_COMPARISONS', ({ reads }, table) => new ComparisonTable(reads, table)),
  workforceRows: tableIn('PHI_TABLE_WORKFORCE', ({ reads }, table) => new WorkforceTable(reads, table)),
  operations: tableIn('PHI_TABLE_OPERATIONS', ({ reads }, table) => new OperationTable(reads, table)),
  disclosures: tableIn('PHI_TABLE_DISCLOSURES', ({ reads }, table) => new DisclosureTable(reads, table)),
  recipients: tableIn('PHI_TABLE_DISCLOSURES', ({ reads }, table) => new RecipientTable(reads, table)),
  automaticQueries: tableIn('PHI_TABLE_OPERATIONS', ({ reads }, table) => new AutomaticQueryTable(reads, table)),
}
type Tables = { readonly [Name in keyof typeof TABLES]: ReturnType<(typeof TABLES)[Name]['open']> }

/** A variable that holds the name of a table. */
export type TableVariable = (typeof TABLES)[keyof typeof TABLES]['variable']
export const TABLE_VARIABLES: ReadonlySet<TableVariable> = new Set(Object.values(TABLES).map(({ variable }) => variable))

/** Names with commas between them. An empty text has none. */
const TenantNames = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter((tenant) => tenant !== ''))
  .pipe(z.array(z.string().refine((tenant) => tenantId(tenant) !== undefined)))
  .transform((tenants) => tenants as TenantId[])

/** ARNs or aliases of KMS keys with commas between them. An empty text has none. */
const KeyNames = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter((key) => key !== ''))

const tableNames = Object.fromEntries([...TABLE_VARIABLES].map((variable) => [variable, name]))
const Environment = z.object({
  PHI_STAGE: name,
  ...(tableNames as Record<TableVariable, typeof name>),
  PHI_KMS_KEY_ID: name,
  PHI_TENANT_KMS_KEYS: TenantKmsKeys,
  /** The keys of records' signatures, with commas between them. The first one signs, and each verifies. */
  PHI_SIGNATURE_KEYS: KeyNames,
  PHI_PREFETCH_TENANTS: TenantNames,
  /** The name or ARN of the audit function. */
  PHI_AUDIT_FUNCTION: name.optional(),
  PHI_BREAK_GLASS_MINUTES: z.coerce.number().int().min(1).max(1_440).default(240),
})
const IssuerEnvironment = z.object({
  PHI_ISSUER: z.url(),
  PHI_AUDIENCE: name,
  PHI_JWKS_URI: z.url(),
  PHI_CLAIMS: jsonOf('PHI_CLAIMS').pipe(ClaimMap),
  PHI_SESSIONS: jsonOf('PHI_SESSIONS').pipe(SessionSettings),
})
const OperationsEnvironment = z.object({ PHI_OPERATIONS: jsonOf('PHI_OPERATIONS').pipe(OperationSettings) })
const RetentionEnvironment = z.object({ PHI_RETENTION: jsonOf('PHI_RETENTION').pipe(RetentionSettings) })
const LimitsEnvironment = z.object({ PHI_LIMITS: LimitsText.default(DEFAULT_LIMITS) })

export type Env = Readonly<Record<string, string | undefined>>

/** The objects that a process creates once, over real clients. */
export interface Services extends Tables {
  readonly stage: string
  readonly process: ProcessId
  readonly now: Clock
  readonly events: EventSink
  /** Maximum duration of a break-glass grant, in minutes. */
  readonly breakGlassMinutes: number
  readonly digestSeal: DigestSeal
  readonly kms: Kms
  readonly kmsKeysFor: (tenant: TenantId) => KmsKeys
  readonly keyring: Keyring
  /** Signs records. Undefined without a key. */
  readonly signer: RecordSigner | undefined
  /** Answers who accessed a patient's record. Undefined without the audit function. */
  readonly patientAccesses: PatientAccessSource | undefined
  /**
   * Opens connections, and loads the keys of the tenants in `PHI_PREFETCH_TENANTS`, before the first request. Never throws: a
   * request does again what failed here.
   */
  prefetch(): Promise<void>
  close(): void
}

// three attempts and the pauses between them fit into the share of a request's time for reading
const CONNECT_MS = 1_000
const REQUEST_MS = 1_500
const READ_ATTEMPTS = 3
const ANSWER_MS = 5_000
// the second one for a connection that the service closed. An answer that was lost leaves a second record of the answer
const ANSWER_ATTEMPTS = 2

/**
 * The services of a process, from its environment. The SDK reads region, credentials and endpoints itself.
 *
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openServices(env: Env, { now = Date.now, events }: { now?: Clock; events?: EventSink } = {}): Services {
  const settings = Environment.parse(env)
  // without the last option, the client only logs a warning for an overdue request and continues to wait
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const reads = quiet(new LeanDynamoDBClient({ maxAttempts: READ_ATTEMPTS, requestHandler }))
  const writes = quiet(writeClient(requestHandler))
  const kmsClient = quiet(new KMSClient({ maxAttempts: READ_ATTEMPTS, requestHandler }))
  // an answer takes longer than a table, and the request has its own deadline
  const lambdaHandler = { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true }
  const { PHI_AUDIT_FUNCTION: auditFunction } = settings
  const lambda =
    auditFunction === undefined
      ? undefined
      : quiet(new LambdaClient({ maxAttempts: ANSWER_ATTEMPTS, requestHandler: lambdaHandler }))
  const kms = new AwsKms(kmsClient)
  const kmsKeysFor = kmsKeysOf(settings.PHI_TENANT_KMS_KEYS, settings.PHI_KMS_KEY_ID)
  const sink = events ?? operatorEvents({ stage: settings.PHI_STAGE, now })
  const process = newProcessId(randomBytes)
  const tables = openTables({ reads, writes, process, now, events: sink }, settings)
  const keyring = new Keyring({ kms, table: tables.keys, now, kmsKeysFor })
  return {
    ...tables,
    stage: settings.PHI_STAGE,
    process,
    now,
    events: sink,
    breakGlassMinutes: settings.PHI_BREAK_GLASS_MINUTES,
    digestSeal: new KmsSeal(kmsClient, settings.PHI_KMS_KEY_ID),
    kms,
    kmsKeysFor,
    keyring,
    signer: signerOf(kmsClient, settings.PHI_SIGNATURE_KEYS),
    patientAccesses:
      lambda === undefined || auditFunction === undefined ? undefined : new PatientAccessFunction(lambda, auditFunction),
    prefetch: async () => {
      const connecting = [reads, writes].map((client) => client.connect(AbortSignal.timeout(REQUEST_MS)))
      const loading = settings.PHI_PREFETCH_TENANTS.map((tenant) => keyring.purposeKey(tenant, 'access'))
      await Promise.allSettled([...connecting, ...loading])
    },
    close: () => {
      for (const client of [reads, writes, kmsClient, lambda]) client?.destroy()
    },
  }
}

function signerOf(client: KMSClient, [current, ...former]: readonly string[]): RecordSigner | undefined {
  if (current === undefined) return undefined
  return RecordSigner.ofKms(client, [current, ...former])
}

function openTables(parts: TableParts, names: Readonly<Record<TableVariable, string>>): Tables {
  const opened = Object.entries(TABLES).map(([member, { variable, open }]) => [member, open(parts, names[variable])])
  return Object.fromEntries(opened) as Tables
}

/** A schema with its resolvers, and the sources of records and of a caller's attributes over the services of a process. */
export interface ServedSchema extends Pick<SchemaParts, 'typeDefs' | 'resolvers' | 'lock' | 'computed' | 'recordRules'> {
  readonly relationships: (services: Services) => RelationshipRegistry
  /** Left out: no caller can use break-glass. */
  readonly breakGlass?: (services: Services) => BreakGlassSource
  /** By the name in `@record(source:)`, beside the gateway's own store, `dynamodb`. */
  readonly sources?: (services: Services) => ReadonlyMap<string, RecordSource>
}

/** The operations that a gateway serves by id. */
export interface ServedOperations {
  readonly registry: OperationRegistry
  readonly automatic: AutomaticQueries
}

/**
 * Creates a gateway over the services of a process.
 *
 * @param served left out: the operations in the table of the services
 *
 * @throws ZodError, PolicyFaults, SchemaRefused, UnprotectedField
 */
export async function composeGateway(
  services: Services,
  env: Env,
  { relationships, breakGlass, sources, ...schema }: ServedSchema,
  served?: ServedOperations,
): Promise<Gateway> {
  const { PHI_OPERATIONS } = OperationsEnvironment.parse(env)
  const { PHI_ISSUER, PHI_AUDIENCE, PHI_JWKS_URI, PHI_CLAIMS, PHI_SESSIONS } = IssuerEnvironment.parse(env)
  const { events, keyring, now } = services
  const cors = corsFrom(env)
  const registry = storedRegistry({ table: services.operations, keyring, now })
  const keeper = new SealedKeySets(
    { table: services.issuerKeys, seal: services.digestSeal, now, events },
    { issuer: PHI_ISSUER, jwksUri: PHI_JWKS_URI },
  )
  const issuer = { issuer: PHI_ISSUER, audience: PHI_AUDIENCE, jwksUri: PHI_JWKS_URI, claims: PHI_CLAIMS, keeper, now }
  return await createGateway({
    ...schema,
    relationships: relationships(services),
    ...(breakGlass && { breakGlass: breakGlass(services) }),
    studies: storedStudies(services),
    consents: storedConsents({ table: services.access, keyring: services.keyring, events: services.events }),
    sources: new Map([...(sources?.(services) ?? []), [OWN_SOURCE, ownSource(services)]]),
    budgets: services.budgets,
    search: services.search,
    ...(services.signer && { signer: services.signer }),
    ...(services.patientAccesses && { patientAccesses: services.patientAccesses }),
    workforce: new StoredWorkforce(services.workforceRows, services.keyring),
    recordVersions: new SealedVersions(services.recordHistory, services.keyring),
    limits: LimitsEnvironment.parse(env).PHI_LIMITS,
    identity: (policy) => tokenIdentity(issuer, policy),
    sessions: (policy) => new TableSessions({ table: services.sessions, policy, settings: PHI_SESSIONS, now, events }),
    authFailures: new AuthFailureCounter({ table: services.security, now, events }),
    stepUpSeconds: PHI_SESSIONS.stepUpSeconds,
    operations: {
      registry,
      automatic: automaticQueries({ table: services.automaticQueries, keyring, now }),
      ...served,
      ...PHI_OPERATIONS,
    },
    operationRegistry: {
      registrar: new OperationRegistrar({ table: services.operations, recipients: services.recipients, keyring, now }),
      cache: registry,
    },
    idempotency: services.idempotency,
    accessTable: services.access,
    erasures: {
      ...services,
      history: services.recordHistory,
      retention: RetentionEnvironment.parse(env).PHI_RETENTION,
    },
    ...(cors && { cors }),
    keys: services.keyring,
    audit: { log: services.audit, process: services.process },
    events: services.events,
    now: services.now,
    introspection: isWithoutPatients(services.stage),
    detailedErrors: isLocal(services.stage),
  })
}

/** The gateway's own store, with the changes of its records. */
const ownSource = (services: Services): RecordSource =>
  new SealedSource(services.records, services.keyring, new RecordChanges({ ...services, history: services.recordHistory }))

/** Removes the SDK's logger middleware: it takes a third of the time of a small call and would print requests and responses. */
function quiet<Client extends { middlewareStack: { remove(name: string): boolean } }>(client: Client): Client {
  client.middlewareStack.remove('loggerMiddleware')
  return client
}
