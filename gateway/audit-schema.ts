import { addResolversToSchema } from '@graphql-tools/schema'
import type { GraphQLSchema } from 'graphql'
import { readCalls } from '../directives/calls.ts'
import type { Coordinate, SchemaPath } from '../directives/coordinates.ts'
import { FaultList } from '../directives/fault.ts'
import { publicSchema } from '../directives/public-schema.ts'
import { parseSources, type SdlSource } from '../directives/parse-sources.ts'
import type { CallPolicy, PolicyTable } from '../directives/policy.ts'
import { type AccessRecord, REVIEWED_TYPE } from './model/access-record.ts'
import {
  AuditLogUnavailable,
  BadUserInput,
  Failure,
  FilterTooBroad,
  OperationTooCostly,
  StoreUnavailable,
} from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { AuditMutation, AuditWriting } from './oversight/audit-mutation.ts'
import { AUDIT_MUTATIONS } from './oversight/audit-mutations.ts'
import type { AuditReading, AuditRoot } from './oversight/audit-reader.ts'
import { AUDIT_ROOTS } from './oversight/audit-roots.ts'
import { SchemaRefused } from './schema-refused.ts'

const MANY_ROOTS = 'The operation selects too many root fields. Send the other root fields in requests of their own.'

/** What a root field of the auditor's API gets from its request. */
export interface ReviewContext {
  /** Whether the caller may call the root field. */
  readonly isPermitted: (field: string) => boolean
  /** The number of root fields that the operation may still read. */
  left: number
  /** Opens the audit data of the caller's tenant. */
  readonly reading: () => Promise<AuditReading>
  /** Records a review of the log. */
  readonly record: (access: AccessRecord) => void
  /** The caller. */
  readonly user: string
  readonly requestId: RequestId
  /** Writes items with the record of the write in one transaction. */
  readonly commit: AuditWriting['commit']
}

/** The roles of a root field do not include the caller's. */
class ReviewDenied extends Failure {
  override readonly name = 'ReviewDenied'
  readonly code = 'UNAUTHORIZED_FIELD_OR_TYPE'
}

/**
 * The executable schema of the auditor's API. Each root field checks its roles, then reads, and leaves one record of the review. A
 * mutation leaves the record of its write instead.
 *
 * @throws PolicyFaults; SchemaRefused for a root field without roles or without an implementation
 */
export function auditSchema(
  typeDefs: readonly SdlSource[],
  policy: PolicyTable,
): { readonly schema: GraphQLSchema; readonly calls: ReadonlyMap<Coordinate, CallPolicy> } {
  const schema = parseSources(typeDefs)
  const faults = new FaultList()
  const calls = readCalls(schema, policy.roles, faults)
  faults.throwIfAny()
  const resolvers = {
    Query: resolversOf(AUDIT_ROOTS, reviewed),
    Mutation: resolversOf(AUDIT_MUTATIONS, written),
  }
  for (const type of ['Query', 'Mutation'] as const) {
    const declared = Object.keys((type === 'Query' ? schema.getQueryType() : schema.getMutationType())?.getFields() ?? {})
    for (const field of new Set([...declared, ...Object.keys(resolvers[type])]))
      if (!calls.has(`${type}.${field}` as Coordinate) || resolvers[type][field] === undefined || !declared.includes(field))
        throw new SchemaRefused(`${field}: a root field of the auditor's API has @mayCall and an implementation`)
  }
  return { schema: addResolversToSchema({ schema: publicSchema(schema), resolvers }), calls }
}

const resolversOf = <Root>(
  roots: Readonly<Record<string, Root>>,
  resolver: (field: string, root: Root) => RootResolver,
): Readonly<Record<string, RootResolver>> =>
  Object.fromEntries(Object.entries(roots).map(([field, root]) => [field, resolver(field, root)]))

/** The arguments of a question have at most this many characters, because the log has them. Ids and times are short. */
const MAX_ASKED = 4_096

/** A question as the log records it. */
export const reviewOf = (field: string, args: Readonly<Record<string, unknown>>) =>
  ({
    path: `${REVIEWED_TYPE}.${field}` as SchemaPath,
    action: 'REVIEW',
    filter: JSON.stringify(args),
  }) as const

/** Whether a question was refused before anything was read. */
export const isRefusedQuestion = (error: unknown): boolean => error instanceof BadUserInput || error instanceof FilterTooBroad

type RootResolver = (source: unknown, args: Readonly<Record<string, unknown>>, context: ReviewContext) => Promise<unknown>

function reviewed(field: string, root: AuditRoot<never>): RootResolver {
  return async (_, args, context) => {
    if (--context.left < 0) throw new OperationTooCostly({ detail: MANY_ROOTS })
    const asked = reviewOf(field, args)
    if (!context.isPermitted(field)) {
      // a caller without the role could write any text into the log
      const { path, action } = asked
      context.record({ path, action, outcome: 'DENIED', reason: 'ROLE' })
      throw new ReviewDenied()
    }
    if (asked.filter.length > MAX_ASKED)
      throw new BadUserInput({ detail: `The arguments have more than ${MAX_ASKED} characters as JSON.` })
    try {
      // safe: graphql has coerced the arguments to the types of the schema
      const { value, patient, count } = await root(args as never, await context.reading())
      context.record({ ...asked, outcome: 'REVIEWED', count, ...(patient !== undefined && { patient }) })
      return value
    } catch (error) {
      if (isRefusedQuestion(error)) throw error
      context.record({ ...asked, outcome: 'UNAVAILABLE', reason: 'STORE' })
      throw error instanceof StoreUnavailable ? new AuditLogUnavailable({ cause: error }) : error
    }
  }
}

function written(field: string, { action, run }: AuditMutation<never>): RootResolver {
  const path = `${REVIEWED_TYPE}.${field}` as SchemaPath
  const act = { path, action } as const
  return async (_, args, context) => {
    if (--context.left < 0) throw new OperationTooCostly({ detail: MANY_ROOTS })
    if (!context.isPermitted(field)) {
      context.record({ ...act, outcome: 'DENIED', reason: 'ROLE' })
      throw new ReviewDenied()
    }
    try {
      const { user: by, requestId, commit } = context
      // safe: graphql has coerced the arguments to the types of the schema
      const answer = await run(args as never, { ...(await context.reading()), by, requestId, act, commit })
      const { value, patient, count, isStored } = answer
      const asked = { path, action: 'REVIEW', outcome: 'REVIEWED', count, ...(patient !== undefined && { patient }) } as const
      if (!isStored) context.record(asked)
      return value
    } catch (error) {
      throw error instanceof StoreUnavailable ? new AuditLogUnavailable({ cause: error }) : error
    }
  }
}
