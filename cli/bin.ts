#!/usr/bin/env node
import { nodeRefusal } from './node-version.ts'

// The command of the package.

const refusal = nodeRefusal(process.versions.node)
if (refusal === undefined) await import('./phi.ts')
else {
  process.stderr.write(`${refusal}\n`)
  process.exitCode = 1
}
