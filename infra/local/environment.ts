import { z } from 'zod'
import type { TableNames } from './tables.ts'

const text = z.string().min(1)

/** What the functions and the SDK read from the environment. Region and credentials satisfy the SDK and open nothing. */
export const stackEnvironment = z.object({
  PHI_STAGE: text,
  PHI_TABLE_RECORDS: text,
  PHI_TABLE_HISTORY: text,
  PHI_TABLE_ACCESS: text,
  PHI_TABLE_BREAK_GLASS: text,
  PHI_TABLE_KEYS: text,
  PHI_TABLE_AUDIT: text,
  PHI_TABLE_SESSIONS: text,
  PHI_TABLE_BUDGETS: text,
  PHI_TABLE_SECURITY: text,
  PHI_TABLE_SEARCH: text,
  PHI_KMS_KEY_ID: text,
  PHI_TENANT_KMS_KEYS: text,
  PHI_ISSUER: text,
  PHI_AUDIENCE: text,
  PHI_JWKS_URI: text,
  AWS_REGION: text,
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_ENDPOINT_URL_DYNAMODB: text,
  AWS_ENDPOINT_URL_KMS: text,
})

export type StackEnvironment = Readonly<z.infer<typeof stackEnvironment>>

export interface StackParts {
  readonly stage: string
  readonly tables: TableNames
  readonly kmsKeyId: string
  /** By tenant: the present key first, then former ones. */
  readonly tenantKmsKeys: Readonly<Record<string, readonly string[]>>
  readonly issuer: string
  readonly audience: string
  readonly jwksUri: string
  readonly dynamodb: string
  readonly kms: string
}

export const environmentOf = (parts: StackParts): StackEnvironment => ({
  PHI_STAGE: parts.stage,
  PHI_TABLE_RECORDS: parts.tables.records,
  PHI_TABLE_HISTORY: parts.tables.history,
  PHI_TABLE_ACCESS: parts.tables.access,
  PHI_TABLE_BREAK_GLASS: parts.tables.breakGlass,
  PHI_TABLE_KEYS: parts.tables.keys,
  PHI_TABLE_AUDIT: parts.tables.audit,
  PHI_TABLE_SESSIONS: parts.tables.sessions,
  PHI_TABLE_BUDGETS: parts.tables.budgets,
  PHI_TABLE_SECURITY: parts.tables.security,
  PHI_TABLE_SEARCH: parts.tables.search,
  PHI_KMS_KEY_ID: parts.kmsKeyId,
  PHI_TENANT_KMS_KEYS: JSON.stringify(parts.tenantKmsKeys),
  PHI_ISSUER: parts.issuer,
  PHI_AUDIENCE: parts.audience,
  PHI_JWKS_URI: parts.jwksUri,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: parts.dynamodb,
  AWS_ENDPOINT_URL_KMS: parts.kms,
})

/** A developer's own sign-in to AWS, which the SDK would prefer to the variables above. */
const SIGN_IN = ['AWS_PROFILE', 'AWS_SESSION_TOKEN']

/**
 * Puts the environment of a stack in place of this process's own.
 *
 * @returns what puts the former one back
 */
export function enterEnvironment(environment: StackEnvironment): () => void {
  const names = [...Object.keys(environment), ...SIGN_IN]
  const former = names.map((name) => [name, process.env[name]] as const)
  for (const name of SIGN_IN) Reflect.deleteProperty(process.env, name)
  Object.assign(process.env, environment)
  return () => {
    for (const [name, value] of former) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  }
}
