import { Command } from 'commander'
import type { AuditEntry } from '../gateway/audit/entry.ts'
import { openServices } from '../gateway/compose.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { exportCommand } from './audit-export.ts'
import { proveCommand, verifyProofCommand } from './audit-prove.ts'
import { rebuildCommand, recountCommand } from './audit-tables.ts'
import { verifyCommand } from './audit-verify.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'
import { fromOption, toOption } from './time-option.ts'

interface ListOptions {
  readonly tenant: TenantId
  readonly request?: string
  readonly patient?: string
  readonly user?: string
  readonly path?: string
  readonly from?: number
  readonly to?: number
  readonly json?: true
}

/**
 * `phi audit`: the field-access history and its proofs.
 *
 * @param onSystem makes a command one on a running system. The commands that verify need none
 */
export function auditCommand(onSystem: (command: Command) => Command): Command {
  const list = new Command('list')
    .description('list the accesses of one request, to one patient, by one user, or of one field, in time order')
    .option('--request <id>', 'the request id, from extensions.phi.requestId of the response')
    .option('--patient <id>', 'the patient id, from the API or from a record')
    .option('--user <id>', 'the user id, which is the subject of the token')
    .option('--path <path>', 'the field, such as Patient.birthDate; requires --from and --to, and reads all items of that time')
    .option('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .option('--json', 'print one JSON object per line, with all fields')
    .action(async (options: ListOptions, command: Command) => {
      for (const entry of await entriesOf(options, command)) {
        printLine(options.json === true ? JSON.stringify(entry) : line(entry))
      }
    })
  return new Command('audit')
    .description('the field-access history')
    .addCommand(onSystem(list))
    .addCommand(onSystem(exportCommand()))
    .addCommand(verifyCommand())
    .addCommand(onSystem(proveCommand()))
    .addCommand(verifyProofCommand())
    .addCommand(onSystem(rebuildCommand()))
    .addCommand(onSystem(recountCommand()))
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
