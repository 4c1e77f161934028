import { lambdaGateway } from './lambda-gateway.ts'
import { servedClinic } from './served-clinic.ts'

/** `/graphql` of the HTTP API: POST, GET and OPTIONS. */
export const handler = await lambdaGateway(servedClinic())
