import { resolversByField } from './gateway-context.ts'

/** A resolver for each query of the registry of operations, by the field name that the shipped schema uses. */
export const operationQueries = resolversByField({
  registeredClients: async (_source, _args, { mutations }) => await mutations.registry.clients(),
  registeredClient: async (_source, args, { mutations }) => await mutations.registry.client(args),
  checkOperations: async (_source, _args, { mutations }) => await mutations.registry.check(),
})

/** A resolver for each mutation of the registry of operations, by the field name that the shipped schema uses. */
export const operationMutations = resolversByField({
  approveContract: async (_source, args, { mutations }) => await mutations.registry.approveContract(args),
  publishOperations: async (_source, args, { mutations }) => await mutations.registry.publish(args),
  activateOperations: async (_source, args, { mutations }) => await mutations.registry.activate(args),
  retireOperations: async (_source, args, { mutations }) => await mutations.registry.retire(args),
  revokeOperation: async (_source, args, { mutations }) => await mutations.registry.revoke(args),
})
