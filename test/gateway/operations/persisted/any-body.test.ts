import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HTTP_STATUS } from '../../../../gateway/model/failures.ts'
import { ACME, billing, contract, operationGateway, partner } from './operation-gateway.ts'

const QUERY = 'query A($id: ID, $yes: Boolean = true) { person(id: "x") { name @include(if: $yes) } }'

it('any body or URL gets an answer of the table of codes, never INTERNAL, and a partner gets no data but of the registered id', async () => {
  const { send, operations } = await operationGateway({ web: 'log', portal: 'match', kiosk: 'only' }, ['web', 'app'])
  operations.admit(ACME, contract())
  const id = operations.register(ACME, QUERY)
  operations.register({ ...ACME, client: 'web' }, QUERY)
  const ids = fc.constantFrom<unknown>(id, `sha256:${id}`, 'x', '', null, 7, '999-62-6858', `${id} `)
  const hash = fc.record({ version: fc.constantFrom<unknown>(1, 2, '1'), sha256Hash: ids }, { requiredKeys: [] })
  const body = fc.record(
    {
      query: fc.constantFrom<unknown>(QUERY, '{', '', null, 7, '{ me { user } }', 'mutation { touch { user } }'),
      documentId: ids,
      doc_id: ids,
      id: ids,
      extensions: fc.oneof(fc.record({ persistedQuery: fc.oneof(hash, fc.jsonValue()) }), fc.jsonValue()),
      variables: fc.oneof(fc.constantFrom<unknown>({}, { yes: false }, { yes: 'x' }, { id: { a: 1 } }), fc.jsonValue()),
      operationName: fc.constantFrom<unknown>('A', 'B', null, 7, ''),
    },
    { requiredKeys: [] },
  )
  const caller = fc.constantFrom(partner(), ...['web', 'portal', 'kiosk', 'app', 'ehr', null].map((client) => billing(client)))
  const text = fc.oneof(
    body.map((members) => JSON.stringify(members)),
    fc.string({ unit: 'binary' }),
  )
  const url = body.map((members) =>
    Object.entries(members)
      .map(([name, value]) => `${name}=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`)
      .join('&'),
  )
  await fc.assert(
    fc.asyncProperty(caller, text, fc.option(url, { nil: undefined }), async (asking, given, query) => {
      const answer = await send(given, { caller: asking, ...(query !== undefined && { url: query }) })
      expect(answer.events).not.toContain('INTERNAL')
      expect(answer.status).toBeLessThan(500)
      if (answer.code !== undefined) expect(Object.keys(HTTP_STATUS)).toContain(answer.code)
      expect(answer.bytes).not.toContain('999-62-6858')
      if (asking.roles.has('PARTNER' as never) && answer.data !== undefined && answer.data !== null)
        expect(given.includes(id) || query?.includes(id)).toBe(true)
    }),
    { numRuns: 1_500 },
  )
})
