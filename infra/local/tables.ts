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
import { type TableNames, tableNames } from './environment.ts'
import { startCommandWith } from './start-command.ts'

// Translates the CloudFormation of `infra/tables.yml` to commands of DynamoDB, for a local engine.

const keySchema = z.array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }))

// strict: an unknown property would make the local tables differ from the deployed ones without notice
const resource = z.strictObject({
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
    StreamSpecification: z.strictObject({ StreamViewType: z.enum(['OLD_IMAGE']) }).optional(),
    // protections that a local engine does not support, or that would block `--fresh`
    DeletionProtectionEnabled: z.literal(true),
    PointInTimeRecoverySpecification: z.strictObject({ PointInTimeRecoveryEnabled: z.literal(true) }),
    SSESpecification: z.strictObject({ SSEEnabled: z.literal(true), SSEType: z.literal('KMS'), KMSMasterKeyId: z.unknown() }),
    // a local engine keeps expired items; readers check the age of an item themselves
    TimeToLiveSpecification: z.strictObject({ AttributeName: z.literal('expires'), Enabled: z.literal(true) }).optional(),
  }),
})

const variables = z.record(z.string(), z.strictObject({ Ref: z.string() }))
const template = z.strictObject({
  Environment: variables,
  OperatorEnvironment: variables,
  Resources: z.record(z.string(), resource),
})

/** The file of the tables, which takes longer to parse than the tables take to create. It is read once. */
let fragment: z.infer<typeof template> | undefined

type TableDefinition = CreateTableCommandInput & { readonly TableName: string }

/** The short forms of CloudFormation's intrinsic functions as data: `!GetAtt Key.Arn` is `{ 'Fn::GetAtt': 'Key.Arn' }`. */
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
 * @throws Error if the text has a fault or a warning: the parser would read an unknown tag as a plain value.
 */
export function readFragment(file: URL): unknown {
  const document = parseDocument(readFileSync(file, 'utf8'), { customTags: CLOUDFORMATION_TAGS, merge: true })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault) throw new Error(`${file.pathname.split('/').at(-1) ?? ''} cannot be read.`, { cause: fault })
  return document.toJS()
}

/**
 * The tables of `infra/tables.yml` for one stage, as input of DynamoDB's CreateTable, by the variable that holds the table's name.
 *
 * @throws Error if a table has no variable, or a variable no table
 */
export function tableDefinitions(stage: string): ReadonlyMap<string, TableDefinition> {
  fragment ??= template.parse(readFragment(new URL('../tables.yml', import.meta.url)))
  const { Environment, OperatorEnvironment, Resources } = fragment
  const references = Object.entries({ ...Environment, ...OperatorEnvironment })
  const referenced = new Set(references.map(([, { Ref }]) => Ref))
  if (Object.keys(Resources).some((id) => !referenced.has(id))) throw new Error('infra/tables.yml has a table without a variable.')
  return new Map(
    references.map(([variable, { Ref }]) => {
      const found = Resources[Ref]
      if (found === undefined) throw new Error(`infra/tables.yml has no table for ${variable}.`)
      return [variable, definition(found, stage)]
    }),
  )
}

function definition({ Properties: table }: z.infer<typeof resource>, stage: string): TableDefinition {
  const name = table.TableName.replaceAll('${sls:stage}', stage)
  if (name.includes('$')) throw new Error('infra/tables.yml names a table with an unknown variable.')
  return {
    TableName: name,
    BillingMode: table.BillingMode,
    AttributeDefinitions: table.AttributeDefinitions,
    KeySchema: table.KeySchema,
    ...(table.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: table.GlobalSecondaryIndexes }),
    // CloudFormation has no member for what a specification means by itself
    ...(table.StreamSpecification && { StreamSpecification: { StreamEnabled: true, ...table.StreamSpecification } }),
  }
}

/**
 * Creates the missing tables of a stage, on any engine.
 *
 * @param stage part of every table's name; tests that share an engine use different stages
 * @returns the names of the tables, by variable
 * @throws ZodError if the variables of `infra/tables.yml` differ from those that the code reads
 * @throws Error if a table of that name has other keys or indexes: its data has an older definition
 */
export async function createTables(client: DynamoDBClient, stage: string): Promise<TableNames> {
  const tables = [...tableDefinitions(stage)]
  const names = tableNames.parse(Object.fromEntries(tables.map(([variable, { TableName }]) => [variable, TableName])))
  await Promise.all(tables.map(([, table]) => createTable(client, table)))
  return names
}

/** Deletes the tables of a stage with their items. Only code for one machine calls it. */
export async function dropTables(client: DynamoDBClient, stage: string): Promise<void> {
  await Promise.all(
    [...tableDefinitions(stage).values()].map(async ({ TableName }) => {
      try {
        await client.send(new DeleteTableCommand({ TableName }))
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error
      }
    }),
  )
}

async function createTable(client: DynamoDBClient, table: TableDefinition): Promise<void> {
  try {
    // no function reads a stream here, and DynamoDB Local takes several times as long for a table with one
    await client.send(new CreateTableCommand({ ...table, StreamSpecification: undefined }))
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error
    const { Table: existing } = await client.send(new DescribeTableCommand({ TableName: table.TableName }))
    if (shape(existing) !== shape(table)) {
      throw new Error(
        `The local tables are of an older definition. To delete them and start again, run: ${startCommandWith({ options: '--fresh' })}`,
      )
    }
  }
}

interface Shape {
  readonly KeySchema?: TableDefinition['KeySchema'] | undefined
  readonly GlobalSecondaryIndexes?:
    | readonly { readonly IndexName?: string | undefined; readonly KeySchema?: TableDefinition['KeySchema'] | undefined }[]
    | undefined
}

/** Keys and indexes as one text. Sorted, because engines return indexes in different orders. */
function shape(table: Shape | undefined): string {
  const keys = (schema: Shape['KeySchema']): string =>
    (schema ?? []).map((key) => `${key.KeyType ?? ''} ${key.AttributeName ?? ''}`).join()
  const indexes = (table?.GlobalSecondaryIndexes ?? []).map((index) => `${index.IndexName ?? ''}: ${keys(index.KeySchema)}`)
  return [keys(table?.KeySchema), ...indexes.sort()].join('\n')
}
