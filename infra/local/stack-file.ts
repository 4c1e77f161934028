import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { projectFolder } from '../../schema/project.ts'
import { stackEnvironment } from './environment.ts'
import { writePrivateFile } from './private-file.ts'
import { START_COMMAND } from './start-command.ts'

/**
 * The data folder of the stack on this machine, never under version control. The default is `.local` in the folder of the project.
 * `PHI_DATA` names another folder, so that several stacks can run side by side.
 */
export const DATA_FOLDER = resolve(process.env['PHI_DATA'] ?? join(projectFolder(process.cwd()) ?? '.', '.local'))

const stackFile = z.object({
  /** Endpoint for client requests. */
  graphql: z.url(),
  issuer: z.url(),
  jwksUri: z.url(),
  tokenEndpoint: z.url(),
  clientSecrets: z.record(z.string(), z.string()),
  /** The users of the identity provider, and its machine clients. */
  users: z
    .array(z.object({ name: z.string(), tenant: z.string(), fhirUser: z.string().optional(), client: z.boolean().optional() }))
    .readonly(),
  /** Environment of the functions. The command line uses it as its own. */
  env: stackEnvironment,
})

/** The content of `.local/stack.json`, by which other processes on this machine find the running stack. */
export type StackFile = z.infer<typeof stackFile>

const MESSAGES = {
  NONE: `No local stack is running in this folder: start it with \`${START_COMMAND}\``,
  ENDED: `The local stack of this folder no longer answers: start it again with \`${START_COMMAND}\``,
  VERSION: `The local stack of this folder is of another version: stop it, then start it again with \`${START_COMMAND}\``,
} as const

/** No stack of this version runs in the data folder. The message states the next step. */
export class NoStack extends Error {
  override readonly name = 'NoStack'
  readonly why: keyof typeof MESSAGES
  constructor(why: keyof typeof MESSAGES, options?: ErrorOptions) {
    super(MESSAGES[why], options)
    this.why = why
  }
}

const pathIn = (dataFolder: string): string => join(dataFolder, 'stack.json')

/** Only the owner can read the file, because it holds the secrets of machine clients. */
export function writeStackFile(dataFolder: string, stack: StackFile): void {
  writePrivateFile(pathIn(dataFolder), JSON.stringify(stack, null, 2))
}

export function removeStackFile(dataFolder: string): void {
  rmSync(pathIn(dataFolder), { force: true })
}

/**
 * Reads the file of the running stack. A stack that was killed leaves its file.
 *
 * @throws NoStack; the error of the file system if the file exists and cannot be read
 */
export function readStackFile(dataFolder: string = DATA_FOLDER): StackFile {
  let text: string
  try {
    text = readFileSync(pathIn(dataFolder), 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    throw new NoStack('NONE', { cause })
  }
  try {
    return stackFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new NoStack('VERSION', { cause })
  }
}
