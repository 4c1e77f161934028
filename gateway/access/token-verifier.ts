import { JwtVerifier } from 'aws-jwt-verify'
import type { DecomposedJwt } from 'aws-jwt-verify/jwt'
import type { JwtVerifierProperties, VerifyProperties } from 'aws-jwt-verify/jwt-verifier'
import { isObject } from './claim-value.ts'

type Issuer = JwtVerifierProperties<VerifyProperties>

interface Verification {
  decomposedJwt: DecomposedJwt
  jwksUri: string
  verifyProperties: VerifyProperties & Issuer
}

/**
 * Verifies signature, issuer and times of a token. It also accepts a list of texts in the claim `scope`, which Duende IdentityServer
 * writes by default. RFC 9068 requires a text, and aws-jwt-verify refuses any other type before it verifies the signature.
 *
 * The claims have such a list as the text of RFC 9068, with spaces between the members. The signature is verified over the token as
 * it was received.
 *
 * @source RFC 9068 section 2.2.3, RFC 8693 section 4.2
 */
export class TokenVerifier extends JwtVerifier<VerifyProperties, Issuer, false> {
  protected override getVerifyParameters(token: string, properties?: Partial<VerifyProperties>): Verification {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const scope = isObject(claims) ? claims['scope'] : undefined
    if (!isObject(claims) || !isListOfTexts(scope)) return super.getVerifyParameters(token, properties)
    const readable = Buffer.from(JSON.stringify({ ...claims, scope: scope.join(' ') })).toString('base64url')
    const parameters = super.getVerifyParameters(`${header}.${readable}.${signature}`, properties)
    return { ...parameters, decomposedJwt: { ...parameters.decomposedJwt, payloadB64: payload } }
  }
}

const isListOfTexts = (claim: unknown): claim is readonly string[] =>
  Array.isArray(claim) && claim.every((member) => typeof member === 'string')
