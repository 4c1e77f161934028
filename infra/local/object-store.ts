import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { readBody } from './body.ts'
import { close, listen, LOOPBACK } from './ports.ts'

/**
 * A stand-in for one bucket of S3 with versions and Object Lock in compliance mode. It speaks the REST protocol to the standard SDK
 * client: PutObject with `If-None-Match: *` and `If-Match`, GetObject, ListObjectsV2, DeleteObject.
 *
 * As in S3, a delete without a version only hides an object, and a delete of a version is refused until its retention ends. It is not
 * S3: objects are in memory, and signatures are not checked.
 *
 * @source https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 * @source https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
 */
export interface ObjectStoreStandIn {
  readonly endpoint: string
  /** Number of requests so far, of one method or of all. */
  calls(method?: string): number
  /** The versions of an object, the oldest first, with hidden ones. */
  versions(key: string): readonly Buffer[]
  stop(): Promise<void>
}

export interface ObjectStoreOptions {
  readonly bucket: string
  /** How long a version cannot be deleted, in milliseconds. The default is a year. */
  readonly retention?: number
  readonly now?: () => number
  /** The maximum number of keys on a page of ListObjectsV2. The default is that of S3. */
  readonly pageSize?: number
  /** The refusal of a read of a missing object. S3 answers AccessDenied if the reader may not list the whole bucket. */
  readonly missing?: 'NoSuchKey' | 'AccessDenied'
}

interface Version {
  readonly id: string
  /** Undefined for a delete marker. */
  readonly body: Buffer | undefined
  readonly etag: string
  readonly type: string
  readonly storedAt: number
}

const BODY_LIMIT = 256 * 1024 * 1024
const YEAR_MS = 365 * 86_400_000

/** @throws StageRefused in a production process */
export async function startObjectStore(options: ObjectStoreOptions): Promise<ObjectStoreStandIn> {
  refuseProductionIfNamed(process.env)
  const bucket = new Bucket(options)
  const counts = new Map<string, number>()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const method = request.method ?? ''
    counts.set(method, (counts.get(method) ?? 0) + 1)
    try {
      if (request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') !== true) throw new S3Fault('AccessDenied')
      const url = new URL(request.url ?? '/', `http://${LOOPBACK}`)
      const [name = '', ...path] = url.pathname.slice(1).split('/')
      if (name !== options.bucket) throw new S3Fault('NoSuchBucket')
      await bucket.operate(request, decodeURIComponent(path.join('/')), url.searchParams, response)
    } catch (error) {
      fail(response, error instanceof S3Fault ? error : new S3Fault('InternalError'))
    }
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = await listen(server, 0)
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    calls: (method) => (method === undefined ? [...counts.values()].reduce((sum, n) => sum + n, 0) : (counts.get(method) ?? 0)),
    versions: (key) => bucket.versions(key),
    stop: () => close(server),
  }
}

const FAULTS = {
  AccessDenied: 403,
  BadDigest: 400,
  EntityTooLarge: 400,
  InternalError: 500,
  InvalidRequest: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchVersion: 404,
  PreconditionFailed: 412,
} as const

class S3Fault extends Error {
  override readonly name = 'S3Fault'
  readonly code: keyof typeof FAULTS
  constructor(code: keyof typeof FAULTS) {
    super(code)
    this.code = code
  }
}

class Bucket {
  readonly #options: Required<ObjectStoreOptions>
  readonly #objects = new Map<string, Version[]>()

  constructor({ bucket, retention = YEAR_MS, now = Date.now, pageSize = 1_000, missing = 'NoSuchKey' }: ObjectStoreOptions) {
    this.#options = { bucket, retention, now, pageSize, missing }
  }

