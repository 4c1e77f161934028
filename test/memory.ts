import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openServices } from '../gateway/compose.ts'
import { startEngine } from '../infra/local/engine.ts'
import { startStack } from '../infra/local/stack.ts'
import { fetchToken } from '../infra/local/token.ts'
import type { NodeId, TenantId } from '../gateway/model/ids.ts'
import { FunctionChild } from './harness/function-child.ts'
import type { Invoked } from './harness/function-process.ts'
import { fillWithPatients } from './harness/many-patients.ts'

// `npm run test:memory`: measures the memory of the deployed function after it read 100,000 patients. The bundle runs in its own
// process, with the options of serverless.yml; engine, KMS and client run elsewhere.

const PATIENTS = 100_000
const MAX_BYTES = 256_000_000
/** The fields at the top of an operation. */
const IN_A_REQUEST = 20
const TENANT = 'riverside' as TenantId
/** One user reads more values than an hour allows. */
const LIMITS = JSON.stringify({ hour: { STAFF: 100_000_000 } })
/** A user with access to a value of every patient of the tenant. */
const USER = 'billing'

const root = new URL('../', import.meta.url)
/** The form of the queries: ids in variables, as clients send them, or in the document, which then differs each time. */
interface Run {
  readonly patients: number
  /** Lambda gives a process one request after the other; a gateway elsewhere has concurrent requests. */
  readonly atOnce: number
  readonly ids: 'variables' | 'document'
}
const RUNS: readonly Run[] = [
  { patients: PATIENTS, atOnce: 1, ids: 'variables' },
  { patients: PATIENTS, atOnce: 4, ids: 'variables' },
  // 1,000 different documents exceed the gateway's document cache
  { patients: 20_000, atOnce: 1, ids: 'document' },
]

function bodyOf(ids: readonly NodeId[], how: Run['ids']): string {
  const fields = ids.map((id, at) => `p${at}: patient(id: ${how === 'variables' ? `$p${at}` : JSON.stringify(id)}) { gender }`)
  if (how === 'document') return JSON.stringify({ query: `{ ${fields.join(' ')} }` })
  const declared = ids.map((_, at) => `$p${at}: ID!`).join(', ')
  const variables = Object.fromEntries(ids.map((id, at) => [`p${at}`, id]))
  return JSON.stringify({ query: `query (${declared}) { ${fields.join(' ')} }`, variables })
}

async function measure(
  child: FunctionChild,
  ids: readonly NodeId[],
  token: string,
  { atOnce, ids: how }: Run,
): Promise<Invoked['memory']> {
  let last: Invoked['memory'] = { peak: 0, now: 0, heap: 0 }
  let next = 0
  const ask = async (): Promise<void> => {
    for (let place = next++; place * IN_A_REQUEST < ids.length; place = next++) {
      const asked = ids.slice(place * IN_A_REQUEST, (place + 1) * IN_A_REQUEST)
      const { result, memory } = await child.ask(bodyOf(asked, how), token)
      const given = (result.body ?? '').split('"gender":"female"').length - 1
      if (given !== asked.length) throw new Error(`Of ${asked.length} patients, ${given} were given (${result.statusCode ?? 0}).`)
      last = memory
    }
  }
  await Promise.all(Array.from({ length: atOnce }, ask))
  return last
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6)

execFileSync(process.execPath, [fileURLToPath(new URL('infra/build.ts', root))], { stdio: ['ignore', 'ignore', 'inherit'] })
const folder = mkdtempSync(join(tmpdir(), 'phi-memory-'))
// in memory: on file it takes two thirds longer to write them
const engine = await startEngine({ env: {} })
process.env['AWS_ENDPOINT_URL_DYNAMODB'] = engine.endpoint
const stack = await startStack({ dataFolder: folder, port: 0 })
try {
  const services = openServices(stack.env)
  const started = performance.now()
  const ids = await fillWithPatients(stack.dynamodb, services, TENANT, PATIENTS)
  console.log(`${ids.length} patients written in ${((performance.now() - started) / 1000).toFixed(0)} s`)
  services.close()
  for (const run of RUNS) {
    const asked = ids.slice(0, run.patients)
    const child = await FunctionChild.start(folder, { ...stack.env, PHI_LIMITS: LIMITS })
    const begun = performance.now()
    const { peak, now, heap } = await measure(child, asked, await fetchToken(stack, USER), run).finally(() => child.kill())
    const seconds = (performance.now() - begun) / 1000
    console.log(
      `${asked.length} patients, ${IN_A_REQUEST} a request, ${run.atOnce} at once, ids in ${run.ids}: at most ${megabytes(peak)} MB, ` +
        `${megabytes(now)} MB at the end (heap ${megabytes(heap)}); ${seconds.toFixed(0)} s, ${(asked.length / seconds).toFixed(0)} patients a second`,
    )
    if (peak > MAX_BYTES) process.exitCode = 1
  }
} finally {
  await stack.stop()
  await engine.stop()
  rmSync(folder, { recursive: true, force: true })
}
