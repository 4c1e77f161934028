import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { automaticQueryKey, clientKey, clientListKey, operationKey } from '../../gateway/store/operation-keys.ts'
import { RecipientTable } from '../../gateway/store/recipients.ts'
import { METRICS, NAMESPACE } from '../../gateway/telemetry/operator-metrics.ts'
import { ITEM_COLUMNS, RECORD_COLUMNS } from '../../gateway/oversight/tables/columns.ts'
import { RIVERSIDE } from '../gateway/asking.ts'
import { serveAudit } from '../../infra/local/audit-endpoint.ts'
import { readFragment } from '../../infra/local/tables.ts'
import { ResolvedTemplate } from './resolved-template.ts'

const many = <T extends z.ZodType>(one: T) => z.union([one.transform((item) => [item]), z.array(one)])
const statement = z.object({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: many(z.string()),
  // a denial can name what it does not deny
  Resource: many(z.unknown()).default([]),
  NotResource: many(z.unknown()).optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
})
const resources = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Condition: z.string().optional(), Properties: z.record(z.string(), z.unknown()) }),
  ),
})
const policy = z.object({ PolicyDocument: z.object({ Statement: z.array(statement) }) })
const keyPolicy = z.object({ KeyPolicy: z.object({ Statement: z.array(statement.omit({ Resource: true })) }) })

const fragment = (name: string) => resources.parse(readFragment(new URL(`../../infra/${name}`, import.meta.url))).Resources
// CI passes the packaged template; elsewhere the test reads the fragments
const packaged = process.env['PHI_PACKAGED']
const source =
  packaged === undefined
    ? {
        ...fragment('functions.yml'),
        ...fragment('keys.yml'),
        ...fragment('tables.yml'),
        ...fragment('alarms.yml'),
        ...fragment('record-scrub.yml'),
        ...fragment('audit-objects.yml'),
        ...fragment('audit-tables.yml'),
        ...fragment('audit-api.yml'),
        ...fragment('siem.yml'),
      }
    : template(packaged)

function template(file: string) {
  return resources.parse(JSON.parse(readFileSync(file, 'utf8'))).Resources
}

const statementsOf = (id: string) => policy.parse(source[id]?.Properties).PolicyDocument.Statement
const statements = ['GraphqlPolicy', 'GraphqlChangesPolicy'].flatMap(statementsOf)
/** Finds `AuditTable` in any form of reference. */
const names = (resource: unknown, id: string): boolean => new RegExp(`"${id}[".]|\\{${id}\\.`).test(JSON.stringify(resource))
const on = (id: string) => statements.filter((one) => one.Resource.some((resource) => names(resource, id)))
const allowed = (id: string): string[] =>
  on(id)
    .filter((one) => one.Effect === 'Allow')
    .flatMap((one) => one.Action)

describe('P7: the role of the GraphQL function can append to the audit, and nothing else', () => {
  it('only by a put within a transaction', () => {
    expect(allowed('AuditTable')).toEqual(['dynamodb:PutItem'])
    const [append] = on('AuditTable').filter((one) => one.Effect === 'Allow')
    expect(append?.Condition).toEqual({ StringEquals: { 'dynamodb:EnclosingOperation': 'TransactWriteItems' } })
  })

  it('every action that changes or removes an item is denied, even if another statement allows it', () => {
    const denied = on('AuditTable').filter((one) => one.Effect === 'Deny')
    const always = denied.filter((one) => Object.keys(one.Condition).length === 0).flatMap((one) => one.Action)
    expect(always).toEqual(
      expect.arrayContaining(
        ['UpdateItem', 'DeleteItem', 'BatchWriteItem', 'PartiQLInsert', 'PartiQLUpdate', 'PartiQLDelete', 'DeleteTable'].map(
          (action) => `dynamodb:${action}`,
        ),
      ),
    )
    expect(denied).toContainEqual(
      expect.objectContaining({
        Action: ['dynamodb:PutItem'],
        Condition: { StringNotEquals: { 'dynamodb:EnclosingOperation': 'TransactWriteItems' } },
      }),
    )
  })
})

