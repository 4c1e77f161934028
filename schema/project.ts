import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import type { TypeDefs } from './clinic.ts'

// A project is a folder with a `phi.json`, which names the files of its schema. The commands of `phi` work on the project of the folder
// that they run in.

const PROJECT_FILE = 'phi.json'

/** Commands write to a path of `phi.json`, and the project can come from another author. */
const isWithin = (file: string): boolean => !isAbsolute(file) && normalize(file).split(sep)[0] !== '..'
const path = z.string().min(1).refine(isWithin, 'Use a path within the folder of the project.')
const ProjectSettings = z.strictObject({
  /** The folder with the SDL. Each file in it that ends with `.graphql` is part of the schema. */
  schema: path,
  /** The policy lock. */
  lock: path,
  /** The tenant of commands that name none. */
  tenant: z.string().optional(),
  /** The module that exports `handler`, the function for Lambda. `phi dev` serves it. */
  handler: path.optional(),
  /** The users of the local identity provider, a JSON file. */
  users: path.optional(),
  /** Records for the local stack, by tenant: an NDJSON file as `phi load` reads it. */
  records: z.record(z.string(), path).optional(),
})
type ProjectSettings = z.infer<typeof ProjectSettings>

/** The folder has no project, or its file is not complete. The message says what to do. */
export class ProjectRefused extends Error {
  override readonly name = 'ProjectRefused'
}

/** A project, with absolute paths. */
export interface Project {
  readonly folder: string
  readonly schema: string
  readonly lock: string
  readonly handler?: string
  readonly users?: string
  /** By tenant. */
  readonly records?: ReadonlyMap<string, string>
}

/** The folder of this installation, two levels above its modules. A clone has the project of the clinic there; a package has none. */
const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url))

/**
 * Opens the project of a folder: the nearest `phi.json`, from the folder upward. A clone without one above it has its own project.
 *
 * @throws ProjectRefused
 */
export function openProject(from: string = process.cwd()): Project {
  const folder = projectFolder(from)
  if (folder === undefined)
    throw new ProjectRefused(`No ${PROJECT_FILE} is in this folder or above it: create a project with \`npx phi init\``)
  const { schema, lock, handler, users, records } = settingsIn(folder)
  const inFolder = (file: string): string => resolve(folder, file)
  return {
    folder,
    schema: inFolder(schema),
    lock: inFolder(lock),
    ...(handler !== undefined && { handler: inFolder(handler) }),
    ...(users !== undefined && { users: inFolder(users) }),
    ...(records && { records: new Map(Object.entries(records).map(([tenant, file]) => [tenant, inFolder(file)])) }),
  }
}

/** The folder of the nearest `phi.json`, from a folder upward, or undefined. */
export function projectFolder(from: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, PROJECT_FILE))) return folder
    if (folder === dirname(folder)) return existsSync(join(OWN_FOLDER, PROJECT_FILE)) ? OWN_FOLDER : undefined
  }
}

function settingsIn(folder: string): ProjectSettings {
  const file = join(folder, PROJECT_FILE)
  try {
    return ProjectSettings.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : 'It is not a readable JSON file.'
    throw new ProjectRefused(`${file} is not complete. ${why}`, { cause })
  }
}

/** The SDL of a project, sorted by file name. @throws ProjectRefused */
export function projectTypeDefs({ folder, schema } = openProject()): readonly TypeDefs[] {
  const files = readOrRefuse(() => readdirSync(schema), schema, 'a folder with .graphql files')
    .filter((file) => file.endsWith('.graphql'))
    .toSorted()
  if (files.length === 0) throw new ProjectRefused(`${schema} has no file that ends with .graphql`)
  return files.map((name) => {
    const file = join(schema, name)
    return { name: relative(folder, file), sdl: readOrRefuse(() => readFileSync(file, 'utf8'), file, 'a file of the schema') }
  })
}

/** The text of the committed lock. @throws ProjectRefused */
export function projectLock({ lock } = openProject()): string {
  return readOrRefuse(() => readFileSync(lock, 'utf8'), lock, 'the policy lock: write it with `npx phi policy lock`')
}

/** The tenant of commands that name none, or undefined. A folder without a project has none. */
export function defaultTenant(from: string = process.cwd()): string | undefined {
  const folder = projectFolder(from)
  try {
    return folder === undefined ? undefined : settingsIn(folder).tenant
  } catch (error) {
    if (error instanceof ProjectRefused) return undefined
    throw error
  }
}

/** Writes the text of the lock. @throws ProjectRefused */
export function writeProjectLock(text: string, { lock } = openProject()): void {
  try {
    writeFileSync(lock, text)
  } catch (cause) {
    throw new ProjectRefused(`Cannot write ${lock}, the policy lock: check the path in ${PROJECT_FILE}`, { cause })
  }
}

function readOrRefuse<T>(read: () => T, file: string, what: string): T {
  try {
    return read()
  } catch (cause) {
    throw new ProjectRefused(`Cannot read ${file}, ${what}`, { cause })
  }
}
