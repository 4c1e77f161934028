import type { Profiler } from 'node:inspector'
import { Agent, request as send } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Child } from './child.ts'
import type { ContestantCommand, Usage } from './contestant-process.ts'

/** The request of a client. */
export interface BenchRequest {
  readonly token: string
  /** The JSON body of the POST. */
  readonly body: string
  /** Values that the response discloses. */
  readonly values: number
  /** Whether some values are denied. The response of every other request has no errors. */
  readonly denied: boolean
}

/** A number of requests, all equal. Times are in milliseconds. */
export interface Block {
  readonly latencies: readonly number[]
  readonly elapsed: number
  /** CPU time of the contestant's process. */
  readonly cpu: number
}

export interface BlockPlan {
  readonly concurrency: number
  /** The block ends after this time. */
  readonly milliseconds: number
  /** The block does not end before this number of requests. */
  readonly atLeast: number
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** Values after which the bench deletes what was written. The smallest hourly limit of a user is above (docs/limits.md). */
const FORGOTTEN_AFTER = 10_000

const IDLE_MS = 2_000
const ATTEMPTS = 5

/** A contestant answered with less than the scenario asks for. */
class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer'
}

const newAgent = (): Agent => new Agent({ keepAlive: true })

/** The client of one contestant. It keeps its connections during a block. */
export class Driver {
  readonly #child: Child
  readonly #url: string
  readonly #forget: () => Promise<void>
  #agent = newAgent()
  #lastUsed = 0
  #disclosed = 0

  /**
   * @param forget deletes audit items and the counts of disclosed values. The memory of the store stays small, and every request
   *   is within the hourly limit of its user
   */
  constructor(child: Child, url: string, forget: () => Promise<void>) {
    this.#child = child
    this.#url = url
    this.#forget = forget
  }

  async ask(request: BenchRequest): Promise<Answer> {
    await this.#makeRoom(request)
    return await this.#send(request)
  }

  async #makeRoom({ values }: BenchRequest): Promise<void> {
    this.#disclosed += values
    if (this.#disclosed <= FORGOTTEN_AFTER) return
    this.#disclosed = values
    await this.#forget()
  }

  async #send({ token, body }: BenchRequest): Promise<Answer> {
    this.#dropIdleConnections()
    return await new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'bench/1',
      }
      const outgoing = send(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  /**
   * Repeats a block if a response was not complete: on a busy machine, a request to the store can be overdue.
   *
   * @throws IncompleteAnswer
   */
  async block(request: BenchRequest, plan: BlockPlan): Promise<Block> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#block(request, plan)
      } catch (error) {
        if (!(error instanceof IncompleteAnswer) || attempt === ATTEMPTS) throw error
      }
    }
  }

  async #block(request: BenchRequest, { concurrency, milliseconds, atLeast }: BlockPlan): Promise<Block> {
    this.#disclosed = 0
    await this.#forget()
    const before = await this.#tell('collect')
    const latencies: number[] = []
    const started = performance.now()
    let begun = 0
    const one = async (): Promise<void> => {
      while (performance.now() - started < milliseconds || begun < atLeast) {
        begun++
        await this.#makeRoom(request)
        const from = performance.now()
        const { status, body } = await this.#send(request)
        latencies.push(performance.now() - from)
        const complete = request.denied || !body.includes('"errors":[')
        if (status !== 200 || !complete) throw new IncompleteAnswer(`${status} ${body.slice(0, 300)}`)
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: concurrency }, one))
    for (const end of ended) if (end.status === 'rejected') throw end.reason
    const elapsed = performance.now() - started
    const after = await this.#tell('usage')
    return { latencies, elapsed, cpu: after.cpu - before.cpu }
  }

  /** The server closes a connection after some seconds without a request. */
  #dropIdleConnections(): void {
    const now = performance.now()
    if (now - this.#lastUsed > IDLE_MS) {
      this.#agent.destroy()
      this.#agent = newAgent()
    }
    this.#lastUsed = now
  }

  /** Starts to count openings. */
  async countOpenings(): Promise<void> {
    await this.#tell('count openings')
  }

  async openings(): Promise<number> {
    return (await this.#tell('usage')).openings
  }

  async startProfile(): Promise<void> {
    await this.#tell('start profile')
  }

  /** @throws RangeError if no profile was started */
  async stopProfile(): Promise<Profiler.Profile> {
    const { profile } = await this.#tell('stop profile')
    if (!profile) throw new RangeError('No profile was started.')
    return profile
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    await this.#child.stop()
  }

  async #tell(command: ContestantCommand): Promise<Usage> {
    return (await this.#child.ask(command)) as Usage
  }
}
