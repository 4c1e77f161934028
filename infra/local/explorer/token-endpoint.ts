import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { z } from 'zod'
import type { Handler } from '../api-gateway.ts'
import { namesThisMachine } from '../ports.ts'
import { fetchToken, NoToken, type TokenSource } from '../token.ts'
import type { ExplorerUser } from './explorer-config.ts'
import { jsonResponse } from './responses.ts'

const Wanted = z.strictObject({ user: z.string(), purpose: z.string().optional() })

/**
 * Returns a token for a user of the menu. The page cannot request it from the identity provider, which has another origin.
 * Only the page of the same origin gets one: an `Origin` header is required, and names the host of the request.
 */
export function tokenEndpoint(users: readonly ExplorerUser[], source: Pick<TokenSource, 'tokenEndpoint'>): Handler {
  // without secrets, no name in a request can sign in as a machine client
  const peopleOnly: TokenSource = { tokenEndpoint: source.tokenEndpoint, clientSecrets: {} }
  return async (event) => {
    if (!isFromOwnPage(event)) return jsonResponse(403, { message: 'Only the page of the explorer gets a token.' })
    const wanted = parse(event)
    if (wanted === undefined) return jsonResponse(400, { message: 'Send JSON with a user, and optionally a purpose.' })
    const user = users.find(({ name }) => name === wanted.user)
    if (user === undefined || user.disabled !== undefined) return jsonResponse(404, { message: 'The menu has no such user.' })
    if (wanted.purpose !== undefined && !user.purposes.includes(wanted.purpose))
      return jsonResponse(400, { message: 'The role of the user may not claim this purpose.' })
    try {
      return jsonResponse(200, { token: await fetchToken(peopleOnly, user.name, wanted.purpose) })
    } catch (error) {
      if (!(error instanceof NoToken)) throw error
      return jsonResponse(503, { message: error.message })
    }
  }
}

/**
 * Whether the browser sent the request from a page of this origin. A repeated header is joined by commas and matches nothing.
 *
 * @source https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
function isFromOwnPage({ headers }: APIGatewayProxyEventV2): boolean {
  const { host, origin, 'sec-fetch-site': site = 'same-origin', 'content-type': type = '' } = headers
  return (
    namesThisMachine(host) &&
    origin === `http://${host ?? ''}` &&
    site === 'same-origin' &&
    // a form of another page can send no JSON without a preflight
    /^application\/json(?:;|$)/i.test(type)
  )
}

function parse({ body, isBase64Encoded }: APIGatewayProxyEventV2): z.infer<typeof Wanted> | undefined {
  if (body === undefined || isBase64Encoded) return undefined
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return undefined
  }
  return Wanted.safeParse(value).data
}
