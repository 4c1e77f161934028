import {
  AuditLogUnavailable,
  AuditUnavailable,
  KeyUnavailable,
  OperationsUnavailable,
  StoreUnavailable,
} from '../gateway/model/failures.ts'
import { originName } from '../gateway/telemetry/events.ts'
import { LOCAL_STAGE } from '../infra/local/environment.ts'
import { START_COMMAND } from '../infra/local/start-command.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What a service did, by the name of the error that began the failure. */
const ACTS: Readonly<Record<string, string>> = {
  AbortError: 'did not answer in time',
  OutOfTime: 'did not answer in time',
  RequestTimeout: 'did not answer in time',
  TimeoutError: 'did not answer in time',
  AccessDenied: 'refuses this account',
  AccessDeniedException: 'refuses this account',
  CredentialsProviderError: 'was not asked, because this machine has no AWS credentials',
  ExpiredToken: 'refuses credentials that have expired',
  ExpiredTokenException: 'refuses credentials that have expired',
  InvalidClientTokenId: 'refuses the credentials',
  NoSuchBucket: 'has no bucket of this name',
  NotFoundException: 'has no key of this name',
  ProvisionedThroughputExceededException: 'is overloaded',
  ResourceNotFoundException: 'has no table of this name',
  ThrottlingException: 'is overloaded',
  UnrecognizedClientException: 'refuses the credentials',
}

const STEPS: Readonly<Record<string, string>> = {
  'refuses this account': 'Give its role the permission, then run the command again.',
  'was not asked, because this machine has no AWS credentials': 'Sign in to AWS, then run the command again.',
  'refuses credentials that have expired': 'Sign in to AWS again, then run the command again.',
  'refuses the credentials': 'Sign in to AWS again, then run the command again.',
  'has no bucket of this name': 'Check PHI_AUDIT_OBJECTS, PHI_AUDIT_TABLES and AWS_REGION.',
  'has no key of this name': 'Check PHI_KMS_KEY_ID, PHI_TENANT_KMS_KEYS and AWS_REGION.',
  'is overloaded': 'Run the command again in a minute.',
  'has no table of this name': 'Check the PHI_TABLE_ variables and AWS_REGION.',
}

/**
 * The sentences for a service that failed: its name and place, what it did, and the next step. Undefined for an error of another kind,
 * and for a key that is missing although KMS and the table answered.
 */
export function serviceFaultText(error: unknown, env: Env): string | undefined {
  const service = serviceOf(error, env)
  if (service === undefined || !(error instanceof Error)) return undefined
  if (error instanceof KeyUnavailable && error.cause === undefined) return undefined
  const act = ACTS[originName(error)] ?? 'did not answer'
  return `${service} ${act}. ${STEPS[act] ?? nextStep(env)}`
}

function serviceOf(error: unknown, env: Env): string | undefined {
  const named = sdkService(error)
  if (named !== undefined) return placeOf(named, env)
  if (error instanceof KeyUnavailable)
    return error.cause instanceof StoreUnavailable ? placeOf('DynamoDB', env) : placeOf('KMS', env)
  if (error instanceof StoreUnavailable || error instanceof AuditUnavailable || error instanceof OperationsUnavailable)
    return placeOf('DynamoDB', env)
  if (error instanceof AuditLogUnavailable)
    return (env['PHI_AUDIT_TABLES'] ?? '').startsWith('s3:') ? placeOf('Athena', env) : 'The folder of the audit tables'
  return undefined
}

const MAX_CAUSES = 8
/** Each client of the AWS SDK has one base class of its errors. */
const SDK_CLASS = /^(Athena|DynamoDB|KMS|Lambda|S3|STS)ServiceException$/

/** The service of an error of the AWS SDK, by the base class of one of its causes. */
function sdkService(error: unknown): string | undefined {
  let one = error
  for (let depth = 0; depth < MAX_CAUSES && one instanceof Error; depth++, one = one.cause) {
    for (let type: unknown = Object.getPrototypeOf(one); type instanceof Error; type = Object.getPrototypeOf(type)) {
      const [, service] = SDK_CLASS.exec(type.constructor.name) ?? []
      if (service !== undefined) return service
    }
  }
  return undefined
}

/** `KMS at http://127.0.0.1:4567`, `KMS in eu-central-1`. */
function placeOf(service: string, env: Env): string {
  const endpoint = env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ?? env['AWS_ENDPOINT_URL']
  if (endpoint !== undefined && endpoint !== '') return `${service} at ${endpoint}`
  const region = env['AWS_REGION']
  return region === undefined ? service : `${service} in ${region}`
}

const nextStep = (env: Env): string =>
  env['PHI_STAGE'] === LOCAL_STAGE
    ? `Check that the local stack still runs, or start it again with \`${START_COMMAND}\`.`
    : 'Check the network of this machine and AWS_REGION, then run the command again.'
