import { ClientError, GraphQLClient } from 'graphql-request'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServedClinic, serveClinic } from './clinic-over-http.ts'
import { at } from '../../asking.ts'
import { reportable } from './samples/crash-report.ts'
import { clinicClient } from './samples/graphql-request.ts'

const PANEL = 'query Panel($first: Int) { patients(first: $first) { edges { node { id familyName ssn } } } }'

let served: ServedClinic
beforeAll(async () => {
  served = await serveClinic({ riverside: 2, lakeside: 1 })
})
afterAll(() => served.stop())

const asUser = async (user: string, purpose: string) => clinicClient(served.url, purpose, await served.token(user))
const nodeOf = (data: unknown): { readonly familyName: string; readonly id: string } =>
  at(data, 'patients', 'edges', 0, 'node') as { familyName: string; id: string }
const failureOf = async (work: Promise<unknown>): Promise<ClientError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ClientError)) throw new TypeError('it did not fail as expected', { cause: error })
  return error
}

describe('graphql-request', () => {
  it("with 'all' has data, errors and extensions together", async () => {
    const { data, errors, extensions } = await (await asUser('physician', 'TREAT')).rawRequest<object>(PANEL, { first: 2 })
    expect(data).toMatchObject({ patients: { edges: [{ node: { ssn: null } }, { node: { ssn: null } }] } })
    expect(errors).toMatchObject([
      {
        extensions: { coordinate: 'Patient.ssn', count: 2, paths: [0, 1].map((row) => ['patients', 'edges', row, 'node', 'ssn']) },
      },
    ])
    expect(extensions).toMatchObject({ phi: { resolved: 2, denied: 2 } })
  })

  it('has the list of masked values', async () => {
    const { errors, extensions } = await (await asUser('billing', 'HPAYMT')).rawRequest(PANEL, { first: 2 })
    expect(errors).toBeUndefined()
    expect(extensions).toMatchObject({ phi: { masked: [{ coordinate: 'Patient.ssn', view: 'LAST4', count: 2 }] } })
  })

  it("with the default, 'none', throws with everything in the response", async () => {
    const client = new GraphQLClient(served.url, { headers: { authorization: `Bearer ${await served.token('physician')}` } })
    const { response } = await failureOf(client.request(PANEL, { first: 1 }))
    expect(response.status).toBe(200)
    expect(response.data).toMatchObject({ patients: { edges: [{ node: { ssn: null } }] } })
    expect(response.errors?.[0]?.extensions['code']).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
  })

  it("P8: the message of an error of 'none' has disclosed values, and the reportable parts have none", async () => {
    const client = new GraphQLClient(served.url, { headers: { authorization: `Bearer ${await served.token('physician')}` } })
    const error = await failureOf(client.request(PANEL, { first: 1 }))
    const { familyName, id } = nodeOf(error.response.data)
    expect(error.message).toContain(familyName)
    const reported = JSON.stringify(reportable(error))
    expect(reported).not.toContain(familyName)
    expect(reported).not.toContain(id)
    expect(reportable(error)).toMatchObject({
      codes: ['UNAUTHORIZED_FIELD_OR_TYPE'],
      requestId: expect.stringMatching(/^[\w-]{24}$/) as string,
    })
    expect(reportable(error).frames.length).toBeGreaterThan(0)
  })

  it("with 'all', a denial throws nothing that a crash reporter could send", async () => {
    await expect((await asUser('physician', 'TREAT')).rawRequest(PANEL, { first: 1 })).resolves.toBeDefined()
  })

  it.each<[number, string, string, object]>([
    [401, 'UNAUTHENTICATED', 'none', { first: 1 }],
    [400, 'BAD_USER_INPUT', 'physician', { first: 100_000 }],
    [400, 'BAD_USER_INPUT', 'physician', { first: 'many' }],
  ])('throws %i %s', async (status, code, user, variables) => {
    const token = user === 'none' ? 'none' : await served.token(user)
    const { response } = await failureOf(clinicClient(served.url, 'TREAT', token).rawRequest(PANEL, variables))
    expect(response.status).toBe(status)
    expect(response.errors?.[0]?.extensions['code']).toBe(code)
  })
})
