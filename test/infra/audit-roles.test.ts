import { describe, expect, it } from 'vitest'
import { indexKey, laneKey, registryKey } from '../../gateway/audit/item.ts'
import { tenantId, type TenantId } from '../../gateway/model/ids.ts'
import { MAX_SESSION_POLICY, readerPolicy, type ReaderPolicy } from '../../gateway/oversight/reader-policy.ts'
import { dataPrefix, fileName } from '../../gateway/oversight/tables/manifest.ts'
import { type SimulatedPolicies, type SimulatedRequest, simulate } from './policy-simulation.ts'
import { ACCOUNT, REGION, ResolvedTemplate } from './resolved-template.ts'

// The roles of the function for auditors, by an evaluator of IAM's policies over the template. AWS itself did not evaluate them.

const template = new ResolvedTemplate()
const RIVERSIDE = 'riverside' as TenantId
/** One name is a part of the other, or both have a part in common. */
const OTHERS = ['riverside-2', 'river', 'riversid', 'lakeside', '']

const [audit, checkpoints, disclosures, comparisons, workforce] = [
  'AuditTable',
  'CheckpointsTable',
  'DisclosuresTable',
  'ComparisonsTable',
  'WorkforceTable',
].map((id) => template.arnOf(id)) as [string, string, string, string, string]
const [log, tables, results] = ['AuditBucket', 'AuditTablesBucket', 'AuditResultsBucket'].map((id) => template.arnOf(id)) as [
  string,
  string,
  string,
]
const places = {
  partition: 'aws',
  auditTable: audit,
  checkpointsTable: checkpoints,
  disclosuresTable: disclosures,
  comparisonsTable: comparisons,
  workforceTable: workforce,
  log: template.nameOf('AuditBucket'),
  tables: template.nameOf('AuditTablesBucket'),
  results: template.nameOf('AuditResultsBucket'),
}
const idsOf = (type: string): string[] => template.ids.filter((id) => template.typeOf(id) === type)
const [allTables, allKeys, allBuckets] = ['AWS::DynamoDB::Table', 'AWS::KMS::Key', 'AWS::S3::Bucket'].map(idsOf) as [
  string[],
  string[],
  string[],
]
const workgroup = `arn:aws:athena:${REGION}:${ACCOUNT}:workgroup/${template.nameOf('AuditWorkGroup')}`
const glue = (rest: string): string => `arn:aws:glue:${REGION}:${ACCOUNT}:${rest}`
const database = template.nameOf('AuditDatabase')
const viaS3 = { 'kms:ViaService': `s3.${REGION}.amazonaws.com` }
const viaDynamoDB = { 'kms:ViaService': `dynamodb.${REGION}.amazonaws.com` }
const viaAthena = { 'aws:CalledVia': ['athena.amazonaws.com'] }

/** A request to a table by partition keys. */
const keyed = (action: string, resource: string, keys: string[]): SimulatedRequest => ({
  action: `dynamodb:${action}`,
  resource,
  context: { 'dynamodb:LeadingKeys': keys },
})
const listed = (resource: string, prefix: string): SimulatedRequest => ({
  action: 's3:ListBucket',
  resource,
  context: { 's3:prefix': prefix },
})
const object = (action: string, bucket: string, name: string, context = {}): SimulatedRequest => ({
  action: `s3:${action}`,
  resource: `${bucket}/${name}`,
  context,
})

