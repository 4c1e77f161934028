import { firstDetail } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import { decodeCursor, encodeCursor, listDigest } from './access-cursor.ts'
import { AccessEvidence } from './access-evidence.ts'
import { accessFilter, type FilterArguments } from './access-filter.ts'
import { accessPage } from './access-page.ts'
import type { AuditRoot } from './audit-reader.ts'
import { timesOf } from './audit-times.ts'
import { fieldAccessOf } from './field-access.ts'
import { positionOf } from './recorded-access.ts'

const MAX_PAGE = 500

interface Arguments {
  readonly filter: FilterArguments
  readonly first: number
  readonly after?: string | null
}

/** `fieldAccesses`: a page of the field-level records that a filter selects. */
export const fieldAccesses: AuditRoot<Arguments> = async ({ filter: given, first, after }, reading) => {
  const { reader, policy, deadline } = reading
  if (!Number.isSafeInteger(first) || first < 1 || first > MAX_PAGE)
    throw new BadUserInput({ detail: () => firstDetail(first, MAX_PAGE) })
  const filter = accessFilter(policy, given, timesOf(given))
  const list = listDigest(reader.tenant, 'fieldAccesses', given)
  const position = typeof after === 'string' ? decodeCursor(list, after) : undefined
  const request = { first, ...(position !== undefined && { after: position }) }
  const { accesses, examined, next } = await accessPage(reader, filter, request, deadline)
  const evidence = new AccessEvidence(reading)
  const edges = accesses.map((access) => ({
    cursor: encodeCursor(list, positionOf(access)),
    node: fieldAccessOf(access, evidence),
  }))
  return {
    value: {
      edges,
      examined,
      pageInfo: {
        hasNextPage: next !== undefined,
        hasPreviousPage: position !== undefined,
        startCursor: edges[0]?.cursor ?? null,
        endCursor: next === undefined ? (edges.at(-1)?.cursor ?? null) : encodeCursor(list, next),
      },
    },
    ...(filter.patient !== undefined && { patient: filter.patient }),
    count: edges.length,
  }
}
