#!/usr/bin/env node
import { Command } from 'commander'
import { inspect } from 'node:util'
import { auditCommand } from './audit.ts'
import { importCommand } from './import.ts'
import type { ImportCommandServices } from './import-files.ts'
import { keysCommand } from './keys.ts'
import { OPERATIONS_DESCRIPTION } from './operations-description.ts'
import { policyCommand } from './policy.ts'
import { schemaCommand } from './schema.ts'
import { searchCommand } from './search.ts'
import { studyCommand } from './study.ts'
import { tokenCommand } from './token.ts'
import { workforceCommand } from './workforce.ts'
import { printLine, printText, printThroughTerminal } from './terminal.ts'

// Each command loads the code that it runs in its action, so that no command waits for the code of another one.

/** A command on the data of a system. */
function onSystem(command: Command): Command {
  return command.hook('preAction', enterSystem)
}

/** Enters the environment of a system: the deployment that PHI_STAGE names, else the stack that runs on this machine. */
async function enterSystem(): Promise<void> {
  if (process.env['PHI_STAGE'] !== undefined) return
  const { enterRunningStack } = await import('./running-stack.ts')
  await enterRunningStack()
}

const openImporter: ImportCommandServices['openImporter'] = async (tenant) => {
  const [importer, { clinicLock }] = await Promise.all([import('../gateway/admin/open-importer.ts'), import('../schema/clinic.ts')])
  return await importer.openImporter(tenant, clinicLock(), 'existing')
}

/** The commands of operations compile the schema, which takes a second. They load only if the words name them. */
async function operations(): Promise<Command> {
  if (!process.argv.includes('operations')) return new Command('operations').description(OPERATIONS_DESCRIPTION)
  const { operationsCommand } = await import('./operations.ts')
  return operationsCommand(onSystem, enterSystem)
}

// `phi ... | head` closes the pipe early, which is not a failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

const program = new Command('phi')
  .description('phi-gateway from the command line')
  .showHelpAfterError()
  .addCommand(policyCommand(onSystem))
  .addCommand(schemaCommand())
  .addCommand(tokenCommand())
  .addCommand(onSystem(importCommand({ openImporter })))
  .addCommand(auditCommand(onSystem))
  .addCommand(onSystem(keysCommand()))
  .addCommand(onSystem(searchCommand()))
  .addCommand(onSystem(studyCommand()))
  .addCommand(onSystem(workforceCommand()))
  .addCommand(await operations())

printThroughTerminal(program)

try {
  await program.parseAsync()
} catch (failure) {
  // only the class of any other failure: its message may contain any text (P8)
  const { NoStack } = await import('../infra/local/stack-file.ts')
  printLine(failure instanceof NoStack ? failure.message : `phi: ${failure instanceof Error ? failure.name : 'failed'}`, 'stderr')
  if (process.env['DEBUG'] !== undefined) printText(`${inspect(failure)}\n`, 'stderr')
  process.exitCode = 1
}