describe('the role of the GraphQL function has the least privileges', () => {
  it('reads records, memberships, keys and sessions', () => {
    const reads = ['dynamodb:GetItem', 'dynamodb:BatchGetItem']
    expect(allowed('RecordsTable')).toEqual(expect.arrayContaining([...reads, 'dynamodb:Query']))
    expect(allowed('AccessTable')).toEqual(expect.arrayContaining([...reads, 'dynamodb:Query']))
    expect(allowed('KeysTable')).toEqual(expect.arrayContaining(reads))
    expect(allowed('SessionsTable')).toEqual(['dynamodb:BatchGetItem', 'dynamodb:UpdateItem'])
  })

  it.each([
    ['RecordsTable', ['PutItem', 'UpdateItem', 'DeleteItem']],
    ['HistoryTable', ['PutItem']],
    ['AccessTable', ['PutItem']],
    ['IdempotencyTable', ['PutItem']],
    ['SearchTable', ['PutItem', 'DeleteItem']],
    ['ComparisonsTable', ['PutItem', 'DeleteItem']],
    ['KeysTable', ['PutItem', 'UpdateItem']],
  ])('P2: changes the %s only in a transaction, with the audit', (table, actions) => {
    const isWrite = (action: string): boolean => /(?:Put|Update|Delete|Write|PartiQL)/.test(action)
    const enclosed = { 'dynamodb:EnclosingOperation': 'TransactWriteItems' }
    const writing = on(table).filter(({ Action }) => Action.some(isWrite))
    const permitted = writing.filter(({ Effect }) => Effect === 'Allow')
    expect(permitted.flatMap(({ Action }) => Action)).toEqual(actions.map((action) => `dynamodb:${action}`))
    for (const { Condition } of permitted) expect(Condition).toMatchObject({ StringEquals: enclosed })
    expect(writing.filter(({ Effect }) => Effect === 'Deny')).toEqual([
      expect.objectContaining({
        Action: ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
        Condition: { StringNotEquals: enclosed },
      }),
    ])
  })

  it('C14: adds and destroys keys of patients, and writes no key of a tenant', () => {
    const [put] = on('KeysTable').filter(({ Action, Effect }) => Effect === 'Allow' && Action.includes('dynamodb:PutItem'))
    expect(put?.Condition).toMatchObject({
      Null: { 'dynamodb:LeadingKeys': 'false' },
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['*#*'] },
    })
  })

  it('P2: writes break-glass grants only in transactions', () => {
    expect(allowed('BreakGlassTable')).toEqual([
      'dynamodb:BatchGetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:DeleteItem',
    ])
    const enclosed = { 'dynamodb:EnclosingOperation': 'TransactWriteItems' }
    expect(on('BreakGlassTable').filter(({ Action }) => Action.includes('dynamodb:PutItem'))).toEqual([
      expect.objectContaining({ Effect: 'Allow', Condition: { StringEquals: enclosed } }),
      expect.objectContaining({ Effect: 'Deny', Condition: { StringNotEquals: enclosed } }),
    ])
  })

  it('counts budgets, and cannot read, reset or remove them', () => {
    expect(allowed('BudgetsTable')).toEqual(['dynamodb:UpdateItem'])
  })

  it('counts failed authentications, and cannot read or reset the counts', () => {
    expect(allowed('SecurityTable')).toEqual(['dynamodb:UpdateItem'])
    expect(source['SecurityTable']).toMatchObject({
      Properties: { TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true } },
    })
  })

  it('P11: queries the search table by one value at a time, and cannot list it', () => {
    expect(allowed('SearchTable')).toEqual(['dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:DeleteItem'])
  })

  it('reads names of the workforce by user, and neither lists the workforce nor reads comparison tokens of patients', () => {
    // the package writes `Fn::GetAtt` as a list
    const arn = (id: string) => (packaged === undefined ? `${id}.Arn` : [id, 'Arn'])
    expect(statementsOf('GraphqlWorkforcePolicy').map(({ Effect, Action, Resource }) => ({ Effect, Action, Resource }))).toEqual([
      { Effect: 'Allow', Action: ['dynamodb:BatchGetItem'], Resource: [{ 'Fn::GetAtt': arn('WorkforceTable') }] },
      { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: [{ 'Fn::GetAtt': arn('WorkforceTableKey') }] },
    ])
    expect(on('WorkforceTable')).toEqual([])
    expect(allowed('ComparisonsTable')).toEqual(['dynamodb:PutItem', 'dynamodb:DeleteItem'])
  })

  it('P10: writes the registry only in transactions, and outside of them only automatic queries', () => {
    expect(allowed('OperationsTable')).toEqual([
      'dynamodb:GetItem',
      'dynamodb:BatchGetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
    ])
    const enclosed = { 'dynamodb:EnclosingOperation': 'TransactWriteItems' }
    const automatic = { 'dynamodb:LeadingKeys': ['*#APQ#*'] }
    const writing = (action: string) => on('OperationsTable').filter(({ Action }) => Action.includes(action))
    expect(writing('dynamodb:PutItem')).toEqual([
      expect.objectContaining({ Effect: 'Allow', Condition: { StringEquals: enclosed } }),
      expect.objectContaining({ Effect: 'Deny', Condition: { StringNotEquals: enclosed } }),
    ])
    expect(writing('dynamodb:UpdateItem')).toEqual([
      expect.objectContaining({
        Effect: 'Allow',
        Condition: { Null: { 'dynamodb:LeadingKeys': 'false' }, 'ForAllValues:StringLike': automatic },
      }),
      expect.objectContaining({ Effect: 'Deny', Condition: { 'ForAnyValue:StringNotLike': automatic } }),
    ])
    // the pattern matches the partition of automatic queries, and none of the registry
    const pattern = /#APQ#/
    const [tenant, client] = [RIVERSIDE, 'a#APQ#client']
    expect(automaticQueryKey(tenant, client, 'hash').pk).toMatch(pattern)
    for (const { pk } of [clientKey(tenant, client), operationKey(tenant, client, '#APQ#'), clientListKey(tenant, client)])
      expect(pk).not.toMatch(pattern)
    expect(source['OperationsTable']).toMatchObject({
      Properties: { TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true } },
    })
  })

  it('C20: adds the recipients of contracts in transactions, and neither reads nor writes anything else of the accountings', () => {
    expect(on('DisclosuresTable')).toEqual([
      expect.objectContaining({
        Effect: 'Allow',
        Action: ['dynamodb:PutItem'],
        Condition: {
          StringEquals: { 'dynamodb:EnclosingOperation': 'TransactWriteItems' },
          Null: { 'dynamodb:LeadingKeys': 'false' },
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['*##RECIPIENTS'] },
        },
      }),
    ])
    const { Put: put } = new RecipientTable(undefined as never, 'disclosures').put(RIVERSIDE, 'digest', 'text')
    expect(put?.Item?.['pk']?.S).toMatch(/##RECIPIENTS$/)
    expect(source['DisclosuresTable']?.Properties).not.toHaveProperty('TimeToLiveSpecification')
  })

  it('has no wildcard in an action or a resource', () => {
    for (const one of statements.filter(({ Effect }) => Effect === 'Allow')) {
      expect(one.Action.join()).not.toContain('*')
      expect(one.Resource).not.toContain('*')
    }
  })

  it('P6: opens tenant keys only under the context of their use, by the policies of role and key', () => {
    const condition = {
      StringEquals: { 'kms:EncryptionContext:use': 'tenant-key' },
      Null: { 'kms:EncryptionContext:tenant': 'false' },
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['tenant', 'use', 'version'] },
    }
    const seal = {
      StringEquals: { 'kms:EncryptionContext:use': 'issuer-keys' },
      Null: { 'kms:EncryptionContext:issuer': 'false' },
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['use', 'issuer'] },
    }
    const [opens, seals] = [
      { Action: ['kms:Decrypt'], Condition: condition },
      { Action: ['kms:Encrypt', 'kms:Decrypt'], Condition: seal },
    ]
    expect(on('TenantKey')).toEqual([
      expect.objectContaining({ Effect: 'Allow', ...opens }),
      expect.objectContaining({ Effect: 'Allow', ...seals }),
    ])
    const uses = keyPolicy
      .parse(source['TenantKey']?.Properties)
      .KeyPolicy.Statement.filter((one) => one.Action.some((action) => /kms:(?:\*|.*crypt|Generate)/.test(action)))
    expect(uses).toEqual([
      expect.objectContaining({ Sid: 'OpenTenantKeys', ...opens }),
      expect.objectContaining({ Sid: 'SealIssuerKeys', ...seals }),
    ])
  })

  it("P6: opens tenants' own keys under the same conditions, only the named ones, and none by default", () => {
    const own = source['GraphqlTenantsOwnKeysPolicy']
    expect(own?.Condition).toBe('HasTenantsOwnKeys')
    const [shared] = on('TenantKey')
    const [only, ...others] = policy.parse(own?.Properties).PolicyDocument.Statement
    expect(others).toEqual([])
    expect(only).toMatchObject({ Effect: 'Allow', Action: ['kms:Decrypt'], Condition: shared?.Condition })
    expect(JSON.stringify(only?.Resource)).toMatch(/^\[\{"Fn::Split":\[",",[^*]*\]\}\]$/)
  })

  it('uses the keys of the tables only through DynamoDB', () => {
    for (const id of ['RecordsTableKey', 'KeysTableKey', 'AuditTableKey', 'DisclosuresTableKey']) {
      expect(on(id)).toHaveLength(1)
      expect(on(id)[0]?.Action).toEqual(['kms:Decrypt'])
      expect(JSON.stringify(on(id)[0]?.Condition)).toContain('kms:ViaService')
    }
  })
})

