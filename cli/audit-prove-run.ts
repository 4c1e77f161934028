import type { Command } from 'commander'
import { openAuditObjects } from '../gateway/admin/audit-objects.ts'
import { NoSealedLog, StoredLog } from '../gateway/oversight/log/stored-log.ts'
import { type NamedItem, proveItem } from '../gateway/oversight/log/item-proof.ts'
import type { AuditEntry } from '../gateway/audit/entry.ts'
import { readRequestId } from '../gateway/audit/request-id.ts'
import { POLICY_NAME } from '../gateway/audit/verify/layout.ts'
import { openServices } from '../gateway/compose.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { counted } from '../gateway/model/counted.ts'
import { SEALED_SOON } from './audit-session.ts'
import { ExportFolder } from './export-folder.ts'
import { requireEmptyFolder } from './files.ts'
import { noRequestText } from './known-values.ts'
import { Refused } from './refused.ts'
import { printLine } from './terminal.ts'

export interface ProveFlags {
  readonly tenant: TenantId
  readonly out: string
}

/** An item is sealed at most this long after it was stored, in seconds. After that, the notary raises an alarm. */
const SEALED_WITHIN_S = 120
/** The exit code if an item is not sealed yet. */
const NOT_SEALED = 3

const RECORD = /^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\/([1-9]\d{0,7})(?:\/[1-9]\d*)?$/

/** Writes the proofs of a request or record to a folder, each with its item beside it. */
export async function proveToFolder(subject: string, { tenant, out }: ProveFlags, command: Command): Promise<void> {
  const isRecord = RECORD.test(subject)
  if (!isRecord && readRequestId(subject) === undefined)
    throw new Refused(
      'this is no request id, and no address of a record. Copy extensions.phi.requestId of the response, or write lane/sequence/index.',
    )
  const items = await itemsOf(tenant, subject)
  if (items.length === 0)
    throw new Refused(
      isRecord
        ? `the log of ${tenant} has no such record. Copy lane, sequence and index from \`phi audit list --json\`.`
        : noRequestText(subject, tenant),
    )
  requireEmptyFolder(out, '--out')
  const folder = new ExportFolder(out)
  try {
    await prove(new StoredLog(openAuditObjects(process.env), tenant), items, folder)
  } catch (error) {
    if (!(error instanceof NoSealedLog)) throw error
    command.error(`error: ${error.message} ${SEALED_SOON}`)
  }
}

/** The items of a request, or of a record. Their times locate them in the log. */
async function itemsOf(tenant: TenantId, subject: string): Promise<NamedItem[]> {
  const services = openServices(process.env)
  try {
    const [, lane, sequence] = RECORD.exec(subject) ?? []
    const entries =
      lane === undefined
        ? await services.history.ofRequest(tenant, subject)
        : await services.history.ofItem(tenant, lane, Number(sequence))
    const byItem = Map.groupBy(entries, (entry: AuditEntry) => `${entry.lane}/${entry.sequence}`)
    return [...byItem.values()].flatMap(([first]) =>
      first === undefined ? [] : [{ lane: first.lane, sequence: first.sequence, time: Date.parse(first.time) }],
    )
  } finally {
    services.close()
  }
}

async function prove(log: StoredLog, items: readonly NamedItem[], folder: ExportFolder): Promise<void> {
  let written = 0
  for (const item of items) {
    const proven = await proveItem(log, item)
    if (proven === 'NOT_SEALED') {
      process.exitCode = NOT_SEALED
      printLine(notSealed(item), 'stderr')
      continue
    }
    const name = `${item.lane}-${item.sequence}`
    await folder.write(`${name}.tlog-proof`, Buffer.from(proven.proof))
    await folder.write(`${name}.item.json`, Buffer.from(proven.line))
    written++
  }
  const policy = await log.read(POLICY_NAME)
  if (written > 0 && policy !== undefined) await folder.write(POLICY_NAME, policy)
  printLine(`${written} of ${counted(items.length, 'item')} proven. Each file shows all records of its item.`)
}

function notSealed({ lane, sequence, time }: NamedItem): string {
  const left = Math.ceil(SEALED_WITHIN_S - (Date.now() - time) / 1_000)
  const advice = left > 0 ? `Try again in ${left} s.` : 'The notary is late: see the alarms of the log.'
  return `${lane}/${sequence} is not sealed yet. ${advice}`
}
