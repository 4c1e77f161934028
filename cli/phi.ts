#!/usr/bin/env node
import { Command } from 'commander'
import { enterEnvironment } from '../infra/local/environment.ts'
import { NoStack, readStackFile } from '../infra/local/stack-file.ts'
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

/**
 * The `phi` command. Its environment says which system it speaks to; without one, it is the stack that runs on this
 * machine.
 */
function useRunningStack(): void {
  if (process.env['PHI_STAGE'] !== undefined) return
  try {
    enterEnvironment(readStackFile().env)
  } catch (failure) {
    // commands that need no system run without one; the others say what is missing
    if (!(failure instanceof NoStack)) throw failure
  }
}

// a reader that has seen enough (`phi ... | head`) is no failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

const program = new Command('phi')
  .description('phi-gateway from the command line')
  .showHelpAfterError()
  .hook('preAction', useRunningStack)
  .addCommand(policyCommand())
  .addCommand(schemaCommand())
  .addCommand(tokenCommand())
  .addCommand(importCommand({ openImporter: (tenant) => openImporter(tenant, clinicLock()) }))
  .addCommand(auditCommand())
  .addCommand(keysCommand())
  .addCommand(searchCommand())
  .addCommand(studyCommand())

try {
  await program.parseAsync()
} catch (failure) {
  // a class of failure and no more: messages of what is underneath may hold anything
  console.error(failure instanceof NoStack ? failure.message : `phi: ${failure instanceof Error ? failure.name : 'failed'}`)
  if (process.env['DEBUG'] !== undefined) console.error(failure)
  process.exitCode = 1
}
