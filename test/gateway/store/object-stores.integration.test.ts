import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeleteObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { ObjectStore } from '../../../gateway/model/object-store.ts'
import { FolderObjects } from '../../../gateway/store/folder-objects.ts'
import { S3Objects } from '../../../gateway/store/s3-objects.ts'
import { type ObjectStoreStandIn, startObjectStore } from '../../../infra/local/object-store.ts'

const BUCKET = 'phi-audit'
const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = async (store: ObjectStore, name: string): Promise<string | undefined> => {
  const stored = await store.get(name)
  return stored && Buffer.from(stored.bytes).toString()
}

async function namesOf(listed: AsyncIterable<string>): Promise<string[]> {
  const names: string[] = []
  for await (const name of listed) names.push(name)
  return names
}

let now = Date.parse('2026-03-01T12:00:00Z')
let bucket: ObjectStoreStandIn
let client: S3Client
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-objects-'))
  bucket = await startObjectStore({ bucket: BUCKET, retention: 60_000, now: () => now, pageSize: 3 })
  client = new S3Client({
    endpoint: bucket.endpoint,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
})
afterAll(async () => {
  client.destroy()
  await bucket.stop()
  rmSync(folder, { recursive: true })
})

describe('C28: a reader that may list the names of one tenant only', () => {
  it('C28: finds out that an object is missing, and takes no refusal for it', async () => {
    const prefixed = await startObjectStore({ bucket: BUCKET, missing: 'AccessDenied' })
    const reader = new S3Client({
      endpoint: prefixed.endpoint,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    })
    try {
      const store = new S3Objects(reader, BUCKET)
      await store.put('riverside/manifest.json', bytes('{}'))
      await store.put('riverside/manifest.json.old', bytes('{}'))
      expect(await text(store, 'riverside/manifest.json')).toBe('{}')
      expect(await text(store, 'riverside/manifest')).toBeUndefined()
      expect(await text(store, 'lakeside/manifest.json')).toBeUndefined()
      // S3 refuses reads, and lists what it refuses
      reader.middlewareStack.add(
        (next, context) => async (args) => {
          if (context['commandName'] !== 'GetObjectCommand') return await next(args)
          throw new S3ServiceException({ name: 'AccessDenied', $fault: 'client', $metadata: { httpStatusCode: 403 } })
        },
        { step: 'initialize' },
      )
      await expect(store.get('riverside/manifest.json')).rejects.toThrow(StoreUnavailable)
      expect(await store.get('riverside/none.json')).toBeUndefined()
    } finally {
      reader.destroy()
      await prefixed.stop()
    }
  })
})

describe.each<[string, () => ObjectStore]>([
  ['a bucket', () => new S3Objects(client, BUCKET)],
  ['a folder', () => new FolderObjects(folder)],
])('P7: the objects of %s', (_, open) => {
  it('stores an object and returns its bytes, and nothing for an unknown name', async () => {
    const store = open()
    expect(await store.put('riverside/tile/0/x001/234', bytes('tile'))).toBe('STORED')
    expect(await text(store, 'riverside/tile/0/x001/234')).toBe('tile')
    expect(await text(store, 'riverside/tile/0/x001/235')).toBeUndefined()
    expect(await text(store, 'riverside/tile/0/x001/234/more')).toBeUndefined()
  })

  it('never replaces an object that is written only if it is absent', async () => {
    const store = open()
    const written = await Promise.all(
      ['one', 'two', 'three'].map((body) => store.put('riverside/once', bytes(body), { onlyIf: 'ABSENT' })),
    )
    expect(written.toSorted()).toEqual(['KEPT', 'KEPT', 'STORED'])
    const first = await text(store, 'riverside/once')
    expect(await store.put('riverside/once', bytes('four'), { onlyIf: 'ABSENT' })).toBe('KEPT')
    expect(await text(store, 'riverside/once')).toBe(first)
  })

  it('replaces an object only if it still has the version that was read', async () => {
    const store = open()
    await store.put('riverside/checkpoint', bytes('1'))
    const { version = '' } = (await store.get('riverside/checkpoint')) ?? {}
    const written = await Promise.all(
      ['2', '3'].map((body) => store.put('riverside/checkpoint', bytes(body), { onlyIf: { version } })),
    )
    expect(written.toSorted()).toEqual(['KEPT', 'STORED'])
    expect(await store.put('riverside/checkpoint', bytes('4'), { onlyIf: { version } })).toBe('KEPT')
    expect(await store.put('riverside/none', bytes('5'), { onlyIf: { version } })).toBe('KEPT')
    expect(await text(store, 'riverside/none')).toBeUndefined()
  })

  it('lists names by prefix in order, over several pages, after a name', async () => {
    const store = open()
    const names = ['a/1', 'a/2/x', 'a/2/y', 'a/3', 'a/4', 'a/5', 'ab', 'b/1']
    for (const name of names.toReversed()) await store.put(`listed/${name}`, bytes(name))
    const listed = async (prefix: string, after?: string) => await namesOf(store.list(`listed/${prefix}`, after))
    expect(await listed('')).toEqual(names.map((name) => `listed/${name}`))
    expect(await listed('a/')).toEqual(names.slice(0, 6).map((name) => `listed/${name}`))
    expect(await listed('a/2')).toEqual(['listed/a/2/x', 'listed/a/2/y'])
    expect(await listed('a/', 'listed/a/2/y')).toEqual(['listed/a/3', 'listed/a/4', 'listed/a/5'])
    expect(await listed('none/')).toEqual([])
  })

  it.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', './a', 'a b', 'ä'])('refuses the name %j', async (name) => {
    await expect(open().put(name, bytes('1'))).rejects.toThrow(TypeError)
    await expect(open().get(name)).rejects.toThrow(TypeError)
  })
})

describe('P7: the bucket keeps every version until its retention ends', () => {
  const key = 'riverside/segments/0-1'

  it('refuses to delete a version, and a hidden object comes back as it was', async () => {
    const { VersionId } = await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: 'items' }))
    await expect(client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key, VersionId }))).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    })
    const marker = await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }))
    expect(await text(new S3Objects(client, BUCKET), key)).toBeUndefined()
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key, VersionId: marker.VersionId }))
    expect(await text(new S3Objects(client, BUCKET), key)).toBe('items')
    now += 60_000
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key, VersionId }))
    expect(bucket.versions(key)).toEqual([])
  })

  it('keeps the bytes of an object that is overwritten', async () => {
    const store = new S3Objects(client, BUCKET)
    await store.put('riverside/latest', bytes('1'))
    await store.put('riverside/latest', bytes('2'))
    expect(bucket.versions('riverside/latest').map(String)).toEqual(['1', '2'])
  })

  it('fails for another bucket, and if the bucket does not answer', async () => {
    await expect(new S3Objects(client, 'other').put('a', bytes('1'))).rejects.toThrow(StoreUnavailable)
    await expect(new S3Objects(client, 'other').get('a')).rejects.toThrow(StoreUnavailable)
    await expect(namesOf(new S3Objects(client, 'other').list('a'))).rejects.toThrow(StoreUnavailable)
  })
})
