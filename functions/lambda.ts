// The module `phi-gateway/lambda` of the package: the functions of a deployment with a schema of its own.

export { lambdaGateway, type LambdaHandler } from './lambda-gateway.ts'
export { lambdaNotary } from './lambda-notary.ts'
export type { ServedSchema, Services } from '../gateway/compose.ts'