/** All requests of a reader for the data of a tenant. */
const requestsOf = (tenant: string): SimulatedRequest[] => [
  keyed('Query', audit, [laneKey(tenant, 'p1')]),
  keyed('GetItem', audit, [laneKey(tenant, 'p1')]),
  keyed('BatchGetItem', audit, [laneKey(tenant, 'p1'), laneKey(tenant, 'p2')]),
  keyed('Query', audit, [registryKey(tenant, '2026-03-01T12')]),
  keyed('Query', `${audit}/index/byPatient`, [indexKey(tenant, 'p-1', 3)]),
  keyed('Query', `${audit}/index/byUser`, [indexKey(tenant, 'auditor', 0)]),
  keyed('GetItem', checkpoints, [`${tenant}#HEAD`]),
  keyed('Query', checkpoints, [`${tenant}#SPAN`]),
  keyed('Query', disclosures, [`${tenant}#p-1`]),
  keyed('BatchGetItem', disclosures, [`${tenant}##RECIPIENTS`]),
  keyed('Query', comparisons, [`${tenant}#STREET#token`]),
  keyed('BatchGetItem', comparisons, [`${tenant}#FAMILY_NAME#token`]),
  keyed('Query', workforce, [`${tenant}#WORKFORCE`]),
  object('GetObject', log, `${tenant}/checkpoint`),
  object('GetObject', log, `${tenant}/segments/0-5000.ndjson.gz`),
  listed(log, `${tenant}/checkpoints/`),
  object('GetObject', tables, `${tenant}/manifest.json`),
  object('GetObject', tables, fileName(tenant, 3, 'a'.repeat(64))),
  listed(tables, dataPrefix(tenant)),
  listed(tables, `${tenant}/`),
  object('GetObject', tables, `${tenant}/questions/1.parquet`),
  object('PutObject', tables, `${tenant}/questions/1.parquet`),
  object('DeleteObject', tables, `${tenant}/questions/1.parquet`),
]

/** The requests that are the same for all tenants. */
const COMMON: readonly SimulatedRequest[] = [
  ...['StartQueryExecution', 'GetQueryExecution', 'GetQueryResults', 'StopQueryExecution'].map((action) => ({
    action: `athena:${action}`,
    resource: workgroup,
  })),
  { action: 'glue:GetDatabase', resource: glue(`database/${database}`) },
  { action: 'glue:GetTable', resource: glue(`table/${database}/accesses`) },
  object('GetObject', results, 'f00.csv', viaAthena),
  object('PutObject', results, 'f00.csv', viaAthena),
  { action: 's3:GetBucketLocation', resource: results, context: viaAthena },
  { action: 'kms:Decrypt', resource: template.arnOf('AuditTableKey'), context: viaDynamoDB },
  { action: 'kms:Decrypt', resource: template.arnOf('DisclosuresTableKey'), context: viaDynamoDB },
  { action: 'kms:Decrypt', resource: template.arnOf('WorkforceTableKey'), context: viaDynamoDB },
  { action: 'kms:Decrypt', resource: template.arnOf('AuditDataKey'), context: viaS3 },
  { action: 'kms:GenerateDataKey', resource: template.arnOf('AuditDataKey'), context: viaS3 },
]

const READS = ['GetItem', 'BatchGetItem', 'Query']
const WRITES = ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'PartiQLInsert', 'PartiQLUpdate', 'PartiQLDelete']
const KEY_USES = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'Sign',
  'CreateGrant',
]
const RIVERSIDE_LANE = [laneKey(RIVERSIDE, 'p1')]

