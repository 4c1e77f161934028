import { DynamoDBClient, GetItemCommand, type ServiceOutputTypes } from '@aws-sdk/client-dynamodb'
import { constructStack } from '@smithy/core/client'
import { getEndpointFromInstructions } from '@smithy/core/endpoints'
import { HttpRequest, type HttpResponse } from '@smithy/core/protocols'
import { retryMiddleware } from '@smithy/core/retry'
import { getSchemaSerdePlugin } from '@smithy/core/schema'
import { SignatureV4 } from '@smithy/signature-v4'
import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { HOT_OPERATIONS, type HotOperation, type HotOutput, UnknownForm } from './hot-operations.ts'

/** A command, as far as this client reads it. */
interface HotCommand {
  readonly input: object
  readonly schema?: unknown
}

interface HotOptions {
  readonly abortSignal?: AbortSignal
}

type ThroughSdk = (command: HotCommand, options?: HotOptions, callback?: unknown) => Promise<ServiceOutputTypes>

type Credentials = Awaited<ReturnType<DynamoDBClient['config']['credentials']>>

/** The destination and the signer of requests, for as long as the credentials stay the same. */
interface Route {
  readonly credentials: Credentials
  readonly protocol: string
  readonly hostname: string
  readonly port: number | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly signer: SignatureV4
  readonly correctsClock: boolean
}

/** A call with its route. */
interface Call {
  readonly command: HotCommand
  readonly operation: HotOperation
  readonly options: HotOptions
  readonly route: Route
}

interface Answered {
  readonly response: HttpResponse
  readonly output: ServiceOutputTypes
}

const SIGV4 = 'aws.auth#sigv4'

/**
 * A client of DynamoDB that sends the hot operations without the middleware stack of the SDK, which takes more than half of the
 * CPU time of a call. It uses the parts of the SDK for everything that depends on the deployment or decides about a failure:
 * credentials, region, endpoint, signature, connections, timeouts, retries, clock correction, and the classes of errors.
 * All other operations, inputs and options go through the SDK.
 *
 * A middleware that is added to this client or to a command is not called for the hot operations.
 */
export class LeanDynamoDBClient extends DynamoDBClient {
  readonly #retry = retryMiddleware(this.config)
  readonly #clock = this.config.httpAuthSchemes.find(({ schemeId }) => schemeId === SIGV4)?.signer
  #route: Route | 'SDK' | undefined

  constructor(...config: ConstructorParameters<typeof DynamoDBClient>) {
    super(...config)
    const throughSdk = super.send.bind(this) as ThroughSdk
    const send: ThroughSdk = async (command, options, callback) => {
      const operation = HOT_OPERATIONS.get(command.constructor)
      if (operation === undefined || callback !== undefined || !isHot(options)) return await throughSdk(command, options, callback)
      const body = bodyOf(operation, command.input)
      const route = body === undefined ? 'SDK' : await this.#routeFor(await this.config.credentials())
      if (body === undefined || route === 'SDK') return await throughSdk(command, options)
      return await this.#sendHot(body, { command, operation, options: options ?? {}, route })
    }
    this.send = send as DynamoDBClient['send']
  }

  /**
   * Resolves the credentials and the endpoint, and opens a connection for the first call. The request for it is not signed and
   * names no table, so it needs no right. Its answer has no meaning.
   *
   * @throws Error if there are no credentials, or the service does not answer
   */
  async connect(abortSignal: AbortSignal): Promise<void> {
    const route = await this.#routeFor(await this.config.credentials())
    if (route === 'SDK') return
    const { protocol, hostname, port, headers } = route
    const destination = { protocol, hostname, ...(port !== undefined && { port }), path: '/' }
    const request = new HttpRequest({ method: 'GET', ...destination, headers: { host: headers['host'] ?? hostname } })
    const { response } = (await this.config.requestHandler.handle(request, { abortSignal })) as { response: HttpResponse }
    await collect(response.body as Readable)
  }