describe('P6: the role of the scrub', () => {
  const scrub = statementsOf('ScrubPolicy')
  const allows = scrub.filter(({ Effect }) => Effect === 'Allow')

  it('P6: reads records, keys, access manifests and the audit log, and no other table', () => {
    const tables = allows.filter(({ Action }) => Action.some((action) => action.startsWith('dynamodb:')))
    expect(tables.map(({ Sid, Action }) => [Sid, ...Action])).toEqual([
      ['ReadRecords', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
      ['ReadWrappedKeys', 'dynamodb:BatchGetItem', 'dynamodb:Scan'],
      ['ReadAccess', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
      ['ReadAudit', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
    ])
    const others = Object.keys(source).filter(
      (id) => /Table$/.test(id) && !['RecordsTable', 'KeysTable', 'AccessTable', 'AuditTable'].includes(id),
    )
    for (const id of others) expect(scrub.some(({ Resource }) => Resource.some((one) => names(one, id)))).toBe(false)
  })

  it('P6: opens tenant keys under the same conditions as the function for clients', () => {
    const [opens] = on('TenantKey')
    const [only, ...more] = allows.filter(({ Resource }) => Resource.some((one) => names(one, 'TenantKey')))
    expect(more).toEqual([])
    expect(only).toMatchObject({ Action: ['kms:Decrypt'], Condition: opens?.Condition })
    const own = source['ScrubTenantsOwnKeysPolicy']
    expect(own?.Condition).toBe('HasTenantsOwnKeys')
    expect(policy.parse(own?.Properties).PolicyDocument.Statement).toEqual(statementsOf('GraphqlTenantsOwnKeysPolicy'))
  })

  it('P6: is denied every write, whatever another policy allows', () => {
    const denied = scrub.filter(({ Effect }) => Effect === 'Deny')
    expect(denied).toMatchObject([{ Resource: ['*'], Condition: {} }])
    expect(denied.flatMap(({ Action }) => Action)).toEqual(
      expect.arrayContaining(['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:BatchWriteItem']),
    )
  })
})

describe('P7: the role of the notary', () => {
  const notary = statementsOf('NotaryPolicy')
  const of = (id: string, effect: 'Allow' | 'Deny') =>
    notary
      .filter((one) => one.Effect === effect && one.Resource.some((resource) => names(resource, id)))
      .flatMap((one) => one.Action)

  it('P7: reads audit items, writes heads and objects, and signs', () => {
    expect(of('AuditTable', 'Allow')).toEqual(['dynamodb:Query'])
    expect(of('CheckpointsTable', 'Allow')).toEqual(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'])
    expect(of('LogKeyEd25519', 'Allow')).toEqual(['kms:Sign', 'kms:GetPublicKey'])
    expect(of('LogKeyMlDsa44', 'Allow')).toEqual(['kms:Sign', 'kms:GetPublicKey'])
    expect(of('AuditBucket', 'Allow')).toEqual(['s3:PutObject', 's3:GetObject', 's3:ListBucket'])
  })

  it('P7: cannot write audit items, nor read records, memberships or keys', () => {
    expect(of('AuditTable', 'Deny')).toEqual(
      expect.arrayContaining(['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:BatchWriteItem']),
    )
    const others = Object.keys(source).filter((id) => /Table$/.test(id) && !['AuditTable', 'CheckpointsTable'].includes(id))
    expect(others.length).toBeGreaterThan(7)
    for (const id of [...others, 'TenantKey', 'RecordsTableKey', 'KeysTableKey'])
      expect(JSON.stringify(notary)).not.toMatch(new RegExp(`"${id}[".]|\\{${id}\\.`))
    const actions = notary.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action)
    expect(actions.filter((action) => action.includes('*') || /Delete|Retention|LegalHold|Version/.test(action))).toEqual([])
  })

  it('C30: only the function that answers GraphQL signs records, with a key of its own', () => {
    expect(allowed('SignatureKey')).toEqual(['kms:Sign', 'kms:GetPublicKey'])
    const signs = Object.entries(source).filter(
      ([, { Type, Properties }]) => Type === 'AWS::IAM::ManagedPolicy' && JSON.stringify(Properties).includes('SignatureKey'),
    )
    expect(signs.map(([id]) => id)).toEqual(['GraphqlChangesPolicy'])
    const uses = keyPolicy
      .parse(source['SignatureKey']?.Properties)
      .KeyPolicy.Statement.filter(({ Action }) => Action.includes('kms:Sign'))
    expect(uses).toEqual([expect.objectContaining({ Sid: 'SignRecords', Action: ['kms:Sign', 'kms:GetPublicKey'] })])
    expect(JSON.stringify(source['SignatureKey'])).toContain('GraphqlRole')
  })

  it('P7: no other role signs, writes to the bucket or writes heads, except the names of new tenants', () => {
    for (const id of ['GraphqlPolicy', 'AuditChangesPolicy'])
      expect(
        statementsOf(id)
          .flatMap(({ Action }) => Action)
          .filter((action) => /^s3:|kms:Sign/.test(action)),
      ).toEqual([])
    expect(JSON.stringify(statements)).not.toContain('CheckpointsTable')
    const [put, ...others] = statementsOf('AuditChangesPolicy').filter(({ Resource }) =>
      Resource.some((resource) => names(resource, 'CheckpointsTable')),
    )
    expect(others).toEqual([])
    expect(put).toMatchObject({
      Action: ['dynamodb:PutItem'],
      Condition: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['TENANTS'] } },
    })
    for (const id of ['LogKeyEd25519', 'LogKeyMlDsa44']) {
      const uses = keyPolicy.parse(source[id]?.Properties).KeyPolicy.Statement.filter(({ Action }) => Action.includes('kms:Sign'))
      expect(uses).toEqual([expect.objectContaining({ Sid: 'SignCheckpoints', Action: ['kms:Sign', 'kms:GetPublicKey'] })])
    }
  })
})

describe('P7: the role of the function that writes tables', () => {
  const tables = statementsOf('TablesPolicy')
  const allows = tables.filter(({ Effect }) => Effect === 'Allow')
  const of = (id: string) =>
    allows.filter((one) => one.Resource.some((resource) => names(resource, id))).flatMap((one) => one.Action)

  it('P7: reads the sealed log, and writes to its own bucket', () => {
    expect(of('AuditBucket')).toEqual(['s3:GetObject', 's3:ListBucket'])
    expect(of('AuditTablesBucket')).toEqual(['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:ListBucket'])
  })

  it('P7: has no right over tables, other keys or the log, whatever another policy allows', () => {
    expect(allows.flatMap(({ Action }) => Action).filter((action) => !/^(?:s3|logs|kms):/.test(action))).toEqual([])
    expect(of('AuditDataKey')).toEqual(['kms:Decrypt', 'kms:GenerateDataKey'])
    expect(allows.filter(({ Action }) => Action.join().includes('kms:'))).toHaveLength(1)
    const denied = tables.filter(({ Effect, Condition }) => Effect === 'Deny' && Object.keys(Condition).length === 0)
    expect(denied).toContainEqual(expect.objectContaining({ Action: ['dynamodb:*'], Resource: ['*'] }))
    const keys = denied.filter(({ Action }) => Action.includes('kms:*'))
    expect(keys.map(({ NotResource = [] }) => NotResource.filter((one) => !names(one, 'AuditDataKey')))).toEqual([[]])
    const kept = denied.filter((one) => one.Resource.some((resource) => names(resource, 'AuditBucket')))
    expect(kept.flatMap(({ Action }) => Action)).toEqual(
      expect.arrayContaining(['s3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion', 's3:PutObjectRetention']),
    )
  })

  it('P7: no other role reads or writes its bucket, except that of readers', () => {
    const others = Object.keys(source).filter((id) => /Policy$/.test(id) && source[id]?.Type === 'AWS::IAM::ManagedPolicy')
    expect(others.length).toBeGreaterThan(3)
    for (const id of others.filter((one) => one !== 'TablesPolicy' && one !== 'AuditReaderPolicy'))
      expect(JSON.stringify(source[id])).not.toContain('AuditTablesBucket')
  })

  it('has a bucket that nobody outside of the account can read, without Object Lock', () => {
    expect(source['AuditTablesBucket']).toMatchObject({
      Properties: {
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true },
      },
    })
    expect(JSON.stringify(source['AuditTablesBucket'])).not.toMatch(/ObjectLock|Versioning/)
  })
})

