import type { Profiler } from 'node:inspector'
import { Session } from 'node:inspector/promises'
import { type Handler, startHttpApi } from '../infra/local/api-gateway.ts'
import { countOpenings } from './openings.ts'

// A process that holds one contestant behind the HTTP API of the local stack. `BENCH_CONTESTANT` names the file.

/** Each command has one reply. */
export type ContestantCommand = 'usage' | 'collect' | 'count openings' | 'start profile' | 'stop profile'

/** The reply to each command. */
export interface Usage {
  /** CPU time of the process so far, in milliseconds, with that of garbage collection and compilation on other threads. */
  readonly cpu: number
  /** Ciphertexts opened since `count openings`. */
  readonly openings: number
  /** Only after `stop profile`. */
  readonly profile?: Profiler.Profile
}

const SAMPLING_MICROSECONDS = 200
/** Longer than on Lambda: 16 large requests of the slowest contestant take more than ten seconds. */
const TIMEOUT_MS = 120_000

const { open } = (await import(`./contestants/${process.env['BENCH_CONTESTANT'] ?? ''}.ts`)) as { open: () => Promise<Handler> }
const api = await startHttpApi({ port: 0, routes: { 'POST /graphql': await open() }, timeoutMs: TIMEOUT_MS })
let openings: (() => number) | undefined

let session: Session | undefined

async function obey(command: ContestantCommand): Promise<Usage> {
  // a block begins without the garbage of other blocks
  if (command === 'collect') globalThis.gc?.()
  if (command === 'count openings') openings ??= countOpenings()
  if (command === 'start profile') {
    session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_MICROSECONDS })
    await session.post('Profiler.start')
  }
  const profile = command === 'stop profile' ? (await session?.post('Profiler.stop'))?.profile : undefined
  const { user, system } = process.cpuUsage()
  return { cpu: (user + system) / 1_000, openings: openings?.() ?? 0, ...(profile && { profile }) }
}

process.on('message', (command: ContestantCommand) => {
  obey(command).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
process.send?.({ result: `${api.url}/graphql` })
