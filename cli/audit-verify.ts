import { Command } from 'commander'
import type { VerifyFlags } from './audit-verify-run.ts'

/** `phi audit verify`: offline, on all processors. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('verify an export of the audit log, without network')
    .argument('<dir>', 'the folder that phi audit export wrote')
    .option('--policy <file>', 'the keys of the log and the quorum of witnesses (C2SP tlog-policy); otherwise those in the export')
    .option('--checkpoints <file>', 'checkpoints that you kept: signed notes, one after the other')
    .option('--lock <files...>', 'policy locks that you reviewed: items under any other lock are findings')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExit code: 0 without findings, 1 with findings, 2 if nothing can be verified.')
    .action(async (dir: string, flags: VerifyFlags, command: Command) => {
      const { verifyFolder } = await import('./audit-verify-run.ts')
      await verifyFolder(dir, flags, command)
    })
}
