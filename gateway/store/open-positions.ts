import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { ObjectStore } from '../model/object-store.ts'
import { FolderObjects } from './folder-objects.ts'
import { BUCKET, objectClient } from './open-objects.ts'
import { S3Objects } from './s3-objects.ts'

/** `PHI_SIEM_POSITIONS` is `s3://bucket` or an absolute path. */
const PositionsEnvironment = z.object({
  PHI_SIEM_POSITIONS: z.string().refine((place) => BUCKET.test(place) || isAbsolute(place)),
})

/**
 * The store of delivered positions. The SDK reads region and endpoint itself.
 *
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openPositions(env: Readonly<Record<string, string | undefined>>): ObjectStore {
  const { PHI_SIEM_POSITIONS: place } = PositionsEnvironment.parse(env)
  const bucket = BUCKET.exec(place)?.[1]
  return bucket === undefined ? new FolderObjects(place) : new S3Objects(objectClient(), bucket)
}
