// docs/clients.md shows this file as it stands.

import { GraphQLClient } from 'graphql-request'

/** `rawRequest` gives data, errors and extensions together; `request` gives the data alone. */
export function clinicClient(url: string, purpose: string, token: string): GraphQLClient {
  return new GraphQLClient(url, {
    errorPolicy: 'all',
    headers: { authorization: `Bearer ${token}`, 'x-purpose-of-use': purpose },
  })
}
