import { type TenantId, tenantId } from '../model/ids.ts'

/** The places of the audit data, of all tenants. Tables are ARNs, buckets are names. */
export interface AuditPlaces {
  /** `aws`, `aws-us-gov` or `aws-cn` */
  readonly partition: string
  readonly auditTable: string
  readonly checkpointsTable: string
  readonly disclosuresTable: string
  readonly comparisonsTable: string
  readonly workforceTable: string
  /** The bucket of the sealed log. */
  readonly log: string
  /** The bucket of the audit tables. */
  readonly tables: string
  /** The bucket that Athena writes its results to. */
  readonly results: string
}

interface Statement {
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource: readonly string[] | '*'
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

/** A policy of IAM that allows, and denies nothing. */
export interface ReaderPolicy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}

/** STS refuses a longer policy. */
export const MAX_SESSION_POLICY = 2_048

/**
 * The session policy of a reader: of what the role of readers may read, the audit data of one tenant. A session has a right only if both
 * allow it. The separator ends each prefix, so that the tenant `river` cannot read the data of `riverside`.
 *
 * @throws TypeError for a tenant with other characters: `*` in it would name other tenants
 * @source https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
 */
export function readerPolicy(tenant: TenantId, places: AuditPlaces): ReaderPolicy {
  if (tenantId(tenant) === undefined) throw new TypeError('not the name of a tenant')
  const { partition, auditTable, checkpointsTable, disclosuresTable, comparisonsTable, workforceTable, log, tables, results } =
    places
  const bucket = (name: string): string => `arn:${partition}:s3:::${name}`
  const own = `${tenant}/*`
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['dynamodb:Query', 'dynamodb:GetItem', 'dynamodb:BatchGetItem'],
        Resource: [auditTable, `${auditTable}/index/*`, checkpointsTable, disclosuresTable, comparisonsTable, workforceTable],
        Condition: {
          // without a key, the next condition would hold for every request
          Null: { 'dynamodb:LeadingKeys': 'false' },
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': `${tenant}#*` },
        },
      },
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: [`${bucket(log)}/${own}`, `${bucket(tables)}/${own}`] },
      {
        Effect: 'Allow',
        Action: ['s3:ListBucket'],
        Resource: [bucket(log), bucket(tables)],
        Condition: { StringLike: { 's3:prefix': own } },
      },
      { Effect: 'Allow', Action: ['s3:PutObject', 's3:DeleteObject'], Resource: [`${bucket(tables)}/${tenant}/questions/*`] },
      // The rest is the same for every tenant, and the policy of the role limits it. One bucket has the results of all tenants, by random
      // names that no session can list: the role uses it through Athena only.
      {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:GetBucketLocation'],
        Resource: [bucket(results), `${bucket(results)}/*`],
      },
      // the role names the workgroup, the table and the keys
      {
        Effect: 'Allow',
        Action: ['athena:*QueryExecution', 'athena:GetQueryResults', 'glue:Get*', 'kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
      },
    ],
  }
}
