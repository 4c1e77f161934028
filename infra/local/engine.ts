import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort, LOOPBACK } from './ports.ts'

/** A running DynamoDB engine. */
export interface Engine {
  readonly endpoint: string
  /** The file of its data. Undefined for an engine in memory, and for an engine that this process did not start. */
  readonly dataFile?: string
  /** Ends the engine if this process started it. */
  stop(): Promise<void>
}

export interface EngineOptions {
  /** SQLite file, created if missing. Without it, the data is in memory. */
  readonly dataFile?: string
  /** Environment that can set `AWS_ENDPOINT_URL_DYNAMODB`. Tests that need an engine of their own pass `{}`. */
  readonly env?: NodeJS.ProcessEnv
}

/** No DynamoDB engine is available on this machine. The message says what to do. */
class NoEngine extends Error {
  override readonly name = 'NoEngine'
}

const READY_WITHIN_MS = 5_000
const ATTEMPTS = 3
const RUN_DYNAMODB_LOCAL = [
  'Run DynamoDB Local, then start again:',
  '  docker run --rm -d -p 127.0.0.1:8000:8000 amazon/dynamodb-local',
  '  AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 npm start',
].join('\n')

/**
 * Starts the embedded engine on a free loopback port and waits until it answers. If `AWS_ENDPOINT_URL_DYNAMODB` names an
 * engine, uses that engine and starts none.
 *
 * @throws NoEngine if the platform has no binary, or the engine does not start
 */
export async function startEngine({ dataFile, env = process.env }: EngineOptions = {}): Promise<Engine> {
  const given = env['AWS_ENDPOINT_URL_DYNAMODB']
  if (given !== undefined && given !== '') {
    refuseTheCloud(given)
    return { endpoint: given, stop: () => Promise.resolve() }
  }
  const binary = engineBinary()
  // another process may take the free port before the engine listens on it
  for (let attempt = 1; ; attempt++) {
    const engine = await startOn(await freePort(), binary, dataFile)
    if (engine) return engine
    if (attempt === ATTEMPTS) throw new NoEngine(`The embedded DynamoDB engine ended before it answered. ${RUN_DYNAMODB_LOCAL}`)
  }
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

function engineBinary(): string {
  const name = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide'
  try {
    return createRequire(import.meta.url).resolve(`@dynoxide/${process.platform}-${process.arch}/${name}`)
  } catch (cause) {
    throw new NoEngine(`${process.platform}-${process.arch} has no embedded DynamoDB engine. ${RUN_DYNAMODB_LOCAL}`, { cause })
  }
}

async function startOn(port: number, binary: string, dataFile: string | undefined): Promise<Engine | undefined> {
  const endpoint = `http://${LOOPBACK}:${port}`
  const keeper = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('./engine-keeper.ts', import.meta.url)),
      binary,
      ...['--host', LOOPBACK, '--port', String(port)],
      ...(dataFile === undefined ? [] : ['--db-path', dataFile]),
    ],
    // a separate process group, so that Ctrl-C reaches only the parent, which ends the engine after the last request
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  const ended = once(keeper, 'exit').then(() => false)
  // the keeper may end first: a broken pipe is expected and is not a fault
  keeper.stdin.on('error', () => undefined)
  keeper.unref()

  const giveUp = new AbortController()
  const ready = await Promise.race([ended, answers(endpoint, giveUp.signal)])
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

async function answers(endpoint: string, giveUp: AbortSignal): Promise<boolean> {
  const deadline = AbortSignal.any([giveUp, AbortSignal.timeout(READY_WITHIN_MS)])
  while (!deadline.aborted) {
    try {
      const answer = await fetch(endpoint, { signal: deadline })
      if ((await answer.text()).startsWith('healthy')) return true
    } catch {
      // not listening yet
    }
    // the engine takes about 50 ms to listen, and an attempt takes a millisecond of this process
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  return false
}
