import { z } from 'zod'
import { START_COMMAND } from './start-command.ts'

/** The grant type for a demo user's token by name only. No other identity provider supports it. */
export const DEMO_GRANT = 'urn:phi-gateway:demo-user'
/** The public client of demo users. */
export const DEMO_CLIENT = 'phi-demo'
/** The public client of the demo web application, with the operations of `infra/local/demo/clients/portal`. */
export const PORTAL_CLIENT = 'portal'

/** The token endpoint of an identity provider, and the credentials for it. */
export interface TokenSource {
  readonly tokenEndpoint: string
  /** Secrets of the machine clients, by client id. Only machine clients have one. */
  readonly clientSecrets: Readonly<Record<string, string>>
}

/** The identity provider issued no token. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
}

const answer = z.object({ access_token: z.string().min(1) })

/**
 * Returns an access token for a demo user, or for a machine client with its own credentials.
 *
 * @param purpose code of HL7 v3 ActReason; without it, the gateway uses the first purpose of the role
 * @param client the public client of a demo user; a machine client signs in as itself
 * @throws NoToken if the provider does not answer or does not know the user
 */
export async function fetchToken(source: TokenSource, user: string, purpose?: string, client = DEMO_CLIENT): Promise<string> {
  const secret = Object.hasOwn(source.clientSecrets, user) ? source.clientSecrets[user] : undefined
  const form = new URLSearchParams(
    secret === undefined ? { grant_type: DEMO_GRANT, client_id: client, username: user } : { grant_type: 'client_credentials' },
  )
  if (purpose !== undefined) form.set('purpose', purpose)
  const headers = new Headers()
  if (secret !== undefined) headers.set('authorization', `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`)

  let response: Response
  try {
    response = await fetch(source.tokenEndpoint, { method: 'POST', body: form, headers, signal: AbortSignal.timeout(10_000) })
  } catch (cause) {
    throw new NoToken(
      `The identity provider at ${source.tokenEndpoint} did not answer: start the local stack again with \`${START_COMMAND}\``,
      { cause },
    )
  }
  if (!response.ok)
    throw new NoToken('The identity provider issued no token: it knows no such user. `phi token --help` shows how to name one.')
  return answer.parse(await response.json()).access_token
}
