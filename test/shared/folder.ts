import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readValues } from '../../fhir/files.ts'
import { sourceRoots } from '../../fhir/source-files.ts'

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

/**
 * The bundles of some folders.
 *
 * @throws Error for a file that cannot be read
 */
export async function* bundlesOf(folders: readonly string[]): AsyncGenerator {
  for (const { files } of await sourceRoots(folders)) {
    for await (const found of readValues(files)) {
      if ('reason' in found) throw new Error(found.reason)
      if ('value' in found) yield found.value
    }
  }
}
