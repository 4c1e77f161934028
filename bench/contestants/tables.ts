import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb'
import { BY_TEAM, BY_TENANT } from './rows.ts'

/** Plain items, for the twin and for Apollo with graphql-shield. */
export const PLAIN_TABLE = 'bench-plain'
/** Values under AES-256-GCM of `node:crypto`. */
export const SEALED_TABLE = 'bench-sealed'
/** Values under the AWS Encryption SDK. */
export const ENCRYPTION_SDK_TABLE = 'bench-encryption-sdk'
/** The audit of both hand-built contestants: one item for each value. */
export const AUDIT_TABLE = 'bench-audit'

const key = (partition: string, sort: string): Pick<CreateTableCommandInput, 'KeySchema'> => ({
  KeySchema: [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ],
})
const strings = (...names: string[]): Pick<CreateTableCommandInput, 'AttributeDefinitions'> => ({
  AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
})

const records = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  ...strings('pk', 'sk', 'team', 'tenant'),
  ...key('pk', 'sk'),
  GlobalSecondaryIndexes: [
    { IndexName: BY_TEAM, ...key('team', 'pk'), Projection: { ProjectionType: 'ALL' } },
    { IndexName: BY_TENANT, ...key('tenant', 'pk'), Projection: { ProjectionType: 'ALL' } },
  ] as CreateTableCommandInput['GlobalSecondaryIndexes'],
})

/** The tables of the contestants other than the gateway. */
export const BENCH_TABLES: readonly CreateTableCommandInput[] = [
  records(PLAIN_TABLE),
  records(SEALED_TABLE),
  records(ENCRYPTION_SDK_TABLE),
  {
    TableName: AUDIT_TABLE,
    BillingMode: 'PAY_PER_REQUEST',
    ...strings('patient', 'at', 'user'),
    ...key('patient', 'at'),
    GlobalSecondaryIndexes: [
      { IndexName: 'byUser', ...key('user', 'at'), Projection: { ProjectionType: 'KEYS_ONLY' } },
    ] as CreateTableCommandInput['GlobalSecondaryIndexes'],
  },
]
