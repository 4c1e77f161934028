import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { compilePolicy } from '../directives/compile.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import { AuthFailureCounter } from './access/auth-failure-counter.ts'
import { ClaimMap } from './access/claims.ts'
import { tokenIdentity } from './access/identity.ts'
import { SessionSettings } from './access/session-limits.ts'
import { TableSessions } from './access/sessions.ts'
import { LaneLog } from './audit/log.ts'
import { CheckpointTable } from './audit/notary/checkpoint-table.ts'
import { newProcessId } from './audit/request-id.ts'
import { answerAboutPatient } from './answer-about-patient.ts'
import { type AuditApi, type AuditApiParts, createAuditApi } from './create-audit-api.ts'
import { corsFrom } from './cors-setting.ts'
import { jsonOf } from './json-setting.ts'
import type { TenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import { isLocal, isWithoutPatients } from './model/stage.ts'
import { AnomalySettings } from './oversight/anomalies/anomaly-settings.ts'
import type { AuditReader } from './oversight/audit-reader.ts'
import { AccessReviewSettings } from './oversight/reviews/review-settings.ts'
import { openTenantClients } from './oversight/open-tenant-clients.ts'
import { openAuditReader, ReaderTables, readerTables } from './open-audit-reader.ts'
import type { AthenaNames } from './oversight/tables/athena-tables.ts'
import { Turns } from './oversight/tables/turns.ts'
import { type RemindOfAccessReviews, remindOfAccessReviews } from './remind-of-access-reviews.ts'
import { SchemaRefused } from './schema-refused.ts'
import { LeanDynamoDBClient } from './store/lean-client.ts'
import { writeClient } from './store/write-client.ts'
import { BUCKET, openObjects } from './store/open-objects.ts'
import { openTableObjects } from './store/open-tables.ts'
import { SecurityTable } from './store/security.ts'
import { SessionTable } from './store/sessions.ts'
import type { EventSink } from './telemetry/events.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

const name = z.string().min(1)
const Environment = z.object({
  PHI_STAGE: name,
  ...ReaderTables,
  PHI_TABLE_SESSIONS: name,
  PHI_TABLE_SECURITY: name,
  PHI_ISSUER: z.url(),
  PHI_AUDIENCE: name,
  PHI_JWKS_URI: z.url(),
  PHI_CLAIMS: jsonOf('PHI_CLAIMS').pipe(ClaimMap),
  PHI_SESSIONS: jsonOf('PHI_SESSIONS').pipe(SessionSettings),
  PHI_ANOMALIES: jsonOf('PHI_ANOMALIES').pipe(AnomalySettings),
  /** Tenants beside those that the stream of the audit table named, with commas between them. */
  PHI_NOTARY_TENANTS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((tenant) => tenant !== '')),
  PHI_ACCESS_REVIEWS: jsonOf('PHI_ACCESS_REVIEWS').pipe(AccessReviewSettings),
})

const CONNECT_MS = 1_000
const REQUEST_MS = 3_000
const READ_ATTEMPTS = 3

/** The schemas that the auditor's API needs. */
export interface AuditSchemas {
  /** The schema of the API. */
  readonly audit: readonly SdlSource[]
  /** The clinical schema, whose accesses the log has, and its lock. */
  readonly clinical: readonly SdlSource[]
  readonly lock: string
}

const AthenaEnvironment = z.object({
  PHI_ATHENA_WORKGROUP: name,
  PHI_ATHENA_DATABASE: name,
  PHI_AUDIT_TABLES: z.string().regex(BUCKET),
})

/** The names in Athena of a deployment; undefined if it has none, and refuses questions over more than the function can hold. */
function athenaNames(env: Readonly<Record<string, string | undefined>>): AthenaNames | undefined {
  if (env['PHI_ATHENA_WORKGROUP'] === undefined) return undefined
  const { PHI_ATHENA_WORKGROUP: workGroup, PHI_ATHENA_DATABASE: database, PHI_AUDIT_TABLES: place } = AthenaEnvironment.parse(env)
  return { workGroup, database, catalog: 'AwsDataCatalog', table: 'accesses', bucket: BUCKET.exec(place)?.[1] ?? '' }
}

