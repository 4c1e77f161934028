import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEngine } from '../../infra/local/engine.ts'
import { startProxy } from './proxy.ts'
import { storeWeather } from './store-weather.ts'
import { SEED_VARIABLE, SUITE_STORE } from './suite-weather.ts'

// `npm run test:hostile [files]`: the integration suite once more, behind the hostile proxy. `PHI_HOSTILE_SEED` picks the seed.

const DEFAULT_SEED = 20_261
/** A latency or a second attempt is nothing that a test may fail of. */
const PATIENCE = ['--testTimeout=60000', '--hookTimeout=60000']

/** Without projects, whose own lists of files would be all that counts. */
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
// these bring weather of their own, and most count what is sent under each fault: a fault more is a call more
const APART = [
  'test/hostile/campaign/**',
  'test/gateway/audit/{clones,frozen,history,lane,lane-campaign,lanes,verify}.integration.test.ts',
  'test/gateway/deadlines.integration.test.ts',
].map((files) => `--exclude=${files}`)
const files = [...(given.length > 0 ? given : ['.integration.test.ts']), ...APART]
const suite = spawn(
  process.execPath,
  [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...CONFIG, ...PATIENCE, ...files],
  {
    cwd: root,
    stdio: 'inherit',
    // fewer generated questions than in calm: each takes several times as long, and their number is bounded by time
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
