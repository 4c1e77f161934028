import type { S3Client } from '@aws-sdk/client-s3'
import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { RemovableObjects } from '../model/object-store.ts'
import { FolderTables } from './folder-tables.ts'
import { BUCKET, objectClient } from './open-objects.ts'
import { S3Tables } from './s3-tables.ts'

/** `PHI_AUDIT_TABLES` is `s3://bucket` or an absolute path. */
const TablesEnvironment = z.object({
  PHI_AUDIT_TABLES: z.string().refine((place) => BUCKET.test(place) || isAbsolute(place)),
})

/**
 * The objects of the audit tables. The SDK reads region and endpoint itself.
 *
 * @param client creates the client of a bucket. The default has the credentials of the process
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openTableObjects(
  env: Readonly<Record<string, string | undefined>>,
  client: () => S3Client = objectClient,
): RemovableObjects {
  const { PHI_AUDIT_TABLES: place } = TablesEnvironment.parse(env)
  const bucket = BUCKET.exec(place)?.[1]
  return bucket === undefined ? new FolderTables(place) : new S3Tables(client(), bucket)
}
