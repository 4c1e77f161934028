import { z } from 'zod'

/** The grant by which a demo user gets a token by name alone. Only the provider on this machine knows it. */
export const DEMO_GRANT = 'urn:phi-gateway:demo-user'
/** The public client that demo users sign in through. */
export const DEMO_CLIENT = 'phi-demo'

/** Where tokens come from. */
export interface TokenSource {
  readonly tokenEndpoint: string
  /** Secrets of the machine clients, by client id: who has one signs in with it. */
  readonly clientSecrets: Readonly<Record<string, string>>
}

/** The provider gave no token. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
}

const answer = z.object({ access_token: z.string().min(1) })

/**
 * Gets an access token for a demo user, or for a machine client by its own credentials.
 *
 * @param purpose of HL7 v3 ActReason; without one the gateway takes the role's first
 * @throws NoToken when the provider is out of reach or knows no such user
 */
export async function fetchToken(source: TokenSource, user: string, purpose?: string): Promise<string> {
  const secret = Object.hasOwn(source.clientSecrets, user) ? source.clientSecrets[user] : undefined
  const form = new URLSearchParams(
    secret === undefined
      ? { grant_type: DEMO_GRANT, client_id: DEMO_CLIENT, username: user }
      : { grant_type: 'client_credentials' },
  )
  if (purpose !== undefined) form.set('purpose', purpose)
  const headers = new Headers()
  if (secret !== undefined) headers.set('authorization', `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`)

  let response: Response
  try {
    response = await fetch(source.tokenEndpoint, { method: 'POST', body: form, headers, signal: AbortSignal.timeout(10_000) })
  } catch (cause) {
    throw new NoToken('The identity provider does not answer. Is the local stack running? Start it with: npm start', { cause })
  }
  if (!response.ok)
    throw new NoToken('The identity provider gave no token: there is no such demo user, or the purpose is not valid.')
  return answer.parse(await response.json()).access_token
}
