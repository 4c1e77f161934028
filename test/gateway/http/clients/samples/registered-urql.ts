import { cacheExchange, createClient, fetchExchange } from '@urql/core'
import { persistedExchange } from '@urql/exchange-persisted'
import { type DocumentNode, getOperationAST } from 'graphql'
import { manifestOf } from '../demo-documents.ts'

/** urql with the ids of the manifest of a demo client. It returns its result, or its error. */
export function registeredUrql(url: string, token: string, client: string, preferGet: boolean | 'within-url-limit') {
  const ids = new Map(manifestOf(client).operations.map(({ name, id }) => [name, id]))
  const exchange = persistedExchange({
    preferGetForPersistedQueries: preferGet,
    enforcePersistedQueries: true,
    generateHash: (_text, document) => Promise.resolve(ids.get(getOperationAST(document)?.name?.value ?? '')),
  })
  const headers = { authorization: `Bearer ${token}` }
  const urqlClient = createClient({
    url,
    exchanges: [cacheExchange, exchange, fetchExchange],
    requestPolicy: 'network-only',
    preferGetMethod: false,
    fetchOptions: { headers },
  })
  const run = async (document: DocumentNode | undefined, variables = {}): Promise<unknown> => {
    if (document === undefined) throw new Error('no such operation')
    const result = await urqlClient.query(document, variables).toPromise()
    return result.error ?? { data: result.data as unknown }
  }
  return run
}
