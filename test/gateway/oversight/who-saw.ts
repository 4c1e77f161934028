import { randomBytes } from 'node:crypto'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import type { RecordRef } from '../../../gateway/model/ids.ts'
import { type AuditFunction, openAuditApi } from '../../../gateway/open-audit-api.ts'
import { RecordWriter } from '../../../gateway/store/record-writer.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { AUDIT_FUNCTION } from '../../../infra/local/stack.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import type { ClinicAnswer, RunningClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'

/** Removes a record from its chart, as an import does. */
export async function removeRecord({ services }: Pick<RunningClinic, 'services'>, ref: RecordRef): Promise<void> {
  const { process, now, recordHistory } = services
  const context = {
    tenant: RIVERSIDE,
    requestId: newRequestId(process, now(), randomBytes),
    user: 'os:test',
    roles: [],
    purpose: 'HOPERAT',
    persisted: false,
    policy: '0'.repeat(64),
  } as const
  const writer = new RecordWriter({ ...services, history: recordHistory })
  await writer.write(context, { patient: ref.patient, records: [], access: [], removed: [ref] })
}

/** The time that the audit function has for an answer, in milliseconds. */
const ANSWER_MS = 8_000

/** The audit function over the tables of a clinic, as the gateway invokes it. */
export interface ServedAudit {
  readonly answer: AuditFunction['answerAboutPatient']
  readonly events: readonly GatewayEvent[]
  /** Serves another function under the name, until `restore`. */
  replace(handler: (event: Readonly<Record<string, unknown>>) => Promise<unknown>): void
  restore(): void
}

export function serveAudit(clinic: RunningClinic): ServedAudit {
  const events: GatewayEvent[] = []
  const schemas = { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() }
  const api = openAuditApi(clinic.stack.env, schemas, { events: (event) => void events.push(event) })
  const genuine = async (event: unknown) => await api.answerAboutPatient(event, Date.now() + ANSWER_MS)
  const { lambda } = clinic.stack
  lambda.serve(AUDIT_FUNCTION, genuine)
  return {
    answer: api.answerAboutPatient,
    events,
    replace: (handler) => lambda.serve(AUDIT_FUNCTION, handler),
    restore: () => lambda.serve(AUDIT_FUNCTION, genuine),
  }
}

export const WHO_SAW = `query ($id: ID!, $from: DateTime!, $to: DateTime!, $first: Int, $after: String) {
  whoSawMyRecord(patientId: $id, from: $from, to: $to, first: $first, after: $after) {
    edges { cursor node { at who role organization mine access categories purpose why breakGlass } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    mayBeIncomplete
  }
}`

export interface Row {
  readonly at: string
  readonly who: string | null
  readonly role: string
  readonly organization: string | null
  readonly mine: boolean
  readonly access: 'OPENED' | 'LISTED' | 'SEARCHED' | 'REFUSED'
  readonly categories: readonly string[]
  readonly purpose: string
  readonly why: string
  readonly breakGlass: boolean
}

export const SPAN = { from: '2020', to: '2100' }

export const rowsOf = ({ data }: Pick<ClinicAnswer, 'data'>): readonly Row[] => nodesAt(data, 'whoSawMyRecord') as readonly Row[]
export const pageInfoOf = ({ data }: Pick<ClinicAnswer, 'data'>) =>
  at(data, 'whoSawMyRecord', 'pageInfo') as {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
