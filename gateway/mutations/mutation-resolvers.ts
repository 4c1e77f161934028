import type { Resolver } from './gateway-context.ts'
import { operationMutations } from './registry-resolvers.ts'
import { endSession, revokeClient, revokeUser } from './session-mutations.ts'

/** A root field that an operation may call only once: each call is an emergency of its own. */
export const BREAK_GLASS_FIELD = 'breakGlass'

/** A resolver for each mutation of this library, by the field name that the shipped schema uses. */
export const mutationResolvers = {
  breakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.breakGlass(args, info),
  endBreakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.endBreakGlass(args, info),
  reviewBreakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.reviewBreakGlass(args, info),
  endSession,
  revokeUser,
  revokeClient,
  ...operationMutations,
} satisfies Readonly<Record<string, Resolver>>
