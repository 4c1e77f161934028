import { JwtVerifier } from 'aws-jwt-verify'
import { callerOf, type ClinicCaller } from './clinic.ts'

/** Verifies access tokens as aws-jwt-verify documents it: the key set is loaded once, during initialization. */
export async function tokenVerifier(env: NodeJS.ProcessEnv): Promise<(authorization: string) => Promise<ClinicCaller>> {
  const issuer = env['PHI_ISSUER'] ?? ''
  const verifier = JwtVerifier.create({ issuer, audience: env['PHI_AUDIENCE'] ?? '', jwksUri: 'https://loaded.invalid/jwks' })
  verifier.cacheJwks((await (await fetch(env['PHI_JWKS_URI'] ?? '')).json()) as Parameters<typeof verifier.cacheJwks>[0])
  return async (authorization) => callerOf(await verifier.verify(authorization.slice('Bearer '.length)))
}
