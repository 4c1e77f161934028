import { cp, mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

// `npm run build`: each function as one file for Lambda, with the schema beside it.

const root = new URL('../', import.meta.url)
const output = new URL('dist/graphql/', root)

/** What the function reads through `new URL('./clinical/', import.meta.url)` and the like, by its name beside the bundle. */
const BESIDE = {
  clinical: 'schema/clinical/',
  'policy.lock': 'schema/policy.lock',
  'directives.graphql': 'directives/directives.graphql',
} as const

await rm(output, { recursive: true, force: true })
await mkdir(output, { recursive: true })
await Promise.all([
  build({
    entryPoints: [fileURLToPath(new URL('functions/graphql.ts', root))],
    outfile: fileURLToPath(new URL('index.mjs', output)),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // the ES modules of the packages: one copy of graphql, and a quarter off the cold start
    mainFields: ['module', 'main'],
    // packages that are CommonJS inside call require, which an ES module does not have
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    // a stack trace that can be read is worth more than the kilobytes
    minify: false,
    sourcemap: 'external',
    logLevel: 'warning',
  }),
  ...Object.entries(BESIDE).map(([name, from]) => cp(new URL(from, root), new URL(name, output), { recursive: true })),
])