describe('P7: the bucket of the sealed log', () => {
  it('P7: locks every version in compliance mode for six years, and refuses to hide an object', () => {
    expect(source['AuditBucket']).toMatchObject({
      Properties: {
        ObjectLockEnabled: true,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'COMPLIANCE' } } },
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true },
      },
    })
    expect(JSON.stringify(source['AuditBucket'])).toMatch(/"Days":(?:2192|"2192"|"\$\{param:auditRetentionDays, '2192'\}")/)
    expect(statementsOf('AuditBucketPolicy')).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
      }),
    )
  })

  it('P7: the documented policy of a bucket in a second account gives each role the rights that it uses, and no others', () => {
    const document = readFileSync(new URL('../../docs/notary.md', import.meta.url), 'utf8')
    const [, json = ''] = /```json\n(\{\n {2}"Version"[^]*?)```/.exec(document) ?? []
    const documented = policy.shape.PolicyDocument.extend({
      Statement: z.array(statement.extend({ Principal: z.unknown() })),
    }).parse(JSON.parse(json)).Statement
    for (const [role, id] of [
      ['NOTARY_ROLE_ARN', 'NotaryPolicy'],
      ['TABLES_ROLE_ARN', 'TablesPolicy'],
      ['DELIVERY_ROLE_ARN', 'DeliveryPolicy'],
      ['AUDIT_READER_ROLE_ARN', 'AuditReaderPolicy'],
    ] as const) {
      const given = documented.filter(({ Effect, Principal }) => Effect === 'Allow' && JSON.stringify(Principal).includes(role))
      const used = statementsOf(id).filter(
        ({ Effect, Resource }) => Effect === 'Allow' && Resource.some((resource) => names(resource, 'AuditBucket')),
      )
      expect(given.flatMap(({ Action }) => Action)).toEqual(used.flatMap(({ Action }) => Action))
    }
    const denials = (all: readonly z.infer<typeof statement>[]) =>
      all
        .filter(({ Effect }) => Effect === 'Deny')
        .map(({ Sid, Action }) => `${Sid ?? ''} ${Action.join(' ')}`)
        .toSorted()
    expect(denials(documented)).toEqual(denials(statementsOf('AuditBucketPolicy')))
  })

  it('P7: no table of the log has a time to live', () => {
    for (const id of ['AuditTable', 'CheckpointsTable'])
      expect(source[id]?.Properties).not.toHaveProperty('TimeToLiveSpecification')
  })
})

