import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'

/** The files of a new project. npm leaves a file with the name .gitignore out of a package. */
const STARTER = fileURLToPath(new URL('../infra/npm/starter/', import.meta.url))
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore' }
/** `phi init` writes it after the files. */
const LOCK = 'schema/policy.lock'

/** The members of package.json that a project has. Members that exist stay. */
const PACKAGE = {
  scripts: {
    dev: 'phi dev',
    test: 'node --test "test/**/*.test.ts"',
    check: 'phi policy lock --check && tsc',
    build: 'node build.ts',
    package: 'npm run --silent build && osls package',
  },
  devDependencies: {
    '@types/node': '24.19.2',
    esbuild: '0.28.2',
    osls: '4.3.1',
    typescript: '6.0.3',
  },
} as const

/** The folder cannot take a new project. The message says what to do. */
export class InitRefused extends Error {
  override readonly name = 'InitRefused'
}

const texts = z.record(z.string(), z.string()).optional()
const Manifest = z.looseObject({ scripts: texts, devDependencies: texts })
type Manifest = z.infer<typeof Manifest>

/**
 * Writes the files of a new project, and adds its scripts to `package.json`. It replaces no file.
 *
 * @returns the paths of the written files within the folder
 * @throws InitRefused before anything is written
 */
export function writeStarter(folder: string): readonly string[] {
  const files = filesIn(STARTER)
  const present = [...files.map(nameOf), LOCK].filter((file) => existsSync(join(folder, file)))
  if (present.length > 0)
    throw new InitRefused(`these files exist already: ${present.join(', ')}. Run \`npx phi init\` in an empty folder.`)
  const manifest = manifestOf(folder)
  cpSync(STARTER, folder, { recursive: true })
  for (const [from, to] of Object.entries(RENAMED)) renameSync(join(folder, from), join(folder, to))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return [...files.map(nameOf), 'package.json'].toSorted()
}

const nameOf = (file: string): string => RENAMED[file] ?? file

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length))

function manifestOf(folder: string): Manifest {
  const file = join(folder, 'package.json')
  const before: Manifest = existsSync(file) ? readManifest(file) : { name: 'practice-gateway', version: '0.1.0', private: true }
  // npm writes a test script that fails
  const { test, ...scripts } = before.scripts ?? {}
  const kept = test === undefined || test.includes('no test specified') ? scripts : { ...scripts, test }
  return {
    ...before,
    type: 'module',
    scripts: { ...PACKAGE.scripts, ...kept },
    devDependencies: { ...PACKAGE.devDependencies, ...before.devDependencies },
  }
}

function readManifest(file: string): Manifest {
  try {
    return Manifest.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    throw new InitRefused('package.json is not a readable manifest of npm. Correct it first.', { cause })
  }
}
