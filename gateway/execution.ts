import { ApolloServer, type ApolloServerPlugin, type GraphQLRequestContextWillSendResponse, HeaderMap } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { AsyncLocalStorage } from 'node:async_hooks'
import { type DocumentNode, GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql'
import { MESSAGES } from './model/failure-messages.ts'
import type { RequestScope } from './disclosure/request-scope.ts'
import type { MutationScope } from './mutations/mutation-scope.ts'
import type { EventSink } from './telemetry/events.ts'
import { AuditUnavailable, Failure, type FailureCode } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import { answer, type AnswerError, challenge, failure, isFailureCode } from './answer.ts'
import { DocumentStore } from './operations/document-store.ts'
import { answerType, type GraphQLBody, type HttpRequest, type HttpResponse } from './http/messages.ts'
import { internalFault } from './telemetry/internal-fault.ts'
import { MAX_TOKENS, withinLimits } from './operations/operation-limits.ts'

/** The operation that a document and a name amount to, validated and not yet executed. */
export interface ResolvedOperation {
  readonly document: DocumentNode
  readonly name: string | undefined
  /** As they came. */
  readonly variables: Readonly<Record<string, unknown>>
}

/** What an operation is executed with, or the code by which it is refused before anything of it is. */
export interface OpenedScope {
  readonly scope: RequestScope
  readonly mutations: MutationScope
  readonly refused?: FailureCode
}

/** One operation on its way through the engine. */
interface Execution {
  readonly requestId: RequestId
  /** Opens the request's scope when the operation is known, which the audit records name. */
  readonly open: (operation: ResolvedOperation) => OpenedScope
  scope?: RequestScope
  mutations?: MutationScope
}

export interface ExecutionOptions {
  readonly schema: GraphQLSchema
  readonly introspection: boolean
  readonly events: EventSink
  /** How recent a sign-in is asked for where one is, in seconds. */
  readonly stepUpSeconds: number
}

const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** The GraphQL engine: Apollo Server, with one plugin that lets no answer out before its audit. */
export class OperationEngine {
  readonly #apollo: ApolloServer<Execution>
  /** `formatError` is not told which request it is about. */
  readonly #current = new AsyncLocalStorage<RequestId>()
  readonly #events: EventSink

  constructor({ schema, introspection, events, stepUpSeconds }: ExecutionOptions) {
    this.#events = events
    this.#apollo = new ApolloServer<Execution>({
      schema,
      introspection,
      persistedQueries: false,
      csrfPrevention: true,
      hideSchemaDetailsFromClientErrors: true,
      includeStacktraceInErrorResponses: false,
      stopOnTerminationSignals: false,
      parseOptions: { maxLexicalTokens: MAX_TOKENS },
      documentStore: new DocumentStore(),
      validationRules: [withinLimits],
      // Apollo's own messages quote documents and variables
      logger: SILENT,
      formatError: (formatted, error) => this.#format(formatted, error),
      plugins: [
        ApolloServerPluginCacheControlDisabled(),
        ApolloServerPluginLandingPageDisabled(),
        ApolloServerPluginUsageReportingDisabled(),
        disclosurePlugin(events, stepUpSeconds),
      ],
    })
  }

  async start(): Promise<void> {
    await this.#apollo.start()
  }

  async stop(): Promise<void> {
    await this.#apollo.stop()
  }

  async execute(request: HttpRequest, body: GraphQLBody, execution: Execution): Promise<HttpResponse> {
    const { requestId } = execution
    const headers = new HeaderMap()
    for (const [name, value] of Object.entries(request.headers)) if (value !== undefined) headers.set(name, value)
    // the engine has its own idea of what a client accepts; it has one way to answer here
    headers.set('accept', answerType(request.headers) ?? '')
    const response = await this.#current.run(
      requestId,
      async () =>
        await this.#apollo.executeHTTPGraphQLRequest({
          httpGraphQLRequest: { method: request.method, headers, search: '', body },
          context: () => Promise.resolve(execution),
        }),
    )
    const text = response.body.kind === 'complete' ? response.body.string : JSON.stringify(failure(requestId, 'INTERNAL').body)
    // what Apollo refuses by itself passes no plugin, and must not be kept by anybody either
    const given = { ...Object.fromEntries(response.headers), 'cache-control': 'no-store' }
    return { status: response.status ?? 200, headers: given, body: withRequestId(text, requestId) }
  }

  #format(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
    const cause = causeOf(thrown)
    const code = codeOf(cause, formatted.extensions?.['code'])
    if (code === 'INTERNAL') {
      const requestId = this.#current.getStore()
      if (requestId !== undefined) this.#events(internalFault(requestId, cause))
    }
    const { locations, path } = formatted
    return { message: MESSAGES[code], ...(locations && { locations }), ...(path && { path }), extensions: { code } }
  }
}