describe('Athena, over the audit tables', () => {
  it('C28: has a table with the columns of the files, and a partition that a query must name', () => {
    const types = {
      TEXT: 'string',
      TEXTS: 'array<string>',
      NUMBER: 'bigint',
      FLAG: 'boolean',
      INSTANT: 'timestamp',
      JSON: 'string',
    }
    const columns = Object.entries({ ...ITEM_COLUMNS, ...RECORD_COLUMNS })
    expect(source['AuditAccessesTable']?.Properties['TableInput']).toMatchObject({
      Name: 'accesses',
      PartitionKeys: [{ Name: 'tenant_folder', Type: 'string' }],
      Parameters: { 'projection.enabled': 'true', 'projection.tenant_folder.type': 'injected' },
      StorageDescriptor: { Columns: columns.map(([name, kind]) => ({ Name: name.toLowerCase(), Type: types[kind] })) },
    })
    expect(columns.map(([name]) => name)).not.toContain('tenant_folder')
    const template = (source['AuditAccessesTable']?.Properties['TableInput'] as { Parameters: Record<string, unknown> }).Parameters
    expect(template['storage.location.template']).toEqual({ 'Fn::Sub': 's3://${AuditTablesBucket}/${!tenant_folder}/' })
  })

  it('C28: keeps results for a day, in one place and under one key, whatever a query asks for', () => {
    expect(source['AuditWorkGroup']).toMatchObject({
      Properties: {
        WorkGroupConfiguration: {
          EnforceWorkGroupConfiguration: true,
          EngineVersion: { SelectedEngineVersion: 'Athena engine version 3' },
          ResultConfiguration: { EncryptionConfiguration: { EncryptionOption: 'SSE_KMS' } },
        },
      },
    })
    const { BytesScannedCutoffPerQuery: cutoff } = source['AuditWorkGroup']?.Properties['WorkGroupConfiguration'] as Record<
      string,
      unknown
    >
    expect(Number(cutoff)).toBeGreaterThan(10_000_000)
    expect(names(source['AuditWorkGroup'], 'AuditDataKey')).toBe(true)
    expect(source['AuditResultsBucket']).toMatchObject({
      Properties: {
        LifecycleConfiguration: { Rules: [expect.objectContaining({ Status: 'Enabled', ExpirationInDays: 1 })] },
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true },
      },
    })
  })
})