/** Requests of a session for riverside that must be refused. */
function refusedRequests(): SimulatedRequest[] {
  const ofOthers = OTHERS.flatMap(requestsOf)
  const mixed = [...READS.map((action) => keyed(action, audit, [...RIVERSIDE_LANE, laneKey('lakeside', 'p1')]))]
  const withoutKeys = [audit, `${audit}/index/byUser`, checkpoints, disclosures, comparisons, workforce].flatMap((resource) =>
    READS.filter((action) => action === 'Query' || !resource.includes('/index/')).map((action) => ({
      action: `dynamodb:${action}`,
      resource,
    })),
  )
  const own = [audit, checkpoints, disclosures, comparisons, workforce].flatMap((table) =>
    WRITES.map((action) => keyed(action, table, RIVERSIDE_LANE)),
  )
  const scans = [audit, checkpoints, comparisons, workforce, `${audit}/index/byUser`].flatMap((resource) =>
    ['Scan', 'PartiQLSelect'].map((action) => ({ action: `dynamodb:${action}`, resource })),
  )
  const others = allTables
    .map((id) => template.arnOf(id))
    .filter((arn) => ![audit, checkpoints, disclosures, comparisons, workforce].includes(arn))
    .flatMap((table) => [...READS, ...WRITES].map((action) => keyed(action, table, ['riverside#patient-1'])))
  const tenants = READS.map((action) => keyed(action, checkpoints, ['TENANTS']))
  const lists = [log, tables].flatMap((bucket) => [
    { action: 's3:ListBucket', resource: bucket },
    listed(bucket, ''),
    listed(bucket, 'riverside'),
    listed(bucket, '*'),
  ])
  const objects = [
    object('PutObject', tables, 'riverside/manifest.json'),
    object('PutObject', tables, fileName(RIVERSIDE, 3, 'a'.repeat(64))),
    object('DeleteObject', tables, fileName(RIVERSIDE, 3, 'a'.repeat(64))),
    object('PutObject', log, 'riverside/checkpoint'),
    object('PutObject', log, 'riverside/questions/1.parquet'),
    object('DeleteObject', log, 'riverside/questions/1.parquet'),
    object('DeleteObjectVersion', log, 'riverside/checkpoint'),
    object('PutObjectRetention', log, 'riverside/checkpoint'),
    object('GetObject', results, 'f00.csv'),
    object('PutObject', results, 'f00.csv'),
    object('DeleteObject', results, 'f00.csv', viaAthena),
    { action: 's3:GetBucketLocation', resource: results },
    listed(results, ''),
    listed(results, 'riverside/'),
    { action: 's3:ListBucket', resource: results, context: viaAthena },
    ...allBuckets.map((id) => ({ action: 's3:DeleteBucket', resource: template.arnOf(id) })),
  ]
  const keys = allKeys.flatMap((id) =>
    KEY_USES.flatMap((use) =>
      [{}, viaS3, viaDynamoDB].map((context) => ({ action: `kms:${use}`, resource: template.arnOf(id), context })),
    ),
  )
  const isAllowed = (one: SimulatedRequest): boolean =>
    COMMON.some(
      (other) =>
        JSON.stringify([one.action, one.resource, one.context]) === JSON.stringify([other.action, other.resource, other.context]),
    )
  return [
    ...ofOthers,
    ...mixed,
    ...withoutKeys,
    ...own,
    ...scans,
    ...others,
    ...tenants,
    ...lists,
    ...objects,
    ...keys.filter((one) => !isAllowed(one)),
    { action: 'athena:StartQueryExecution', resource: workgroup.replace(/[^/]+$/, 'primary') },
    { action: 'athena:UpdateWorkGroup', resource: workgroup },
    { action: 'athena:ListQueryExecutions', resource: workgroup },
    { action: 'glue:GetTable', resource: glue('table/other/accesses') },
    { action: 'glue:UpdateTable', resource: glue(`table/${database}/accesses`) },
    { action: 'sts:AssumeRole', resource: template.arnOf('AuditReaderRole') },
    { action: 'lambda:InvokeFunction', resource: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:phi-gateway-prod-audit` },
  ]
}

const sessionOf = (role: string): string => `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/phi-gateway-audit`

/**
 * The key policy of a request for a key. The evaluator does not know the condition keys for an encryption context, so that this condition
 * is left out. A test compares it by its text.
 */
function keyPolicyOf({ resource }: SimulatedRequest): unknown {
  const id = allKeys.find((one) => template.arnOf(one) === resource)
  if (id === undefined) return undefined
  const leftOut = (name: string): boolean => name.startsWith('kms:EncryptionContext') || name === 'kms:CallerAccount'
  return JSON.parse(
    JSON.stringify(template.propertiesOf(id)['KeyPolicy'], (name, value: unknown) => (leftOut(name) ? undefined : value)),
  )
}

/** A key policy that leaves every decision to the policies of roles. */
const LEFT_TO_ROLES = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' }],
}

const asked = async (request: SimulatedRequest, policies: SimulatedPolicies, keyPolicy = keyPolicyOf(request)): Promise<string> =>
  await simulate(request, { ...policies, ...(keyPolicy !== undefined && { resourcePolicy: keyPolicy }) })

async function answersTo(requests: readonly SimulatedRequest[], policies: SimulatedPolicies): Promise<string[]> {
  const answers: string[] = []
  for (const request of requests) answers.push(`${(await asked(request, policies)) === 'Allowed'} ${JSON.stringify(request)}`)
  return answers
}
const allAnswer = (allowed: boolean, requests: readonly SimulatedRequest[]): string[] =>
  requests.map((request) => `${allowed} ${JSON.stringify(request)}`)

const reader = (sessionPolicy: unknown = readerPolicy(RIVERSIDE, places)): SimulatedPolicies => ({
  principal: sessionOf('AuditReaderRole'),
  policies: template.policiesOf('AuditReaderRole'),
  sessionPolicy,
})

describe('C28: a session of the role of readers', () => {
  it('C28: may make every request that a reader makes for its own tenant', async () => {
    const requests = [...requestsOf(RIVERSIDE), ...COMMON]
    expect(await answersTo(requests, reader())).toEqual(allAnswer(true, requests))
  })

  it('C28: may do nothing else: no other tenant, table, key, bucket or action', async () => {
    const requests = refusedRequests()
    expect(requests.length).toBeGreaterThan(400)
    expect(await answersTo(requests, reader())).toEqual(allAnswer(false, requests))
  })

  it('C28: the evaluator finds each condition that is left out, and each tenant that becomes a wildcard', {
    timeout: 60_000,
  }, async () => {
    const requests = refusedRequests()
    const isCaught = async (policies: SimulatedPolicies): Promise<boolean> => {
      for (const request of requests) {
        // the key policies have some of the same conditions
        const keyPolicy = request.action.startsWith('kms:') ? LEFT_TO_ROLES : undefined
        if ((await asked(request, policies, keyPolicy)) === 'Allowed') return true
      }
      return false
    }
    const session = readerPolicy(RIVERSIDE, places)
    const mutants = [
      ...withoutConditions(session).map(([name, mutant]) => [`session: ${name}`, reader(mutant)] as const),
      ...withWildcards(session).map(([name, mutant]) => [`session: ${name}`, reader(mutant)] as const),
      ...template
        .policiesOf('AuditReaderRole')
        .flatMap(({ name, policy }, at, all) =>
          withoutConditions(policy as ReaderPolicy).map(
            ([what, mutant]) => [`role: ${what}`, { ...reader(), policies: all.with(at, { name, policy: mutant }) }] as const,
          ),
        ),
    ]
    expect(mutants.length).toBeGreaterThan(12)
    expect(await isCaught(reader())).toBe(false)
    const missed: string[] = []
    for (const [name, policies] of mutants) if (!(await isCaught(policies))) missed.push(name)
    expect(missed).toEqual([])
  })

  it('C28: fits into the length that STS accepts, for the longest names', () => {
    const tenant = tenantId('t'.repeat(63))
    if (tenant === undefined) throw new Error('not a tenant')
    const longer = JSON.parse(
      JSON.stringify(places)
        .replaceAll('arn:aws:', 'arn:aws-us-gov:')
        .replaceAll('us-east-1', 'us-gov-west-1')
        .replaceAll('-prod-', '-production-'),
    ) as typeof places
    expect(JSON.stringify(readerPolicy(tenant, { ...longer, partition: 'aws-us-gov' })).length).toBeLessThan(MAX_SESSION_POLICY)
  })

  it.each(['*', 'river?ide', 'riverside#x', 'a/b', '${aws:userid}', '', 'Riverside'])(
    'C28: has no policy for the tenant %j, which could name others',
    (tenant) => {
      expect(() => readerPolicy(tenant as TenantId, places)).toThrow(TypeError)
    },
  )

  it('is taken only by the function for auditors, under a name without a user', async () => {
    const trust = template.propertiesOf('AuditReaderRole')['AssumeRolePolicyDocument']
    const take = async (role: string, name: string): Promise<string> =>
      await simulate(
        { action: 'sts:AssumeRole', resource: template.arnOf('AuditReaderRole'), context: { 'sts:RoleSessionName': name } },
        { principal: template.arnOf(role), policies: template.policiesOf(role), resourcePolicy: trust },
      )
    expect(await take('AuditRole', 'phi-gateway-audit')).toBe('Allowed')
    expect(await take('AuditRole', 'dr.jones')).not.toBe('Allowed')
    for (const role of idsOf('AWS::IAM::Role').filter((id) => id !== 'AuditRole'))
      expect(await take(role, 'phi-gateway-audit')).not.toBe('Allowed')
  })
})

/** The policy without one of its conditions, for each of them. */
function withoutConditions(policy: ReaderPolicy): [string, unknown][] {
  return policy.Statement.flatMap((statement, at) =>
    Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.keys(keys).map((key): [string, unknown] => {
        const left = Object.fromEntries(Object.entries(keys).filter(([one]) => one !== key))
        const Condition = { ...statement.Condition, [operator]: left }
        if (Object.keys(left).length === 0) Reflect.deleteProperty(Condition, operator)
        return [`${at} ${operator} ${key}`, { ...policy, Statement: policy.Statement.with(at, { ...statement, Condition }) }]
      }),
    ),
  )
}

/** The policy with a wildcard in one place of its tenant, for each of them, and without the separator after it. */
function withWildcards(policy: ReaderPolicy): [string, unknown][] {
  const text = JSON.stringify(policy)
  return [...text.matchAll(/riverside([#/])/g)].flatMap(({ 0: found, 1: separator = '', index }): [string, unknown][] =>
    [`*${separator}`, 'riverside*'].map((instead) => [
      `${index} ${instead}`,
      JSON.parse(text.slice(0, index) + instead + text.slice(index + found.length)),
    ]),
  )
}

describe('C28: the role of the function for auditors', () => {
  const role = { principal: sessionOf('AuditRole'), policies: template.policiesOf('AuditRole') }
  const sessions = template.arnOf('SessionsTable')
  const inTransaction = { 'dynamodb:EnclosingOperation': 'TransactWriteItems', 'dynamodb:LeadingKeys': RIVERSIDE_LANE }

  it('C28: appends to the log, keeps sessions, counts failures, and takes sessions of readers', async () => {
    const requests = [
      { action: 'dynamodb:PutItem', resource: audit, context: inTransaction },
      { action: 'dynamodb:PutItem', resource: disclosures, context: inTransaction },
      keyed('BatchGetItem', sessions, ['s']),
      keyed('UpdateItem', sessions, ['s']),
      keyed('UpdateItem', template.arnOf('SecurityTable'), ['s']),
      { action: 'sts:AssumeRole', resource: template.arnOf('AuditReaderRole') },
    ]
    expect(await answersTo(requests, role)).toEqual(allAnswer(true, requests))
  })

  it('C28: reads the names of tenants for the daily reminder, and nothing else of the table of checkpoints', async () => {
    const names = [keyed('Query', checkpoints, ['TENANTS'])]
    expect(await answersTo(names, role)).toEqual(allAnswer(true, names))
    const requests = [
      ...['Query', 'Scan'].map((action) => ({ action: `dynamodb:${action}`, resource: checkpoints })),
      ...[['riverside#HEAD'], ['TENANTS', 'riverside#HEAD'], ['TENANTS#'], ['']].map((keys) => keyed('Query', checkpoints, keys)),
      ...['GetItem', 'BatchGetItem', ...WRITES].map((action) => keyed(action, checkpoints, ['TENANTS'])),
      keyed('Query', `${checkpoints}/index/any`, ['TENANTS']),
    ]
    expect(await answersTo(requests, role)).toEqual(allAnswer(false, requests))
  })

  it('C28: reads no audit data, record, key or object by itself, and uses no key of a tenant', async () => {
    const requests = [
      { action: 'dynamodb:PutItem', resource: audit, context: { 'dynamodb:LeadingKeys': RIVERSIDE_LANE } },
      ...[...READS, 'Scan', ...WRITES].map((action) => ({ action: `dynamodb:${action}`, resource: audit })),
      ...['Query', 'Scan'].map((action) => ({ action: `dynamodb:${action}`, resource: `${audit}/index/byPatient` })),
      ...allTables
        .filter((id) => !['AuditTable', 'SessionsTable', 'SecurityTable'].includes(id))
        .flatMap((id) =>
          [...READS, 'Scan', ...WRITES].map((action) => ({ action: `dynamodb:${action}`, resource: template.arnOf(id) })),
        ),
      ...['Query', 'Scan', 'PutItem', 'DeleteItem'].map((action) => ({ action: `dynamodb:${action}`, resource: sessions })),
      ...READS.map((action) => ({ action: `dynamodb:${action}`, resource: template.arnOf('SecurityTable') })),
      ...requestsOf(RIVERSIDE).filter(({ action }) => action.startsWith('s3:')),
      ...COMMON.filter(({ action }) => !action.startsWith('kms:')),
      ...allKeys.flatMap((id) =>
        KEY_USES.flatMap((use) => [{}, viaS3].map((context) => ({ action: `kms:${use}`, resource: template.arnOf(id), context }))),
      ),
      ...['TenantKey', 'KeysTableKey', 'AuditDataKey', 'LogsKey', 'LogKeyEd25519'].flatMap((id) =>
        KEY_USES.map((use) => ({ action: `kms:${use}`, resource: template.arnOf(id), context: viaDynamoDB })),
      ),
      ...idsOf('AWS::IAM::Role')
        .filter((id) => id !== 'AuditReaderRole')
        .map((id) => ({ action: 'sts:AssumeRole', resource: template.arnOf(id) })),
    ]
    expect(await answersTo(requests, role)).toEqual(allAnswer(false, requests))
  })

  it('C28: is denied the keys of tenants by name, whatever another policy allows', async () => {
    const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
    const requests = [
      ...['TenantKey', 'KeysTableKey', 'AuditDataKey'].map((id) => ({ action: 'kms:Decrypt', resource: template.arnOf(id) })),
      ...['RecordsTable', 'KeysTable', 'SearchTable', 'AccessTable', 'BudgetsTable'].map((id) =>
        keyed('GetItem', template.arnOf(id), ['x']),
      ),
      keyed('Query', audit, RIVERSIDE_LANE),
      object('GetObject', tables, 'riverside/manifest.json'),
    ]
    for (const [one, policies] of [
      ['AuditRole', requests],
      ['AuditReaderRole', requests.slice(0, 2)],
    ] as const)
      for (const request of policies) {
        const attached = [...template.policiesOf(one), { name: 'everything', policy: everything }]
        expect(await simulate(request, { principal: sessionOf(one), policies: attached })).toBe('ExplicitlyDenied')
      }
  })
})

describe('C28: the function for auditors is invoked', () => {
  it('C28: by the role of the GraphQL function alone, and that role invokes no other function', async () => {
    const stage = template.nameOf('AuditTable').split('-')[1] ?? ''
    const arn = (name: string): string => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:phi-gateway-${stage}-${name}`
    const invoke = async (role: string, name: string): Promise<string> =>
      await simulate(
        { action: 'lambda:InvokeFunction', resource: arn(name) },
        { principal: sessionOf(role), policies: template.policiesOf(role) },
      )
    expect(await invoke('GraphqlRole', 'audit')).toBe('Allowed')
    for (const name of ['graphql', 'notary', 'tables', 'audit-changes', 'audit-2'])
      expect(await invoke('GraphqlRole', name)).not.toBe('Allowed')
    for (const role of idsOf('AWS::IAM::Role').filter((id) => id !== 'GraphqlRole' && !/^Iam/.test(id)))
      expect(await invoke(role, 'audit')).not.toBe('Allowed')
  })
})

