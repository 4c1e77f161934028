import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readStackFile } from '../../../infra/local/stack-file.ts'

// The processes of `npm start` in a terminal of its own, which `script` of util-linux opens. A process belongs to the stack of this test if
// its environment has the data folder of this test.

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** A start takes three seconds on an idle machine. */
const WITHIN_MS = 60_000

let dataFolder: string
let port: number
beforeAll(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'phi-signals-'))
})
afterEach(() => {
  for (const { pid } of processes()) process.kill(pid, 'SIGKILL')
})
afterAll(() => {
  rmSync(dataFolder, { recursive: true, force: true })
})

const listening = async (wanted: number): Promise<Server> => {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, '127.0.0.1', resolve))
  return server
}
const closed = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve))

/** A free port whose next one is free too. Other suites take ports at the same time. */
async function freePair(): Promise<number> {
  for (;;) {
    const one = await listening(0)
    const address = one.address()
    const found = typeof address === 'object' && address !== null ? address.port : 0
    const next = await listening(found + 1).catch(() => undefined)
    await Promise.all([closed(one), ...(next === undefined ? [] : [closed(next)])])
    if (next !== undefined) return found
  }
}

interface Running {
  readonly pid: number
  readonly command: string
}

function processes(): Running[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(`PHI_DATA=${dataFolder}`)) return []
        return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }]
      } catch {
        // it ended meanwhile, or belongs to another user
        return []
      }
    })
}

function pidOf(command: RegExp): number {
  const [found, ...more] = processes().filter((one) => command.test(one.command))
  if (found === undefined || more.length > 0) throw new Error(`${more.length + 1} processes: ${JSON.stringify(processes())}`)
  return found.pid
}
const npm = /^npm start/
const stack = /^\S*node infra\/local\/start\.ts/

interface Terminal {
  readonly script: ChildProcess
  output(): string
}

/** Starts `npm start` in a terminal and waits for a text on the screen. */
async function startInTerminal(awaited: RegExp): Promise<Terminal> {
  port = await freePair()
  const own = Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|VITEST|NODE_ENV|npm_)/.test(name))
  const script = spawn('script', ['-qec', 'npm start -- --patients 1', '/dev/null'], {
    cwd: ROOT,
    env: { ...Object.fromEntries(own), PORT: String(port), PHI_DATA: dataFolder },
  })
  let output = ''
  script.stdout.setEncoding('utf8')
  script.stdout.on('data', (text: string) => (output += text))
  await until(
    () => awaited.test(output),
    () => output,
  )
  return { script, output: () => output }
}

async function until(condition: () => boolean, seen: () => unknown): Promise<void> {
  const end = Date.now() + WITHIN_MS
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${JSON.stringify(seen())}`)
    await sleep(20)
  }
}

const READY = /^Ready in /m

async function expectNothingLeft(endpoints: readonly string[]): Promise<void> {
  await until(() => processes().length === 0, processes)
  for (const endpoint of endpoints) await expect(fetch(endpoint), endpoint).rejects.toThrow()
}
const endpoints = (): string[] => {
  const { graphql, issuer, env } = readStackFile(dataFolder)
  return [graphql, issuer, env.AWS_ENDPOINT_URL_DYNAMODB, env.AWS_ENDPOINT_URL_KMS, env.AWS_ENDPOINT_URL_LAMBDA]
}

describe.skipIf(process.platform !== 'linux')('npm start in a terminal', { timeout: 2 * WITHIN_MS }, () => {
  const ends: readonly (readonly [name: string, end: (terminal: Terminal) => void])[] = [
    ['Ctrl-C', ({ script }) => script.stdin?.write('\u0003')],
    ['SIGTERM to npm', () => process.kill(pidOf(npm), 'SIGTERM')],
    ['closing the terminal', ({ script }) => script.kill('SIGKILL')],
    ['killing npm', () => process.kill(pidOf(npm), 'SIGKILL')],
  ]
  it.each(ends)('%s ends each process, closes each port and removes the file of the stack', async (_name, end) => {
    const terminal = await startInTerminal(READY)
    const open = endpoints()
    // npm, the stack, the keeper of the engine and the engine, besides the terminal
    expect(processes().length).toBeGreaterThan(4)
    end(terminal)
    await expectNothingLeft(open)
    expect(existsSync(join(dataFolder, 'stack.json'))).toBe(false)
  })

  it('killing the stack ends each other process and closes each port', async () => {
    await startInTerminal(READY)
    const open = endpoints()
    process.kill(pidOf(stack), 'SIGKILL')
    await expectNothingLeft(open)
  })

  it('Ctrl-C and SIGTERM end a stack that is still starting', async () => {
    const first = await startInTerminal(/start\.ts/)
    await until(() => processes().some(({ command }) => stack.test(command)), processes)
    first.script.stdin?.write('\u0003')
    await expectNothingLeft([])
    await startInTerminal(/start\.ts/)
    await until(() => processes().some(({ command }) => /engine-keeper/.test(command)), processes)
    process.kill(pidOf(npm), 'SIGTERM')
    await expectNothingLeft([])
    expect(existsSync(join(dataFolder, 'stack.json'))).toBe(false)
  })

  it('the stack ends in order if the reader of its output has gone', async () => {
    const own = Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|VITEST|NODE_ENV|npm_)/.test(name))
    const shell = spawn('sh', ['-c', 'npm start -- --patients 1 2>&1 | head -c 200'], {
      cwd: ROOT,
      env: { ...Object.fromEntries(own), PORT: String(port), PHI_DATA: dataFolder },
    })
    // each request prints a line, and the first line that nobody reads ends the stack
    const asking = setInterval(() => {
      void fetch(`http://127.0.0.1:${port}/graphql`, { method: 'POST' }).catch(() => undefined)
    }, 500)
    try {
      await until(() => shell.exitCode !== null, processes)
    } finally {
      clearInterval(asking)
    }
    await expectNothingLeft([])
    expect(existsSync(join(dataFolder, 'stack.json'))).toBe(false)
  })

  it('finishes the open request on Ctrl-C, although npm forwards the signal once more', async () => {
    const terminal = await startInTerminal(READY)
    const { graphql } = readStackFile(dataFolder)
    // a request without its end: the server waits a second for it
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`POST ${new URL(graphql).pathname} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 2\r\n\r\n{`)
    await sleep(200)
    terminal.script.stdin?.write('\u0003')
    await sleep(600)
    const answered = new Promise<string>((resolve) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString('utf8')))
      socket.once('close', () => resolve('closed'))
    })
    socket.write('}')
    expect(await answered).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
    await expectNothingLeft([])
    expect(existsSync(join(dataFolder, 'stack.json'))).toBe(false)
  })
})
