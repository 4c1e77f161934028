import type { Profiler } from 'node:inspector'
import { writeFileSync } from 'node:fs'
import type { Arena } from './arena.ts'
import type { ContestantName } from './contestant-names.ts'
import type { Scenario } from './scenarios.ts'
import { figure, table } from './tables.ts'

const WARM_UP_MS = 5_000
const PROFILED_MS = 6_000
const TOP_FUNCTIONS = 25

/** Categories of code, by the URL of a file. The first that matches counts. */
const CATEGORIES: readonly (readonly [name: string, url: RegExp])[] = [
  ['AES (node:crypto ciphers)', /^node:internal\/crypto\/(?:cipher|aes|keys)/],
  ['hashes and HMAC (node:crypto)', /^node:internal\/crypto\//],
  ['audit entries', /\/gateway\/audit\/|\/node_modules\/canonicalize\//],
  ['sealed values and manifests', /\/gateway\/crypto\//],
  ['SDK clients', /\/node_modules\/(?:@aws-sdk|@smithy|@aws|@aws-lambda-powertools\/commons)\//],
  ['GraphQL and Apollo', /\/node_modules\/(?:graphql|@apollo|graphql-[a-z]+|@graphql-tools)\//],
  [
    'HTTP, sockets and streams',
    /^node:(?:_http|http|net|internal\/(?:http|net|stream|streams|js_stream)|stream|_stream|string_decoder)/,
  ],
  ['store', /\/gateway\/store\//],
  ['disclosure', /\/gateway\/disclosure\//],
  ['access', /\/gateway\/access\//],
  ['decide', /\/gateway\/decide\//],
  ['telemetry', /\/gateway\/telemetry\/|\/node_modules\/@aws-lambda-powertools\//],
  ['rest of the gateway', /\/(?:gateway|directives|resolvers|functions|schema)\//],
  ['token verification', /\/node_modules\/aws-jwt-verify\//],
  ['bench', /\/bench\/|\/infra\/local\//],
  ['other packages', /\/node_modules\//],
]

export interface SelfTime {
  readonly name: string
  /** Milliseconds. */
  readonly self: number
}

/** The self time of a profile by category and by function, without idle time, the longest first. */
export function selfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): {
  readonly categories: readonly SelfTime[]
  readonly functions: readonly SelfTime[]
} {
  const self = new Map<number, number>()
  for (const [index, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[index] ?? 0) / 1_000)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const categories = new Map<string, number>()
  const functions = new Map<string, number>()
  const walk = (node: Profiler.ProfileNode, inherited: string): void => {
    const { functionName, url, lineNumber } = node.callFrame
    // the profiler itself
    if (url === 'node:inspector') return
    const category = categoryOf(functionName, url) ?? inherited
    const time = self.get(node.id) ?? 0
    if (functionName !== '(idle)' && time > 0) {
      categories.set(category, (categories.get(category) ?? 0) + time)
      const place = `${functionName === '' ? '(anonymous)' : functionName} ${url.replace(/^.*\/(?=gateway\/|node_modules\/|bench\/)/, '')}:${lineNumber + 1}`
      functions.set(place, (functions.get(place) ?? 0) + time)
    }
    for (const id of node.children ?? []) {
      const child = byId.get(id)
      if (child) walk(child, category)
    }
  }
  const [root] = nodes
  if (root) walk(root, 'Node')
  const sorted = (times: ReadonlyMap<string, number>): SelfTime[] =>
    [...times].map(([name, time]) => ({ name, self: time })).sort((a, b) => b.self - a.self)
  return { categories: sorted(categories), functions: sorted(functions) }
}

/** Undefined for a function of the engine or of Node, such as `JSON.stringify` or `Buffer.concat`: it belongs to its caller. */
function categoryOf(functionName: string, url: string): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (functionName === '(program)') return 'engine (program)'
  return CATEGORIES.find(([, pattern]) => pattern.test(url))?.[0]
}

/**
 * Profiles a warm contestant and writes `bench-CONTESTANT-SCENARIO.cpuprofile`.
 *
 * @returns the tables of self time
 */
export async function profile(arena: Arena, name: ContestantName, scenario: Scenario, delay: number, folder: URL): Promise<string> {
  const driver = await arena.open(name)
  const request = await arena.requestOf(scenario)
  await arena.delay(delay)
  await driver.block(request, { concurrency: 1, milliseconds: WARM_UP_MS, atLeast: 5 })
  await driver.startProfile()
  const { latencies, cpu } = await driver.block(request, { concurrency: 1, milliseconds: PROFILED_MS, atLeast: 5 })
  const measured = await driver.stopProfile()
  const file = `bench-${name}-${scenario.name.replaceAll(' ', '-')}.cpuprofile`
  writeFileSync(new URL(file, folder), JSON.stringify(measured))
  const { categories, functions } = selfTimes(measured)
  const total = categories.reduce((sum, { self }) => sum + self, 0)
  const rowOf = ({ name: of, self }: SelfTime): string[] => [of, figure(self / latencies.length), figure((self / total) * 100)]
  return [
    `${scenario.name} ${name}: ${latencies.length} requests, ${figure(cpu / latencies.length)} ms of CPU each; profile in .local/${file}`,
    table(['category', 'ms a request', '%'], categories.map(rowOf)),
    table(['function', 'ms a request', '%'], functions.slice(0, TOP_FUNCTIONS).map(rowOf)),
  ].join('\n\n')
}
