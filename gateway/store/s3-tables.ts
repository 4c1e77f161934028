import { DeleteObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { StoreUnavailable } from '../model/failures.ts'
import { type RemovableObjects, requireObjectName } from '../model/object-store.ts'
import { S3Objects } from './s3-objects.ts'

/** The audit tables in a bucket of their own, without versions and without Object Lock. No bucket of a log gets this class. */
export class S3Tables extends S3Objects implements RemovableObjects {
  readonly #tables: S3Client
  readonly #name: string

  constructor(client: S3Client, bucket: string) {
    super(client, bucket)
    this.#tables = client
    this.#name = bucket
  }

  async remove(name: string): Promise<void> {
    requireObjectName(name)
    try {
      await this.#tables.send(new DeleteObjectCommand({ Bucket: this.#name, Key: name }))
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
  }
}
