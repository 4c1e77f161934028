import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { listen } from '../../../infra/local/ports.ts'

export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'phi-gateway'

export type TokenParts = Readonly<Record<string, unknown>>

/** Key pairs by algorithm. RSA keys take long to generate, so issuers share them. The keys of one issuer differ. */
const PAIRS = new Map<string, ReturnType<typeof generateKeyPair>[]>()

/** An issuer whose keys are served on the loopback interface, as long as it is not away. */
export async function startIssuer(algorithm = 'RS256') {
  let used = 0
  const made = async (kid: string) => {
    const pairs = PAIRS.get(algorithm) ?? []
    PAIRS.set(algorithm, pairs)
    const { privateKey, publicKey } = await (pairs[used++] ??= generateKeyPair(algorithm, { extractable: true }))
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: algorithm } as Record<string, unknown> }
  }
  const first = await made('one')
  const state = { keys: [first.jwk], isAway: false, asked: 0 }
  const server = createServer((_request, response) => {
    state.asked++
    response.writeHead(state.isAway ? 503 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: state.keys }))
  })
  const port = await listen(server, 0)
  return {
    state,
    made,
    privateKey: first.privateKey,
    jwksUri: `http://127.0.0.1:${port}/jwks`,
    /** A token with only these claims, the issuer and the times. A claim with the value undefined is omitted. */
    sign: async (claims: TokenParts, header: TokenParts = {}, key = first.privateKey): Promise<string> => {
      const now = Math.floor(Date.now() / 1000)
      return await new SignJWT({ iss: ISSUER, iat: now, exp: now + 300, ...claims })
        .setProtectedHeader({ alg: algorithm, kid: 'one', typ: 'at+jwt', ...header })
        .sign(key)
    },
    stop: async () => await new Promise((resolve) => server.close(resolve)),
  }
}
