import { Command } from 'commander'
import { checkCommand } from './operations-check.ts'
import { listCommand, showCommand, staleCommand } from './operations-list.ts'
import { OPERATIONS_DESCRIPTION } from './operations-description.ts'
import { proposeCommand } from './operations-propose.ts'
import { contractCommand, publishCommand } from './operations-publish.ts'
import { activateCommand, retireCommand, revokeCommand } from './operations-versions.ts'

/**
 * `phi operations`: the registry of operations and contracts of a tenant.
 *
 * @param onSystem makes a command one on a running system
 * @param enterSystem does so for an action
 */
export function operationsCommand(
  onSystem: (command: Command) => Command,
  enterSystem: (command: Command) => Promise<void>,
): Command {
  return new Command('operations')
    .description(OPERATIONS_DESCRIPTION)
    .addCommand(proposeCommand())
    .addCommand(onSystem(contractCommand()))
    .addCommand(onSystem(publishCommand()))
    .addCommand(onSystem(listCommand()))
    .addCommand(onSystem(showCommand()))
    .addCommand(onSystem(activateCommand()))
    .addCommand(onSystem(retireCommand()))
    .addCommand(onSystem(revokeCommand()))
    .addCommand(onSystem(staleCommand()))
    .addCommand(checkCommand(enterSystem))
}
