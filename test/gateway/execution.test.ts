import { GraphQLObjectType, GraphQLScalarType, GraphQLSchema, GraphQLString, Kind } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OpenedScope, OperationEngine } from '../../gateway/execution.ts'
import type { RequestId } from '../../gateway/model/ids.ts'
import { PreparedDocuments } from '../../gateway/operations/persisted/prepared-documents.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { compile, NOT_PHI, sdl } from '../directives/clinic-fixture.ts'

/** A scalar that refuses a value only when the variables within it are known. */
const Picky = new GraphQLScalarType({
  name: 'Picky',
  parseValue: () => 'yes',
  parseLiteral: (node, variables) => {
    const inner = node.kind === Kind.OBJECT ? node.fields[0]?.value : undefined
    if (inner?.kind === Kind.VARIABLE && variables?.[inner.name.value] === 'no') throw new TypeError('canary')
    return 'yes'
  },
})
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      echo: { type: GraphQLString, args: { value: { type: Picky } }, resolve: () => 'yes' },
      broken: {
        type: GraphQLString,
        resolve: () => {
          throw new TypeError('canary')
        },
      },
    },
  }),
})
const events: GatewayEvent[] = []
const engine = new OperationEngine({
  schema,
  introspection: false,
  events: (event) => void events.push(event),
  detailedErrors: false,
})
const { policy } = compile(sdl(`id: ID! ${NOT_PHI}`))
const documents = new PreparedDocuments({ executable: schema, schema, policy, introspection: false, monotonic: () => 0 })

beforeAll(() => engine.start())
afterAll(() => engine.stop())

async function codesOf(query: string, variables?: Record<string, unknown>): Promise<unknown[]> {
  events.length = 0
  const request = { prepared: documents.read(query), operationName: undefined, variables }
  const { errors } = await engine.execute('r' as RequestId, request, () => ({}) as OpenedScope)
  return errors.map(({ extensions }) => extensions.code)
}

it('a value that graphql refuses during the execution is the fault of the client', async () => {
  const query = 'query ($v: String) { echo(value: { a: $v }) }'
  expect(await codesOf(query, { v: 'no' })).toEqual(['BAD_USER_INPUT'])
  expect(events).toEqual([])
  expect(await codesOf(query, { v: 'yes' })).toEqual([])
})

it('an error of a resolver is a fault of the gateway, and operators learn of it', async () => {
  expect(await codesOf('{ broken }')).toEqual(['INTERNAL'])
  expect(events).toMatchObject([{ event: 'INTERNAL', cause: 'TypeError' }])
})
