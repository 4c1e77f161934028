import { Client, fetchExchange, gql } from '@urql/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { at } from '../../asking.ts'
import { type ServedClinic, serveClinic } from './clinic-over-http.ts'
import { reportable } from './samples/crash-report.ts'
import { clinicClient } from './samples/urql.ts'

const CHART = gql<object, { id: string }>`
  query Chart($id: ID!) {
    patient(id: $id) {
      id
      familyName
      ssn
    }
  }
`
const PANEL = gql<object, { first: number; after?: unknown }>`
  query Panel($first: Int!, $after: String) {
    patients(first: $first, after: $after) {
      edges {
        node {
          id
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`

let served: ServedClinic
let tokens: Record<string, string>
let id: string

beforeAll(async () => {
  served = await serveClinic({ riverside: 3, lakeside: 1 })
  tokens = { physician: await served.token('physician'), billing: await served.token('billing') }
  const { data } = await asUser('physician', 'TREAT').query(PANEL, { first: 1 }).toPromise()
  id = String(at(data, 'patients', 'edges', 0, 'node', 'id'))
})
afterAll(() => served.stop())

const asUser = (user: string, purpose: string) => clinicClient(served.url, purpose, () => tokens[user] ?? 'none')

describe('urql', () => {
  it('has the disclosed data, the errors, and the extensions', async () => {
    const { data, error, extensions } = await asUser('physician', 'TREAT').query(CHART, { id }).toPromise()
    expect(data).toMatchObject({ patient: { id, familyName: expect.any(String) as string, ssn: null } })
    expect(error?.graphQLErrors).toMatchObject([
      { path: ['patient', 'ssn'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Patient.ssn' } },
    ])
    expect(extensions).toMatchObject({ phi: { resolved: 1, denied: 1 } })
  })

  it('has the list of masked values', async () => {
    const { data, error, extensions } = await asUser('billing', 'HPAYMT').query(CHART, { id }).toPromise()
    expect(at(data, 'patient', 'ssn')).toMatch(/^\*{3}-\*{2}-\d{4}$/)
    expect(error).toBeUndefined()
    expect(at(extensions, 'phi', 'masked')).toEqual([
      { coordinate: 'Patient.ssn', view: 'LAST4', count: 1, paths: [['patient', 'ssn']] },
    ])
  })

  it('has the code of a request that failed as a whole', async () => {
    const { data, error } = await asUser('nobody', 'TREAT').query(CHART, { id }).toPromise()
    expect(data).toBeUndefined()
    expect(error?.graphQLErrors[0]?.extensions['code']).toBe('UNAUTHENTICATED')
    expect(at(error?.response, 'status')).toBe(401)
    const bad = await asUser('physician', 'TREAT').query(PANEL, { first: 100_000 }).toPromise()
    expect(bad.error?.graphQLErrors[0]?.extensions['code']).toBe('BAD_USER_INPUT')
    expect(at(bad.error?.response, 'status')).toBe(400)
  })

  it('keeps errors with the answer in its cache, which is separate for each client', async () => {
    const client = asUser('physician', 'TREAT')
    const fresh = await client.query(CHART, { id }).toPromise()
    const before = served.requests()
    const again = await client.query(CHART, { id }).toPromise()
    expect(served.requests()).toBe(before)
    expect(again.data).toEqual(fresh.data)
    expect(again.error?.graphQLErrors[0]?.extensions['coordinate']).toBe('Patient.ssn')
    await asUser('physician', 'ETREAT').query(CHART, { id }).toPromise()
    expect(served.requests()).toBe(before + 1)
  })

  it('needs `preferGetMethod: false`: by default it sends queries in the URL, which is 405', async () => {
    const fetchOptions = { headers: { authorization: `Bearer ${tokens['physician'] ?? ''}` } }
    const stock = new Client({ url: served.url, exchanges: [fetchExchange], fetchOptions })
    const { data, error } = await stock.query(CHART, { id }).toPromise()
    expect(data).toBeUndefined()
    expect(at(error?.response, 'status')).toBe(405)
    expect(String(at(error?.response, 'url'))).toContain(encodeURIComponent(id))
    expect((await asUser('physician', 'TREAT').query(CHART, { id }).toPromise()).data).toBeDefined()
  })

  it('P8: the reportable parts of an error have no value of the answer', async () => {
    const { data, error } = await asUser('physician', 'TREAT').query(CHART, { id }).toPromise()
    const reported = JSON.stringify(reportable(error))
    expect(reported).not.toContain(String(at(data, 'patient', 'familyName')))
    expect(reported).not.toContain(id)
    expect(reportable(error).codes).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  })

  it('pages by cursor', async () => {
    const client = asUser('physician', 'TREAT')
    const ids: unknown[] = []
    let after: unknown = null
    for (let more = true; more; ) {
      const { data } = await client.query(PANEL, { first: 2, after }).toPromise()
      ids.push(...(at(data, 'patients', 'edges') as object[]).map((edge) => at(edge, 'node', 'id')))
      after = at(data, 'patients', 'pageInfo', 'endCursor')
      more = at(data, 'patients', 'pageInfo', 'hasNextPage') === true
    }
    expect(new Set(ids).size).toBe(3)
    expect(ids).toHaveLength(3)
  })
})
