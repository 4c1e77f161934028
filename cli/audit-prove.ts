import { Command } from 'commander'
import { tenantOfProject } from './tenant-option.ts'
import type { ProveFlags } from './audit-prove-run.ts'
import type { VerifyProofFlags } from './audit-verify-proof.ts'

/** `phi audit prove`: proofs to hand out. */
export function proveCommand(): Command {
  return new Command('prove')
    .description('write a proof for each item of a request, or for the item of a record, that anyone can verify offline')
    .argument('<request-or-record>', 'a request id, or the address of a record: lane/sequence or lane/sequence/index')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .requiredOption('--out <dir>', 'a folder that is empty or does not exist')
    .addHelpText(
      'after',
      '\nA proof shows the whole item: all records of the request about the patient.\nExit code: 3 if an item is not sealed yet.',
    )
    .action(async (subject: string, flags: ProveFlags, command: Command) => {
      const { proveToFolder } = await import('./audit-prove-run.ts')
      await proveToFolder(subject, flags, command)
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
    .action(async (files: readonly string[], flags: VerifyProofFlags, command: Command) => {
      const { verifyProofs } = await import('./audit-verify-proof.ts')
      await verifyProofs(files, flags, command)
    })
}