describe('the policies of roles', () => {
  it('fit into the length that IAM accepts', () => {
    const template = new ResolvedTemplate()
    const policies = template.ids.filter((id) => template.typeOf(id) === 'AWS::IAM::ManagedPolicy')
    expect(policies.length).toBeGreaterThan(6)
    // IAM counts no white space. A stage with a longer name needs some more
    for (const id of policies) expect(JSON.stringify(template.propertiesOf(id)['PolicyDocument']).length).toBeLessThan(5_900)
  })

  it.runIf(packaged !== undefined)(
    'C28: only API Gateway and the daily schedule may invoke the function for auditors, each by its own permission',
    () => {
      const permissions = Object.values(source).filter(
        ({ Type, Properties }) =>
          Type === 'AWS::Lambda::Permission' && JSON.stringify(Properties['FunctionName']).includes('"AuditLambdaFunction"'),
      )
      const principals = permissions.map(({ Properties }) => String(Properties['Principal']))
      expect(principals.toSorted()).toEqual(['apigateway.amazonaws.com', 'events.amazonaws.com'])
    },
  )
})

describe('the delivery to a SIEM', () => {
  it('costs nothing in a deployment without a receiver: all of it but an empty role has the condition', () => {
    const own = Object.entries(source).filter(([id]) => /^(?:Delivery|Siem)/.test(id))
    expect(own.length).toBeGreaterThan(8)
    expect(own.filter(([, { Condition }]) => !/^HasSiem(?:Streams)?$/.test(Condition ?? '')).map(([id]) => id)).toEqual([
      'DeliveryRole',
    ])
  })

  it('C28: derives digest keys by its role alone, and the key in KMS does nothing else', () => {
    expect(source['SiemDigestKey']?.Properties).toMatchObject({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
    const uses = keyPolicy
      .parse(source['SiemDigestKey']?.Properties)
      .KeyPolicy.Statement.filter((one) =>
        one.Action.some((action) => /kms:(?:\*|.*Mac|.*crypt|.*Generate|CreateGrant)/.test(action)),
      )
    expect(uses).toEqual([expect.objectContaining({ Sid: 'DeriveDigestKeys', Action: ['kms:GenerateMac'] })])
  })
})

describe('tables are protected against deletion and loss', () => {
  it.each([
    'RecordsTable',
    'HistoryTable',
    'AccessTable',
    'BreakGlassTable',
    'KeysTable',
    'SessionsTable',
    'IdempotencyTable',
    'AuditTable',
    'CheckpointsTable',
    'BudgetsTable',
    'SecurityTable',
    'SearchTable',
    'OperationsTable',
    'DisclosuresTable',
    'ComparisonsTable',
    'WorkforceTable',
  ])('%s', (id) => {
    expect(source[id]).toMatchObject({
      Properties: {
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      },
    })
  })
})

describe('alarms for operators', () => {
  const stage = z.array(z.object({ Name: z.literal('stage'), Value: z.string() })).length(1)
  const metric = z.object({ Namespace: z.literal(NAMESPACE), MetricName: z.string(), Dimensions: stage })
  const alarm = z.object({
    AlarmDescription: z.string().min(80),
    AlarmActions: z.tuple([z.object({ Ref: z.literal('AlarmTopic') })]),
    TreatMissingData: z.enum(['notBreaching', 'breaching']),
    ComparisonOperator: z.literal('GreaterThanThreshold'),
    Threshold: z.number(),
  })
  const several = z.object({
    Metrics: z.array(
      z.object({ Expression: z.string() }).or(z.object({ Id: z.string(), MetricStat: z.object({ Metric: metric }) })),
    ),
  })
  const alarms = Object.entries(source).flatMap(([id, { Type, Properties }]) =>
    Type === 'AWS::CloudWatch::Alarm' ? [[id, Properties] as const] : [],
  )
  const metricsOf = (properties: Readonly<Record<string, unknown>>): string[] =>
    'Metrics' in properties
      ? several.parse(properties).Metrics.flatMap((one) => ('MetricStat' in one ? one.MetricStat.Metric.MetricName : []))
      : [metric.parse(properties).MetricName]

  it.each(alarms)('%s: has instructions, the topic, and only metrics that the code publishes', (_id, properties) => {
    alarm.parse(properties)
    const named = metricsOf(properties)
    expect(named.length).toBeGreaterThan(0)
    for (const name of named) expect(Object.keys(METRICS)).toContain(name)
  })

  it('P7: a notary, a scrub, tables and a delivery without data are a breach, and no other metric is', () => {
    const breaching = alarms.filter(([, { TreatMissingData }]) => TreatMissingData === 'breaching').map(([id]) => id)
    expect(breaching.toSorted()).toEqual(['DeliveryBehindAlarm', 'NotaryLagAlarm', 'ScrubBehindAlarm', 'TablesBehindAlarm'])
    expect(source['NotaryLagAlarm']).toMatchObject({ Properties: { MetricName: 'NotaryLag', Threshold: 120 } })
    expect(source['TablesBehindAlarm']).toMatchObject({
      Properties: { MetricName: 'UntabledItems', Statistic: 'Maximum', DatapointsToAlarm: 15, EvaluationPeriods: 15 },
    })
  })

  it('P7: hours with accesses and without a watch of the stream raise an alarm', () => {
    const { Metrics: metrics } = several.parse(source['AuditUnwatchedAlarm']?.Properties)
    const [{ Expression: rule } = { Expression: '' }] = metrics.flatMap((one) => ('Expression' in one ? [one] : []))
    expect(rule).toBe('IF(FILL(denied, 0) + FILL(resolved, 0) > 0 AND FILL(watched, 0) == 0, 1, 0)')
    const named = metrics.flatMap((one) => ('MetricStat' in one ? [[one.Id, one.MetricStat.Metric.MetricName]] : []))
    expect(named).toEqual([
      ['watched', 'WatchedRecords'],
      ['denied', 'DeniedValues'],
      ['resolved', 'ResolvedValues'],
    ])
  })

  it('P6, P7: fire at the first integrity failure, broken glass, forged or changed item, fork, late item, faulty or fenced lane, unrecorded access, missing key, spent budget, overdue access review, unfinished erasure, due rotation and fault', () => {
    const atOnce = alarms.filter(([, { Threshold }]) => Threshold === 0).flatMap(([, properties]) => metricsOf(properties))
    expect(atOnce.toSorted()).toEqual([
      'AuditChanges',
      'AuditRefusals',
      'BreakGlassGrants',
      'BudgetsExceeded',
      'DueKeyRotations',
      'ForgedAccessItems',
      'IntegrityFailures',
      'InternalFaults',
      'KeyFailures',
      'LaneFaults',
      'LanesFenced',
      'LateItems',
      'LogForks',
      'OverdueAccessReviews',
      'UnfinishedErasures',
      'UnreadAccessReviews',
    ])
  })

  it('fire at a surge of refused credentials, and not at each', () => {
    expect(source['AuthenticationFailuresAlarm']).toMatchObject({
      Properties: { MetricName: 'AuthenticationFailures', Statistic: 'Sum', Period: 300, Threshold: 500 },
    })
  })

  it('fire if denied values exceed disclosed ones, by the metrics of the expression', () => {
    const { Metrics: metrics } = several.parse(source['DenialRateAlarm']?.Properties)
    const [expression] = metrics.flatMap((one) => ('Expression' in one ? one.Expression : []))
    const ids = metrics.flatMap((one) => ('MetricStat' in one ? one.Id : []))
    expect(metricsOf(source['DenialRateAlarm']?.Properties ?? {}).toSorted()).toEqual(['DeniedValues', 'ResolvedValues'])
    expect([...new Set(expression?.match(/[a-z]+/g))].toSorted()).toEqual(ids.toSorted())
  })

  it('use a topic with its own key, which only CloudWatch of this account may publish with', () => {
    expect(source['AlarmTopic']).toMatchObject({ Properties: { KmsMasterKeyId: { Ref: 'AlarmsKey' } } })
    const uses = keyPolicy
      .parse(source['AlarmsKey']?.Properties)
      .KeyPolicy.Statement.filter((one) => one.Action.some((action) => /kms:(?:\*|.*crypt|Generate)/.test(action)))
    expect(uses).toEqual([
      expect.objectContaining({
        Sid: 'PublishAlarms',
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    ])
  })
})

describe('the HTTP API', () => {
  const deployment = z.object({
    functions: z.record(
      z.string(),
      z.object({ environment: z.record(z.string(), z.unknown()), events: z.array(z.record(z.string(), z.unknown())) }),
    ),
  })
  const { functions } = deployment.parse(readFragment(new URL('../../serverless.yml', import.meta.url)))
  /** The routes, with the function of each. */
  const routes = new Map(
    packaged === undefined
      ? Object.entries(functions).flatMap(([name, { events }]) =>
          events.flatMap(({ httpApi }) => (httpApi === undefined ? [] : [[z.string().parse(httpApi), name] as const])),
        )
      : Object.values(source)
          .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
          .map(({ Properties }) => [z.string().parse(Properties['RouteKey']), JSON.stringify(Properties['Target'])] as const),
  )

  it('passes preflights to the function of their path, without an authorizer', () => {
    expect([...routes.keys()].toSorted()).toEqual([
      'GET /graphql',
      'OPTIONS /audit/graphql',
      'OPTIONS /graphql',
      'POST /audit/graphql',
      'POST /graphql',
    ])
    for (const path of ['/graphql', '/audit/graphql']) expect(routes.get(`OPTIONS ${path}`)).toBe(routes.get(`POST ${path}`))
    for (const { Type, Properties } of Object.values(source)) {
      if (Type === 'AWS::ApiGatewayV2::Route') expect(Properties['AuthorizationType'] ?? 'NONE').toBe('NONE')
    }
  })

  it('has no CORS of its own, which would replace the headers of the functions', () => {
    const api = source['HttpApi']?.Properties ?? readFragment(new URL('../../serverless.yml', import.meta.url))
    expect(JSON.stringify(api)).not.toMatch(/CorsConfiguration|"cors":/)
    const settings = ['graphql', 'audit'].map((name) => functions[name]?.environment['PHI_CORS'])
    expect(settings).toEqual(["${param:cors, '{}'}", "${param:cors, '{}'}"])
  })

  it('has the routes of the local API', () => {
    const local = ['start.ts', 'explorer/explorer.ts']
      .map((file) => readFileSync(new URL(`../../infra/local/${file}`, import.meta.url), 'utf8'))
      .join('\n')
    const stack = { lambda: { serve: () => undefined }, env: {} } as unknown as Parameters<typeof serveAudit>[0]
    const audit = serveAudit(stack, () => Promise.resolve())
    const clinical = [...local.matchAll(/'((?:GET|POST|OPTIONS) \/[^']*)':/g)].map(([, key = '']) => key)
    const keys = [...clinical, ...Object.keys(audit)]
    expect(keys.filter((key) => key !== 'GET /health' && !key.includes('/explorer/')).toSorted()).toEqual(
      [...routes.keys()].toSorted(),
    )
  })
})
