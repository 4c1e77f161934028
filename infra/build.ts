import { cp, mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import ts from 'typescript'

// `npm run build`: each function as one file for Lambda, with the schema beside it, and the package for other schemas.

const root = new URL('../', import.meta.url)
const output = new URL('dist/graphql/', root)

/** What the function reads through `new URL('./clinical/', import.meta.url)` and the like, by its name beside the bundle. */
const BESIDE = {
  clinical: 'schema/clinical/',
  'policy.lock': 'schema/policy.lock',
  'directives.graphql': 'directives/directives.graphql',
} as const

/** Where the package goes that deployments with a schema of their own import. */
const packaged = new URL('dist/package/', root)

const options: BuildOptions = {
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
}

await Promise.all([output, packaged].map((folder) => rm(folder, { recursive: true, force: true })))
await Promise.all([output, packaged].map((folder) => mkdir(folder, { recursive: true })))
await Promise.all([
  build({
    ...options,
    entryPoints: [fileURLToPath(new URL('functions/graphql.ts', root))],
    outfile: fileURLToPath(new URL('index.mjs', output)),
  }),
  // with all that it imports inside: the patch that graphql-shield needs does not travel to those who install this package
  build({
    ...options,
    entryPoints: [fileURLToPath(new URL('gateway/index.ts', root))],
    outfile: fileURLToPath(new URL('index.mjs', packaged)),
  }),
  cp(new URL(BESIDE['directives.graphql'], root), new URL('directives.graphql', packaged)),
  ...Object.entries(BESIDE).map(([name, from]) => cp(new URL(from, root), new URL(name, output), { recursive: true })),
])
writeDeclarations(fileURLToPath(new URL('gateway/index.ts', root)), fileURLToPath(new URL('types/', packaged)))

/** The package's types, as the compiler makes them of the sources; those of other packages are theirs to bring. */
function writeDeclarations(entry: string, outDir: string): void {
  const { config } = ts.readConfigFile(fileURLToPath(new URL('tsconfig.json', root)), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: unknown }
  }
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(config.compilerOptions, fileURLToPath(root))
  const program = ts.createProgram([entry], {
    ...compilerOptions,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: fileURLToPath(root),
    outDir,
  })
  const { diagnostics } = program.emit()
  const [fault] = diagnostics
  if (fault !== undefined) throw new Error(ts.flattenDiagnosticMessageText(fault.messageText, '\n'))
}
