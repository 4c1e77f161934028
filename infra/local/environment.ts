import { z } from 'zod'
import { CHECKPOINTS_VARIABLE } from '../../gateway/audit/notary/checkpoint-table.ts'
import { TABLE_VARIABLES, type TableVariable } from '../../gateway/compose.ts'

/** The stage of a stack on this machine. */
export const LOCAL_STAGE = 'local'

const text = z.string().min(1)

/** Strict: a variable of `infra/tables.yml` that the code does not read is a fault, and so is a missing one. */
export const tableNames = z.strictObject(
  Object.fromEntries([...TABLE_VARIABLES, CHECKPOINTS_VARIABLE].map((variable) => [variable, text])) as Record<
    TableVariable | typeof CHECKPOINTS_VARIABLE,
    typeof text
  >,
)

export type TableNames = Readonly<z.infer<typeof tableNames>>

/** The variables that the functions, the operators' commands and the SDK read. The SDK requires region and credentials; the local values grant nothing. */
export const stackEnvironment = z.object({
  PHI_STAGE: text,
  ...tableNames.shape,
  PHI_KMS_KEY_ID: text,
  PHI_TENANT_KMS_KEYS: text,
  PHI_SIGNATURE_KEYS: text,
  PHI_LOG_ORIGIN: text,
  PHI_LOG_KEYS: text,
  PHI_NOTARY_TENANTS: z.string(),
  PHI_AUDIT_OBJECTS: text,
  PHI_AUDIT_TABLES: text,
  PHI_SIEM: z.string().default(''),
  PHI_SIEM_POSITIONS: text,
  PHI_ISSUER: text,
  PHI_AUDIENCE: text,
  PHI_JWKS_URI: text,
  PHI_OPERATIONS: text,
  PHI_AUDIT_FUNCTION: text,
  AWS_REGION: text,
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_ENDPOINT_URL_DYNAMODB: text,
  AWS_ENDPOINT_URL_KMS: text,
  AWS_ENDPOINT_URL_LAMBDA: text,
})

export type StackEnvironment = Readonly<z.infer<typeof stackEnvironment>>

export interface StackParts {
  readonly stage: string
  readonly tables: TableNames
  readonly kmsKeyId: string
  /** The KMS keys of each tenant: the current key first, then former ones. */
  readonly tenantKmsKeys: Readonly<Record<string, readonly string[]>>
  /** The KMS key that signs records. */
  readonly signatureKey: string
  /** The KMS keys that sign the logs, `ed25519` and `mlDsa44`. */
  readonly logKeys: { readonly ed25519: string; readonly mlDsa44: string }
  /** The tenants that the notary seals. */
  readonly tenants: readonly string[]
  /** The folder of the sealed log, an absolute path. */
  readonly auditObjects: string
  /** The folder of the audit tables, an absolute path. */
  readonly auditTables: string
  /** The receivers of the audit log: the setting PHI_SIEM. Empty: nothing is delivered. */
  readonly siem: string
  /** The folder of the delivered positions, an absolute path. */
  readonly siemPositions: string
  readonly issuer: string
  readonly audience: string
  readonly jwksUri: string
  /** What first-party clients may send: the setting PHI_OPERATIONS. */
  readonly operations: object
  /** The name of the audit function, which the gateway invokes. */
  readonly auditFunction: string
  readonly dynamodb: string
  readonly kms: string
  readonly lambda: string
}

export const environmentOf = (parts: StackParts): StackEnvironment => ({
  PHI_STAGE: parts.stage,
  ...parts.tables,
  PHI_KMS_KEY_ID: parts.kmsKeyId,
  PHI_TENANT_KMS_KEYS: JSON.stringify(parts.tenantKmsKeys),
  PHI_SIGNATURE_KEYS: parts.signatureKey,
  PHI_LOG_ORIGIN: 'phi.local',
  PHI_LOG_KEYS: JSON.stringify({ '*': parts.logKeys }),
  PHI_NOTARY_TENANTS: parts.tenants.join(','),
  PHI_AUDIT_OBJECTS: parts.auditObjects,
  PHI_AUDIT_TABLES: parts.auditTables,
  PHI_SIEM: parts.siem,
  PHI_SIEM_POSITIONS: parts.siemPositions,
  PHI_ISSUER: parts.issuer,
  PHI_AUDIENCE: parts.audience,
  PHI_JWKS_URI: parts.jwksUri,
  PHI_OPERATIONS: JSON.stringify(parts.operations),
  PHI_AUDIT_FUNCTION: parts.auditFunction,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: parts.dynamodb,
  AWS_ENDPOINT_URL_KMS: parts.kms,
  AWS_ENDPOINT_URL_LAMBDA: parts.lambda,
})

/** The developer's own sign-in to AWS: the SDK prefers it to the credentials above. */
const SIGN_IN = ['AWS_PROFILE', 'AWS_SESSION_TOKEN']

/**
 * Replaces variables of this process by the environment of a stack.
 *
 * @returns a function that restores the former values
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
