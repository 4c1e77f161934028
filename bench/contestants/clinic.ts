import { type DynamoDBClient, GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { addResolversToSchema } from '@graphql-tools/schema'
import { buildASTSchema, type DocumentNode, type GraphQLSchema } from 'graphql'
import { BY_TEAM, BY_TENANT, partitionOf, type Row, teamOf } from './rows.ts'

// The resolvers of the contestants without the gateway: the idiom of Apollo over DynamoDB, one read for each root or edge.

export interface ClinicCaller {
  readonly tenant: string
  readonly role: string
  readonly fhirUser: string
}

export interface ClinicContext {
  readonly caller: ClinicCaller
}

export interface ClinicParts<Context extends ClinicContext> {
  readonly sdl: DocumentNode
  readonly client: DynamoDBClient
  readonly table: string
  /** Returns the value of a leaf. */
  readonly read: (row: Row, name: string, path: string, context: Context) => unknown
  /** Whether the caller may see a patient's row. The twin admits every caller. */
  readonly admits: (row: Row, context: Context) => boolean
}

/** Types whose leaves are attributes of a row, with the prefix of the attribute's name. */
const ROW_TYPES: Readonly<Record<string, string>> = { Patient: '', Observation: '', Address: 'address.' }
const NO_LEAVES = new Set(['id', 'address', 'patient', 'encounter', 'observations'])

/** The schema of the clinic with resolvers over the rows of a table. */
export function clinicSchema<Context extends ClinicContext>(parts: ClinicParts<Context>): GraphQLSchema {
  const { sdl, client, table, read, admits } = parts
  const schema = buildASTSchema(sdl, { assumeValidSDL: true })

  const patient = async (_source: unknown, { id }: { id: string }, context: Context): Promise<Row | null> => {
    const key = { pk: { S: partitionOf(context.caller.tenant, id) }, sk: { S: 'Patient' } }
    const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }))
    return Item && admits(Item, context) ? Item : null
  }
  const patients = async (_source: unknown, { first }: { first: number }, { caller }: Context): Promise<object> => {
    const ofTenant = caller.role === 'BILLING'
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName: table,
        IndexName: ofTenant ? BY_TENANT : BY_TEAM,
        KeyConditionExpression: '#key = :key',
        ExpressionAttributeNames: { '#key': ofTenant ? 'tenant' : 'team' },
        ExpressionAttributeValues: { ':key': { S: ofTenant ? caller.tenant : teamOf(caller.tenant, caller.fhirUser) } },
        Limit: first,
      }),
    )
    return connection(Items)
  }
  const observations = async ({ pk }: Row, { first }: { first: number }): Promise<object> => {
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :type)',
        ExpressionAttributeValues: { ':pk': pk ?? { NULL: true }, ':type': { S: 'Observation#' } },
        Limit: first,
        ScanIndexForward: false,
        ConsistentRead: true,
      }),
    )
    return connection(Items)
  }
  const resolvers: Record<string, Record<string, unknown>> = {
    Query: { patient, patients },
    Node: { __resolveType: () => 'Patient' },
  }
  for (const [type, prefix] of Object.entries(ROW_TYPES)) {
    const target = schema.getType(type)
    if (!target || !('getFields' in target)) continue
    const leaves = Object.keys(target.getFields()).filter((name) => !NO_LEAVES.has(name))
    resolvers[type] = Object.fromEntries(
      leaves.map((name) => {
        const [attribute, path] = [`${prefix}${name}`, `${type}.${name}`]
        return [name, (row: Row, _args: unknown, context: Context) => read(row, attribute, path, context)]
      }),
    )
  }
  Object.assign(resolvers['Patient'] ?? {}, { id: idOf, address: (row: Row) => row, observations })
  Object.assign(resolvers['Observation'] ?? {}, { id: idOf })
  // graphql-tools types the context and the arguments of resolvers as any
  return addResolversToSchema({ schema, resolvers: resolvers as Parameters<typeof addResolversToSchema>[0]['resolvers'] })
}

const idOf = ({ id }: Row): string | undefined => id?.S

const connection = (rows: readonly Row[]): object => ({
  edges: rows.map((node) => ({ node, cursor: '' })),
  pageInfo: { hasNextPage: false, hasPreviousPage: false },
  mayBeIncomplete: false,
})

/** Whether the caller is on the patient's team, is the patient, or bills for the patient's tenant. */
export function isOnTeam({ team, self, tenant }: Row, { caller }: ClinicContext): boolean {
  const user = teamOf(caller.tenant, caller.fhirUser)
  return team?.S === user || self?.S === user || (caller.role === 'BILLING' && tenant?.S === caller.tenant)
}

/** The claims of a token, without a check of its signature. */
export function claimsOf(authorization: string): ClinicCaller {
  const [, payload = ''] = authorization.split('.')
  return callerOf(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>)
}

export function callerOf({ tenant, roles, fhirUser }: Readonly<Record<string, unknown>>): ClinicCaller {
  const [role] = roles as string[]
  return { tenant: String(tenant), role: role ?? '', fhirUser: String(fhirUser) }
}
