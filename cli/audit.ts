import { Command } from 'commander'
import { accountingCommand, disclosuresCommand } from './audit-accounting.ts'
import { anomaliesCommand } from './audit-anomalies.ts'
import { deliverCommand } from './audit-deliver.ts'
import { exportCommand } from './audit-export.ts'
import { listCommand } from './audit-list.ts'
import { proveCommand, verifyProofCommand } from './audit-prove.ts'
import { exposureCommand, reviewCommand, reviewsCommand } from './audit-reports.ts'
import { summaryCommand } from './audit-summary.ts'
import { rebuildCommand, recountCommand } from './audit-tables.ts'
import { verifyCommand } from './audit-verify.ts'

/**
 * `phi audit`: the field-access history and its proofs.
 *
 * @param onSystem makes a command one on a running system. The commands that verify need none
 */
export function auditCommand(onSystem: (command: Command) => Command): Command {
  return new Command('audit')
    .description('the field-access history')
    .addCommand(onSystem(listCommand()))
    .addCommand(onSystem(summaryCommand()))
    .addCommand(onSystem(reviewCommand()))
    .addCommand(onSystem(reviewsCommand()))
    .addCommand(onSystem(exposureCommand()))
    .addCommand(onSystem(anomaliesCommand()))
    .addCommand(onSystem(exportCommand()))
    .addCommand(onSystem(deliverCommand()))
    .addCommand(verifyCommand())
    .addCommand(onSystem(proveCommand()))
    .addCommand(verifyProofCommand())
    .addCommand(onSystem(rebuildCommand()))
    .addCommand(onSystem(recountCommand()))
    .addCommand(onSystem(accountingCommand()))
    .addCommand(disclosuresCommand(onSystem))
}
