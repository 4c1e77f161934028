import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { z } from 'zod'
import { readFragment } from '../../infra/local/tables.ts'
import type { Stack } from '../../infra/local/stack.ts'
import type { Invocation, Invoked } from './function-process.ts'

const root = new URL('../../', import.meta.url)
const deployment = z.object({
  functions: z.record(z.string(), z.object({ environment: z.object({ NODE_OPTIONS: z.string().optional() }).loose() }).loose()),
})

/** The bundle of a function, and its name in serverless.yml. */
interface BundledFunction {
  readonly name: string
  readonly bundle: URL
}

const GRAPHQL: BundledFunction = { name: 'graphql', bundle: new URL('dist/graphql/index.mjs', root) }

/** The deployed function in its own process, with the options of serverless.yml. Engine, KMS and client run elsewhere. */
export class FunctionChild {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (invoked: Invoked) => void>()
  readonly #ended: Promise<never>
  #place = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (invoked: Invoked) => this.#waiting.get(invoked.place)?.(invoked))
    this.#ended = once(child, 'exit').then(() => {
      throw new Error('The function has ended.')
    })
    this.#ended.catch(() => undefined)
  }

  /**
   * Starts the bundle: by default the one that `infra/build.ts` wrote. The script is compiled, because the deployed process strips no
   * types.
   */
  static async start(
    folder: string,
    env: Stack['env'] & Readonly<Record<string, string>>,
    { name, bundle } = GRAPHQL,
  ): Promise<FunctionChild> {
    const script = join(folder, 'function-process.mjs')
    const source = readFileSync(new URL('test/harness/function-process.ts', root), 'utf8')
    writeFileSync(script, transformSync(source, { loader: 'ts' }).code)
    const { NODE_OPTIONS = '' } = deployment.parse(readFragment(new URL('serverless.yml', root))).functions[name]?.environment ?? {}
    const child = fork(script, {
      execArgv: [],
      env: { ...env, NODE_OPTIONS, FUNCTION: bundle.href },
      // each request prints a line for operators, which these tests ignore
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const [said] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[]
    if (said !== 'ready') throw new Error('The function did not start. See the error above.')
    return new FunctionChild(child)
  }

  /** Sends a body as the user of a token. */
  async ask(body: string, token: string): Promise<Invoked> {
    return await this.invoke(eventOf(body, token))
  }

  /** @throws Error if the process ends before it answers */
  async invoke(event: Invocation['event']): Promise<Invoked> {
    const place = this.#place++
    const answer = new Promise<Invoked>((resolve) => this.#waiting.set(place, resolve))
    this.#child.send({ place, event } satisfies Invocation)
    return await Promise.race([answer, this.#ended]).finally(() => this.#waiting.delete(place))
  }

  /** Gives other processes the processor first. On Lambda, each concurrent request has a processor of its own. */
  yieldProcessor(): void {
    if (this.#child.pid !== undefined) setPriority(this.#child.pid, constants.priority.PRIORITY_LOW)
  }

  kill(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): void {
    this.#child.kill(signal)
  }
}

function eventOf(body: string, token: string): Invocation['event'] {
  return {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'user-agent': 'measurement' },
    requestContext: {
      http: { method: 'POST', path: '/graphql', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'measurement' },
    } as never,
    body,
    isBase64Encoded: false,
  }
}
