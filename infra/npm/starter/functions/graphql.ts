import { lambdaGateway } from 'phi-gateway/lambda'
import { relationships } from '../relationships.ts'
import { resolvers } from '../resolvers.ts'
import { lock, typeDefs } from '../schema.ts'

/** `POST /graphql` and `GET /graphql` of the HTTP API. */
export const handler = await lambdaGateway({ typeDefs, lock, resolvers, relationships })
