import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

// `npm run test:engines`: runs the integration suite again on Amazon's DynamoDB Local, which needs Java. This script fetches the
// engine from the npm registry; its package is no dependency.

const PACKAGE = 'amplify-dynamodb-simulator@2.9.30'
const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, '.local', 'engines')

function fetchEngine(): string {
  const folder = join(cache, PACKAGE)
  const emulator = join(folder, 'package', 'emulator')
  if (existsSync(join(emulator, 'DynamoDBLocal.jar'))) return emulator
  mkdirSync(folder, { recursive: true })
  execFileSync('npm', ['pack', PACKAGE, '--silent'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`${PACKAGE} could not be fetched`)
  execFileSync('tar', ['xzf', archive], { cwd: folder })
  rmSync(join(folder, archive))
  return emulator
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function startEngine(emulator: string): Promise<{ endpoint: string; java: ChildProcess }> {
  const port = await freePort()
  const home = mkdtempSync(join(tmpdir(), 'phi-engine-'))
  const java = spawn(
    'java',
    [
      `-Djava.library.path=${join(emulator, 'DynamoDBLocal_lib')}`,
      '-jar',
      join(emulator, 'DynamoDBLocal.jar'),
      '-inMemory',
      '-sharedDb',
      '-disableTelemetry',
      '-port',
      String(port),
    ],
    { cwd: home, stdio: 'ignore' },
  )
  const endpoint = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 100; tries++) {
    if (java.exitCode !== null) break
    const answers = await fetch(endpoint).then(
      () => true,
      () => false,
    )
    if (answers) return { endpoint, java }
    await sleep(200)
  }
  java.kill()
  throw new Error('DynamoDB Local did not start. Install Java 17 or later.')
}

const { endpoint, java } = await startEngine(fetchEngine())
const suite = spawn(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '.integration.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, AWS_ENDPOINT_URL_DYNAMODB: endpoint },
})
suite.on('exit', (code) => {
  java.kill()
  process.exitCode = code ?? 1
})
