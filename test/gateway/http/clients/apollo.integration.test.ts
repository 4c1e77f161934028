import { createHash } from 'node:crypto'
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
  type TypedDocumentNode,
} from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { filter, firstValueFrom } from 'rxjs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ServedClinic, serveClinic } from './clinic-over-http.ts'
import { reportable } from './samples/crash-report.ts'
import { ClinicClients, codeOf, type OnAnswer } from './samples/apollo-client.ts'

interface Person {
  readonly id: string
  readonly familyName: string | null
  readonly ssn: string | null
}
interface Panel {
  readonly patients: {
    readonly edges: readonly { readonly cursor: string; readonly node: Person }[]
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null }
  }
}

const PANEL: TypedDocumentNode<Panel, { first: number; after?: string }> = gql`
  query Panel($first: Int!, $after: String) {
    patients(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          familyName
          ssn
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`
const CHART: TypedDocumentNode<{ patient: (Person & { observations: object | null }) | null }, { id: string }> = gql`
  query Chart($id: ID!) {
    patient(id: $id) {
      id
      familyName
      ssn
      observations(first: 1) {
        edges {
          node {
            id
          }
        }
      }
    }
  }
`

/** Nothing in it is denied, so that its answer has no errors. */
const IDS: typeof PANEL = gql`
  query Ids($first: Int!) {
    patients(first: $first) {
      edges {
        cursor
        node {
          id
        }
      }
    }
  }
`

let served: ServedClinic
let clients: ClinicClients
let answers: Parameters<OnAnswer>[0][]
let id: string

beforeAll(async () => {
  served = await serveClinic({ riverside: 21, lakeside: 1 })
  clients = new ClinicClients(served.url)
  const { data } = await asUser('physician').query({ query: PANEL, variables: { first: 1 } })
  id = data?.patients.edges[0]?.node.id ?? ''
})
afterAll(() => served.stop())
beforeEach(() => {
  answers = []
  clients = new ClinicClients(served.url, (answer) => void answers.push(answer))
})

const PURPOSES: Readonly<Record<string, string>> = { physician: 'TREAT', billing: 'HPAYMT', 'lakeside-physician': 'TREAT' }

function asUser(user: string, purpose = PURPOSES[user] ?? ''): ApolloClient {
  return clients.of({ user, purpose, token: () => served.token(user) })
}

/** An unconfigured client. */
async function stock(user: string): Promise<ApolloClient> {
  const headers = { authorization: `Bearer ${await served.token(user)}` }
  return new ApolloClient({ link: new HttpLink({ uri: served.url, headers }), cache: new InMemoryCache() })
}

describe('Apollo Client 4', () => {
  it("with 'all' has the disclosed data, and one error entry for each denied path", async () => {
    const { data, error } = await asUser('physician').query({ query: CHART, variables: { id } })
    expect(data?.patient).toMatchObject({ id, familyName: expect.any(String) as string, ssn: null })
    if (!CombinedGraphQLErrors.is(error)) throw new TypeError('no refusal')
    expect(error.errors).toMatchObject([
      {
        path: ['patient', 'ssn'],
        extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Patient.ssn', reason: 'ROLE', count: 1 },
      },
    ])
    expect(error.extensions).toMatchObject({ phi: { resolved: 1, denied: 1, masked: [] } })
  })

  it("with the default, 'none', rejects, and only the error has the disclosed data", async () => {
    const client = await stock('physician')
    const refused: unknown = await client.query({ query: CHART, variables: { id } }).catch((error: unknown) => error)
    if (!CombinedGraphQLErrors.is(refused)) throw new TypeError('no refusal')
    expect(refused.data).toMatchObject({ patient: { id, familyName: expect.any(String) as string, ssn: null } })
    expect(client.cache.extract()).toEqual({})
  })

  it("P8: the JSON of an error of 'none' has disclosed values, and the reportable parts have none", async () => {
    const client = await stock('physician')
    const error: unknown = await client.query({ query: CHART, variables: { id } }).catch((refused: unknown) => refused)
    if (!CombinedGraphQLErrors.is(error)) throw new TypeError('no refusal')
    const { familyName } = error.data?.['patient'] as Person
    expect(JSON.stringify(error)).toContain(familyName)
    expect(JSON.stringify(error)).toContain(id)
    const reported = JSON.stringify(reportable(error))
    expect(reported).not.toContain(familyName)
    expect(reported).not.toContain(id)
    expect(reportable(error)).toMatchObject({
      name: 'CombinedGraphQLErrors',
      codes: ['UNAUTHORIZED_FIELD_OR_TYPE'],
      requestId: expect.stringMatching(/^[\w-]{24}$/) as string,
    })
  })

  it('receives masked values with the answer', async () => {
    const { data } = await asUser('billing').query({ query: CHART, variables: { id } })
    expect(data?.patient).toMatchObject({ ssn: expect.stringMatching(/^\*{3}-\*{2}-\d{4}$/) as string, observations: null })
    expect(answers).toMatchObject([
      {
        errors: [{ path: ['patient', 'observations'] }],
        extensions: { phi: { masked: [{ coordinate: 'Patient.ssn', view: 'LAST4', count: 1, paths: [['patient', 'ssn']] }] } },
      },
    ])
  })

  it('has the code of a request that failed as a whole', async () => {
    const nobody = clients.of({ user: 'nobody', purpose: 'TREAT', token: () => Promise.resolve('none') })
    expect(codeOf((await nobody.query({ query: PANEL, variables: { first: 1 } })).error)).toBe('UNAUTHENTICATED')
    const { data, error } = await asUser('physician').query({ query: PANEL, variables: { first: 100_000 } })
    expect(codeOf(error)).toBe('BAD_USER_INPUT')
    expect(data).toBeUndefined()
    const wrongPurpose = clients.of({ user: 'physician', purpose: 'HPAYMT', token: () => served.token('physician') })
    expect(codeOf((await wrongPurpose.query({ query: PANEL, variables: { first: 1 } })).error)).toBe('BAD_REQUEST')
    const unknown = await asUser('lakeside-physician').query({ query: CHART, variables: { id } })
    expect([unknown.data, codeOf(unknown.error)]).toEqual([{ patient: null }, 'NOT_FOUND'])
    expect(codeOf(new TypeError('fetch failed'))).toBe('NETWORK')
  })
})