  versions(key: string): readonly Buffer[] {
    return (this.#objects.get(key) ?? []).flatMap(({ body }) => body ?? [])
  }

  async operate(request: IncomingMessage, key: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { method } = request
    if (method === 'GET' && key === '' && query.get('list-type') === '2') {
      this.#list(query, response)
      return
    }
    if (key === '') throw new S3Fault('MethodNotAllowed')
    if (method === 'PUT') await this.#put(request, key, response)
    else if (method === 'GET') this.#get(key, query.get('versionId'), response)
    else if (method === 'DELETE') this.#delete(key, query.get('versionId'), response)
    else throw new S3Fault('MethodNotAllowed')
  }

  async #put(request: IncomingMessage, key: string, response: ServerResponse): Promise<void> {
    const { headers } = request
    const body = await readBody(request, BODY_LIMIT)
    if (body === undefined) throw new S3Fault('EntityTooLarge')
    // Object Lock requires the digest of each body
    const isChecked = Object.keys(headers).some((name) => name === 'content-md5' || name.startsWith('x-amz-checksum-'))
    if (!isChecked || headers['content-encoding'] === 'aws-chunked') throw new S3Fault('InvalidRequest')
    // from here to the end nothing waits, so that a condition and its write are one step
    const current = this.#current(key)
    if (headers['if-none-match'] === '*' && current !== undefined) throw new S3Fault('PreconditionFailed')
    if (headers['if-match'] !== undefined && current === undefined) throw new S3Fault('NoSuchKey')
    if (headers['if-match'] !== undefined && headers['if-match'] !== current?.etag) throw new S3Fault('PreconditionFailed')
    const etag = `"${createHash('md5').update(body).digest('hex')}"`
    const id = this.#add(key, { body, etag, type: headers['content-type'] ?? 'application/octet-stream' })
    response.writeHead(200, { etag, 'x-amz-version-id': id }).end()
  }

  #get(key: string, id: string | null, response: ServerResponse): void {
    const version = id === null ? this.#current(key) : this.#versionOf(key, id)
    if (version?.body === undefined) throw new S3Fault(this.#options.missing)
    const { body, etag, type } = version
    response.writeHead(200, { etag, 'content-type': type, 'content-length': body.length, 'x-amz-version-id': version.id }).end(body)
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
    const keys = [...this.#objects.keys()].filter(
      (key) => key.startsWith(prefix) && key > after && this.#current(key) !== undefined,
    )
    const page = keys.sort().slice(0, this.#options.pageSize)
    const truncated = keys.length > page.length
    const contents = page.map(
      (key) => `<Contents><Key>${key}</Key><Size>${this.#current(key)?.body?.length ?? 0}</Size></Contents>`,
    )
    xml(
      response,
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${this.#options.bucket}</Name>` +
        `<KeyCount>${page.length}</KeyCount><IsTruncated>${String(truncated)}</IsTruncated>${contents.join('')}` +
        `${truncated ? `<NextContinuationToken>${page.at(-1) ?? ''}</NextContinuationToken>` : ''}</ListBucketResult>`,
    )
  }

  #delete(key: string, id: string | null, response: ServerResponse): void {
    if (id === null) {
      const marker = this.#add(key, { body: undefined, etag: '', type: '' })
      response.writeHead(204, { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker }).end()
      return
    }
    const version = this.#versionOf(key, id)
    const { retention, now } = this.#options
    if (version.body !== undefined && version.storedAt + retention > now()) throw new S3Fault('AccessDenied')
    this.#objects.set(
      key,
      (this.#objects.get(key) ?? []).filter((other) => other !== version),
    )
    response.writeHead(204, { 'x-amz-version-id': id }).end()
  }

  /** Undefined if no object has the key, or a delete marker hides it. */
  #current(key: string): Version | undefined {
    const last = this.#objects.get(key)?.at(-1)
    return last?.body === undefined ? undefined : last
  }

  #versionOf(key: string, id: string): Version {
    const version = this.#objects.get(key)?.find((one) => one.id === id)
    if (version === undefined) throw new S3Fault('NoSuchVersion')
    return version
  }

  #add(key: string, version: Pick<Version, 'body' | 'etag' | 'type'>): string {
    const id = randomUUID()
    this.#objects.set(key, [...(this.#objects.get(key) ?? []), { ...version, id, storedAt: this.#options.now() }])
    return id
  }
}

function fail(response: ServerResponse, { code }: S3Fault): void {
  xml(response, FAULTS[code], `<Error><Code>${code}</Code><Message>The request was refused.</Message></Error>`)
}

function xml(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': randomUUID() })
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`)
}
