import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { LeanDynamoDBClient } from './lean-client.ts'

/**
 * The client of a process for the audit log and for all that is written with it.
 *
 * - One attempt: a lane must see the answer to each attempt, and a retry of the SDK hides the first one.
 * - No correction of the clock: AWS refuses a request whose signature is more than five minutes from its own time. The SDK would sign the
 *   next one with the time of AWS. The records would keep the wrong time, in an hour that can be closed already. Without the correction,
 *   the process stores nothing, so it discloses nothing.
 *
 * @source https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html, "When signatures are valid"
 */
export const writeClient = (requestHandler: NonNullable<DynamoDBClientConfig['requestHandler']>): LeanDynamoDBClient =>
  new LeanDynamoDBClient({ maxAttempts: 1, disableClockSkewCorrection: true, requestHandler })
