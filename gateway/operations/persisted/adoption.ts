import * as z from 'zod'
import type { AutomaticQueries, OperationRegistry } from './operation-registry.ts'

/**
 * What a client may send.
 * - log: any text. An unregistered one is reported to operators.
 * - match: the text of a registered operation.
 * - only: ids of registered operations.
 */
export type AdoptionMode = 'log' | 'match' | 'only'

/** The registry of a deployment, and what its first-party clients may send. Partners send ids only. */
export interface OperationParts {
  readonly registry: OperationRegistry
  /** Left out: no client registers queries by itself. */
  readonly automatic?: AutomaticQueries
  /** By client id. A client without a mode may send any text. */
  readonly modes: ReadonlyMap<string, AdoptionMode>
  /** The clients that may register queries by themselves. */
  readonly register: ReadonlySet<string>
}

const client = z.string().min(1)

/**
 * The setting PHI_OPERATIONS: `{"modes": {"portal": "match"}, "register": ["web"]}`. A client that may not send any text cannot
 * register any either.
 */
export const OperationSettings = z
  .strictObject({
    modes: z.record(client, z.enum(['log', 'match', 'only'])).default({}),
    register: z.array(client).default([]),
  })
  .transform(({ modes, register }): Pick<OperationParts, 'modes' | 'register'> => {
    return { modes: new Map(Object.entries(modes)), register: new Set(register) }
  })
  .refine(({ modes, register }) => [...register].every((name) => (modes.get(name) ?? 'log') === 'log'), {
    error: 'a client in `register` has the mode log or none',
  })
