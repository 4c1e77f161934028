import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const BLOCK_MS = 180_000
const READY_MS = 30_000
const END_MS = 10_000

export interface ShellOptions {
  /** The folder of the project. */
  readonly folder: string
  /** A folder for scripts. */
  readonly scripts: string
  readonly env: NodeJS.ProcessEnv
}

/** The terminal of a reader: one shell for all blocks, so that its functions and variables stay. */
export class GuideShell {
  readonly #options: ShellOptions
  readonly #shell: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #ended: Promise<unknown>
  #output = ''
  #blocks = 0

  constructor(options: ShellOptions) {
    this.#options = options
    const { folder, env } = options
    this.#shell = spawn('bash', [], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    this.#ended = once(this.#shell, 'exit')
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text))
    this.#shell.stdin.write('exec 2>&1\nset -eo pipefail\nshopt -s inherit_errexit\n')
  }

  /**
   * Runs the commands of a block.
   *
   * @param exit the expected exit code
   * @returns the output, and whether the commands ended with the exit code
   */
  async run(commands: string, exit: number): Promise<{ readonly output: string; readonly ok: boolean }> {
    const block = ++this.#blocks
    const script = join(this.#options.scripts, `block-${block}.sh`)
    writeFileSync(script, commands)
    const mark = `=== end of block ${block}`
    this.#output = ''
    // a failing command ends the shell, except for a block that expects it
    const line =
      exit === 0 ? `source '${script}' </dev/null` : `code=0; source '${script}' </dev/null || code=$?; [ $code = ${exit} ]`
    this.#shell.stdin.write(`${line}\necho '${mark}'\n`)
    const ended = this.#ended.then(() => true)
    const from = performance.now()
    while (!this.#output.includes(`${mark}\n`)) {
      if ((await Promise.race([ended, pause()])) || performance.now() - from > BLOCK_MS) return { output: this.#output, ok: false }
    }
    return { output: this.#output.replace(`${mark}\n`, ''), ok: true }
  }

  async stop(): Promise<void> {
    await endGroup(this.#shell, this.#ended, 'SIGTERM')
  }
}

/** A server of the guide, which runs in a terminal of its own. */
export class GuideServer {
  readonly #server: ChildProcessByStdio<null, Readable, Readable>
  readonly #ended: Promise<unknown>
  #output = ''

  constructor(command: string, { folder, env }: ShellOptions) {
    this.#server = spawn('bash', ['-c', `exec ${command}`], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#ended = once(this.#server, 'exit')
    for (const stream of [this.#server.stdout, this.#server.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text))
  }

  /** Waits until the server has printed the text. */
  async ready(text: string): Promise<{ readonly output: string; readonly ok: boolean }> {
    const ended = this.#ended.then(() => true)
    const from = performance.now()
    while (!this.#output.includes(text))
      if ((await Promise.race([ended, pause()])) || performance.now() - from > READY_MS) return { output: this.#output, ok: false }
    return { output: this.#output, ok: true }
  }

  /** Stops the server as Ctrl-C does. */
  async stop(): Promise<void> {
    await endGroup(this.#server, this.#ended, 'SIGINT')
  }
}

const pause = (): Promise<false> => new Promise((resolve) => setTimeout(resolve, 20, false))

/** Ends a process with all that it started. */
async function endGroup(
  child: ChildProcessByStdio<Writable | null, Readable, Readable>,
  ended: Promise<unknown>,
  signal: 'SIGINT' | 'SIGTERM',
): Promise<void> {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  process.kill(-pid, signal)
  const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), END_MS)
  await ended
  clearTimeout(timer)
}