describe('P7: the key of a bucket in a second account', () => {
  it('P7: is sealed by the notary and opened by the tables and by readers, with no right over the key of another', async () => {
    const key = 'arn:aws:kms:us-east-1:210987654321:key/log'
    // the parameters are those of a deployment from the fragments
    const deployed = new ResolvedTemplate('', { auditBucket: 'second', auditBucketAccount: '210987654321', auditBucketKeyArn: key })
    const resourcePolicy = { ...LEFT_TO_ROLES, Statement: [{ ...LEFT_TO_ROLES.Statement[0], Principal: { AWS: '*' } }] }
    const uses = async (role: string, action: string, resource = key): Promise<boolean> =>
      (await simulate(
        { action: `kms:${action}`, resource, context: viaS3, owner: '210987654321' },
        { principal: sessionOf(role), policies: deployed.policiesOf(role), resourcePolicy },
      )) === 'Allowed'
    for (const [role, seals] of [
      ['NotaryRole', true],
      ['TablesRole', false],
      ['DeliveryRole', false],
      ['AuditReaderRole', false],
    ] as const) {
      expect([role, await uses(role, 'Decrypt'), await uses(role, 'GenerateDataKey')]).toEqual([role, true, seals])
      expect(await uses(role, 'Decrypt', key.replace('/log', '/other'))).toBe(false)
    }
    expect(await uses('GraphqlRole', 'Decrypt')).toBe(false)
    expect(await uses('AuditRole', 'Decrypt')).toBe(false)
  })
})

