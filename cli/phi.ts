#!/usr/bin/env node
import { Command } from 'commander'
import { inspect } from 'node:util'
import { enterEnvironment } from '../infra/local/environment.ts'
import { NoStack, readStackFile, type StackFile } from '../infra/local/stack-file.ts'
import { auditCommand } from './audit.ts'
import { importCommand } from './import.ts'
import { keysCommand } from './keys.ts'
import { openImporter } from '../gateway/admin/open-importer.ts'
import { clinicLock } from '../schema/clinic.ts'
import { policyCommand } from './policy.ts'
import { schemaCommand } from './schema.ts'
import { searchCommand } from './search.ts'
import { studyCommand } from './study.ts'
import { tokenCommand } from './token.ts'
import { printLine, printText, printThroughTerminal } from './terminal.ts'

const STACK_ANSWERS_MS = 5_000

/** A command on the data of a system: the deployment that PHI_STAGE names, else the stack that runs on this machine. */
function onSystem(command: Command): Command {
  return command.hook('preAction', async () => {
    if (process.env['PHI_STAGE'] !== undefined) return
    const { env } = runningStack()
    await refuseStaleStack(env.AWS_ENDPOINT_URL_DYNAMODB)
    enterEnvironment(env)
  })
}

/** @throws NoStack */
function runningStack(): StackFile {
  try {
    return readStackFile()
  } catch (cause) {
    throw new NoStack(
      'No local stack is running. Start it with: npm start, or set PHI_STAGE and the PHI_TABLE_ variables of a deployment.',
      { cause },
    )
  }
}

/** A stack that was killed leaves its file. @throws NoStack */
async function refuseStaleStack(endpoint: string): Promise<void> {
  try {
    await fetch(endpoint, { method: 'HEAD', signal: AbortSignal.timeout(STACK_ANSWERS_MS) })
  } catch (cause) {
    throw new NoStack('The local stack does not answer. If it no longer runs, start it with: npm start', {
      cause,
    })
  }
}

// `phi ... | head` closes the pipe early, which is not a failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

const program = new Command('phi')
  .description('phi-gateway from the command line')
  .showHelpAfterError()
  .addCommand(policyCommand())
  .addCommand(schemaCommand())
  .addCommand(tokenCommand())
  .addCommand(onSystem(importCommand({ openImporter: (tenant) => openImporter(tenant, clinicLock(), 'existing') })))
  .addCommand(auditCommand(onSystem))
  .addCommand(onSystem(keysCommand()))
  .addCommand(onSystem(searchCommand()))
  .addCommand(onSystem(studyCommand()))

printThroughTerminal(program)

try {
  await program.parseAsync()
} catch (failure) {
  // only the class of any other failure: its message may contain any text (P8)
  printLine(failure instanceof NoStack ? failure.message : `phi: ${failure instanceof Error ? failure.name : 'failed'}`, 'stderr')
  if (process.env['DEBUG'] !== undefined) printText(`${inspect(failure)}\n`, 'stderr')
  process.exitCode = 1
}
