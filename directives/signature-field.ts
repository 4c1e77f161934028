import { getNamedType, isObjectType, type GraphQLOutputType } from 'graphql'

/**
 * Whether a field of a record type is the signature of the record: `signature: Signature`. The gateway gives it from the sealed metadata,
 * with the members `valid`, `signer` and `signedAt`.
 */
export function isSignature(of: GraphQLOutputType, field: string): boolean {
  const type = getNamedType(of)
  return field === 'signature' && isObjectType(type) && type.name === 'Signature'
}
