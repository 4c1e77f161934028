// docs/clients.md shows this file as it stands.

import { cacheExchange, Client, fetchExchange } from '@urql/core'

/** A client for one user and purpose. Make a new one when either changes, and drop this one: its cache goes with it. */
export function clinicClient(url: string, purpose: string, currentToken: () => string): Client {
  return new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    // the gateway takes POST alone: a query in a URL would stand in logs
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${currentToken()}`, 'x-purpose-of-use': purpose } }),
  })
}
