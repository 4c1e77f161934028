import { expect, it } from 'vitest'
import { ConnectionEdge, page } from '../../../gateway/disclosure/connection-edge.ts'
import { PageCursor } from '../../../gateway/disclosure/page-cursor.ts'

/** A page of three edges, with a count of the sealed cursors. */
function threeEdges() {
  const sealed: number[] = []
  const edges = [0, 1, 2].map((number) => {
    const seal = (): string => `cursor ${number}, seal ${sealed.push(number)}`
    return new ConnectionEdge(new PageCursor(seal), { kind: 'CLOSED' } as never, `record ${number}`)
  })
  return { sealed, edges, connection: page(edges, { more: false, after: false, mayBeIncomplete: false }) }
}

it('seals no cursor that is not selected', () => {
  const { sealed, connection } = threeEdges()
  expect(connection.edges.map(({ record }) => record)).toHaveLength(3)
  expect(connection.pageInfo.hasNextPage).toBe(false)
  // a search passes the page on with another member
  expect({ ...connection, mayBeIncomplete: true }.pageInfo.hasPreviousPage).toBe(false)
  expect(sealed).toEqual([])
})

it('seals a cursor once, so that an edge and the page info have the same text', () => {
  const { sealed, edges, connection } = threeEdges()
  expect(connection.pageInfo.endCursor).toBe('cursor 2, seal 1')
  expect(edges[2]?.cursor).toBe(connection.pageInfo.endCursor)
  expect(connection.pageInfo.startCursor).toBe(edges[0]?.cursor)
  expect(sealed).toEqual([2, 0])
})
