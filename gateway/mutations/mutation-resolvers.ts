import type { GraphQLResolveInfo } from 'graphql'
import type { RecordRef } from '../model/ids.ts'
import { type GatewayContext, resolversByField } from './gateway-context.ts'
import { operationMutations } from './registry-resolvers.ts'
import { endSession, revokeClient, revokeUser } from './session-mutations.ts'

/** A root field that an operation may call only once: each call is an emergency of its own. */
export const BREAK_GLASS_FIELD = 'breakGlass'

/** The root field that signs a record of the type that it returns. It counts as a change of a record. */
export const SIGNING_FIELD = 'signDocument'

/** The root fields that change who has access to a patient's record, or end it. They count as changes of records. */
export const ACCESS_FIELDS = [
  'addCareTeamMember',
  'endCareTeamMembership',
  'recordConsent',
  'withdrawConsent',
  'requestErasure',
  'approveErasure',
  'placeLegalHold',
  'releaseLegalHold',
] as const

/** A changed record, read by the rights of its caller. */
const changedRecord = async (
  changed: Promise<RecordRef | null>,
  { scope }: GatewayContext,
  info: GraphQLResolveInfo,
): Promise<unknown> => {
  const ref = await changed
  return ref === null ? null : await scope.follow(ref, info)
}

/** A resolver for each mutation of this library, by the field name that the shipped schema uses. */
export const mutationResolvers = resolversByField({
  breakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.breakGlass(args, info),
  endBreakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.endBreakGlass(args, info),
  reviewBreakGlass: async (_source, args, { mutations }, info) => await mutations.breakGlass.reviewBreakGlass(args, info),
  addCareTeamMember: async (_source, args, context, info) =>
    await changedRecord(context.mutations.careTeam.add(args, info), context, info),
  endCareTeamMembership: async (_source, args, context, info) =>
    await changedRecord(context.mutations.careTeam.end(args, info), context, info),
  [SIGNING_FIELD]: async (_source, args, context, info) =>
    await changedRecord(context.mutations.signatures.sign(args, info), context, info),
  recordConsent: async (_source, args, { mutations }, info) => await mutations.consents.record(args, info),
  withdrawConsent: async (_source, args, { mutations }, info) => await mutations.consents.withdraw(args, info),
  requestErasure: async (_source, args, { mutations }, info) => await mutations.erasures.request(args, info),
  approveErasure: async (_source, args, { mutations }, info) => await mutations.erasures.approve(args, info),
  placeLegalHold: async (_source, args, { mutations }, info) => await mutations.erasures.placeHold(args, info),
  releaseLegalHold: async (_source, args, { mutations }, info) => await mutations.erasures.releaseHold(args, info),
  endSession,
  revokeUser,
  revokeClient,
  ...operationMutations,
})

/** A resolver for each query about erasures and legal holds, by the field name that the shipped schema uses. */
export const erasureQueries = resolversByField({
  erasure: async (_source, args, { mutations }, info) => await mutations.erasures.read(args, info),
  erasures: async (_source, args, { mutations }, info) => await mutations.erasureList.page(args, info),
  legalHolds: async (_source, args, { mutations }, info) => await mutations.erasures.holds(args, info),
})