/** The three forms of events that the audit function answers. */
export interface AuditFunction extends AuditApi {
  /** Answers the clinical function about one patient. */
  readonly answerAboutPatient: ReturnType<typeof answerAboutPatient>
  /** Reports overdue access reviews, once a day. */
  readonly remindOfAccessReviews: RemindOfAccessReviews
}

/**
 * The auditor's API of a deployment, from its environment. It opens no table of records and of keys.
 *
 * @throws ZodError naming the variable that is missing or malformed; PolicyFaults, SchemaRefused
 */
export function openAuditApi(
  env: Readonly<Record<string, string | undefined>>,
  { audit, clinical, lock }: AuditSchemas,
  { now = Date.now, events }: { readonly now?: Clock; readonly events?: EventSink } = {},
): AuditFunction {
  const settings = Environment.parse(env)
  const sink = events ?? operatorEvents({ stage: settings.PHI_STAGE, now })
  const clients = openTenantClients(env, now)
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  // these have the function's own role, which reads no audit data
  const reads = new LeanDynamoDBClient({ maxAttempts: READ_ATTEMPTS, requestHandler })
  const writes = writeClient(requestHandler)
  for (const client of [reads, writes]) client.middlewareStack.remove('loggerMiddleware')
  // unchecked: this decides no access, and only the gateway knows the sources of relationships
  const { policy, lock: compiled, schema: clinicalSchema } = compilePolicy(clinical, { relationships: 'unchecked' })
  if (compiled !== lock)
    throw new SchemaRefused('the schema and its policy lock disagree: run `phi policy lock` and review the difference')
  const process = newProcessId(randomBytes)
  const { PHI_ISSUER: issuer, PHI_AUDIENCE: audience, PHI_JWKS_URI: jwksUri, PHI_CLAIMS: claims } = settings
  // these fail at the start if a setting is malformed
  openObjects(env)
  openTableObjects(env)
  const turns = new Turns()
  const names = readerTables(settings)
  const inAthena = athenaNames(env)
  const openReader = async (tenant: TenantId): Promise<AuditReader> => {
    const { dynamodb, s3, athena: client } = await clients.clientsOf(tenant)
    const [log, tables] = [openObjects(env, () => s3), openTableObjects(env, () => s3)]
    const athena = inAthena && { client, names: inAthena }
    return openAuditReader(tenant, { dynamodb, names, log, tables, turns, now, ...(athena && { athena }) })
  }
  const cors = corsFrom(env)
  const parts: AuditApiParts = {
    typeDefs: audit,
    policy,
    clinicalSchema,
    identity: tokenIdentity({ issuer, audience, jwksUri, claims, now }, policy),
    sessions: new TableSessions({
      table: new SessionTable(reads, settings.PHI_TABLE_SESSIONS),
      policy,
      settings: settings.PHI_SESSIONS,
      now,
      events: sink,
    }),
    authFailures: new AuthFailureCounter({ table: new SecurityTable(writes, settings.PHI_TABLE_SECURITY), now, events: sink }),
    audit: { log: new LaneLog({ client: writes, table: settings.PHI_TABLE_AUDIT, process, now, events: sink }), process },
    ...(cors && { cors }),
    openReader,
    anomalies: settings.PHI_ANOMALIES,
    reviewSettings: settings.PHI_ACCESS_REVIEWS,
    stepUpSeconds: settings.PHI_SESSIONS.stepUpSeconds,
    introspection: isWithoutPatients(settings.PHI_STAGE),
    detailedErrors: isLocal(settings.PHI_STAGE),
    events: sink,
    now,
  }
  const tenants = async (): Promise<readonly string[]> => {
    const registered = await new CheckpointTable(reads, settings.PHI_TABLE_CHECKPOINTS).tenants()
    return [...new Set([...settings.PHI_NOTARY_TENANTS, ...registered.map(({ tenant }) => tenant)])]
  }
  return {
    ...createAuditApi(parts),
    answerAboutPatient: answerAboutPatient(parts),
    remindOfAccessReviews: remindOfAccessReviews({ ...parts, tenants }),
  }
}
