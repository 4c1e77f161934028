import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findEngines } from '../infra/local/engine-choice.ts'
import { startEngine } from '../infra/local/engine.ts'

// `npm run test:engines`: runs the integration suite again on Amazon's DynamoDB Local, as on a platform without an embedded engine.
// It needs Java. The engine comes from the npm registry. Arguments go to Vitest: `--project=!long` leaves the long suites out.

const root = fileURLToPath(new URL('..', import.meta.url))
const { java } = await findEngines('linux-arm64')
if (java === undefined) throw new Error('Install Java 17 or later.')

const engine = await startEngine({ env: {}, find: () => ({ platform: 'linux-arm64', java }), log: console.log })
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const suite = spawn(process.execPath, [vitest, 'run', '.integration.test.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, AWS_ENDPOINT_URL_DYNAMODB: engine.endpoint },
})
const [code] = (await once(suite, 'exit')) as [number | null]
await engine.stop()
process.exitCode = code ?? 1
