import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ChildOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly execArgv?: readonly string[]
}

/** The process ended while the bench waited for it. */
class ChildEnded extends Error {
  override readonly name = 'ChildEnded'
}

type Reply = { readonly result: unknown } | { readonly failed: string }

/** A process of the bench that answers each message. Its standard output is discarded. */
export class Child {
  readonly #process: ChildProcess
  /** Replies come in the order of the messages. */
  readonly #waiting: { resolve: (result: unknown) => void; reject: (error: Error) => void }[] = []

  private constructor(file: string, { env, execArgv = [] }: ChildOptions) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), {
      env: { PATH: process.env['PATH'], ...env },
      execArgv: [...execArgv],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#process.on('message', (message: Reply) => {
      const waiting = this.#waiting.shift()
      if ('failed' in message) waiting?.reject(new Error(message.failed))
      else waiting?.resolve(message.result)
    })
    this.#process.on('exit', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new ChildEnded(file))
    })
  }

  /**
   * Starts a file of this folder and waits for its first reply.
   *
   * @throws ChildEnded, and what the process failed with
   */
  static async start(file: string, options: ChildOptions): Promise<{ readonly child: Child; readonly ready: unknown }> {
    const child = new Child(file, options)
    return { child, ready: await child.#reply() }
  }

  /** @throws ChildEnded, and what the process failed with */
  async ask(command: object | string): Promise<unknown> {
    this.#process.send(command)
    return await this.#reply()
  }

  #reply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.disconnect()
    await ended
  }
}
