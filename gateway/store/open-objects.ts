import { S3Client } from '@aws-sdk/client-s3'
import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { ObjectStore } from '../model/object-store.ts'
import { FolderObjects } from './folder-objects.ts'
import { S3Objects } from './s3-objects.ts'

const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$/

/** `PHI_AUDIT_OBJECTS` is `s3://bucket` or an absolute path. `PHI_AUDIT_OBJECTS_OWNER` is the account of the bucket. */
const ObjectsEnvironment = z.object({
  PHI_AUDIT_OBJECTS: z.string().refine((place) => BUCKET.test(place) || isAbsolute(place)),
  PHI_AUDIT_OBJECTS_OWNER: z
    .string()
    .regex(/^(?:\d{12})?$/)
    .default(''),
})

// a segment of a busy minute is some megabytes
const CONNECT_MS = 2_000
const REQUEST_MS = 30_000
const ATTEMPTS = 4

/**
 * The objects of the sealed log. The SDK reads region, credentials and endpoint itself.
 *
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openObjects(env: Readonly<Record<string, string | undefined>>): ObjectStore {
  const { PHI_AUDIT_OBJECTS: place, PHI_AUDIT_OBJECTS_OWNER: owner } = ObjectsEnvironment.parse(env)
  const bucket = BUCKET.exec(place)?.[1]
  if (bucket === undefined) return new FolderObjects(place)
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new S3Client({ maxAttempts: ATTEMPTS, requestHandler })
  // it would print names and sizes of objects
  client.middlewareStack.remove('loggerMiddleware')
  return new S3Objects(client, bucket, owner === '' ? undefined : owner)
}
