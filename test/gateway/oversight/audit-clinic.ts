import type { Clock } from '../../../gateway/model/record.ts'
import type { AuditApi } from '../../../gateway/create-audit-api.ts'
import { openAuditApi } from '../../../gateway/open-audit-api.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import type { RunningClinic } from '../../harness/running-clinic.ts'

/** An answer of the auditor's API. */
export interface AuditAnswer {
  readonly status: number
  readonly text: string
  readonly data: Record<string, unknown> | undefined
  readonly errors: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[]
  readonly requestId: string
}

export interface AuditDesk {
  ask(user: string, query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<AuditAnswer>
  readonly handle: AuditApi['handle']
  readonly events: readonly GatewayEvent[]
  /** The daily look at access reviews. */
  remind(): Promise<void>
}

/** The auditor's API over the tables of a running clinic, in this process. */
export function auditDesk(
  clinic: RunningClinic,
  { now = Date.now, env = {} }: { readonly now?: Clock; readonly env?: Readonly<Record<string, string>> } = {},
): AuditDesk {
  const events: GatewayEvent[] = []
  const schemas = { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() }
  // errors have the texts of a deployment
  const environment = { ...clinic.stack.env, PHI_STAGE: 'test', ...env }
  const api = openAuditApi(environment, schemas, { now, events: (event) => void events.push(event) })
  return {
    events,
    handle: (request) => api.handle(request),
    remind: async () => await api.remindOfAccessReviews(now() + 10_000),
    ask: async (user, query, variables, headers) => {
      const response = await api.handle(await clinic.requestOf(user, query, variables, headers))
      const {
        data,
        errors = [],
        extensions,
      } = JSON.parse(response.body) as {
        data?: Record<string, unknown>
        errors?: AuditAnswer['errors']
        extensions?: { phi?: { requestId?: string } }
      }
      const requestId = extensions?.phi?.requestId ?? ''
      return { status: response.status, text: response.body, data, errors, requestId }
    },
  }
}
