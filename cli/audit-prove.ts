import { Command } from 'commander'
import { readFile } from 'node:fs/promises'
import type { AuditEntry } from '../gateway/audit/entry.ts'
import { NoSealedLog, openAuditObjects, StoredLog } from '../gateway/admin/audit-objects.ts'
import { type NamedItem, proveItem } from '../gateway/admin/audit-proof.ts'
import { POLICY_NAME } from '../gateway/audit/verify/layout.ts'
import { verifyProof } from '../gateway/audit/verify/tlog-proof.ts'
import { openServices } from '../gateway/compose.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { policyOf } from './audit-verify.ts'
import { ExportFolder } from './export-folder.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

/** An item is sealed at most this long after it was stored, in seconds. After that, the notary raises an alarm. */
const SEALED_WITHIN_S = 120
/** Exit codes besides 0. */
const REFUSED = 1
const NOT_SEALED = 3

const RECORD = /^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\/([1-9]\d{0,7})(?:\/[1-9]\d*)?$/

/** `phi audit prove`: proofs to hand out. */
export function proveCommand(): Command {
  return new Command('prove')
    .description('write a proof for each item of a request, or for the item of a record, that anyone can verify offline')
    .argument('<request-or-record>', 'a request id, or the address of a record: lane/sequence or lane/sequence/index')
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .requiredOption('--out <dir>', 'a folder that is empty or does not exist')
    .addHelpText(
      'after',
      '\nA proof shows the whole item: all records of the request about the patient.\nExit code: 3 if an item is not sealed yet.',
    )
    .action(async (subject: string, { tenant, out }: { tenant: TenantId; out: string }, command: Command) => {
      const folder = new ExportFolder(out)
      if (!(await folder.isEmpty())) command.error('error: --out is not empty')
      const items = await itemsOf(tenant, subject)
      if (items.length === 0) command.error('error: the audit log has no such request or record')
      try {
        await prove(new StoredLog(openAuditObjects(process.env), tenant), items, folder)
      } catch (error) {
        if (!(error instanceof NoSealedLog)) throw error
        command.error(`error: ${error.message}`)
      }
    })
}

/** `phi audit verify-proof`: offline. */
export function verifyProofCommand(): Command {
  return new Command('verify-proof')
    .description('verify proofs of items, without network')
    .argument('<proof...>', 'files of phi audit prove: NAME.tlog-proof, with NAME.item.json beside it')
    .requiredOption('--policy <file>', 'the keys of the log and the quorum of witnesses (C2SP tlog-policy)')
    .option('--json', 'print one JSON object per proof, with all records of the item')
    .addHelpText('after', '\nExit code: 0 if all proofs hold, 1 if one does not, 2 if nothing can be verified.')
    .action(async (files: readonly string[], { policy: file, json }: { policy: string; json?: true }, command: Command) => {
      const policy = await policyOf(undefined, file, command)
      for (const proof of files) {
        const verdict = await verifyProof(await text(proof), await text(proof.replace(/\.tlog-proof$/, '.item.json')), policy)
        if (verdict.outcome === 'REFUSED') process.exitCode = REFUSED
        printLine(json === true ? JSON.stringify({ proof, ...verdict }) : verdictLine(proof, verdict))
      }
    })
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
  printLine(`${written} of ${items.length} items proven. Each file shows all records of its item.`)
}

function notSealed({ lane, sequence, time }: NamedItem): string {
  const left = Math.ceil(SEALED_WITHIN_S - (Date.now() - time) / 1_000)
  const advice = left > 0 ? `Try again in ${left} s.` : 'The notary is late: see the alarms of the log.'
  return `${lane}/${sequence} is not sealed yet. ${advice}`
}

async function text(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '')
}

function verdictLine(proof: string, verdict: Awaited<ReturnType<typeof verifyProof>>): string {
  if (verdict.outcome === 'REFUSED') return `${proof}: refused, ${verdict.reason}`
  const { records, item, checkpoint, cosignatures } = verdict
  const sealed = new Date(checkpoint.time * 1_000).toISOString()
  const witnesses = new Set(cosignatures.map(({ witness }) => witness)).size
  return `${proof}: ${records.length} field records, item ${item.lane}/${item.sequence} of ${checkpoint.origin}, sealed by ${sealed}, ${witnesses} witnesses`
}
