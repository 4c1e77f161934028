// docs/clients.md contains this file.

import { GraphQLClient } from 'graphql-request'

/** `rawRequest` returns data, errors and extensions; `request` returns only the data. */
export function clinicClient(url: string, purpose: string, token: string): GraphQLClient {
  return new GraphQLClient(url, {
    errorPolicy: 'all',
    headers: { authorization: `Bearer ${token}`, 'x-purpose-of-use': purpose },
  })
}
