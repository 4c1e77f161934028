import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { ObjectStore } from '../model/object-store.ts'
import { FolderObjects } from './folder-objects.ts'
import { S3Objects } from './s3-objects.ts'

/** `s3://bucket` */
export const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$/

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
 * The objects of the sealed log. The SDK reads region and endpoint itself.
 *
 * @param client creates the client of a bucket. The default has the credentials of the process
 * @throws ZodError naming the variable that is missing or malformed
 */
export function openObjects(env: Readonly<Record<string, string | undefined>>, client: () => S3Client = objectClient): ObjectStore {
  const { PHI_AUDIT_OBJECTS: place, PHI_AUDIT_OBJECTS_OWNER: owner } = ObjectsEnvironment.parse(env)
  const bucket = BUCKET.exec(place)?.[1]
  if (bucket === undefined) return new FolderObjects(place)
  return new S3Objects(client(), bucket, owner === '' ? undefined : owner)
}

/** A client of S3 that prints no names and sizes of objects. @param credentials undefined: those of the process */
export function objectClient(credentials?: S3ClientConfig['credentials']): S3Client {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new S3Client({ maxAttempts: ATTEMPTS, requestHandler, ...(credentials && { credentials }) })
  client.middlewareStack.remove('loggerMiddleware')
  return client
}
