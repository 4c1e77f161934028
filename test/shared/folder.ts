import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Reads a file of the folder with the project's requirements.
 *
 * @throws Error if PHI_SHARED is not set or the file is missing: these checks fail and are never skipped
 */
export function readShared(file: string): string {
  const folder = process.env['PHI_SHARED']
  if (folder === undefined || folder === '') throw new Error('PHI_SHARED must name the folder with api.graphql and grants.csv.')
  return readFileSync(join(folder, file), 'utf8')
}
