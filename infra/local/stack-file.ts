import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { stackEnvironment } from './environment.ts'
import { writePrivateFile } from './private-file.ts'

/**
 * The data folder of the stack on this machine, never under version control. The default is `.local` at the root of the project.
 * `PHI_DATA` names another folder, so that several stacks can run side by side.
 */
export const DATA_FOLDER = resolve(process.env['PHI_DATA'] ?? fileURLToPath(new URL('../../.local', import.meta.url)))

const stackFile = z.object({
  /** Endpoint for client requests. */
  graphql: z.url(),
  issuer: z.url(),
  jwksUri: z.url(),
  tokenEndpoint: z.url(),
  clientSecrets: z.record(z.string(), z.string()),
  /** Environment of the functions. The command line uses it as its own. */
  env: stackEnvironment,
})

/** The content of `.local/stack.json`, by which other processes on this machine find the running stack. */
export type StackFile = z.infer<typeof stackFile>

/** No stack runs on this machine, or its file is from another version. */
export class NoStack extends Error {
  override readonly name = 'NoStack'
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
 * Reads the file of the running stack.
 *
 * @throws NoStack
 */
export function readStackFile(dataFolder: string = DATA_FOLDER): StackFile {
  try {
    return stackFile.parse(JSON.parse(readFileSync(pathIn(dataFolder), 'utf8')))
  } catch (cause) {
    throw new NoStack('No local stack is running. Start it with: npm start', { cause })
  }
}