describe('P7: the key of segments and tables', () => {
  it('P7: is used by notary, tables, delivery and readers only, through S3 and for the three buckets', () => {
    const { Statement } = template.propertiesOf('AuditDataKey')['KeyPolicy'] as { Statement: Record<string, unknown>[] }
    const uses = Statement.filter(({ Action }) =>
      /Decrypt|Encrypt|GenerateDataKey|Sign|CreateGrant|kms:\*/.test(JSON.stringify(Action)),
    )
    expect(uses).toEqual([
      {
        Sid: 'UseThroughS3',
        Effect: 'Allow',
        Principal: { AWS: ['NotaryRole', 'TablesRole', 'AuditReaderRole'].map((id) => template.arnOf(id)) },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
        Condition: {
          StringEquals: { 'kms:CallerAccount': ACCOUNT, ...viaS3, 'kms:EncryptionContext:aws:s3:arn': [log, tables, results] },
        },
      },
      {
        Sid: 'OpenLogThroughS3',
        Effect: 'Allow',
        Principal: { AWS: template.arnOf('DeliveryRole') },
        Action: 'kms:Decrypt',
        Resource: '*',
        Condition: { StringEquals: { 'kms:CallerAccount': ACCOUNT, ...viaS3, 'kms:EncryptionContext:aws:s3:arn': log } },
      },
    ])
  })

  it('P7: is the default of the three buckets, with a key of the bucket, which its condition is about', () => {
    for (const id of ['AuditBucket', 'AuditTablesBucket', 'AuditResultsBucket'])
      expect(template.propertiesOf(id)['BucketEncryption']).toEqual({
        ServerSideEncryptionConfiguration: [
          {
            BucketKeyEnabled: true,
            ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: template.arnOf('AuditDataKey') },
          },
        ],
      })
  })

  it('P7: opens and seals objects for notary and tables, and nothing else', async () => {
    const key = template.arnOf('AuditDataKey')
    for (const role of ['NotaryRole', 'TablesRole']) {
      const policies = { principal: sessionOf(role), policies: template.policiesOf(role) }
      const given = ['Decrypt', 'GenerateDataKey'].map((use) => ({ action: `kms:${use}`, resource: key, context: viaS3 }))
      expect(await answersTo(given, policies)).toEqual(allAnswer(true, given))
      const others = [
        ...given.map(({ action, resource }) => ({ action, resource })),
        ...['TenantKey', 'KeysTableKey', 'RecordsTableKey'].map((id) => ({
          action: 'kms:Decrypt',
          resource: template.arnOf(id),
          context: viaS3,
        })),
      ]
      expect(await answersTo(others, policies)).toEqual(allAnswer(false, others))
    }
  })
})

