import * as z from 'zod'
import type { Clock } from '../model/record.ts'
import { isWithoutPatients } from '../model/stage.ts'
import { BUCKET } from '../store/open-objects.ts'
import { sharedClients, type TenantClientSource } from './tenant-clients.ts'
import { TenantSessions } from './tenant-sessions.ts'

const ROLE = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/[\w+=,.@/-]+$/
const name = z.string().min(1)
const bucket = z.string().regex(BUCKET)
const ReaderEnvironment = z.object({
  /** The role that sessions for tenants are taken of. */
  PHI_AUDIT_READER_ROLE: z.string().regex(ROLE),
  PHI_TABLE_AUDIT: name,
  PHI_TABLE_CHECKPOINTS: name,
  PHI_TABLE_DISCLOSURES: name,
  PHI_TABLE_COMPARISONS: name,
  PHI_TABLE_WORKFORCE: name,
  PHI_AUDIT_OBJECTS: bucket,
  PHI_AUDIT_TABLES: bucket,
  /** The bucket of Athena's results. */
  PHI_AUDIT_RESULTS: bucket,
  AWS_REGION: name,
})

/**
 * The clients of tenants of a deployment. Only a stage without patients may leave out the role.
 *
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openTenantClients(env: Readonly<Record<string, string | undefined>>, now: Clock): TenantClientSource {
  const { PHI_STAGE: stage, PHI_AUDIT_READER_ROLE: reader = '' } = env
  if (reader === '' && isWithoutPatients(stage)) return sharedClients()
  const { PHI_AUDIT_READER_ROLE: role, AWS_REGION: region, ...named } = ReaderEnvironment.parse(env)
  const [, partition = '', account = ''] = ROLE.exec(role) ?? []
  const table = (name: string): string => `arn:${partition}:dynamodb:${region}:${account}:table/${name}`
  const bucketIn = (place: string): string => BUCKET.exec(place)?.[1] ?? ''
  return new TenantSessions({
    role,
    places: {
      partition,
      auditTable: table(named.PHI_TABLE_AUDIT),
      checkpointsTable: table(named.PHI_TABLE_CHECKPOINTS),
      disclosuresTable: table(named.PHI_TABLE_DISCLOSURES),
      comparisonsTable: table(named.PHI_TABLE_COMPARISONS),
      workforceTable: table(named.PHI_TABLE_WORKFORCE),
      log: bucketIn(named.PHI_AUDIT_OBJECTS),
      tables: bucketIn(named.PHI_AUDIT_TABLES),
      results: bucketIn(named.PHI_AUDIT_RESULTS),
    },
    now,
  })
}