  async #sendHot(body: string, call: Call): Promise<ServiceOutputTypes> {
    const { protocol, hostname, port, headers } = call.route
    const request = new HttpRequest({
      method: 'POST',
      protocol,
      hostname,
      ...(port !== undefined && { port }),
      path: '/',
      headers: {
        ...headers,
        'content-length': String(Buffer.byteLength(body)),
        'x-amz-content-sha256': hash('sha256', body),
        'x-amz-target': `DynamoDB_20120810.${call.operation.name}`,
      },
      body,
    })
    const { abortSignal } = call.options
    const context = { __smithy_context: abortSignal === undefined ? {} : { abortSignal } }
    const attempts = this.#retry<ServiceOutputTypes>(async () => await this.#attempt(request, call), context)
    return (await attempts({ request, input: call.command.input })).output
  }

  /** One attempt. The members with an underscore are those that the signer of the SDK sets for its own handlers. */
  async #attempt(request: HttpRequest, call: Call): Promise<Answered> {
    const { config } = this
    const { signer, correctsClock } = call.route
    const offset = correctsClock ? config.systemClockOffset : 0
    const sentAt = Date.now()
    const clock = {
      config,
      _skipClockSkewSampling: !correctsClock,
      _preRequestSystemClockOffset: offset,
      _requestSentAt: sentAt,
    }
    const signed = new HttpRequest(await signer.sign(request, { signingDate: new Date(sentAt + offset) }))
    try {
      const answered = await this.#exchange(signed, call)
      this.#clock?.successHandler?.(answered.response, clock)
      return answered
    } catch (error) {
      this.#clock?.errorHandler?.(clock)(error as Error)
      throw error
    }
  }

  async #exchange(request: HttpRequest, { command, operation, options }: Call): Promise<Answered> {
    const { response } = (await this.config.requestHandler.handle(request, options)) as { response: HttpResponse }
    const body = collect(response.body as Readable)
    if (response.statusCode === 200) {
      try {
        const output = JSON.parse((await body).toString()) as HotOutput
        operation.decode(output)
        return { response, output: Object.assign(output, { $metadata: metadataOf(response) }) as ServiceOutputTypes }
      } catch {
        // the SDK reads the same body below, so that the error is the one of the SDK
      }
    }
    return await this.#deserialize(response, body, command)
  }

  /** Reads a response as the SDK does. Throws the errors of the SDK. */
  async #deserialize(response: HttpResponse, body: Promise<Buffer>, { schema }: HotCommand): Promise<Answered> {
    const stack = constructStack<object, ServiceOutputTypes>()
    stack.use(getSchemaSerdePlugin(this.config as never))
    stack.remove('serializerMiddleware')
    const received = async () => await Promise.resolve({ response })
    const context = { __smithy_context: { operationSchema: schema }, streamCollector: async () => await body }
    return (await stack.resolve(received, context)({ input: {} })) as unknown as Answered
  }

  async #routeFor(credentials: Credentials): Promise<Route | 'SDK'> {
    if (this.#route !== undefined && (this.#route === 'SDK' || this.#route.credentials === credentials)) return this.#route
    // the account of the credentials can be a part of the endpoint
    return (this.#route = await this.#resolveRoute(credentials))
  }

  async #resolveRoute(credentials: Credentials): Promise<Route | 'SDK'> {
    const { config } = this
    const { url, headers = {}, properties } = await getEndpointFromInstructions({}, GetItemCommand, { ...config } as never)
    const [scheme] = (properties?.['authSchemes'] ?? []) as { name: string; signingName?: string; signingRegion?: string }[]
    const isPlain = url.pathname === '/' && url.search === '' && Object.keys(headers).length === 0
    if (!isPlain || this.#clock === undefined || (scheme !== undefined && scheme.name !== 'sigv4')) return 'SDK'
    const userAgent = await config.defaultUserAgentProvider()
    return {
      credentials,
      protocol: url.protocol,
      hostname: url.hostname,
      port: url.port === '' ? undefined : Number(url.port),
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        host: url.host,
        'user-agent': userAgent.map(([name, version]) => (version === undefined ? name : `${name}/${version}`)).join(' '),
      },
      signer: new SignatureV4({
        credentials,
        region: scheme?.signingRegion ?? (await config.region()),
        service: scheme?.signingName ?? 'dynamodb',
        sha256: config.sha256,
      }),
      correctsClock: !(await config.disableClockSkewCorrection()),
    }
  }
}

/** The body of a request, or undefined if the SDK must encode the input. */
function bodyOf({ encode }: HotOperation, input: object): string | undefined {
  try {
    return encode(input)
  } catch (error) {
    if (error instanceof UnknownForm) return undefined
    throw error
  }
}

const isHot = (options: unknown): options is HotOptions | undefined =>
  options === undefined || (typeof options === 'object' && Object.keys(options ?? {}).every((name) => name === 'abortSignal'))

function collect(body: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    body.on('data', (chunk: Buffer) => chunks.push(chunk))
    body.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    body.on('error', reject)
  })
}

const metadataOf = ({ statusCode, headers }: HttpResponse) => ({
  httpStatusCode: statusCode,
  requestId: headers['x-amzn-requestid'] ?? headers['x-amzn-request-id'] ?? headers['x-amz-request-id'],
  extendedRequestId: headers['x-amz-id-2'],
  cfId: headers['x-amz-cf-id'],
})
