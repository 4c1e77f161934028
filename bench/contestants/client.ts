import { DynamoDBClient } from '@aws-sdk/client-dynamodb'

/** More than the requests that a contestant sends at the same time, so that none waits for a connection. */
const MAX_SOCKETS = 600

/** A client with connections that are kept alive, created once for a process. */
export const dynamoClient = (): DynamoDBClient =>
  new DynamoDBClient({ requestHandler: { httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS } } })
