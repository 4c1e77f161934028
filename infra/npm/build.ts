import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { bundleExplorer } from '../local/explorer/bundle.ts'
import { bundlePackage, bundleTypes } from './bundle.ts'
import { starterEnvironment, starterFragment } from './fragments.ts'

// `npm pack` runs this. It writes the files of the package for deployments with a schema of their own to `dist/package/`.

const root = new URL('../../', import.meta.url)
const output = new URL('dist/package/', root)
const lib = new URL('lib/', output)

/** Files that the modules read, by their place in the package. The modules are in `lib/`. */
const FILES = {
  'lib/directives.graphql': 'directives/directives.graphql',
  'lib/audit': 'schema/audit/',
  'lib/r4-elements.json': 'fhir/r4-elements.json',
  'lib/representatives.json': 'fhir/representatives.json',
  'lib/security-labels.json': 'fhir/security-labels.json',
  'infra/npm/starter': 'infra/npm/starter/',
  'tables.yml': 'infra/tables.yml',
} as const

await rm(output, { recursive: true, force: true })
await mkdir(lib, { recursive: true })
await mkdir(new URL('infra/', output))
await Promise.all([
  bundlePackage(lib),
  bundleExplorer(new URL('explorer/', lib)),
  bundleTypes(new URL('types/', output)),
  writeFile(new URL('infra/resources.json', output), JSON.stringify(starterFragment(), null, 2)),
  writeFile(new URL('infra/environment.json', output), JSON.stringify(starterEnvironment(), null, 2)),
  ...Object.entries(FILES).map(([to, from]) => cp(new URL(from, root), new URL(to, output), { recursive: true })),
])
