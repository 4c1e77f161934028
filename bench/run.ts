import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Arena, openArena } from './arena.ts'
import { measureColdStarts } from './cold-start.ts'
import { CONTESTANT_NAMES, type ContestantName } from './contestant-names.ts'
import type { Driver } from './driver.ts'
import { type Contestants, countWork, measureLatency, measureScaling, measureThroughput, type Plan } from './measure.ts'
import { profile } from './profile.ts'
import { writeReport } from './report.ts'
import { type Results, thisMachine } from './results.ts'
import { SCALING, type Scenario, SCENARIOS } from './scenarios.ts'
import { latencyTable, tablesOf } from './tables.ts'

// `npm run bench` measures everything and writes `bench/results/`. `--quick` ends within three minutes and writes `.local/bench/`.
// `--scenario`, `--delay` and `--contestant` measure a part and only print it. `--cpu-prof` writes profiles to `.local/`.

interface FullPlan extends Plan {
  readonly delays: readonly number[]
  readonly coldStarts: number
}

const FULL: FullPlan = { rounds: 7, warmUp: 2_500, block: 1_000, throughput: 2_500, delays: [0, 5], coldStarts: 9 }
const QUICK: FullPlan = { rounds: 2, warmUp: 200, block: 200, throughput: 350, delays: [0, 5], coldStarts: 2 }
/** The scenarios whose throughput is measured, at the delay of 5 ms. */
const LOADED = new Set(['S1', 'S2'])
const LOADED_DELAY = 5
/** The SDK needs seconds for the larger sizes. */
const SCALED: readonly ContestantName[] = ['twin', 'hand-built', 'gateway']

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    delay: { type: 'string' },
    contestant: { type: 'string' },
    'cpu-prof': { type: 'boolean', default: false },
  },
})

const log = (text: string): void => console.log(text)

/** The parts of a list that an option names: `S1,S2`. */
function named<T extends string>(option: string | undefined, all: readonly T[]): readonly T[] {
  if (option === undefined) return all
  const wanted = option.split(',')
  const found = all.filter((name) => wanted.includes(name))
  if (found.length !== wanted.length) throw new RangeError(`Choose from ${all.join(', ')}.`)
  return found
}

async function opened(arena: Arena, names: readonly ContestantName[]): Promise<Contestants> {
  const drivers = new Map<ContestantName, Driver>()
  for (const name of names) drivers.set(name, await arena.open(name))
  return drivers
}

async function measureAll(arena: Arena, plan: FullPlan): Promise<Results> {
  const contestants = await opened(arena, CONTESTANT_NAMES)
  const results = { latency: [], throughput: [], work: [], scaling: [], coldStart: [] } as {
    -readonly [Part in keyof Omit<Results, 'machine'>]: Results[Part][number][]
  }
  for (const delay of plan.delays) {
    for (const scenario of SCENARIOS) {
      results.latency.push(...(await measureLatency(arena, contestants, scenario, delay, plan)))
      log(`${scenario.name} at ${delay} ms is measured`)
    }
  }
  for (const scenario of SCENARIOS.filter(({ name }) => LOADED.has(name))) {
    results.throughput.push(...(await measureThroughput(arena, contestants, scenario, LOADED_DELAY, plan)))
  }
  log('throughput is measured')
  const scaled = new Map([...contestants].filter(([name]) => SCALED.includes(name)))
  for (const scenario of SCALING) results.scaling.push(...(await measureScaling(arena, scaled, scenario, plan)))
  log('scaling is measured')
  for (const scenario of SCENARIOS) {
    for (const contestant of contestants) results.work.push(await countWork(arena, contestant, scenario))
  }
  log('work is counted')
  const [small] = SCENARIOS
  if (small) results.coldStart.push(...(await measureColdStarts(arena, small, LOADED_DELAY, plan.coldStarts)))
  return { machine: thisMachine(), ...results }
}

/** Measures a part and prints it. */
async function measurePart(arena: Arena, scenarios: readonly Scenario[], plan: FullPlan): Promise<void> {
  const contestants = await opened(arena, named(options.contestant, CONTESTANT_NAMES))
  const delays = options.delay === undefined ? plan.delays : options.delay.split(',').map(Number)
  for (const scenario of scenarios) {
    for (const delay of delays) log(latencyTable(await measureLatency(arena, contestants, scenario, delay, plan)))
  }
  // counting of openings makes each opening slower
  for (const scenario of scenarios) {
    for (const contestant of contestants) log(JSON.stringify(await countWork(arena, contestant, scenario)))
  }
}

const started = performance.now()
const arena = await openArena()
try {
  const plan = options.quick ? QUICK : FULL
  const scenarios = [...SCENARIOS, ...SCALING].filter(({ name }) =>
    named(
      options.scenario,
      [...SCENARIOS, ...SCALING].map((scenario) => scenario.name),
    ).includes(name),
  )
  if (options['cpu-prof']) {
    const folder = new URL('../.local/', import.meta.url)
    mkdirSync(folder, { recursive: true })
    for (const name of named(options.contestant, ['gateway', ...CONTESTANT_NAMES.filter((one) => one !== 'gateway')])) {
      for (const scenario of scenarios) log(await profile(arena, name, scenario, Number(options.delay ?? 0), folder))
    }
  } else if (options.scenario === undefined && options.delay === undefined && options.contestant === undefined) {
    const results = await measureAll(arena, plan)
    writeReport(results, new URL(options.quick ? '../.local/bench/' : './results/', import.meta.url))
    log(tablesOf(results))
  } else {
    await measurePart(arena, scenarios, plan)
  }
} finally {
  await arena.stop()
}
log(`The bench took ${Math.round((performance.now() - started) / 1_000)} s.`)
