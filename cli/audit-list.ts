import type { Command } from 'commander'
import type { AuditEntry } from '../gateway/audit/entry.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { openServices } from '../gateway/compose.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { printLine } from './terminal.ts'

export interface ListOptions {
  readonly tenant: TenantId
  readonly request?: string
  readonly patient?: string
  readonly user?: string
  readonly path?: string
  readonly from?: number
  readonly to?: number
  readonly json?: true
}

/** Prints the entries that the options select, in time order. */
export async function listEntries(options: ListOptions, command: Command): Promise<void> {
  for (const entry of await entriesOf(options, command)) printLine(options.json === true ? JSON.stringify(entry) : line(entry))
}

async function entriesOf(options: ListOptions, command: Command): Promise<readonly AuditEntry[]> {
  const { tenant, request, patient, user, path, from, to } = options
  if ([request, patient, user, path].filter((subject) => subject !== undefined).length !== 1) {
    command.error('error: specify exactly one of --request, --patient, --user and --path')
  }
  if (path !== undefined && (from === undefined || to === undefined)) {
    command.error('error: --path requires --from and --to')
  }
  if (from !== undefined && to !== undefined && from > to) command.error('error: --from is later than --to')
  const services = openServices(process.env)
  const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  try {
    if (request !== undefined) return await services.history.ofRequest(tenant, request)
    if (patient !== undefined)
      return await services.history.entriesBy('patient', tenant, decodeNodeId(patient)?.patient ?? patient, span)
    if (path !== undefined && from !== undefined && to !== undefined) {
      const { entries, examined } = await services.history.ofPath(tenant, path, { from, to })
      printLine(`examined ${examined} audit items`, 'stderr')
      return entries
    }
    return await services.history.entriesBy('user', tenant, user ?? '', span)
  } finally {
    services.close()
  }
}

/** One line of text with the main fields: time, caller, outcome, field, patient and reason. */
function line(entry: AuditEntry): string {
  const { time, user, roles, purpose, action, outcome, path, view, reason, rule, basis, basisId, patient, count } = entry
  const because = [reason, basis, basisId, rule, view === 'FULL' ? undefined : view].filter((part) => part !== undefined).join(' ')
  const caller = roles.length === 0 ? user : `${user} (${roles.join(' ')})`
  return `${time}  ${caller} ${purpose}  ${action} ${outcome}  ${path}${count === undefined ? '' : ` x${count}`}  ${patient ?? '-'}  ${because}`
}
