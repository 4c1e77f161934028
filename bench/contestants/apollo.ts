import { ApolloServer, type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import type { GraphQLSchema } from 'graphql'
import type { Handler } from '../../infra/local/api-gateway.ts'

/** The parts of a contestant over Apollo Server. */
export interface ApolloParts<Context extends object> {
  readonly schema: GraphQLSchema
  /** Called once a request, with the value of the `authorization` header. */
  readonly context: (authorization: string) => Promise<Context>
  /** Awaited before the response is sent. */
  readonly beforeResponse?: (context: Context) => Promise<void>
}

/**
 * A Lambda handler over Apollo Server with its documented settings for production: no cache control, no persisted queries, and
 * the document store that caches parsed and validated documents.
 */
export async function apolloHandler<Context extends object>(parts: ApolloParts<Context>): Promise<Handler> {
  const { schema, context, beforeResponse } = parts
  const waiting: ApolloServerPlugin<Context> = {
    requestDidStart: () =>
      Promise.resolve({
        ...(beforeResponse && { willSendResponse: ({ contextValue }) => beforeResponse(contextValue) }),
      }),
  }
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    includeStacktraceInErrorResponses: false,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ...(beforeResponse ? [waiting] : []),
    ],
  })
  await apollo.start()
  return async ({ headers: given, body, rawQueryString, requestContext }) => {
    const headers = new HeaderMap()
    for (const [name, value] of Object.entries(given)) if (value !== undefined) headers.set(name.toLowerCase(), value)
    const response = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: requestContext.http.method,
        headers,
        search: rawQueryString === '' ? '' : `?${rawQueryString}`,
        body: JSON.parse(body ?? '') as unknown,
      },
      context: () => context(headers.get('authorization') ?? ''),
    })
    if (response.body.kind !== 'complete') throw new Error('a response in parts')
    return { statusCode: response.status ?? 200, headers: Object.fromEntries(response.headers), body: response.body.string }
  }
}
