import { DynamoDBServiceException } from '@aws-sdk/client-dynamodb'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { serviceFaultText } from '../../cli/service-fault.ts'
import {
  AuditLogUnavailable,
  AuditUnavailable,
  KeyUnavailable,
  StoreUnavailable,
  storeOverdue,
} from '../../gateway/model/failures.ts'

const LOCAL = {
  PHI_STAGE: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:8000',
  AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:8001',
}
const DEPLOYED = { PHI_STAGE: 'prod', AWS_REGION: 'eu-central-1', PHI_AUDIT_TABLES: 's3://bucket' }

const named = (name: string): Error => Object.assign(new Error('with a value of a patient'), { name })
const metadata = { $metadata: {}, $fault: 'client' as const, message: '' }

describe('the failure of a service', () => {
  it.each<[string, Error, Record<string, string>, string]>([
    [
      'a timeout of DynamoDB on this machine',
      storeOverdue(),
      LOCAL,
      'DynamoDB at http://127.0.0.1:8000 did not answer in time. Check that the local stack still runs, or start it again with `npm start`.',
    ],
    [
      'KMS on this machine',
      new KeyUnavailable({ cause: named('Error') }),
      LOCAL,
      'KMS at http://127.0.0.1:8001 did not answer. Check that the local stack still runs, or start it again with `npm start`.',
    ],
    [
      'a timeout of KMS',
      new KeyUnavailable({ cause: named('TimeoutError') }),
      DEPLOYED,
      'KMS in eu-central-1 did not answer in time. Check the network of this machine and AWS_REGION, then run the command again.',
    ],
    [
      'a write of the audit',
      new AuditUnavailable({ cause: named('TimeoutError') }),
      DEPLOYED,
      'DynamoDB in eu-central-1 did not answer in time. Check the network of this machine and AWS_REGION, then run the command again.',
    ],
    [
      'a table that does not exist',
      new StoreUnavailable({ cause: new DynamoDBServiceException({ ...metadata, name: 'ResourceNotFoundException' }) }),
      DEPLOYED,
      'DynamoDB in eu-central-1 has no table of this name. Check the PHI_TABLE_ variables and AWS_REGION.',
    ],
    [
      'a bucket that refuses',
      new StoreUnavailable({ cause: new S3ServiceException({ ...metadata, name: 'AccessDenied' }) }),
      DEPLOYED,
      'S3 in eu-central-1 refuses this account. Give its role the permission, then run the command again.',
    ],
    [
      'the audit tables',
      new AuditLogUnavailable({ cause: named('TimeoutError') }),
      DEPLOYED,
      'Athena in eu-central-1 did not answer in time. Check the network of this machine and AWS_REGION, then run the command again.',
    ],
    [
      'missing credentials',
      new StoreUnavailable({ cause: named('CredentialsProviderError') }),
      DEPLOYED,
      'DynamoDB in eu-central-1 was not asked, because this machine has no AWS credentials. Sign in to AWS, then run the command again.',
    ],
  ])('%s: names the service, its act and the next step', (_, error, env, text) => {
    expect(serviceFaultText(error, env)).toBe(text)
  })

  it('has no text for a key that is missing, and for other errors', () => {
    expect(serviceFaultText(new KeyUnavailable(), LOCAL)).toBeUndefined()
    expect(serviceFaultText(named('TypeError'), LOCAL)).toBeUndefined()
    expect(serviceFaultText('text', LOCAL)).toBeUndefined()
  })
})
