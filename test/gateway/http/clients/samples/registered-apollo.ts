import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists'
import type { DocumentNode } from 'graphql'
import { sha256 } from '../../../../harness/operation-registry.ts'
import { at } from '../../../asking.ts'
import type { Manifest } from '../demo-documents.ts'

/** What a client was answered: data, or the code of the refusal. */
export type Outcome = { readonly data: unknown } | { readonly code: unknown }

function codeOf(error: unknown): Outcome {
  if (CombinedGraphQLErrors.is(error)) return { code: error.errors[0]?.extensions?.['code'] }
  if (ServerError.is(error)) return { code: at(JSON.parse(error.bodyText), 'errors', 0, 'extensions', 'code') }
  throw error
}

/** Apollo Client 4. With a manifest it sends the ids of the manifest, otherwise the hashes of its texts. */
export function registeredApollo(
  url: string,
  token: string,
  { manifest, headers = {}, useGet = false }: { manifest?: Manifest; headers?: Record<string, string>; useGet?: boolean } = {},
) {
  const hashing =
    manifest === undefined ? { sha256 } : generatePersistedQueryIdsFromManifest({ loadManifest: () => Promise.resolve(manifest) })
  const link = ApolloLink.from([
    new PersistedQueryLink({ ...hashing, useGETForHashedQueries: useGet }),
    new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}`, ...headers } }),
  ])
  const client = new ApolloClient({ link, cache: new InMemoryCache(), clientAwareness: { name: 'portal', version: '1.0.0' } })
  return async (query: DocumentNode | undefined, variables: Record<string, unknown> = {}): Promise<Outcome> => {
    if (query === undefined) throw new Error('no such operation')
    try {
      return { data: (await client.query({ query, variables, fetchPolicy: 'network-only' })).data }
    } catch (error) {
      return codeOf(error)
    }
  }
}
