import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import type { AuditContext } from '../audit/entry.ts'
import { newRequestId } from '../audit/request-id.ts'
import type { Services } from '../compose.ts'
import type { TenantId } from '../model/ids.ts'

/** One act of an operator's command, as the audit records it. */
export interface OperatorAct {
  readonly tenant: TenantId
  /** The command: `phi-import`. */
  readonly client: string
  /** The work of the command: `import`. */
  readonly operation: string
  /** Digest of the policy lock, hex. */
  readonly policy: string
  /** The protocol of the study that the act writes. */
  readonly study?: string
}

/**
 * The audit context of one act of an operator: the account of the operating system, for healthcare operations, without a role.
 *
 * Each call returns a new request id. A command may run for hours, and the audit finds records by the time in their request id.
 */
export function operatorContext({ process, now }: Pick<Services, 'process' | 'now'>, act: OperatorAct): AuditContext {
  return {
    ...act,
    requestId: newRequestId(process, now(), randomBytes),
    user: `os:${userInfo().username}`,
    roles: [],
    purpose: 'HOPERAT',
    persisted: false,
  }
}
