import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AccessToken, Adapter, ClientCredentials, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { errors, Provider } from 'oidc-provider'
import type { StackUser } from './users.ts'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { identityKeys } from './identity-keys.ts'
import { close, freePort, listen, LOOPBACK, namesThisMachine } from './ports.ts'
import { DEMO_CLIENT, DEMO_GRANT, fetchToken, type TokenSource } from './token.ts'

/** What tokens are for: the gateway's audience, and the resource indicator that stands for it (RFC 8707 wants a URI). */
export const AUDIENCE = 'phi-gateway'
const RESOURCE = 'urn:phi-gateway'

/** Seconds. HIPAA sets no number; an hour bounds what a lost token is worth. */
const TOKEN_LIFETIME = 3600

export interface IdentityProvider extends TokenSource {
  readonly issuer: string
  readonly jwksUri: string
  /** Gets an access token over HTTP, as the command line does. */
  tokenFor(user: string, purpose?: string): Promise<string>
  stop(): Promise<void>
}

export interface IdentityProviderOptions {
  /** 0 for any free one; the issuer bears the number. */
  readonly port: number
  /** Where signing keys and client secrets are kept, so that tokens outlive a restart; in memory when left out. */
  readonly dataFolder?: string
  readonly users: readonly StackUser[]
}

/**
 * An OpenID provider with the demo users, for one machine alone: a user gets a token by name, without a password.
 *
 * Tokens are JWTs of RFC 9068 (`typ: at+jwt`) with the claims that the gateway reads from any provider.
 *
 * @throws PortInUse; StageRefused in a process that was told to be production
 */
export async function startIdentityProvider({ port, dataFolder, users }: IdentityProviderOptions): Promise<IdentityProvider> {
  refuseProductionIfNamed(process.env)
  const people = new Map(users.map((user) => [user.name, user]))
  const machines = users.filter((user) => user.client === true).map((user) => user.name)
  const keys = await identityKeys(dataFolder, machines)
  const bound = port === 0 ? await freePort() : port
  const issuer = `http://${LOOPBACK}:${bound}`

  const provider = new Provider(issuer, {
    adapter: keepsNothing,
    jwks: keys.jwks,
    clients: [
      {
        client_id: DEMO_CLIENT,
        token_endpoint_auth_method: 'none',
        grant_types: [DEMO_GRANT],
        redirect_uris: [],
        response_types: [],
      },
      ...machines.map((name) => ({
        client_id: name,
        client_secret: keys.clientSecrets[name],
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      })),
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, defaultResource: () => RESOURCE, getResourceServerInfo },
    },
    ttl: { AccessToken: TOKEN_LIFETIME, ClientCredentials: TOKEN_LIFETIME },
    extraTokenClaims: (ctx, token) => claimsOf(people, ctx, token),
  } satisfies Configuration)

  provider.registerGrantType<{ username?: string }>(
    DEMO_GRANT,
    async (ctx) => {
      const user = people.get(ctx.oidc.params.username ?? '')
      if (!user || user.client === true) throw new errors.InvalidGrant('there is no such demo user')
      const token = new provider.AccessToken({
        accountId: user.name,
        client: ctx.oidc.client,
        grantId: randomUUID(),
        gty: DEMO_GRANT,
      })
      token.resourceServer = new provider.ResourceServer(RESOURCE, getResourceServerInfo())
      ctx.oidc.entity('AccessToken', token)
      ctx.body = { access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType }
    },
    ['username', 'purpose'],
  )

  const callback = provider.callback()
  const server = createServer((request, response) => {
    if (namesThisMachine(request.headers.host)) {
      callback(request, response).catch(() => response.destroy())
    } else {
      response.writeHead(403).end()
    }
  })
  await listen(server, bound)

  const source: TokenSource = { tokenEndpoint: `${issuer}/token`, clientSecrets: keys.clientSecrets }
  return {
    ...source,
    issuer,
    jwksUri: `${issuer}/jwks`,
    tokenFor: (user, purpose) => fetchToken(source, user, purpose),
    stop: () => close(server),
  }
}

const getResourceServerInfo = () => ({
  scope: '',
  audience: AUDIENCE,
  accessTokenFormat: 'jwt' as const,
  accessTokenTTL: TOKEN_LIFETIME,
  jwt: { sign: { alg: 'RS256' as const } },
})

/** Of the words a purpose may have, so that no free text gets into a token. Whether the role may claim it, the gateway decides. */
const PURPOSE = /^[A-Z]{2,10}$/

function claimsOf(people: ReadonlyMap<string, StackUser>, ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials) {
  const user = people.get('accountId' in token ? token.accountId : (token.clientId ?? ''))
  // a token without a tenant or a role must not exist, not even here
  if (!user) throw new errors.InvalidGrant('there is no such demo user')
  const purpose = ctx.oidc.body?.['purpose']
  if (purpose !== undefined && (typeof purpose !== 'string' || !PURPOSE.test(purpose)))
    throw new errors.InvalidRequest('purpose is not valid')
  return {
    tenant: user.tenant,
    organization: user.tenant,
    roles: [user.role],
    ...(user.fhirUser !== undefined && { fhirUser: user.fhirUser }),
    ...(purpose !== undefined && { purpose_of_use: purpose }),
    // a client that acts by itself has no session and no person who signed in
    ...(user.client !== true && { sid: randomUUID(), auth_time: Math.floor(Date.now() / 1000), amr: ['pwd', 'mfa'] }),
  }
}

/** Every token given out is a JWT and every client stands in the configuration: there is nothing to store. */
const keepsNothing = (): Adapter => ({
  upsert: () => Promise.resolve(),
  find: () => Promise.resolve(),
  findByUserCode: () => Promise.resolve(),
  findByUid: () => Promise.resolve(),
  consume: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
  revokeByGrantId: () => Promise.resolve(),
})
