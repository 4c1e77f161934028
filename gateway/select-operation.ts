import { Trail } from './audit/trail.ts'
import { auditContext } from './audit-context.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import type { ProcessParts } from './gateway-parts.ts'
import type { OperationSelector } from './operations/persisted/operation-selector.ts'
import type { RecordedRefusal } from './operations/persisted/selection-refusal.ts'
import type { Parsed, Selected, Stage } from './pipeline.ts'

interface SelectionParts extends Required<Pick<ProcessParts, 'audit' | 'now'>> {
  readonly selector: OperationSelector
  /** Digest of the policy lock, hex. */
  readonly policy: string
}

/** The path of the record of a refused operation: the request has no field yet. */
const REFUSED_OPERATION = '#operation' as SchemaPath

/**
 * Finds the operation of a request, by its text or its id. From here on, the caller is narrowed to the contract of its client.
 * A refusal leaves only after it is recorded (P2).
 *
 * @throws AuditUnavailable, OperationsUnavailable
 */
export const selectOperation =
  (parts: SelectionParts): Stage<Parsed, Selected> =>
  async (state) => {
    const { request, caller, body, requestId, deadline } = state
    const { sourceIp, method } = request
    const selected = await parts.selector.select({ caller, body, isGet: method === 'GET', sourceIp, requestId, deadline })
    if ('refused' in selected) {
      const { refused, status, detail, recorded } = selected
      if (recorded !== undefined) await recordRefusal(parts, state, recorded)
      return { refused, detail, ...(status !== undefined && { status }) }
    }
    return { ...state, caller: selected.caller, operation: selected }
  }

/** @throws AuditUnavailable */
async function recordRefusal(
  { audit, now, policy }: SelectionParts,
  state: Parsed,
  { operationHash, contract }: RecordedRefusal,
): Promise<void> {
  const context = auditContext(state, { operationHash, persisted: false, contract, policy })
  const { deadline } = state
  const trail = new Trail({ log: audit.log, context, now, deadline, roots: [], leftOut: 'NEVER', origins: new Map() })
  trail.record({ path: REFUSED_OPERATION, action: 'READ', outcome: 'DENIED', reason: 'CONTRACT' })
  await trail.settle()
}
