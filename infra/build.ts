import { cp, mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import ts from 'typescript'

// `npm run build` bundles each function into one file for Lambda, beside the files of its schema. It also builds the package
// for deployments with a schema of their own.

const root = new URL('../', import.meta.url)
const output = new URL('dist/graphql/', root)

/** Files that the function reads through URLs like `new URL('./clinical/', import.meta.url)`, by their name beside the bundle. */
const SCHEMA_FILES = {
  clinical: 'schema/clinical/',
  'policy.lock': 'schema/policy.lock',
  'directives.graphql': 'directives/directives.graphql',
} as const

/** Output folder of the package for deployments with a schema of their own. */
const packaged = new URL('dist/package/', root)

const options: BuildOptions = {
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

await Promise.all([output, packaged].map((folder) => rm(folder, { recursive: true, force: true })))
await Promise.all([output, packaged].map((folder) => mkdir(folder, { recursive: true })))
await Promise.all([
  build({
    ...options,
    entryPoints: [fileURLToPath(new URL('functions/graphql.ts', root))],
    outfile: fileURLToPath(new URL('index.mjs', output)),
  }),
  // includes all dependencies, because graphql-shield needs a patch that an installation of this package does not apply
  build({
    ...options,
    entryPoints: [fileURLToPath(new URL('gateway/index.ts', root))],
    outfile: fileURLToPath(new URL('index.mjs', packaged)),
  }),
  cp(new URL(SCHEMA_FILES['directives.graphql'], root), new URL('directives.graphql', packaged)),
  ...Object.entries(SCHEMA_FILES).map(([name, from]) => cp(new URL(from, root), new URL(name, output), { recursive: true })),
])
writeDeclarations(fileURLToPath(new URL('gateway/index.ts', root)), fileURLToPath(new URL('types/', packaged)))

/** Writes the type declarations of the package. It does not include the declarations of its dependencies. */
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
