import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AccessToken, Adapter, ClientCredentials, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { errors, Provider } from 'oidc-provider'
import type { StackUser } from './users.ts'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { identityKeys } from './identity-keys.ts'
import { close, freePort, listen, LOOPBACK, namesThisMachine } from './ports.ts'
import { DEMO_CLIENT, DEMO_GRANT, fetchToken, PORTAL_CLIENT, type TokenSource } from './token.ts'

/** The audience of tokens. */
export const AUDIENCE = 'phi-gateway'
/** The resource indicator of the audience. RFC 8707 requires a URI. */
const RESOURCE = 'urn:phi-gateway'

/** Seconds. HIPAA sets no number; one hour limits the use of a lost token. */
const TOKEN_LIFETIME = 3600

export interface IdentityProvider extends TokenSource {
  readonly issuer: string
  readonly jwksUri: string
  /**
   * Requests an access token over HTTP, as the command line does.
   *
   * @throws NoToken
   */
  tokenFor(user: string, purpose?: string, client?: string): Promise<string>
  stop(): Promise<void>
}

export interface IdentityProviderOptions {
  /** 0 selects a free port. The port is part of the issuer. */
  readonly port: number
  /** By default the loopback address. The issuer names the loopback address in any case. */
  readonly address?: string
  /** Folder of signing keys and client secrets, so that tokens outlive a restart. Without it, they are in memory. */
  readonly dataFolder?: string
  readonly users: readonly StackUser[]
}

/**
 * Starts an OpenID provider for this machine only. A demo user gets a token by name, without a password.
 *
 * Tokens are JWTs of RFC 9068 (`typ: at+jwt`) with the claims that the gateway reads from any provider.
 *
 * @throws PortInUse
 * @throws StageRefused in a production process
 */
export async function startIdentityProvider({
  port,
  address,
  dataFolder,
  users,
}: IdentityProviderOptions): Promise<IdentityProvider> {
  refuseProductionIfNamed(process.env)
  const people = new Map(users.map((user) => [user.name, user]))
  const machines = users.filter((user) => user.client === true).map((user) => user.name)
  const keys = await identityKeys(dataFolder, machines)
  const bound = port === 0 ? await freePort() : port
  const issuer = `http://${LOOPBACK}:${bound}`

  const provider = new Provider(issuer, {
    adapter: emptyAdapter,
    jwks: keys.jwks,
    clients: [
      ...[DEMO_CLIENT, PORTAL_CLIENT].map((name) => ({
        client_id: name,
        token_endpoint_auth_method: 'none' as const,
        grant_types: [DEMO_GRANT],
        redirect_uris: [],
        response_types: [],
      })),
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
      if (!user || user.client === true) throw new errors.InvalidGrant('unknown demo user')
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
  await listen(server, bound, address)

  const source: TokenSource = { tokenEndpoint: `${issuer}/token`, clientSecrets: keys.clientSecrets }
  return {
    ...source,
    issuer,
    jwksUri: `${issuer}/jwks`,
    tokenFor: (user, purpose, client) => fetchToken(source, user, purpose, client),
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

/** The form of a purpose, so that no free text gets into a token. The gateway decides whether the role may claim the purpose. */
const PURPOSE = /^[A-Z]{2,10}$/

function claimsOf(people: ReadonlyMap<string, StackUser>, ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials) {
  const user = people.get('accountId' in token ? token.accountId : (token.clientId ?? ''))
  // a token without a tenant or a role must not exist, not even in the local stack
  if (!user) throw new errors.InvalidGrant('unknown demo user')
  const purpose = ctx.oidc.body?.['purpose']
  if (purpose !== undefined && (typeof purpose !== 'string' || !PURPOSE.test(purpose)))
    throw new errors.InvalidRequest('invalid purpose')
  return {
    tenant: user.tenant,
    organization: user.tenant,
    roles: [user.role],
    ...(user.fhirUser !== undefined && { fhirUser: user.fhirUser }),
    ...(purpose !== undefined && { purpose_of_use: purpose }),
    // a machine client has no session and no sign-in of a person
    ...(user.client !== true && { sid: randomUUID(), auth_time: Math.floor(Date.now() / 1000), amr: ['pwd', 'mfa'] }),
  }
}

/** Stores nothing: every token is a JWT, and every client is in the configuration. */
const emptyAdapter = (): Adapter => ({
  upsert: () => Promise.resolve(),
  find: () => Promise.resolve(),
  findByUserCode: () => Promise.resolve(),
  findByUid: () => Promise.resolve(),
  consume: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
  revokeByGrantId: () => Promise.resolve(),
})
