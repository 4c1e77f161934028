import type { Arena } from './arena.ts'
import type { ContestantName } from './contestant-names.ts'
import { AUDIT_TABLE } from './contestants/tables.ts'
import type { BenchRequest, Block, Driver } from './driver.ts'
import type { Latency, Scaling, Throughput, Work } from './results.ts'
import type { Scenario } from './scenarios.ts'
import { median, quantile, rounded } from './statistics.ts'
import type { StoreCounts } from './store/counts.ts'

export type Contestants = ReadonlyMap<ContestantName, Driver>

/** How long a run measures. Times are in milliseconds. */
export interface Plan {
  readonly rounds: number
  readonly warmUp: number
  readonly block: number
  readonly throughput: number
}

/** Requests that a client sends at the same time to measure throughput. */
const CONCURRENT = 16
const COUNTED_REQUESTS = 3
/** Milliseconds. Longer than a contestant needs to send the requests that do not wait for each other. */
const COUNTED_DELAY = 60

/** Blocks of every contestant, in alternation. Each round begins with another contestant. */
async function blocksOf(
  contestants: Contestants,
  request: BenchRequest,
  { rounds, warmUp, block }: Plan,
): Promise<ReadonlyMap<ContestantName, readonly Block[]>> {
  const blocks = new Map<ContestantName, Block[]>([...contestants.keys()].map((name) => [name, []]))
  const order = [...contestants]
  for (const [, driver] of order) await driver.block(request, { concurrency: 1, milliseconds: warmUp, atLeast: 2 })
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < order.length; place++) {
      const [name, driver] = order[(place + round) % order.length] ?? []
      if (!name || !driver) continue
      blocks.get(name)?.push(await driver.block(request, { concurrency: 1, milliseconds: block, atLeast: 1 }))
    }
  }
  return blocks
}

const cpuOf = (blocks: readonly Block[]): number => median(blocks.map(({ cpu, latencies }) => cpu / latencies.length))

export async function measureLatency(
  arena: Arena,
  contestants: Contestants,
  scenario: Scenario,
  delay: number,
  plan: Plan,
): Promise<Latency[]> {
  await arena.delay(delay)
  const blocks = await blocksOf(contestants, await arena.requestOf(scenario), plan)
  return [...blocks].map(([contestant, measured]) => {
    const latencies = measured.flatMap((block) => block.latencies)
    return {
      scenario: scenario.name,
      delay,
      contestant,
      median: rounded(median(latencies)),
      p95: rounded(quantile(latencies, 0.95)),
      cpu: rounded(cpuOf(measured)),
      requests: latencies.length,
    }
  })
}

export async function measureThroughput(
  arena: Arena,
  contestants: Contestants,
  scenario: Scenario,
  delay: number,
  { rounds, throughput }: Plan,
): Promise<Throughput[]> {
  await arena.delay(delay)
  const request = await arena.requestOf(scenario)
  const perSecond = new Map<ContestantName, number[]>([...contestants.keys()].map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, driver] of contestants) {
      const plan = { concurrency: CONCURRENT, milliseconds: throughput, atLeast: CONCURRENT }
      const { latencies, elapsed } = await driver.block(request, plan)
      perSecond.get(name)?.push((latencies.length / elapsed) * 1_000)
    }
  }
  return [...perSecond].map(([contestant, measured]) => ({
    scenario: scenario.name,
    delay,
    contestant,
    perSecond: rounded(median(measured)),
  }))
}

/** Counts the work of single requests. Call it last: openings are counted from then on. */
export async function countWork(
  arena: Arena,
  [contestant, driver]: readonly [ContestantName, Driver],
  scenario: Scenario,
): Promise<Work> {
  const request = await arena.requestOf(scenario)
  await driver.countOpenings()
  await arena.delay(COUNTED_DELAY)
  const counted: (StoreCounts & { readonly openings: number })[] = []
  for (let count = -1; count < COUNTED_REQUESTS; count++) {
    const before = await driver.openings()
    await arena.resetCounts()
    await driver.ask(request)
    // the first request may load keys and write to the session
    if (count >= 0) counted.push({ ...(await arena.counts()), openings: (await driver.openings()) - before })
  }
  const middle = (count: (counts: (typeof counted)[number]) => number): number => median(counted.map(count))
  return {
    scenario: scenario.name,
    contestant,
    values: scenario.values,
    requests: middle(({ requests }) => requests),
    roundTrips: middle(({ roundTrips }) => roundTrips),
    transactions: middle(({ transactions }) => transactions),
    itemsRead: middle(({ itemsRead }) => itemsRead),
    readUnits: middle(({ readUnits }) => readUnits),
    writeUnits: middle(({ writeUnits }) => writeUnits),
    auditItems: middle(
      ({ itemsWritten }) => (itemsWritten[AUDIT_TABLE] ?? 0) + (itemsWritten[arena.stack.env.PHI_TABLE_AUDIT] ?? 0),
    ),
    openings: middle(({ openings }) => openings),
  }
}

/** CPU time of each size, at the delay of 0. */
export async function measureScaling(arena: Arena, contestants: Contestants, scenario: Scenario, plan: Plan): Promise<Scaling[]> {
  await arena.delay(0)
  const blocks = await blocksOf(contestants, await arena.requestOf(scenario), plan)
  return [...blocks].map(([contestant, measured]) => ({ values: scenario.values, contestant, cpu: rounded(cpuOf(measured)) }))
}
