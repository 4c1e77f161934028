import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MESSAGES } from '../../gateway/model/failure-messages.ts'
import { fetchToken } from '../../infra/local/token.ts'
import { read, type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { first, patientsOf } from './asking.ts'
import { REFUSED_OPERATIONS } from './refused-operations.ts'
import { BY_ID, query, type Sent, VALUE } from './refused-request.ts'
import { REFUSED_REQUESTS } from './refused-requests.ts'

const REFUSED = [...REFUSED_OPERATIONS, ...REFUSED_REQUESTS]

type Handle = RunningClinic['gateway']['handle']

let clinic: RunningClinic
let local: Handle
/** The stages with fixed texts, by name. */
const fixed = new Map<string, Handle>()
let token: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  token = await fetchToken(clinic.stack, 'physician')
  const handleAt = async (stage: string): Promise<Handle> => {
    const { gateway } = await clinic.another({ env: { PHI_STAGE: stage } })
    return (request) => gateway.handle(request)
  }
  local = await handleAt('local')
  for (const stage of ['LOCAL', 'local ', 'test', 'production']) fixed.set(stage, await handleAt(stage))
})
afterAll(() => clinic.stop())

async function send(handle: Handle, { method = 'POST', queryString, headers = {}, body }: Sent) {
  const response = await handle({
    method,
    ...(queryString !== undefined && { queryString }),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body ?? {}),
  })
  const { errors, phi } = read(response)
  const [error] = errors
  const text = response.body.replaceAll(phi.requestId, 'REQUEST')
  return {
    status: response.status,
    text,
    headers: response.headers,
    message: error?.message ?? '',
    code: error?.extensions['code'],
  }
}

describe('detailed errors', () => {
  it.each(REFUSED)('P8: the local stage names the fault, without any value: %s', async (_name, sent, code, message) => {
    const answer = await send(local, sent(token))
    expect(answer.code).toBe(code)
    if (typeof message === 'string') expect(answer.message).toBe(message)
    else expect(answer.message).toMatch(message)
    expect(answer.text).not.toContain(VALUE)
    expect(JSON.stringify(answer.headers)).not.toContain(VALUE)
  })

  it.each(REFUSED)('P8: every other stage answers with fixed text: %s', async (_name, sent, code) => {
    const answers = await Promise.all([...fixed.values()].map(async (handle) => await send(handle, sent(token))))
    for (const answer of answers) expect(answer).toEqual({ ...answers[0], message: MESSAGES[code], code })
  })

  it('P5: a local NOT_FOUND has one text for every cause', async () => {
    const other = first(await patientsOf(clinic, 'lakeside-physician'))
    const texts = await Promise.all(
      [other, 'made-up', VALUE].map(async (id) => (await send(local, query(BY_ID, { id }))).text.replace(/"receipt":"[^"]*"/, '')),
    )
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).toContain('Either the id is malformed, or no record has this id, or the caller may not know of the record.')
  })

  it('the local stage follows its name, and no header', async () => {
    const sent = query('{ patients { edges { node { familyNam } } } }')
    const headers = { 'x-phi-stage': 'local', 'phi-stage': 'local', host: 'localhost', 'x-forwarded-host': '127.0.0.1' }
    for (const handle of fixed.values())
      expect((await send(handle, { ...sent, headers })).message).toBe(MESSAGES.GRAPHQL_VALIDATION_FAILED)
    expect((await send(local, { ...sent, headers: { 'x-phi-stage': 'production' } })).message).toContain('familyName')
  })
})
