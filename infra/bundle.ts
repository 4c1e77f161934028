import { cp, mkdir, rm } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions, type Plugin } from 'esbuild'

const root = new URL('../', import.meta.url)

/** Files that functions read through URLs like `new URL('./clinical/', import.meta.url)`, by their name beside the bundle. */
export const SCHEMA_FILES = {
  clinical: 'schema/clinical/',
  'policy.lock': 'schema/policy.lock',
  'directives.graphql': 'directives/directives.graphql',
} as const
/** The files of the auditor's function: its own schema, and the clinical one, whose accesses the log has. */
const AUDIT_SCHEMA_FILES = { ...SCHEMA_FILES, audit: 'schema/audit/' } as const

/** The options of every bundle. */
export const bundleOptions: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // with ES modules preferred, the bundle has one copy of graphql, and the cold start is a quarter shorter
  mainFields: ['module', 'main'],
  // CommonJS packages in the bundle call `require`, which ES modules do not have
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  // readable stack traces are worth the extra kilobytes
  minify: false,
  sourcemap: 'external',
  logLevel: 'warning',
}

/** Apollo Server imports these plugins only if they are enabled. `gateway/execution.ts` disables each of them. */
export const disabledPlugins: Plugin = {
  name: 'disabled-plugins',
  setup: (build) => {
    const namespace = 'disabled'
    const filter = /^\.\/plugin\/(usageReporting|schemaReporting|inlineTrace|cacheControl|landingPage\/default)\/index\.js$/
    build.onResolve({ filter }, ({ path }) => ({ path, namespace }))
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`The bundle does not contain ${path} of Apollo Server.`)})`,
    }))
  },
}

/**
 * Modules of Node are loaded with `require`. An `import` reads every property of the module, and a property of `node:http`
 * loads the implementation of `fetch` and of web sockets, which the gateway does not use.
 */
export const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup: (build) => {
    const namespace = 'builtin'
    const names = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]))
    build.onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path, namespace: from }) => {
      if (!names.has(path)) return undefined
      return from === namespace ? { path, external: true } : { path, namespace }
    })
    // this package asks for `module.require`, which a bundled module does not have, and falls back to a hash in JavaScript
    build.onResolve({ filter: /^@apollo\/utils\.createhash$/ }, () => ({ path: 'node:crypto', namespace }))
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: `module.exports = require(${JSON.stringify(path)})` }))
  },
}

/** The bundle has one library of DuckDB, beside its files. The package chooses among those of all platforms. */
const duckdbLibrary: Plugin = {
  name: 'duckdb-library',
  setup: (build) => {
    const namespace = 'duckdb'
    build.onResolve({ filter: /^@duckdb\/node-bindings$/ }, ({ path }) => ({ path, namespace }))
    build.onResolve({ filter: /^\.\/duckdb\.node$/, namespace }, ({ path }) => ({ path, external: true }))
    build.onLoad({ filter: /.*/, namespace }, () => ({ contents: "module.exports = require('./duckdb.node')" }))
  },
}

/** The options of the bundles that contain the gateway. They make the cold start shorter (bench/README.md). */
export const gatewayOptions = {
  ...bundleOptions,
  // Parts that a process may never load are files of their own, such as the providers of credentials for places other than
  // Lambda. In a single file, each module that such a part imports is wrapped into a function.
  splitting: true,
  outExtension: { '.js': '.mjs' },
  // graphql has an additional check of each type, which it leaves out in production
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [disabledPlugins, requiredBuiltins, duckdbLibrary],
} satisfies BuildOptions

/** A bundle has several copies of graphql. They do not recognize each other's types, and in production graphql does not check this. */
class SeveralCopies extends Error {
  override readonly name = 'SeveralCopies'
}

/**
 * Bundles the function for Lambda as `index.mjs` with its parts in an empty folder, beside the files of its schema.
 *
 * @throws SeveralCopies
 */
export async function bundleFunction(output: URL, entry = 'functions/graphql.ts'): Promise<void> {
  await emptyFolder(output)
  await Promise.all([bundleGateway(entry, output), copyFiles(SCHEMA_FILES, output)])
}

/** The package of DuckDB's library for Lambda. It is another project, because npm installs no packages of other processors beside its own. */
const LAMBDA_DUCKDB = new URL('infra/arm64/node_modules/@duckdb/node-bindings-linux-arm64/', root)
/** The addon, and the library that it loads from its own folder. */
const DUCKDB_FILES = ['duckdb.node', 'libduckdb.so']

/** The library of DuckDB for Lambda is not installed. */
class LibraryMissing extends Error {
  override readonly name = 'LibraryMissing'
}

/**
 * Bundles the function that writes the audit tables, beside the library of DuckDB.
 *
 * @param library a folder with the files of one platform. The default is that of Lambda: Linux on arm64
 * @throws LibraryMissing, SeveralCopies
 */
export async function bundleTables(output: URL, library: URL = LAMBDA_DUCKDB): Promise<void> {
  await emptyFolder(output)
  await Promise.all([bundleGateway('functions/tables.ts', output), copyLibrary(library, output)])
}

/**
 * Bundles the function that answers auditors, beside the library of DuckDB and the files of both schemas.
 *
 * @param library as for `bundleTables`
 * @returns the source files in the bundle, as paths within the project
 * @throws LibraryMissing, SeveralCopies
 */
export async function bundleAudit(output: URL, library: URL = LAMBDA_DUCKDB): Promise<readonly string[]> {
  await emptyFolder(output)
  const [sources] = await Promise.all([
    bundleGateway('functions/audit.ts', output),
    copyLibrary(library, output),
    copyFiles(AUDIT_SCHEMA_FILES, output),
  ])
  return sources
}

async function emptyFolder(folder: URL): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
}

async function copyFiles(files: Readonly<Record<string, string>>, output: URL): Promise<void> {
  for (const [name, from] of Object.entries(files)) await cp(new URL(from, root), new URL(name, output), { recursive: true })
}

async function copyLibrary(library: URL, output: URL): Promise<void> {
  for (const file of DUCKDB_FILES)
    await cp(new URL(file, library), new URL(file, output)).catch((cause: unknown) => {
      throw new LibraryMissing('The library of DuckDB for Lambda is missing. Install it with: npm run install:arm64', { cause })
    })
}

/**
 * Bundles an entry that contains the gateway as `index.mjs` with its parts.
 *
 * @returns the source files in the bundle, as paths within the project
 * @throws SeveralCopies
 */
export async function bundleGateway(entry: string, output: URL): Promise<readonly string[]> {
  const { metafile } = await build({
    ...gatewayOptions,
    metafile: true,
    absWorkingDir: fileURLToPath(root),
    entryPoints: { index: fileURLToPath(new URL(entry, root)) },
    outdir: fileURLToPath(output),
  })
  const sources = Object.keys(metafile.inputs)
  const copies = sources.filter((file) => /node_modules\/graphql\/version\.m?js$/.test(file))
  if (copies.length > 1) throw new SeveralCopies(copies.join(', '))
  return sources
}