it('sends the text after the hash of an operation, and no hash afterwards', async () => {
  const headers = { authorization: `Bearer ${await served.token('physician')}` }
  const hashes = new PersistedQueryLink({
    generateHash: ({ loc }) =>
      createHash('sha256')
        .update(loc?.source.body ?? '')
        .digest('hex'),
  })
  const client = new ApolloClient({
    link: ApolloLink.from([hashes, new HttpLink({ uri: served.url, headers })]),
    cache: new InMemoryCache(),
  })
  for (const requests of [2, 1]) {
    const before = served.requests()
    const { data } = await client.query({ query: IDS, variables: { first: requests } })
    expect(data?.patients.edges).toHaveLength(requests)
    expect(served.requests() - before).toBe(requests)
  }
})

describe("Apollo Client's cache", () => {
  it('identifies a record by its id, from any query', async () => {
    const client = asUser('physician')
    const byList = await client.query({ query: PANEL, variables: { first: 1 } })
    const known = byList.data?.patients.edges[0]?.node.id ?? ''
    await client.query({
      query: gql`
        query ($id: ID!) {
          node(id: $id) {
            id
            ... on Patient {
              birthDate
            }
          }
        }
      `,
      variables: { id: known },
    })
    const person = client.readFragment({
      id: `Patient:${known}`,
      fragment: gql`
        fragment Known on Patient {
          id
          familyName
          birthDate
        }
      `,
    })
    expect(person).toMatchObject({ id: known, familyName: expect.any(String) as string, birthDate: expect.any(String) as string })
  })

  it('keeps no errors: a cached answer has only the null', async () => {
    const client = asUser('physician')
    const first = await client.query({ query: CHART, variables: { id } })
    const before = served.requests()
    const again = await client.query({ query: CHART, variables: { id } })
    expect(served.requests()).toBe(before)
    expect(again.data).toEqual(first.data)
    expect(first.error).toBeDefined()
    expect(again.error).toBeUndefined()
    const fresh = await client.query({ query: CHART, variables: { id }, fetchPolicy: 'network-only' })
    expect(fresh.error).toBeDefined()
  })

  it('is separate for each user and purpose, and empty after sign-out', async () => {
    const billing = asUser('billing')
    await billing.query({ query: CHART, variables: { id } })
    expect(JSON.stringify(billing.cache.extract())).toContain('***-**-')
    for (const other of [asUser('physician'), asUser('physician', 'ETREAT'), asUser('billing', 'TREAT')])
      expect(other.cache.extract()).toEqual({})
    expect(asUser('billing')).toBe(billing)
    await clients.forget()
    expect(billing.cache.extract()).toEqual({})
    expect(asUser('billing')).not.toBe(billing)
  })
})

describe('relayStylePagination', () => {
  it('pages to the end, without a gap or a repeat', async () => {
    const client = asUser('physician')
    const panel = client.watchQuery({ query: PANEL, variables: { first: 8 } })
    const subscription = panel.subscribe(() => undefined)
    try {
      // the shown patients, once there are this many
      const shown = async (rows: number): Promise<Panel['patients']> => {
        const done = panel.pipe(filter(({ loading, data }) => !loading && data?.patients?.edges?.length === rows))
        return ((await firstValueFrom(done)).data as Panel).patients
      }
      for (const rows of [8, 16]) {
        const { pageInfo } = await shown(rows)
        expect(pageInfo.hasNextPage).toBe(true)
        // neither the policy of the query nor the defaults apply to its further pages
        const further = { first: 8, after: pageInfo.endCursor ?? '' }
        await expect(panel.fetchMore({ variables: further })).rejects.toThrow(CombinedGraphQLErrors)
        await panel.fetchMore({ variables: further, errorPolicy: 'all' })
      }
      const patients = await shown(20)
      expect(patients.pageInfo.hasNextPage).toBe(false)
      expect(new Set(patients.edges.map(({ node }) => node.id)).size).toBe(20)
      expect(answers.map(({ errors }) => errors?.[0]?.extensions?.['count'])).toEqual([8, 8, 8, 4, 4])
    } finally {
      subscription.unsubscribe()
    }
  })

  it('P9: leaves a refused list null, fresh and from the cache', async () => {
    for (const fetchPolicy of ['network-only', 'cache-only'] as const) {
      const { data } = await asUser('billing').query({ query: CHART, variables: { id }, fetchPolicy })
      expect(data?.patient?.observations).toBeNull()
    }
  })
})
