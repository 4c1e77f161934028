import * as z from 'zod'
import type { Env } from '../compose.ts'
import type { TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { openAuditReader, ReaderTables, readerTables } from '../open-audit-reader.ts'
import type { AuditReader } from '../oversight/audit-reader.ts'
import { Turns } from '../oversight/tables/turns.ts'
import { LeanDynamoDBClient } from '../store/lean-client.ts'
import { openTableObjects } from '../store/open-tables.ts'
import { openAuditObjects } from './audit-objects.ts'

const Environment = z.object(ReaderTables)

/**
 * The audit data of one tenant, for a command of an operator.
 *
 * @throws NoSealedLog; ZodError for a missing variable
 */
export function openOperatorReader(
  tenant: TenantId,
  env: Env,
  now: Clock,
): { readonly reader: AuditReader; readonly close: () => void } {
  const names = readerTables(Environment.parse(env))
  const requestHandler = { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true }
  const dynamodb = new LeanDynamoDBClient({ maxAttempts: 3, requestHandler })
  dynamodb.middlewareStack.remove('loggerMiddleware')
  const [log, tables] = [openAuditObjects(env), openTableObjects(env)]
  const reader = openAuditReader(tenant, { dynamodb, names, log, tables, turns: new Turns(), now })
  return { reader, close: () => dynamodb.destroy() }
}
