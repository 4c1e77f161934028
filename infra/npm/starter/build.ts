import { build } from 'esbuild'
import { cpSync, rmSync } from 'node:fs'

// `npm run build` bundles each function for Lambda as `dist/<function>/index.mjs`, beside the files that it reads.

const FUNCTIONS = ['graphql', 'notary']

rmSync('dist', { recursive: true, force: true })
for (const name of FUNCTIONS) {
  await build({
    entryPoints: { index: `functions/${name}.ts` },
    outdir: `dist/${name}`,
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // CommonJS packages in a bundle call `require`, which ES modules do not have
    banner: {
      js: "import { createRequire as __requireOf } from 'node:module'; globalThis.require ??= __requireOf(import.meta.url);",
    },
    external: ['@duckdb/node-api'],
    logLevel: 'warning',
  })
  cpSync('schema', `dist/${name}/schema`, { recursive: true })
  cpSync('node_modules/phi-gateway/dist/package/lib/directives.graphql', `dist/${name}/directives.graphql`)
}
