import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import type { Handler } from './api-gateway.ts'
import type { Stack } from './stack.ts'
import type { StackUser } from './users.ts'

/** The path of the auditor's API. */
const AUDIT_PATH = '/audit/graphql'

/** The roles to which `schema/audit/` gives its root fields. */
const AUDITING: ReadonlySet<string> = new Set(['AUDITOR', 'PRIVACY_OFFICER'])

/** Whether a user of the stack asks the audit log, and not the records of patients. */
export const asksAuditLog = ({ role }: Pick<StackUser, 'role'>): boolean => AUDITING.has(role)

/** The path of the endpoint that answers a user. */
export const endpointOf = (user: Pick<StackUser, 'role'>): string => (asksAuditLog(user) ? AUDIT_PATH : '/graphql')

/** The address of the auditor's API beside that of the gateway. */
export const auditUrlOf = (graphql: string): string => new URL(AUDIT_PATH, graphql).href

/** The audit function, as Lambda calls it. */
type AuditHandler = (event: APIGatewayProxyEventV2 | Readonly<Record<string, unknown>>, context: Context) => Promise<unknown>

/**
 * Serves the audit function under its name, for the gateway's questions about one patient.
 *
 * @returns its routes for auditors
 */
export function serveAudit(
  { lambda, env }: Pick<Stack, 'lambda' | 'env'>,
  handler: AuditHandler,
): Readonly<Record<`${'POST' | 'OPTIONS'} ${typeof AUDIT_PATH}`, Handler>> {
  lambda.serve(env.PHI_AUDIT_FUNCTION, handler)
  // safe: the function answers a request of an HTTP API in the form of an HTTP API
  const route = handler as Handler
  return { [`POST ${AUDIT_PATH}`]: route, [`OPTIONS ${AUDIT_PATH}`]: route } as const
}
