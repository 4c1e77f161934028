import { Command, InvalidArgumentError } from 'commander'
import type { DeliverFlags } from './audit-deliver-run.ts'
import { tenantOption } from './tenant-option.ts'

/** `phi audit deliver`: the delivery of the audit log to a SIEM, now, again, or its state. */
export function deliverCommand(): Command {
  return new Command('deliver')
    .description('send the sealed audit log to the receivers of PHI_SIEM now, send a part of it again, or show how far they are')
    .option('--tenant <tenant>', 'only this tenant. Required with --from', tenantOption)
    .option('--receiver <name>', 'only this receiver. Required with --from if there are several')
    .option('--status', 'show the delivered and the sealed positions, and send nothing')
    .option('--from <position>', 'send the items from this position on again. The delivered position stays', positionOption)
    .option(
      '--to <position>',
      'with --from: send the items before this position. Without it: up to the delivered position',
      positionOption,
    )
    .addHelpText(
      'after',
      `
A receiver that misses the positions 1200 to 1263 asks for --from 1200 --to 1264. It gets whole batches, which can hold items before and after.

Examples:
  phi audit deliver --status
  phi audit deliver
  phi audit deliver --tenant riverside --from 1200 --to 1264

Exit code: 0 if everything was sent, or with --status if nothing is left to send; 1 if something is left; 2 if it cannot be sent or read.`,
    )
    .action(async (flags: DeliverFlags, command: Command) => {
      const { deliver } = await import('./audit-deliver-run.ts')
      await deliver(flags, command)
    })
}

/** A position in the log, from 0. @throws InvalidArgumentError */
function positionOption(text: string): number {
  const position = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(position)) throw new InvalidArgumentError('Use a whole number.')
  return position
}
