import type { GraphQLFieldResolver } from 'graphql'
import type { DisclosureContext } from '../disclosure/leaf-resolvers.ts'
import type { MutationScope } from './mutation-scope.ts'

/** The GraphQL context of one request. Apollo copies the context, so objects with private members must be fields of it. */
export interface GatewayContext extends DisclosureContext {
  readonly mutations: MutationScope
}

/** A resolver of a root or an edge. */
export type Resolver = GraphQLFieldResolver<unknown, GatewayContext, Record<string, unknown>>
export type Resolvers = Readonly<Record<string, Readonly<Record<string, Resolver>>>>

/** Resolvers by the names of their fields. The type has no payloads, which only GraphQL reads. */
export const resolversByField = <Field extends string>(
  resolvers: Readonly<Record<Field, Resolver>>,
): Readonly<Record<Field, Resolver>> => resolvers
