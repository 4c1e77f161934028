import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEngine } from '../../infra/local/engine.ts'
import { startProxy } from './proxy.ts'
import { storeWeather } from './store-weather.ts'
import { SEED_VARIABLE, SUITE_STORE } from './suite-weather.ts'

// `npm run test:hostile [files]`: runs the integration suite again, behind the hostile proxy. `PHI_HOSTILE_SEED` sets the seed.

const DEFAULT_SEED = 20_261
/** Latency and retries must not time out a test. */
const PATIENCE = ['--testTimeout=60000', '--hookTimeout=60000']

/** A configuration without projects, because file lists of projects would override the arguments. */
const CONFIG = ['--config=vitest.hostile.config.ts']

const root = fileURLToPath(new URL('../..', import.meta.url))
const seed = Number(process.env[SEED_VARIABLE] ?? DEFAULT_SEED)
if (!Number.isSafeInteger(seed)) throw new Error(`${SEED_VARIABLE} is a whole number`)
console.log(`${SEED_VARIABLE}=${seed}`)

const engine = await startEngine({ env: {} })
const proxy = await startProxy(engine.endpoint, { remember: false })
const weather = storeWeather({ engine: engine.endpoint, seed, now: Date.now, longestLatency: 20, mercy: true })
weather.blow(SUITE_STORE)
proxy.play(weather.script)

const given = process.argv.slice(2)
// these tests inject their own faults, and most of them count calls, which a further fault would change
const APART = [
  'test/hostile/campaign/**',
  'test/gateway/audit/{clones,frozen,history,lane,lane-campaign,lanes,verify}.integration.test.ts',
  'test/gateway/deadlines.integration.test.ts',
  'test/functions/audit.integration.test.ts',
].map((files) => `--exclude=${files}`)
const files = [...(given.length > 0 ? given : ['.integration.test.ts']), ...APART]
const suite = spawn(
  process.execPath,
  [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...CONFIG, ...PATIENCE, ...files],
  {
    cwd: root,
    stdio: 'inherit',
    // fewer generated questions than without faults: each takes several times as long, and a time limit applies
    env: { ORACLE_RUNS: '120', ...process.env, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint, [SEED_VARIABLE]: String(seed) },
  },
)
const [code] = (await once(suite, 'exit')) as [number | null]
console.log(
  Object.entries(weather.counts)
    .flatMap(([fault, count]) => (count > 0 ? [`${fault} ${count}`] : []))
    .join(', '),
)
weather.close()
await proxy.stop()
await engine.stop()
process.exitCode = code ?? 1
