import { readFileSync } from 'node:fs'
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb'
import { parseDocument, type Tags } from 'yaml'
import { z } from 'zod'

// CloudFormation to DynamoDB: `infra/tables.yml` as a local engine understands it.

/** The tables of one stage, by what they hold. */
export interface TableNames {
  readonly records: string
  readonly history: string
  readonly access: string
  readonly breakGlass: string
  readonly keys: string
  readonly sessions: string
  readonly audit: string
  readonly budgets: string
  readonly security: string
  readonly search: string
}

const keySchema = z.array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }))

// strict: a property that this file does not know would silently make the local tables differ from the deployed ones
const table = z.strictObject({
  Type: z.literal('AWS::DynamoDB::Table'),
  DeletionPolicy: z.literal('Retain'),
  UpdateReplacePolicy: z.literal('Retain'),
  Properties: z.strictObject({
    TableName: z.string(),
    BillingMode: z.literal('PAY_PER_REQUEST'),
    AttributeDefinitions: z.array(z.strictObject({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) })),
    KeySchema: keySchema,
    GlobalSecondaryIndexes: z
      .array(
        z.strictObject({
          IndexName: z.string(),
          KeySchema: keySchema,
          Projection: z.strictObject({ ProjectionType: z.enum(['KEYS_ONLY', 'ALL']) }),
        }),
      )
      .optional(),
    // protection that a local engine does not know, or that would keep `--fresh` from starting anew
    DeletionProtectionEnabled: z.literal(true),
    PointInTimeRecoverySpecification: z.strictObject({ PointInTimeRecoveryEnabled: z.literal(true) }),
    SSESpecification: z.strictObject({ SSEEnabled: z.literal(true), SSEType: z.literal('KMS'), KMSMasterKeyId: z.unknown() }),
    // on one machine items stay: whoever reads one asks how old it is
    TimeToLiveSpecification: z.strictObject({ AttributeName: z.literal('expires'), Enabled: z.literal(true) }).optional(),
  }),
})

const template = z.strictObject({
  Resources: z.strictObject({
    RecordsTable: table,
    HistoryTable: table,
    AccessTable: table,
    BreakGlassTable: table,
    KeysTable: table,
    SessionsTable: table,
    AuditTable: table,
    BudgetsTable: table,
    SecurityTable: table,
    SearchTable: table,
  }),
})

type Template = z.infer<typeof template>['Resources']
type TableDefinition = CreateTableCommandInput & { readonly TableName: string }

/** The short forms of CloudFormation's intrinsic functions, kept as data: `!GetAtt Key.Arn` is `{ 'Fn::GetAtt': 'Key.Arn' }`. */
const CLOUDFORMATION_TAGS: Tags = ['Ref', 'GetAtt', 'Sub', 'Join', 'Select', 'Split', 'If', 'Equals', 'ImportValue'].flatMap(
  (name) => {
    const key = name === 'Ref' ? 'Ref' : `Fn::${name}`
    return [
      { tag: `!${name}`, resolve: (text: string) => ({ [key]: text }) },
      { tag: `!${name}`, collection: 'seq' as const, resolve: (items: { toJSON(): unknown }) => ({ [key]: items.toJSON() }) },
    ]
  },
)

/**
 * Reads a CloudFormation fragment as plain data.
 *
 * @throws Error when the text has a fault or a warning: an unknown tag would be read as a plain value.
 */
export function readFragment(file: URL): unknown {
  const document = parseDocument(readFileSync(file, 'utf8'), { customTags: CLOUDFORMATION_TAGS, merge: true })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault) throw new Error(`${file.pathname.split('/').at(-1) ?? ''} cannot be read.`, { cause: fault })
  return document.toJS()
}

/** What `infra/tables.yml` says, for one stage, in the words of DynamoDB's own API. */
export function tableDefinitions(stage: string): Readonly<Record<keyof TableNames, TableDefinition>> {
  const resources = template.parse(readFragment(new URL('../tables.yml', import.meta.url))).Resources
  return {
    records: definition(resources.RecordsTable, stage),
    history: definition(resources.HistoryTable, stage),
    access: definition(resources.AccessTable, stage),
    breakGlass: definition(resources.BreakGlassTable, stage),
    keys: definition(resources.KeysTable, stage),
    sessions: definition(resources.SessionsTable, stage),
    audit: definition(resources.AuditTable, stage),
    budgets: definition(resources.BudgetsTable, stage),
    security: definition(resources.SecurityTable, stage),
    search: definition(resources.SearchTable, stage),
  }
}

function definition({ Properties: table }: Template[keyof Template], stage: string): TableDefinition {
  const name = table.TableName.replaceAll('${sls:stage}', stage)
  if (name.includes('$')) throw new Error('infra/tables.yml names a table with an unknown variable.')
  return {
    TableName: name,
    BillingMode: table.BillingMode,
    AttributeDefinitions: table.AttributeDefinitions,
    KeySchema: table.KeySchema,
    ...(table.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: table.GlobalSecondaryIndexes }),
  }
}

/**
 * Creates the tables of a stage where they do not exist yet, on any engine.
 *
 * @param stage part of every table's name; tests that share an engine take one stage each
 * @throws Error when a table of that name has other keys or indexes: data of an older definition
 */
export async function createTables(client: DynamoDBClient, stage: string): Promise<TableNames> {
  const tables = tableDefinitions(stage)
  await Promise.all(Object.values(tables).map((table) => createTable(client, table)))
  return namesOf(tables)
}

/** Deletes the tables of a stage with all they hold. Only what runs on one machine calls this. */
export async function dropTables(client: DynamoDBClient, stage: string): Promise<void> {
  await Promise.all(
    Object.values(tableDefinitions(stage)).map(async ({ TableName }) => {
      try {
        await client.send(new DeleteTableCommand({ TableName }))
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error
      }
    }),
  )
}

const namesOf = (tables: Readonly<Record<keyof TableNames, TableDefinition>>): TableNames => ({
  records: tables.records.TableName,
  history: tables.history.TableName,
  access: tables.access.TableName,
  breakGlass: tables.breakGlass.TableName,
  keys: tables.keys.TableName,
  sessions: tables.sessions.TableName,
  audit: tables.audit.TableName,
  budgets: tables.budgets.TableName,
  security: tables.security.TableName,
  search: tables.search.TableName,
})

async function createTable(client: DynamoDBClient, table: TableDefinition): Promise<void> {
  try {
    await client.send(new CreateTableCommand(table))
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error
    const { Table: existing } = await client.send(new DescribeTableCommand({ TableName: table.TableName }))
    if (shape(existing) !== shape(table)) {
      throw new Error('The local tables are of an older definition. Forget them with: npm start -- --fresh')
    }
  }
}

interface Shape {
  readonly KeySchema?: TableDefinition['KeySchema'] | undefined
  readonly GlobalSecondaryIndexes?:
    | readonly { readonly IndexName?: string | undefined; readonly KeySchema?: TableDefinition['KeySchema'] | undefined }[]
    | undefined
}

/** Keys and indexes in a form that compares, whatever order an engine gives them in. */
function shape(table: Shape | undefined): string {
  const keys = (schema: Shape['KeySchema']): string =>
    (schema ?? []).map((key) => `${key.KeyType ?? ''} ${key.AttributeName ?? ''}`).join()
  const indexes = (table?.GlobalSecondaryIndexes ?? []).map((index) => `${index.IndexName ?? ''}: ${keys(index.KeySchema)}`)
  return [keys(table?.KeySchema), ...indexes.sort()].join('\n')
}
