import type { GraphQLSchema } from 'graphql'
import type { SchemaPath } from './coordinates.ts'
import type { Normalization, SearchIndex } from './policy.ts'
import type { PhiSite } from './classify.ts'
import { parseLock } from './lock.ts'
import { readDirective } from './read-directives.ts'

/** The blind indexes of a schema, by the path of the field with `@searchable`. */
export function readSearchable(schema: GraphQLSchema, sites: readonly PhiSite[]): ReadonlyMap<SchemaPath, SearchIndex> {
  const indexes = new Map<SchemaPath, SearchIndex>()
  for (const { path, field } of sites) {
    const written = readDirective(schema, field, 'searchable')[0]?.value
    if (written === undefined) continue
    const { normalize, alone } = written
    indexes.set(path, { path, with: (written.with ?? []) as readonly SchemaPath[], normalize, alone })
  }
  return indexes
}

/**
 * The blind indexes that a lock lists. Code that writes records needs nothing else from the schema.
 *
 * @throws LockUnreadable
 */
export function searchIndexes(lock: string): readonly SearchIndex[] {
  return parseLock(lock)
    .filter(({ kind }) => kind === 'searchable')
    .map(({ subject, values }) => {
      const others = values.get('with') ?? '-'
      return {
        path: subject as SchemaPath,
        with: others === '-' ? [] : (others.split(',') as SchemaPath[]),
        // a lock comes from a compiled schema, so the value is one of the enum
        normalize: values.get('normalize') as Normalization,
        alone: values.get('alone') !== 'no',
      }
    })
}
