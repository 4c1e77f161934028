import { cp, mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { bundleAudit, bundleFunction, bundleGateway, bundleTables, SCHEMA_FILES } from './bundle.ts'

// `npm run build` bundles each function for Lambda, beside the files of its schema. It also builds the package
// for deployments with a schema of their own.

const root = new URL('../', import.meta.url)

/** Output folder of the package for deployments with a schema of their own. */
const packaged = new URL('dist/package/', root)

await rm(packaged, { recursive: true, force: true })
await mkdir(packaged, { recursive: true })
await Promise.all([
  bundleFunction(new URL('dist/graphql/', root)),
  bundleFunction(new URL('dist/notary/', root), 'functions/notary.ts'),
  bundleFunction(new URL('dist/audit-changes/', root), 'functions/audit-changes.ts'),
  bundleFunction(new URL('dist/delivery/', root), 'functions/delivery.ts'),
  bundleFunction(new URL('dist/scrub/', root), 'functions/scrub.ts'),
  bundleTables(new URL('dist/tables/', root)),
  bundleAudit(new URL('dist/audit/', root)),
  // includes all dependencies, because graphql-shield needs a patch that an installation of this package does not apply
  bundleGateway('gateway/index.ts', packaged),
  cp(new URL(SCHEMA_FILES['directives.graphql'], root), new URL('directives.graphql', packaged)),
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
