#!/usr/bin/env node
import { phiProgram } from './program.ts'

// `phi ... | head` closes the pipe early, which is not a failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

const program = await phiProgram(process.argv)
try {
  await program.parseAsync()
} catch (failure) {
  const { printFailure } = await import('./failure.ts')
  process.exitCode = printFailure(failure)
}
