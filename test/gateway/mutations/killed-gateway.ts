import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { HttpRequest, HttpResponse } from '../../../gateway/http/messages.ts'

const SCRIPT = fileURLToPath(new URL('writing-process.ts', import.meta.url))

/** A request, with its number in the process. */
export interface Asked {
  readonly place: number
  readonly request: HttpRequest
}

interface Answered {
  readonly place: number
  readonly response: HttpResponse
}

/** A gateway in its own process, over the tables that the environment of this process names. */
export class KilledGateway {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (response: HttpResponse) => void>()
  readonly #ended: Promise<undefined>
  #place = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit').then(() => undefined)
    child.on('message', ({ place, response }: Answered) => this.#waiting.get(place)?.(response))
  }

  static async start(): Promise<KilledGateway> {
    // each request prints a line for operators, which nobody reads here
    const child = fork(SCRIPT, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [said] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[]
    if (said !== 'ready') throw new Error('The gateway did not start. See the error above.')
    return new KilledGateway(child)
  }

  /** @returns undefined if the process ends before it answers */
  async handle(request: HttpRequest): Promise<HttpResponse | undefined> {
    if (!this.#child.connected) return undefined
    const place = this.#place++
    const answer = new Promise<HttpResponse>((resolve) => this.#waiting.set(place, resolve))
    this.#child.send({ place, request } satisfies Asked, () => undefined)
    return await Promise.race([answer, this.#ended])
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
