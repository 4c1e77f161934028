import { partsOf, type SearchKey, searchKey, searchToken } from '../crypto/blind-index.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { SearchTerm } from '../store/search.ts'
import { BadUserInput } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { TenantId } from '../model/ids.ts'
import type { PolicyTable, SearchIndex } from '../../directives/policy.ts'

/** One index that is searched, and what for. Held in memory alone: the token is all that leaves it. */
export interface WantedTerm extends SearchTerm {
  readonly index: SearchIndex
  readonly type: TypeName
  readonly key: SearchKey
}

/** A root reads a field that no index of the schema finds anything by: a fault of the schema. */
class Unsearchable extends Error {
  override readonly name = 'Unsearchable'
}

/** The values that a root's arguments search by, by the path that each reads. Null and left out ask for nothing. */
export function searchedValues(
  { reads }: Pick<PolicyTable, 'reads'>,
  coordinate: string,
  args: Readonly<Record<string, unknown>>,
): ReadonlyMap<SchemaPath, unknown> {
  const values = new Map<SchemaPath, unknown>()
  for (const [name, value] of Object.entries(args)) {
    const path = reads.get(`${coordinate}(${name}:)`)
    if (path !== undefined && value !== undefined && value !== null) values.set(path, value)
  }
  return values
}

/**
 * The indexes that values are searched in, each with its token, in the order of their paths: every value is a part of one.
 *
 * @throws BadUserInput for a value that no record could be indexed by: empty, too long, no text; KeyUnavailable
 */
export function searchTerms(
  { searchable }: Pick<PolicyTable, 'searchable'>,
  values: ReadonlyMap<SchemaPath, unknown>,
  key: PurposeKey<'index'>,
  tenant: TenantId,
): readonly WantedTerm[] {
  const indexes = [...searchable.values()]
    .filter((index) => partsOf(index).every((path) => values.has(path)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const covered = new Set(indexes.flatMap(partsOf))
  if ([...values.keys()].some((path) => !covered.has(path))) throw new Unsearchable('an argument reads what is not indexed')
  return indexes.map((index) => {
    const parts = searchKey(index, (path) => values.get(path))
    if (parts === undefined) throw new BadUserInput()
    const type = index.path.slice(0, index.path.indexOf('.')) as TypeName
    return { index, type, key: parts, paths: partsOf(index), token: searchToken(key, tenant, index, parts) }
  })
}
