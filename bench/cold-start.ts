import { build } from 'esbuild'
import { print } from 'graphql'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleFunction, bundleOptions } from '../infra/bundle.ts'
import type { Arena } from './arena.ts'
import { Child } from './child.ts'
import type { ColdTimes } from './cold-process.ts'
import { plainSdl } from './contestants/plain-sdl.ts'
import type { ColdStart } from './results.ts'
import type { Scenario } from './scenarios.ts'
import { median, rounded } from './statistics.ts'

const FOLDER = new URL('../.local/bench/', import.meta.url)
const COLD = ['gateway', 'hand-built'] as const

/** Bundles the deployed function as it is deployed, and the naive one without the options that only the gateway has. */
async function bundles(): Promise<ReadonlyMap<(typeof COLD)[number], string>> {
  const folderOf = (name: (typeof COLD)[number]): URL => new URL(`${name}/`, FOLDER)
  await bundleFunction(folderOf('gateway'))
  mkdirSync(folderOf('hand-built'), { recursive: true })
  await build({
    ...bundleOptions,
    entryPoints: [fileURLToPath(new URL('./contestants/hand-built-function.ts', import.meta.url))],
    outfile: fileURLToPath(new URL('index.mjs', folderOf('hand-built'))),
  })
  writeFileSync(new URL('schema.graphql', folderOf('hand-built')), print(await plainSdl()))
  return new Map(COLD.map((name) => [name, fileURLToPath(new URL('index.mjs', folderOf(name)))]))
}

/** Starts new processes of both functions in alternation. The tables answer after `delay` milliseconds. */
export async function measureColdStarts(arena: Arena, scenario: Scenario, delay: number, starts: number): Promise<ColdStart[]> {
  await arena.delay(delay)
  const request = await arena.requestOf(scenario)
  const files = await bundles()
  const times = new Map<string, ColdTimes[]>(COLD.map((name) => [name, []]))
  for (let start = 0; start < starts; start++) {
    for (const [name, file] of files) {
      const env = { ...arena.environmentOf(name), BENCH_BUNDLE: file, BENCH_TOKEN: request.token, BENCH_BODY: request.body }
      const { child, ready } = await Child.start('./cold-process.ts', { env })
      await child.stop()
      const cold = ready as ColdTimes
      if (cold.status !== 200) throw new Error(`The ${name} function answered with ${cold.status}.`)
      times.get(name)?.push(cold)
    }
  }
  return [...files].map(([name, file]) => ({
    function: name,
    bundleKilobytes: Math.round(codeBytes(dirname(file)) / 1024),
    init: rounded(median((times.get(name) ?? []).map(({ init }) => init))),
    first: rounded(median((times.get(name) ?? []).map(({ first }) => first))),
  }))
}

/** The size of all code in a folder, including parts that a process loads only if it needs them. */
function codeBytes(folder: string): number {
  const code = readdirSync(folder).filter((file) => file.endsWith('.mjs'))
  return code.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}
