import { partsOf, type SearchKey, searchKey, searchToken } from '../crypto/blind-index.ts'
import { searchedValuesToken } from '../crypto/tokens.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { SearchTerm } from '../store/search.ts'
import { BadUserInput } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { TenantId } from '../model/ids.ts'
import type { PolicyTable, SearchIndex } from '../../directives/policy.ts'

/** One index that is searched, and what for. Held in memory alone: the tokens are all that leaves it. */
export interface WantedTerm extends Pick<SearchTerm, 'paths'> {
  /** One for each version of the key that a stored row can have, oldest first. */
  readonly tokens: readonly string[]
  readonly index: SearchIndex
  readonly type: TypeName
  readonly key: SearchKey
  /** LOOKED_UP: the index gives the candidates. COMPARED: no index has the value, and it excludes candidates of the other terms. */
  readonly use: 'LOOKED_UP' | 'COMPARED'
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

type Searched = Pick<PolicyTable, 'searchable' | 'records'>

/** The indexes that have all their values, in the order of their paths. */
const indexesOf = ({ searchable }: Searched, values: ReadonlyMap<SchemaPath, unknown>): SearchIndex[] =>
  [...searchable.values()]
    .filter((index) => partsOf(index).every((path) => values.has(path)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))

/** Checks that an index has some of the values, and that a value that may not be searched alone is not. @throws BadUserInput */
export function checkSearch(policy: Searched, values: ReadonlyMap<SchemaPath, unknown>): void {
  const indexes = indexesOf(policy, values)
  const isTooFew = ({ path, with: others, alone }: SearchIndex): boolean => !alone && values.size < [path, ...others].length + 1
  if (indexes.length === 0 || indexes.some(isTooFew))
    throw new BadUserInput({
      detail: 'No search index has exactly these arguments. docs/search.md lists the combinations that may be searched.',
    })
}

/**
 * The terms of a search, each with its token: first the indexes in the order of their paths, then the values that no index has.
 *
 * @throws BadUserInput for a value that no record could be indexed by: empty, too long, no text; KeyUnavailable
 */
export function searchTerms(
  policy: Searched,
  values: ReadonlyMap<SchemaPath, unknown>,
  key: PurposeKey<'index'>,
  tenant: TenantId,
): readonly WantedTerm[] {
  const indexes = indexesOf(policy, values)
  const covered = new Set(indexes.flatMap(partsOf))
  const term = (index: SearchIndex, use: WantedTerm['use']): WantedTerm => {
    const parts = searchKey(index, (path) => values.get(path))
    if (parts === undefined)
      throw new BadUserInput({
        detail:
          'An argument of the search is empty, too long, or has no letter or digit. Send the whole value as the record has it.',
      })
    return {
      index,
      use,
      type: typeOf(index.path),
      key: parts,
      paths: partsOf(index),
      tokens: key.tokenVersions.searched.map((version) => searchToken(key, tenant, index, parts, version)),
    }
  }
  const others = [...values.keys()].filter((path) => !covered.has(path)).toSorted()
  return [
    ...indexes.map((index) => term(index, 'LOOKED_UP')),
    ...others.map((path) => {
      // a candidate is a patient, and only the patient's own record is known without an index
      if (policy.records.get(typeOf(path))?.patient !== 'id') throw new Unsearchable('an argument reads what is not indexed')
      const normalize = policy.searchable.get(path)?.normalize ?? 'CASE_AND_SPACE'
      return term({ path, with: [], normalize, alone: false }, 'COMPARED')
    }),
  ]
}

const typeOf = (path: SchemaPath): TypeName => path.slice(0, path.indexOf('.')) as TypeName

/** The keyed hash of the searched values. It does not change with the key of the indexes. @throws KeyUnavailable */
export const valuesToken = (key: PurposeKey<'lookup'>, terms: readonly WantedTerm[]): string =>
  searchedValuesToken(
    key,
    terms.map((term) => [term.paths.join('+'), ...term.key]),
  )
