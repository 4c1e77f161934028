import { PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { createServer, type Server } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ConsentSource } from '../../../gateway/access/attribute-loader.ts'
import { close, listen, LOOPBACK } from '../../../infra/local/ports.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import { CUT, HANG, PASS } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, outcomesOf } from '../asking.ts'
import { admit, BREAK, CHART, openWard, type Ward } from './break-glass-ward.ts'

let clinic: RunningClinic
let proxy: HostileProxy
let ward: Ward
let patient: string
let consents: ConsentSource['consents']
/** A proxy in front of the identity provider's keys. */
let keyServer: Server
let keysUri: string
let keysAway = false
let keysAsked = 0

const noConsents: ConsentSource['consents'] = (_tenant, patients) => Promise.resolve(new Map(patients.map((one) => [one, []])))

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  patient = await admit(clinic, 'Outage', [[], ['PSY'], ['ETH'], ['PSYTHPN']])
  keyServer = createServer((_request, response) => {
    keysAsked++
    if (keysAway) {
      response.destroy()
      return
    }
    fetch(clinic.stack.env.PHI_JWKS_URI)
      .then(async (keys) => response.end(await keys.text()))
      .catch(() => response.destroy())
  })
  keysUri = `http://${LOOPBACK}:${await listen(keyServer, 0)}/`
  proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // the SDK reads the variable at the first request of a client
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  const { services } = await clinic.another()
  consents = noConsents
  const source: ConsentSource = { consents: (...asked) => consents(...asked) }
  ward = await openWard(clinic, services, source, keysUri)
  // keys of tenant and issuer are warm from here on
  await ward.ask('physician', CHART, { id: patient })
})
afterAll(async () => {
  await ward.stop()
  await clinic.stop()
  await proxy.stop()
  await close(keyServer)
})
afterEach(() => {
  proxy.play(() => PASS)
  consents = noConsents
  keysAway = false
})

const breakGlass = async (): Promise<void> => {
  const broken = await ward.ask('physician', BREAK, { id: patient, minutes: 5 })
  expect(broken.errors).toEqual([])
}
const seen = async () => {
  const answer = await ward.ask('physician', CHART, { id: patient })
  const nodes = nodesAt(answer.data, 'patient', 'conditions')
  return {
    answer,
    name: at(answer.data, 'patient', 'familyName'),
    given: nodes.flatMap((node) => (node === null ? [] : [String(at(node, 'code', 'text'))])).toSorted(),
    unavailable: nodes.filter((node) => node === null).length,
  }
}

describe('C02: break-glass works while other services are unavailable', () => {
  it('baseline with all services: values that require a consent and psychotherapy notes are closed', async () => {
    await breakGlass()
    expect(await seen()).toMatchObject({ name: 'Outage', given: ['', 'PSY'], unavailable: 0 })
  })

  it.each([
    ['is cut off', () => CUT],
    ['is silent', () => HANG],
  ])('the table of memberships %s', async (_name, fault) => {
    const table = clinic.stack.env.PHI_TABLE_ACCESS
    proxy.play((call) => (call.names(table) ? fault() : PASS))
    await breakGlass()
    expect(await seen()).toMatchObject({ name: 'Outage', given: ['', 'PSY'], unavailable: 0 })
  })

  it.each<[string, ConsentSource['consents']]>([
    ['fails', () => Promise.reject(new StoreUnavailable())],
    ['is silent', () => new Promise(() => undefined)],
  ])(
    'the store of consents %s: values that require one are unavailable, others open, psychotherapy notes stay closed',
    async (_name, away) => {
      consents = away
      await breakGlass()
      const { answer, ...chart } = await seen()
      expect(chart).toMatchObject({ name: 'Outage', given: ['', 'PSY'] })
      // only the record with ETH is reported as unavailable
      expect(chart.unavailable).toBe(1)
      expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
      const outcomes = outcomesOf(await auditOf(clinic, answer))
      expect(outcomes.filter((outcome) => outcome.startsWith('Condition.'))).toEqual([
        'Condition.code DISCLOSED',
        'Condition.code DISCLOSED',
        'Condition.code UNAVAILABLE STORE',
        'Condition.id DENIED CONSENT',
      ])
    },
  )

  it("the issuer's keys: cached keys continue to verify", async () => {
    keysAway = true
    const asked = keysAsked
    await breakGlass()
    expect(await seen()).toMatchObject({ name: 'Outage', given: ['', 'PSY'] })
    expect([asked, keysAsked]).toEqual([1, 1])
  })

  it("the issuer's keys: a new process verifies only with the keys that another process stored", async () => {
    const env = { PHI_JWKS_URI: keysUri }
    const asks = async () => {
      const { ask, events } = await clinic.another({ env })
      const answer = await ask('physician', CHART, { id: patient }, { 'x-purpose-of-use': 'BTG' })
      return { status: answer.status, name: at(answer.data, 'patient', 'familyName'), events: events.map(({ event }) => event) }
    }
    keysAway = true
    expect(await asks()).toMatchObject({ status: 401 })
    keysAway = false
    await breakGlass()
    const afterAnother = async () => {
      keysAway = false
      expect(await asks()).toMatchObject({ status: 200, name: 'Outage' })
      keysAway = true
      return await asks()
    }
    // storing or reading a key set is abandoned after half a second, which can happen on a busy machine
    await expect.poll(afterAnother, { timeout: 15_000 }).toMatchObject({ status: 200, name: 'Outage' })
    // as a writer of the table
    const { dynamodb } = clinic.stack
    const TableName = clinic.stack.env.PHI_TABLE_SESSIONS
    const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName }))
    for (const item of Items.filter(({ sk }) => sk?.S === 'KEYS'))
      await dynamodb.send(new PutItemCommand({ TableName, Item: { ...item, at: { N: String(Number(item['at']?.N) + 1) } } }))
    const forged = await asks()
    expect(forged).toMatchObject({ status: 401 })
    expect(forged.events).toContain('ISSUER_KEYS_FORGED')
  })

  it('its own table: nothing is open, and the mutation reports the outage', async () => {
    await breakGlass()
    const table = clinic.stack.env.PHI_TABLE_BREAK_GLASS
    proxy.play((call) => (call.names(table) ? CUT : PASS))
    const broken = await ward.ask('physician', BREAK, { id: patient, minutes: 5 })
    expect(broken.data).toEqual({ breakGlass: null })
    expect(broken.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    expect(outcomesOf(await auditOf(clinic, broken))).toEqual(['Mutation.breakGlass UNAVAILABLE STORE'])
    expect(await seen()).toMatchObject({ name: null, given: [] })
  })
})
