import { Command } from 'commander'
import { packageVersion } from '../infra/local/package-version.ts'
import { auditCommand } from './audit.ts'
import { devCommand } from './dev.ts'
import { importCommand } from './import.ts'
import type { ImportCommandServices } from './import-files.ts'
import { initCommand } from './init.ts'
import { keysCommand } from './keys.ts'
import { loadCommand } from './load.ts'
import { OPERATIONS_DESCRIPTION } from './operations-description.ts'
import { policyCommand } from './policy.ts'
import { recordsCommand } from './records.ts'
import { schemaCommand } from './schema.ts'
import { searchCommand } from './search.ts'
import { studyCommand } from './study.ts'
import { enterSystem, onSystem } from './system.ts'
import { printThroughTerminal } from './terminal.ts'
import { tokenCommand } from './token.ts'
import { tourCommand } from './tour.ts'
import { workforceCommand } from './workforce.ts'

// Each command loads the code that it runs in its action, so that no command waits for the code of another one.

const openImporter: ImportCommandServices['openImporter'] = async (tenant) => {
  const [importer, { projectLock }] = await Promise.all([
    import('../gateway/admin/open-importer.ts'),
    import('../schema/project.ts'),
  ])
  return await importer.openImporter(tenant, projectLock(), 'existing')
}

const users: ImportCommandServices['users'] = async () => {
  const { systemUsers } = await import('./stack-user.ts')
  return systemUsers()
}

/** The commands of operations compile the schema, which takes a second. They load only if the words name them. */
async function operations(words: readonly string[]): Promise<Command> {
  if (!words.includes('operations')) return new Command('operations').description(OPERATIONS_DESCRIPTION)
  const { operationsCommand } = await import('./operations.ts')
  return operationsCommand(onSystem, enterSystem)
}

/** A refusal of words ends with the command that lists the right ones. */
function hintAtHelp(command: Command, name: string): void {
  command.showHelpAfterError(`To see the options, run: ${name} --help`)
  for (const one of command.commands) hintAtHelp(one, `${name} ${one.name()}`)
}

/** The command `phi` with all of its commands. @param words of the command line */
export async function phiProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('phi')
    .description('phi-gateway from the command line')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print the options and commands')
    // `phi operations activate --version 2` is the version of an application
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Commands on data use the local stack of this folder. For a deployment, set PHI_STAGE and its other settings: docs/cli.md.
Exit code: 0 if a command is done, 1 if it is refused or fails. The help of a command states its other codes.`,
    )
    .addCommand(initCommand())
    .addCommand(devCommand())
    .addCommand(policyCommand(onSystem))
    .addCommand(schemaCommand())
    .addCommand(tokenCommand())
    .addCommand(tourCommand())
    .addCommand(onSystem(importCommand({ openImporter, users })))
    .addCommand(onSystem(loadCommand()))
    .addCommand(auditCommand(onSystem))
    .addCommand(onSystem(keysCommand()))
    .addCommand(onSystem(recordsCommand()))
    .addCommand(onSystem(searchCommand()))
    .addCommand(onSystem(studyCommand()))
    .addCommand(onSystem(workforceCommand()))
    .addCommand(await operations(words))
  printThroughTerminal(program)
  hintAtHelp(program, 'phi')
  return program
}
