import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { composeGateway, openServices } from '../gateway/compose.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import { clinic } from '../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { fromEvent, toResult } from '../gateway/http/lambda-event.ts'
import { orLastResort } from './last-resort.ts'
import { settledWithin } from './settled-within.ts'

/** The start does not wait longer for a service that does not answer. */
const PREFETCH_MS = 1_000

// Created once when the function starts. No request state is kept here: the next request belongs to another caller.
const services = openServices(process.env)
reportProcessFaults(process, services.events)
const gateway = await composeGateway(services, process.env, { ...clinic, typeDefs: clinicTypeDefs(), lock: clinicLock() })
// Lambda may freeze the process between its start and the first request. A request that is under way then is lost.
await settledWithin([services.prefetch(), gateway.prefetch()], PREFETCH_MS)

/** `POST /graphql` of the HTTP API. */
export async function handler(event: APIGatewayProxyEventV2, context: Context): Promise<APIGatewayProxyStructuredResultV2> {
  const answer = async () => toResult(await gateway.handle(fromEvent(event, context, services.now())))
  return await orLastResort(answer, services.events)
}
