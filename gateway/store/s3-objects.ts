import type { S3Client } from '@aws-sdk/client-s3'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { StoreUnavailable } from '../model/failures.ts'
import { type ObjectStore, type PutCondition, requireObjectName, type StoredObject } from '../model/object-store.ts'

const PRECONDITION_FAILED = 412
/** Two conditional writes of one name at the same time: S3 asks the later one to try again. */
const CONFLICT = 409
const CONFLICT_ATTEMPTS = 5

/**
 * The objects of one bucket. The default retention of the bucket protects them: no request here names a retention, so that no role
 * needs a right over it. The client sends a checksum with every object, which Object Lock requires.
 *
 * @source https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #owner: string | undefined

  /** @param owner the account of the bucket. S3 refuses a bucket of the same name in another account */
  constructor(client: S3Client, bucket: string, owner?: string) {
    this.#client = client
    this.#bucket = bucket
    this.#owner = owner
  }

  async put(name: string, bytes: Uint8Array, condition?: PutCondition): Promise<'STORED' | 'KEPT'> {
    requireObjectName(name)
    const input: PutObjectCommandInput = {
      ...this.#place,
      Key: name,
      Body: bytes,
      ContentType: contentTypeOf(name),
      ...(condition?.onlyIf === 'ABSENT' && { IfNoneMatch: '*' }),
      ...(typeof condition?.onlyIf === 'object' && { IfMatch: condition.onlyIf.version }),
    }
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#client.send(new PutObjectCommand(input))
        return 'STORED'
      } catch (cause) {
        const status = cause instanceof S3ServiceException ? cause.$metadata.httpStatusCode : undefined
        if (status === PRECONDITION_FAILED || (condition !== undefined && status === 404)) return 'KEPT'
        if (status !== CONFLICT || attempt === CONFLICT_ATTEMPTS) throw new StoreUnavailable({ cause })
      }
    }
  }

  async get(name: string): Promise<StoredObject | undefined> {
    requireObjectName(name)
    try {
      const { Body, ETag } = await this.#client.send(new GetObjectCommand({ ...this.#place, Key: name }))
      if (Body === undefined || ETag === undefined) throw new TypeError('an object has a body and a version')
      return { bytes: await Body.transformToByteArray(), version: ETag }
    } catch (cause) {
      if (cause instanceof NoSuchKey) return undefined
      if (isRefused(cause) && (await this.#isMissing(name))) return undefined
      throw new StoreUnavailable({ cause })
    }
  }

  /**
   * Whether a list without the object exists. S3 refuses to read a missing object if the role may list the names of a prefix only: the
   * request to read has no prefix. An object that exists and is refused is in the list.
   */
  async #isMissing(name: string): Promise<boolean> {
    for await (const found of this.list(name)) if (found === name) return false
    return true
  }

  async *list(prefix: string, after?: string): AsyncIterable<string> {
    let next: string | undefined
    do {
      const page = await this.#page(prefix, next === undefined ? { StartAfter: after } : { ContinuationToken: next })
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key
      next = page.NextContinuationToken
    } while (next !== undefined)
  }

  async #page(prefix: string, from: { readonly StartAfter?: string | undefined; readonly ContinuationToken?: string }) {
    try {
      return await this.#client.send(new ListObjectsV2Command({ ...this.#place, Prefix: prefix, ...from }))
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
  }

  get #place() {
    return { Bucket: this.#bucket, ...(this.#owner !== undefined && { ExpectedBucketOwner: this.#owner }) }
  }
}

const isRefused = (cause: unknown): boolean => cause instanceof S3ServiceException && cause.name === 'AccessDenied'

/** `tlog-tiles` requires the first two. */
function contentTypeOf(name: string): string {
  if (/(?:^|\/)checkpoint(?:s\/\d+)?$/.test(name)) return 'text/plain; charset=utf-8'
  if (/(?:^|\/)tile\//.test(name)) return 'application/octet-stream'
  if (name.endsWith('.json')) return 'application/json'
  return name.endsWith('.gz') ? 'application/gzip' : 'application/octet-stream'
}
