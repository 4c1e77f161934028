import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A file of the folder that holds what the project is measured by.
 *
 * @throws Error when PHI_SHARED is not set or the file is not there: these checks fail, they are never skipped
 */
export function readShared(file: string): string {
  const folder = process.env['PHI_SHARED']
  if (folder === undefined || folder === '') throw new Error('PHI_SHARED must name the folder with api.graphql and grants.csv.')
  return readFileSync(join(folder, file), 'utf8')
}
