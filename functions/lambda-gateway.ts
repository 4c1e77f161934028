import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { composeGateway, openServices, type ServedSchema } from '../gateway/compose.ts'
import { corsFrom } from '../gateway/cors-setting.ts'
import { answerEvent } from '../gateway/http/lambda-event.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import { orLastResort } from './last-resort.ts'
import { settledWithin } from './settled-within.ts'

/** The start does not wait longer for a service that does not answer. */
const PREFETCH_MS = 1_000

/** A function for `/graphql` of an HTTP API, with POST, GET and OPTIONS, payload format 2.0. It never throws. */
export type LambdaHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>

/**
 * Creates the function that serves a schema. Tables, keys and the issuer come from the environment of the process. Call it once, when
 * the module loads. The function keeps no state of a request, because the next request belongs to another caller.
 *
 * @throws ZodError for a missing variable; PolicyFaults, SchemaRefused, UnprotectedField for a fault of the schema
 */
export async function lambdaGateway(schema: ServedSchema): Promise<LambdaHandler> {
  const services = openServices(process.env)
  const cors = corsFrom(process.env)
  reportProcessFaults(process, services.events)
  const gateway = await composeGateway(services, process.env, schema)
  // Lambda may freeze the process between its start and the first request. A request that is under way then is lost.
  await settledWithin([services.prefetch(), gateway.prefetch()], PREFETCH_MS)
  return async (event, context) => {
    const answer = async () => await answerEvent((request) => gateway.handle(request), event, context, services.now())
    return await orLastResort(answer, event, { events: services.events, cors })
  }
}
