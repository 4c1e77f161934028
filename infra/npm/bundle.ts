import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import { disabledPlugins, gatewayOptions, requiredBuiltins } from '../bundle.ts'

const root = new URL('../../', import.meta.url)
const inRoot = (file: string): string => fileURLToPath(new URL(file, root))

/** The modules of the package that its users import, by the name in `exports`. */
const MODULES = {
  index: 'gateway/index.ts',
  lambda: 'functions/lambda.ts',
  testing: 'infra/local/testing.ts',
} as const

/** The modules that the `phi` command runs as processes and threads of their own, and the command itself. */
const PROGRAMS = {
  bin: 'cli/bin.ts',
  'engine-keeper': 'infra/local/engine-keeper.ts',
  'verify-worker': 'cli/verify-worker.ts',
} as const

/** The oldest Node that the package runs on. */
const TARGET = 'node22'

/** The manifest of the package, from a module of this project and from one of the package, which is a folder deeper. */
const MANIFEST = { here: "'../../package.json'", there: "'../../../package.json'" } as const

/**
 * Adapts the paths by which modules find others. Processes and threads start from the file of a module beside the one that starts them, and a
 * bundled file has another ending.
 */
const adaptedPaths: Plugin = {
  name: 'adapted-paths',
  setup: (build) => {
    build.onLoad({ filter: /(?:infra\/local|cli)\/[a-z-]+\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const contents = source
        .replace(/new URL\('(\.\/[a-z-]+)\.ts', import\.meta\.url\)/g, "new URL('$1.mjs', import.meta.url)")
        .replace(MANIFEST.here, MANIFEST.there)
      return { loader: 'ts', contents }
    })
  },
}

/** The package has the explorer's page as files, and no bundler. */
const prebuiltExplorer: Plugin = {
  name: 'prebuilt-explorer',
  setup: (build) => {
    const namespace = 'prebuilt'
    build.onResolve({ filter: /^\.\/bundle\.ts$/ }, ({ path, importer }) =>
      importer.endsWith('/explorer/asset-folder.ts') ? { path, namespace } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace }, () => ({
      contents:
        "export const cachedBundle = () => { throw new Error('The package has no files of the explorer. Install it again.') }",
    }))
  },
}

/**
 * Bundles the modules and programs of the package with everything that they import, except the native packages. All of them share their
 * parts, so that a process has each class once.
 *
 * @param output the folder of the files, which end with `.mjs`
 */
export async function bundlePackage(output: URL): Promise<void> {
  await build({
    ...gatewayOptions,
    target: TARGET,
    sourcemap: false,
    absWorkingDir: fileURLToPath(root),
    entryPoints: Object.fromEntries(Object.entries({ ...MODULES, ...PROGRAMS }).map(([name, file]) => [name, inRoot(file)])),
    outdir: fileURLToPath(output),
    external: ['@duckdb/node-api'],
    plugins: [adaptedPaths, prebuiltExplorer, disabledPlugins, requiredBuiltins],
  })
}

/**
 * Writes the type declarations of each module as one file, with those of the packages in the bundle.
 *
 * @throws Error for a warning, such as a type in the signature of an export that `gateway/index.ts` does not export: a user's own
 * declarations could not name it (TS2742)
 */
export async function bundleTypes(output: URL): Promise<void> {
  const bundle = await rollup({
    input: Object.fromEntries(Object.entries(MODULES).map(([name, file]) => [name, inRoot(file)])),
    external: [/^node:/],
    onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
    plugins: [dts({ respectExternal: true, tsconfig: inRoot('tsconfig.json') })],
  })
  await bundle.write({
    dir: fileURLToPath(output),
    format: 'es',
    entryFileNames: '[name].d.mts',
    chunkFileNames: '[name]-[hash].d.mts',
  })
  await bundle.close()
}
