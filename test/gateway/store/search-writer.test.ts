import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { expect, it } from 'vitest'
import { searchToken } from '../../../gateway/crypto/blind-index.ts'
import type { TokenVersions } from '../../../gateway/crypto/token-versions.ts'
import type { SearchIndex } from '../../../directives/policy.ts'
import type { RecordRef } from '../../../gateway/model/ids.ts'
import { SearchTable } from '../../../gateway/store/search.ts'
import { SearchWriter } from '../../../gateway/store/search-writer.ts'
import { path, PLACE, purposeKey, rawKey } from '../crypto/place-fixtures.ts'

const MRN: SearchIndex = { path: path('Patient.mrn'), with: [], normalize: 'CASE_AND_SPACE', alone: true }
const [ONE, TWO] = [purposeKey('index'), purposeKey('index', rawKey(0x10), 2)]
const { tenant, ...place } = PLACE
const REF: RecordRef = place
// no test sends a request
const table = new SearchTable(undefined as unknown as DynamoDBClient, 'search')

/** The puts and removals of a record that changes its number, each with its value and key version. */
function changes(tokenVersions: TokenVersions, after: string, before?: string): string[] {
  const key = { ...TWO, tokenVersions, byVersion: (version: number) => (version === 1 ? ONE.key : TWO.key) }
  const names = new Map(
    ['mr 1', 'mr 2'].flatMap((value) =>
      [1, 2].map((version) => [searchToken(key, tenant, MRN, [value], version), `${value} ${version}`] as const),
    ),
  )
  const nameOf = (pk = ''): string => names.get(pk.split('#')[2] ?? '') ?? 'unknown'
  const writer = new SearchWriter(table, key, tenant, [MRN])
  const items = writer.write(REF, () => after, before === undefined ? undefined : () => before)
  return items.map(({ Put, Delete }) => (Put ? `put ${nameOf(Put.Item?.['pk']?.S)}` : `remove ${nameOf(Delete?.Key?.['pk']?.S)}`))
}

it('P11: a write leaves entries under the written versions, and removes those of every version', () => {
  const both = { searched: [1, 2], written: [1, 2] }
  expect(changes({ searched: [1], written: [1] }, 'mr 2', 'mr 1')).toEqual(['put mr 2 1', 'remove mr 1 1'])
  expect(changes({ searched: [1, 2], written: [1] }, 'mr 2', 'mr 1')).toEqual(['put mr 2 1', 'remove mr 1 1', 'remove mr 1 2'])
  expect(changes(both, 'mr 2', 'mr 1')).toEqual(['put mr 2 1', 'put mr 2 2', 'remove mr 1 1', 'remove mr 1 2'])
  expect(changes(both, 'mr 1')).toEqual(['put mr 1 1', 'put mr 1 2'])
  expect(changes({ searched: [1, 2], written: [2] }, 'mr 1', 'mr 1')).toEqual(['put mr 1 2', 'remove mr 1 1'])
})
