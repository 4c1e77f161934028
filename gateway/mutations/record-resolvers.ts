import type { PolicyTable } from '../../directives/policy.ts'
import { ChangedRecord } from './changed-record.ts'
import type { Resolver, Resolvers } from './gateway-context.ts'

/**
 * The resolvers of the generated mutations and of their payloads. `record` of a payload is read under the rules of reading: a right to
 * write implies none to read.
 */
export function recordResolvers({ writes, records }: Pick<PolicyTable, 'writes' | 'records'>): Resolvers {
  const resolvers: Record<string, Record<string, Resolver>> = {}
  const add = (coordinate: string | undefined, resolver: Resolver): void => {
    if (coordinate === undefined) return
    const [type = '', field = ''] = coordinate.split('.')
    ;(resolvers[type] ??= {})[field] = resolver
  }
  for (const write of writes.values()) {
    const isPatient = records.get(write.type)?.patient === 'id'
    add(write.create, async (_source, args, { mutations }, info) =>
      isPatient ? await mutations.records.register(write, args, info) : await mutations.records.create(write, args, info),
    )
    add(write.update, async (_source, args, { mutations }, info) => await mutations.records.update(write, args, info))
    add(write.retract, async (_source, args, { mutations }, info) => await mutations.records.retract(write, args, info))
    if (write.create !== undefined || write.update !== undefined) add(`${write.type}Payload.record`, changedRecord)
  }
  return resolvers
}

const changedRecord: Resolver = async (changed, _args, { scope }, info) =>
  changed instanceof ChangedRecord ? await scope.follow(changed.ref, info) : null

/** Joins the resolvers of a deployment with generated ones. A deployment can replace none of them. */
export function joinedResolvers(given: Resolvers, generated: Resolvers): Resolvers {
  const joined = { ...given }
  for (const [type, fields] of Object.entries(generated)) joined[type] = { ...given[type], ...fields }
  return joined
}
