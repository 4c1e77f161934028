import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort, LOOPBACK } from './ports.ts'

/** A DynamoDB that answers on this machine. */
export interface Engine {
  readonly endpoint: string
  /** Where it keeps its data; undefined in memory and for an engine that somebody else started. */
  readonly dataFile?: string
  stop(): Promise<void>
}

export interface EngineOptions {
  /** SQLite file, made when missing; in memory when left out. */
  readonly dataFile?: string
  /** Where to look for `AWS_ENDPOINT_URL_DYNAMODB`. Tests that need an engine of their own pass `{}`. */
  readonly env?: NodeJS.ProcessEnv
}

/** No DynamoDB can be had on this machine; the message says what to do. */
class NoEngine extends Error {
  override readonly name = 'NoEngine'
}

const READY_WITHIN_MS = 5_000
const ATTEMPTS = 3

/**
 * Starts the embedded engine on a free loopback port and waits until it answers. Where `AWS_ENDPOINT_URL_DYNAMODB` names
 * an engine, that one is used and nothing is started.
 *
 * @throws NoEngine when the platform has no binary, or the engine does not come up
 */
export async function startEngine({ dataFile, env = process.env }: EngineOptions = {}): Promise<Engine> {
  const given = env['AWS_ENDPOINT_URL_DYNAMODB']
  if (given !== undefined && given !== '') {
    refuseTheCloud(given)
    return { endpoint: given, stop: () => Promise.resolve() }
  }
  const binary = engineBinary()
  // the port may be taken between finding it free and the engine's own listen
  for (let attempt = 1; ; attempt++) {
    const engine = await startOn(await freePort(), binary, dataFile)
    if (engine) return engine
    if (attempt === ATTEMPTS) throw new NoEngine('The embedded DynamoDB engine ended before it answered.')
  }
}

/** The local stack drops tables and writes demo data: it must never be pointed at an account. */
function refuseTheCloud(endpoint: string): void {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : ''
  if (host === '' || /(?:^|\.)(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)$/.test(host)) {
    throw new NoEngine('AWS_ENDPOINT_URL_DYNAMODB must name an engine on this machine or in this network.')
  }
}

function engineBinary(): string {
  const name = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide'
  try {
    return createRequire(import.meta.url).resolve(`@dynoxide/${process.platform}-${process.arch}/${name}`)
  } catch (cause) {
    throw new NoEngine(
      [
        `There is no embedded DynamoDB engine for ${process.platform}-${process.arch}. Run DynamoDB Local instead, then start again:`,
        '  docker run --rm -d -p 127.0.0.1:8000:8000 amazon/dynamodb-local',
        '  AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 npm start',
      ].join('\n'),
      { cause },
    )
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
    // a group of its own: Ctrl-C reaches only the parent, which ends the engine after the last request
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  const ended = once(keeper, 'exit').then(() => false)
  // the engine ends after its keeper's pipe does: a broken pipe is how it learns, never a fault of ours
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
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return false
}
