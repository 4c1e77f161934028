import { clinic } from '../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { lambdaGateway } from './lambda-gateway.ts'

/** `/graphql` of the HTTP API: POST, GET and OPTIONS. */
export const handler = await lambdaGateway({ ...clinic, typeDefs: clinicTypeDefs(), lock: clinicLock() })
