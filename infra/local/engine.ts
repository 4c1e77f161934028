import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectFolder } from '../../schema/project.ts'
import { dockerCommand, type EngineCommand, FetchFailed, fetchDynamoDbLocal, javaCommand, prepareDocker } from './dynamodb-local.ts'
import { chooseEngines, type EngineChoice, findEngines, type FoundEngines, missingEngine } from './engine-choice.ts'
import { freePort, LOOPBACK } from './ports.ts'
import { StartRefused } from './start-refused.ts'

/** A running DynamoDB engine. */
export interface Engine {
  readonly endpoint: string
  /** The file of its data. Undefined for an engine in memory, and for an engine that this process did not start. */
  readonly dataFile?: string
  /** Ends the engine if this process started it. */
  stop(): Promise<void>
}

export interface EngineOptions {
  /** SQLite file of the embedded engine, created if missing. DynamoDB Local has a folder beside it. Without it, the data is in memory. */
  readonly dataFile?: string
  /** Environment that can set `AWS_ENDPOINT_URL_DYNAMODB`. Tests that need an engine of their own pass `{}`. */
  readonly env?: NodeJS.ProcessEnv
  /** The engines of this machine. */
  readonly find?: () => FoundEngines | Promise<FoundEngines>
  /** The folder of a fetched engine. */
  readonly cacheFolder?: string
  /** Prints a line about work that takes long. */
  readonly log?: (line: string) => void
}

/** No DynamoDB engine is available on this machine. The message says what to do. */
class NoEngine extends StartRefused {
  override readonly name = 'NoEngine'
}

/** The folder of DynamoDB Local beside the file of the embedded engine. */
export const DYNAMODB_LOCAL_FOLDER = 'dynamodb-local'
const CACHE_FOLDER = join(projectFolder(process.cwd()) ?? '.', '.local', 'engines')
const READY_WITHIN_MS = { embedded: 5_000, java: 60_000, docker: 60_000 } as const
const ATTEMPTS = 3

/** How an engine starts on a port. */
interface Launch {
  readonly command: (port: number) => EngineCommand
  readonly readyWithinMs: number
  readonly dataFile?: string
}

/**
 * Starts an engine on a free loopback port and waits until it answers: the embedded one, otherwise DynamoDB Local on Java, otherwise in
 * Docker. If `AWS_ENDPOINT_URL_DYNAMODB` names an engine, uses that engine and starts none.
 *
 * @throws NoEngine if this machine has none, or it does not start
 */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { env = process.env, find = () => findEngines(), log = () => undefined } = options
  const given = env['AWS_ENDPOINT_URL_DYNAMODB']
  if (given !== undefined && given !== '') {
    refuseTheCloud(given)
    return { endpoint: given, stop: () => Promise.resolve() }
  }
  const found = await find()
  const failures: string[] = []
  for (const choice of chooseEngines(found)) {
    try {
      const launch = await prepare(choice, options)
      // another process may take the free port before the engine listens on it
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const engine = await startOn(await freePort(), launch)
        if (engine) return engine
      }
      failures.push(`The DynamoDB engine (${choice.engine}) ended before it answered.`)
    } catch (failure) {
      if (!(failure instanceof FetchFailed)) throw failure
      failures.push(failure.message)
    }
    log(failures.at(-1) ?? '')
  }
  throw new NoEngine(failures.length === 0 ? missingEngine(found) : `No DynamoDB engine started. ${failures.join(' ')}`)
}

/** The local stack drops tables and writes demo data, so it must never use an AWS account. */
function refuseTheCloud(endpoint: string): void {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : ''
  if (host === '' || /(?:^|\.)(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)$/.test(host)) {
    throw new NoEngine(
      'AWS_ENDPOINT_URL_DYNAMODB must name an engine on this machine or in this network. Unset it to use the embedded engine.',
    )
  }
}

/** @throws FetchFailed */
async function prepare(
  choice: EngineChoice,
  { dataFile, cacheFolder = CACHE_FOLDER, log = () => undefined }: EngineOptions,
): Promise<Launch> {
  const readyWithinMs = READY_WITHIN_MS[choice.engine]
  if (choice.engine === 'embedded') {
    const file = dataFile === undefined ? {} : { dataFile }
    const flags = dataFile === undefined ? [] : ['--db-path', dataFile]
    const command = (port: number) => ({ command: choice.binary, flags: ['--host', LOOPBACK, '--port', String(port), ...flags] })
    return { command, readyWithinMs, ...file }
  }
  const folder = dataFile === undefined ? undefined : join(dirname(dataFile), DYNAMODB_LOCAL_FOLDER)
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 })
  // the name that DynamoDB Local gives to the file of all regions and credentials
  const file = folder === undefined ? {} : { dataFile: join(folder, 'shared-local-instance.db') }
  if (choice.engine === 'java') {
    const emulator = await fetchDynamoDbLocal(cacheFolder, log)
    log('The tables are in DynamoDB Local on Java, because this platform has no embedded engine.')
    return { command: (port) => javaCommand(emulator, port, folder), readyWithinMs, ...file }
  }
  await prepareDocker(folder, log)
  log('The tables are in DynamoDB Local in Docker, because this platform has no embedded engine.')
  return { command: (port) => dockerCommand(port, folder), readyWithinMs, ...file }
}

async function startOn(port: number, { command: commandOn, readyWithinMs, dataFile }: Launch): Promise<Engine | undefined> {
  const { command, flags } = commandOn(port)
  const endpoint = `http://${LOOPBACK}:${port}`
  const keeper = spawn(
    process.execPath,
    [fileURLToPath(new URL('./engine-keeper.ts', import.meta.url)), command, ...flags],
    // a separate process group, so that Ctrl-C reaches only the parent, which ends the engine after the last request
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  const ended = once(keeper, 'exit').then(() => false)
  // the keeper may end first: a broken pipe is expected and is not a fault
  keeper.stdin.on('error', () => undefined)
  keeper.unref()

  const giveUp = new AbortController()
  const ready = await Promise.race([ended, answers(endpoint, AbortSignal.any([giveUp.signal, AbortSignal.timeout(readyWithinMs)]))])
  giveUp.abort()
  if (!ready) {
    keeper.stdin.destroy()
    await ended
    return undefined
  }
  return {
    endpoint,
    ...(dataFile !== undefined && { dataFile }),
    stop: async () => {
      keeper.ref()
      keeper.stdin.destroy()
      await ended
    },
  }
}

/** The answers of the two engines to a request without a signature. */
const READY = /^healthy|MissingAuthenticationToken/

async function answers(endpoint: string, deadline: AbortSignal): Promise<boolean> {
  while (!deadline.aborted) {
    try {
      const answer = await fetch(endpoint, { signal: deadline })
      if (READY.test(await answer.text())) return true
    } catch {
      // not listening yet
    }
    // the embedded engine takes about 50 ms to listen, and an attempt takes a millisecond of this process
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  return false
}
