import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { stackEnvironment } from './environment.ts'
import { writePrivateFile } from './private-file.ts'

/**
 * What the stack on this machine keeps, never under version control: `.local` at the root of the project, or what `PHI_DATA`
 * names, so that several stacks can stand beside each other.
 */
export const DATA_FOLDER = resolve(process.env['PHI_DATA'] ?? fileURLToPath(new URL('../../.local', import.meta.url)))

const stackFile = z.object({
  /** Where clients send their queries. */
  graphql: z.url(),
  issuer: z.url(),
  jwksUri: z.url(),
  tokenEndpoint: z.url(),
  clientSecrets: z.record(z.string(), z.string()),
  /** What the functions read; the command line takes it as its own. */
  env: stackEnvironment,
})

/** A running stack as another process on this machine finds it, in `.local/stack.json`. */
export type StackFile = z.infer<typeof stackFile>

/** No stack runs on this machine, or its file is of another version. */
export class NoStack extends Error {
  override readonly name = 'NoStack'
}

const pathIn = (dataFolder: string): string => join(dataFolder, 'stack.json')

/** Readable by its owner alone: it holds the secrets of machine clients. */
export function writeStackFile(dataFolder: string, stack: StackFile): void {
  writePrivateFile(pathIn(dataFolder), JSON.stringify(stack, null, 2))
}

export function removeStackFile(dataFolder: string): void {
  rmSync(pathIn(dataFolder), { force: true })
}

/**
 * What the running stack wrote.
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
