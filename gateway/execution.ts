import { ApolloServer, type ApolloServerPlugin } from '@apollo/server'
import { unwrapResolverError } from '@apollo/server/errors'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { AsyncLocalStorage } from 'node:async_hooks'
import { type DocumentNode, getOperationAST, GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql'
import { type AnswerError, isFailureCode } from './answer.ts'
import type { RequestScope } from './disclosure/request-scope.ts'
import type { FailureDetail } from './model/failure-detail.ts'
import { type ErrorText, errorText } from './model/failure-messages.ts'
import {
  AuditUnavailable,
  BadUserInput,
  Failure,
  type FailureCode,
  PhiBudgetExceeded,
  RequestRefused,
  VersionConflict,
} from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { MutationScope } from './mutations/mutation-scope.ts'
import { operationDetail } from './operations/operation-detail.ts'
import { dateDetail, valueDetail } from './operations/value-detail.ts'
import { hasInvalidDate } from './operations/date-arguments.ts'
import type { DocumentRefusal } from './operations/documents.ts'
import { isFaultOfValue } from './operations/fault-of-value.ts'
import { usesForbiddenNull } from './operations/null-variables.ts'
import type { PreparedDocument } from './operations/persisted/prepared-document.ts'
import type { EventSink } from './telemetry/events.ts'
import { internalFault } from './telemetry/internal-fault.ts'

/** A request for the engine, with its document or the refusal of it. */
export interface PreparedRequest {
  readonly prepared: PreparedDocument | DocumentRefusal
  readonly operationName: string | undefined
  readonly variables: Readonly<Record<string, unknown>> | undefined
}

/** A validated operation before its execution. */
export interface ResolvedOperation {
  readonly prepared: PreparedDocument
  readonly name: string | undefined
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>
}

/** The scopes of an operation, or the code that refuses it before its execution. */
export interface OpenedScope {
  readonly scope: RequestScope
  readonly mutations: MutationScope
  readonly refused?: FailureCode
}

/** The result of an operation. It is not an answer yet: the audit of its accesses is not settled. */
export interface Execution {
  /** Undefined if the document or its variables were refused. No resolver ran then. */
  readonly scope: RequestScope | undefined
  readonly data: unknown
  readonly errors: readonly AnswerError[]
}

/** Opens the scopes of an operation. The audit records name the operation, so it must be known. */
type OpenScope = (operation: ResolvedOperation) => OpenedScope

/** The GraphQL context. Apollo copies it for each request, and resolvers read the scopes from the copy. */
interface EngineContext {
  readonly open: (operation: Omit<ResolvedOperation, 'prepared'>) => OpenedScope
  scope?: RequestScope
  mutations?: MutationScope
}

export interface EngineParts {
  readonly schema: GraphQLSchema
  readonly introspection: boolean
  readonly events: EventSink
  readonly detailedErrors: boolean
}

/** Apollo hashes the text of each request, and reads nothing else of it: the document comes from its store. */
const NO_TEXT = '#'

/** A request in Apollo Server. Apollo calls its document store and `formatError` without the context. */
interface CurrentRequest {
  readonly requestId: RequestId
  readonly document: DocumentNode
  readonly operationName: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
}

const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/**
 * The GraphQL engine: Apollo Server without its HTTP half. The pipeline answers clients, after the audit is settled. It accepts
 * JSON bodies only, so Apollo's CSRF prevention is not needed: a browser sends no JSON to another site without a preflight.
 */
export class OperationEngine {
  readonly #apollo: ApolloServer<EngineContext>
  readonly #current = new AsyncLocalStorage<CurrentRequest>()
  readonly #events: EventSink
  readonly #schema: GraphQLSchema
  readonly #text: ErrorText

  constructor({ schema, introspection, events, detailedErrors }: EngineParts) {
    this.#events = events
    this.#schema = schema
    this.#text = errorText(detailedErrors)
    this.#apollo = new ApolloServer<EngineContext>({
      schema,
      introspection,
      persistedQueries: false,
      hideSchemaDetailsFromClientErrors: true,
      includeStacktraceInErrorResponses: false,
      stopOnTerminationSignals: false,
      documentStore: {
        // Apollo neither parses nor validates a document of its store
        get: () => Promise.resolve(this.#current.getStore()?.document),
        set: () => Promise.resolve(),
        delete: () => Promise.resolve(false),
      },
      // Apollo's own messages quote documents and variables
      logger: SILENT,
      formatError: (formatted, error) => this.#format(formatted, error),
      plugins: [
        ApolloServerPluginCacheControlDisabled(),
        ApolloServerPluginInlineTraceDisabled(),
        ApolloServerPluginLandingPageDisabled(),
        ApolloServerPluginSchemaReportingDisabled(),
        ApolloServerPluginUsageReportingDisabled(),
        scopePlugin,
      ],
    })
  }

  async start(): Promise<void> {
    await this.#apollo.start()
  }

  async stop(): Promise<void> {
    await this.#apollo.stop()
  }

  /** @throws AuditUnavailable for a result in several parts, of which the first would leave before the audit of the others */
  async execute(
    requestId: RequestId,
    { prepared, operationName, variables }: PreparedRequest,
    open: OpenScope,
  ): Promise<Execution> {
    if ('refused' in prepared) return { scope: undefined, data: undefined, errors: [this.#refusal(prepared)] }
    const { document } = prepared
    let scope: RequestScope | undefined
    const contextValue: EngineContext = {
      open: (operation) => {
        const opened = open({ ...operation, prepared })
        scope = opened.scope
        return opened
      },
    }
    const request = {
      query: NO_TEXT,
      ...(operationName !== undefined && { operationName }),
      ...(variables && { variables: { ...variables } }),
    }
    const current = { requestId, document, operationName, variables: variables ?? {} }
    const response = await this.#current.run(current, () => this.#apollo.executeOperation(request, { contextValue }))
    if (response.body.kind !== 'single') throw new AuditUnavailable()
    const { data, errors = [] } = response.body.singleResult
    // `#format` gives each error its code
    return { scope, data, errors: errors as readonly AnswerError[] }
  }

  #format(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
    const cause = causeOf(thrown)
    const code = codeOf(cause, formatted.extensions?.['code'])
    if (code === 'INTERNAL') {
      const current = this.#current.getStore()
      if (current !== undefined) this.#events(internalFault(current.requestId, cause))
    }
    const { locations, path } = formatted
    const message = this.#text(code, cause instanceof Failure ? cause.detail : () => this.#valueDetail(code, cause))
    return { message, ...(locations && { locations }), ...(path && { path }), extensions: { code, ...extensionsOf(cause) } }
  }

  /** The detail of a value that graphql refused. */
  #valueDetail(code: FailureCode, cause: unknown): string | undefined {
    const current = this.#current.getStore()
    const operation = current && getOperationAST(current.document, current.operationName)
    if (!operation || code !== 'BAD_USER_INPUT') return undefined
    return valueDetail(this.#schema, operation, current.variables, cause instanceof GraphQLError ? cause : undefined)
  }

  #refusal({ refused: code, locations, detail }: DocumentRefusal): AnswerError {
    return { message: this.#text(code, detail), ...(locations && { locations }), extensions: { code } }
  }
}

/** The members of an error entry besides its code. They hold names of the schema and counters, never a value. */
function extensionsOf(cause: unknown): object {
  if (cause instanceof PhiBudgetExceeded) return { budget: cause.budget }
  if (cause instanceof VersionConflict && cause.currentVersion !== undefined) return { currentVersion: cause.currentVersion }
  if (cause instanceof BadUserInput && cause.coordinates.length > 0) return { coordinates: cause.coordinates }
  return {}
}

/** The thrown error. Apollo recognizes a resolver's error by its path, and a refusal before execution has none. */
function causeOf(thrown: unknown): unknown {
  const given = thrown instanceof GraphQLError ? thrown.originalError : undefined
  return given instanceof Failure ? given : unwrapResolverError(thrown)
}

function codeOf(cause: unknown, given: unknown): FailureCode {
  if (cause instanceof Failure) return cause.code
  if (isFailureCode(given)) return given
  if (isFaultOfValue(cause)) return 'BAD_USER_INPUT'
  return given === 'INTERNAL_SERVER_ERROR' ? 'INTERNAL' : 'BAD_REQUEST'
}

const NULL_DETAIL =
  'A variable is null where the schema allows no null. Leave the variable out, so that the default applies, or send a value.'

const scopePlugin: ApolloServerPlugin<EngineContext> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation({ contextValue, document, operation, request, schema }) {
        // Apollo calls this for a missing operation and for an operation type that the schema does not have, too
        if (operation === undefined || !schema.getRootType(operation.operation))
          throw coded('OPERATION_RESOLUTION_FAILURE', () => operationDetail(document, request.operationName))
        const variables = request.variables ?? {}
        if (usesForbiddenNull(schema, document, operation, variables))
          throw coded('BAD_USER_INPUT', () => valueDetail(schema, operation, variables) ?? NULL_DETAIL)
        if (hasInvalidDate(schema, operation, variables))
          throw coded('BAD_USER_INPUT', () => dateDetail(schema, operation, variables))
        const { scope, mutations, refused } = contextValue.open({ name: operation.name?.value, variables })
        contextValue.scope = scope
        contextValue.mutations = mutations
        if (refused !== undefined) throw coded(refused)
        return Promise.resolve()
      },
    }),
}

/** Apollo keeps an error of graphql as it is, and the failure within it. */
function coded(code: FailureCode, detail?: FailureDetail): GraphQLError {
  return new GraphQLError(code, { extensions: { code }, originalError: new RequestRefused(code, { detail }) })
}

function nothing(): void {
  // the gateway's events replace Apollo's log
}
