// docs/clients.md contains this file.

import { cacheExchange, Client, fetchExchange } from '@urql/core'

/** A client for one user and purpose. If either changes, create a new client and drop this one together with its cache. */
export function clinicClient(url: string, purpose: string, currentToken: () => string): Client {
  return new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    // the gateway accepts only POST: a query in a URL would appear in logs
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${currentToken()}`, 'x-purpose-of-use': purpose } }),
  })
}
