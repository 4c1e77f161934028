import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { relayStylePagination } from '@apollo/client/utilities'
import { map } from 'rxjs'

// docs/clients.md contains parts of this file.

export interface Session {
  readonly user: string
  /** One of `viewer.mayClaim`. */
  readonly purpose: string
  /** Returns a valid token. */
  readonly token: () => Promise<string>
}

/** Receives each answer from the network, with errors and extensions. */
export type OnAnswer = (answer: ApolloLink.Result) => void

/** One client and cache for each user and purpose. The same id has other values for another purpose. */
export class ClinicClients {
  readonly #clients = new Map<string, ApolloClient>()
  readonly #uri: string
  readonly #onAnswer: OnAnswer

  constructor(uri: string, onAnswer: OnAnswer = () => undefined) {
    this.#uri = uri
    this.#onAnswer = onAnswer
  }

  of(session: Session): ApolloClient {
    const key = JSON.stringify([session.user, session.purpose])
    const client = this.#clients.get(key) ?? clinicClient(this.#uri, session, this.#onAnswer)
    this.#clients.set(key, client)
    return client
  }

  /** Call at sign-out, at the end of the session, and when the app stays in the background for long. */
  async forget(): Promise<void> {
    for (const client of this.#clients.values()) {
      client.stop()
      await client.clearStore()
    }
    this.#clients.clear()
  }
}

function clinicClient(uri: string, { purpose, token }: Session, onAnswer: OnAnswer): ApolloClient {
  const identify = new SetContextLink(async ({ headers }) => ({
    headers: { ...(headers as Record<string, string>), authorization: `Bearer ${await token()}`, 'x-purpose-of-use': purpose },
  }))
  // the cache keeps only data: errors and extensions are available only here
  const listen = new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      map((answer) => {
        onAnswer(answer)
        return answer
      }),
    ),
  )
  return new ApolloClient({
    link: ApolloLink.from([identify, listen, new HttpLink({ uri })]),
    cache: clinicCache(),
    defaultOptions: {
      query: { errorPolicy: 'all' },
      watchQuery: { errorPolicy: 'all' },
      mutate: { errorPolicy: 'all' },
    },
  })
}

function clinicCache(): InMemoryCache {
  return new InMemoryCache({
    typePolicies: {
      Query: { fields: { patients: pages() } },
      Patient: { fields: { observations: pages(['since', 'until', 'code', 'category']), careTeam: pages() } },
    },
  })
}

/** Relay pagination that keeps a denied list null. `relayStylePagination` alone turns it into an empty list. */
function pages(filters: string[] | false = false): ReturnType<typeof relayStylePagination> {
  const relay = relayStylePagination(filters)
  const { merge } = relay
  if (typeof merge !== 'function') return relay
  return { ...relay, merge: (before, page, options) => (page === null ? null : merge(before, page, options)) }
}

/** The gateway's code for a failed request: from the errors of the answer, or from the body of an HTTP error. */
export function codeOf(error: unknown): string {
  if (CombinedGraphQLErrors.is(error)) return String(error.errors[0]?.extensions?.['code'])
  if (!ServerError.is(error)) return 'NETWORK'
  try {
    const { errors } = JSON.parse(error.bodyText) as { errors: { extensions: { code: string } }[] }
    return errors[0]?.extensions.code ?? `HTTP ${error.statusCode}`
  } catch {
    // an answer of another server, for example a proxy
    return `HTTP ${error.statusCode}`
  }
}