/** What is refused before execution has no path, by which Apollo tells an error that a resolver threw. */
function causeOf(thrown: unknown): unknown {
  const given = thrown instanceof GraphQLError ? thrown.originalError : undefined
  return given instanceof Failure ? given : unwrapResolverError(thrown)
}

function codeOf(cause: unknown, given: unknown): FailureCode {
  if (cause instanceof Failure) return cause.code
  if (isFailureCode(given)) return given
  return given === 'INTERNAL_SERVER_ERROR' ? 'INTERNAL' : 'BAD_REQUEST'
}

function disclosurePlugin(events: EventSink, stepUpSeconds: number): ApolloServerPlugin<Execution> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation({ contextValue, document, operation, request, schema }) {
          // called for an operation that is not there as well, and for one of a kind that the schema does not have
          if (operation === undefined || !schema.getRootType(operation.operation)) throw coded('OPERATION_RESOLUTION_FAILURE')
          const variables = request.variables ?? {}
          const { scope, mutations, refused } = contextValue.open({ document, name: operation.name?.value, variables })
          contextValue.scope = scope
          contextValue.mutations = mutations
          if (refused !== undefined) throw coded(refused)
          return Promise.resolve()
        },
        willSendResponse: (context) => finish(context, events, stepUpSeconds),
      }),
  }
}

function coded(code: FailureCode): GraphQLError {
  return new GraphQLError(MESSAGES[code], { extensions: { code } })
}

/** The last thing before an answer leaves: the audit of everything in it, then the answer that its receipt allows. */
async function finish(
  { contextValue, response }: GraphQLRequestContextWillSendResponse<Execution>,
  events: EventSink,
  stepUpSeconds: number,
): Promise<void> {
  if (response.body.kind !== 'single') throw new AuditUnavailable()
  const { requestId, scope } = contextValue
  const { data, errors } = response.body.singleResult
  const thrown = (errors ?? []) as readonly AnswerError[]
  // without a scope nothing was executed: the document or its variables were refused
  const { status, body } =
    scope === undefined
      ? failure(requestId, thrown[0]?.extensions.code ?? 'INTERNAL', thrown)
      : await settle(scope, data, thrown, events)
  response.http.status = status
  response.http.headers.set('cache-control', 'no-store')
  if (status === 401) response.http.headers.set('www-authenticate', challenge(body.errors?.[0]?.extensions.code, stepUpSeconds))
  response.body.singleResult = body as typeof response.body.singleResult
}

async function settle(
  scope: RequestScope,
  data: unknown,
  thrown: readonly AnswerError[],
  events: EventSink,
): Promise<ReturnType<typeof answer>> {
  try {
    const receipt = await scope.trail.settle()
    return answer(scope, receipt, data, thrown)
  } catch (error) {
    if (error instanceof AuditUnavailable) return failure(scope.requestId, 'AUDIT_UNAVAILABLE')
    events(internalFault(scope.requestId, error))
    return failure(scope.requestId, 'INTERNAL')
  }
}

/** Some refusals are made before any plugin runs. They get the request id here. */
function withRequestId(text: string, requestId: RequestId): string {
  if (text.includes(requestId)) return text
  const body = JSON.parse(text) as Record<string, unknown>
  return JSON.stringify({ ...body, extensions: { phi: { requestId } } })
}

function nothing(): void {
  // Apollo's log is not ours: events are
}