describe('C28: the role that delivers to a SIEM', () => {
  const stream = `arn:aws:firehose:${REGION}:${ACCOUNT}:deliverystream/audit`
  // the parameters are those of a deployment from the fragments
  const deployed = new ResolvedTemplate('', { siem: '[{}]', siemStreamArns: stream })
  const role = (policies = deployed.policiesOf('DeliveryRole')): SimulatedPolicies => ({
    principal: deployed.arnOf('DeliveryRole'),
    policies,
  })
  const own = ['AuditBucket', 'SiemPositionsBucket', 'AuditDataKey', 'SiemDigestKey'].map((id) => deployed.arnOf(id))
  const [bucket, positions, dataKey, digestKey] = own as [string, string, string, string]
  const mac = { 'kms:MacAlgorithm': 'HMAC_SHA_256' }
  const given: SimulatedRequest[] = [
    object('GetObject', bucket, 'riverside/segments/0-5000.ndjson.gz'),
    { action: 's3:ListBucket', resource: bucket },
    object('GetObject', positions, 'riverside/soc.json'),
    object('PutObject', positions, 'riverside/soc.json'),
    { action: 's3:ListBucket', resource: positions },
    { action: 'firehose:PutRecordBatch', resource: stream },
    { action: 'kms:Decrypt', resource: dataKey, context: viaS3 },
    { action: 'kms:GenerateMac', resource: digestKey, context: mac },
  ]

  it('C28: reads the sealed log, keeps positions, sends to the named streams and derives digest keys', async () => {
    expect(await answersTo(given, role())).toEqual(allAnswer(true, given))
  })

  it('C28: may do nothing else: no table, other key, other bucket, other stream or change of the log', async () => {
    const requests: SimulatedRequest[] = [
      ...allTables.flatMap((id) =>
        [...READS, ...WRITES].map((action) => keyed(action, template.arnOf(id), ['riverside#patient-1'])),
      ),
      ...[...allKeys, 'SiemDigestKey'].flatMap((id) =>
        KEY_USES.flatMap((use) => [{}, viaS3].map((context) => ({ action: `kms:${use}`, resource: deployed.arnOf(id), context }))),
      ),
      ...allKeys
        .filter((id) => id !== 'SiemDigestKey')
        .map((id) => ({ action: 'kms:GenerateMac', resource: template.arnOf(id), context: mac })),
      ...['PutObject', 'DeleteObject', 'DeleteObjectVersion', 'PutObjectRetention'].map((action) =>
        object(action, bucket, 'riverside/checkpoint'),
      ),
      object('DeleteObject', positions, 'riverside/soc.json'),
      ...[tables, results].flatMap((one) =>
        ['GetObject', 'PutObject'].map((action) => object(action, one, 'riverside/manifest.json')),
      ),
      { action: 'firehose:PutRecordBatch', resource: `${stream}-2` },
      { action: 'firehose:PutRecord', resource: stream },
      { action: 'firehose:DescribeDeliveryStream', resource: stream },
      { action: 'sts:AssumeRole', resource: template.arnOf('AuditReaderRole') },
    ]
    const isGiven = (one: SimulatedRequest): boolean => given.some((other) => JSON.stringify(other) === JSON.stringify(one))
    const refused = requests.filter((one) => !isGiven(one))
    expect(await answersTo(refused, role())).toEqual(allAnswer(false, refused))
  })

  it('C28: is denied records and keys of tenants, whatever another policy allows', async () => {
    const everything = {
      name: 'everything',
      policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
    }
    for (const request of [
      { action: 'kms:Decrypt', resource: template.arnOf('TenantKey') },
      keyed('GetItem', template.arnOf('RecordsTable'), ['x']),
      keyed('GetItem', template.arnOf('KeysTable'), ['x']),
      object('PutObject', bucket, 'riverside/checkpoint'),
    ])
      expect(await simulate(request, role([...deployed.policiesOf('DeliveryRole'), everything]))).toBe('ExplicitlyDenied')
  })

  it('C28: may do nothing at all in a deployment without a receiver', async () => {
    expect(new ResolvedTemplate('').policiesOf('DeliveryRole')).toEqual([])
    const requests = given.filter(({ action }) => !action.startsWith('kms:'))
    expect(await answersTo(requests, role([]))).toEqual(allAnswer(false, requests))
  })
})
