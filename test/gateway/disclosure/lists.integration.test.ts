import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import { decodeNodeId, encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../../../gateway/model/ids.ts'
import type { Json, NewRecord } from '../../../gateway/model/record.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, nodesAt, RIVERSIDE } from '../asking.ts'

const PATIENT = 'Patient' as TypeName
const OBSERVATION = 'Observation' as TypeName
const PANEL = 100
/** The number of patients that are admitted concurrently. The log has four lanes, and each write mostly waits for the engine. */
const AT_ONCE = 10

let clinic: RunningClinic
let store: SealedStore

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

const pathsOf = (type: TypeName, values: Record<string, Json>): NewRecord['values'] =>
  new Map(Object.entries(values).map(([field, value]) => [`${type}.${field}` as SchemaPath, value]))

function patient(source: string): RecordRef {
  const id = store.idFor(PATIENT, source)
  return { type: PATIENT, patient: id as string as PatientId, id }
}

const person = (ref: RecordRef): NewRecord => ({
  ref,
  values: pathsOf(PATIENT, {
    familyName: 'Listed',
    givenName: ['Some', 'Body'],
    birthDate: '1980-02-03',
    gender: 'other',
    phone: '555-0100',
    email: 'somebody@example.org',
    mrn: 'M-1',
    language: 'en',
  }),
  metadata: { open: {}, references: {}, source: 'one' },
})

const HBA1C = '4548-4'

function finding({ patient }: RecordRef, number: number): NewRecord {
  const date = new Date(Date.UTC(2020, 0, 1) + number * 3_600_000).toISOString()
  const code = number % 10 === 0 ? HBA1C : '8867-4'
  return {
    ref: { type: OBSERVATION, patient, id: store.idFor(OBSERVATION, `${patient}/${number}`) },
    values: pathsOf(OBSERVATION, {
      code: { coding: [{ system: 'http://loinc.org', code, display: null }], text: null },
      category: 'laboratory',
      effectiveDateTime: date,
      valueQuantity: { value: number, unit: '%', code: '%' },
      valueString: 'text',
      valueCodeableConcept: { coding: [], text: 'concept' },
      interpretation: 'H',
      component: [{ code: { coding: [], text: 'part' }, valueQuantity: null, valueString: 'x', valueCodeableConcept: null }],
    }),
    metadata: { open: {}, references: {}, date, codes: [code], categories: ['laboratory'], source: `${number}` },
  }
}

async function admit(source: string, findings: number): Promise<string> {
  const ref = patient(source)
  const records = [person(ref), ...Array.from({ length: findings }, (_, number) => finding(ref, number))]
  const memberships = [
    { patient: ref.patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] } as const,
  ]
  await store.write({ patient: ref.patient, records, memberships })
  return encodeNodeId(ref)
}

/** The requests to the tables of records, memberships and keys during a call. */
async function requestsWhile<T>(work: () => Promise<T>): Promise<{ result: T; requests: number }> {
  const { records, access, keys } = clinic.services
  const count = (): number => records.counter.requests + access.counter.requests + keys.counter.requests
  const before = count()
  return { result: await work(), requests: count() - before }
}

const VALUES =
  'code { text } category effectiveDateTime valueQuantity { value } valueString valueCodeableConcept { text } interpretation component { valueString }'
const FILTERED = `query ($id: ID!, $after: String) { patient(id: $id) {
  observations(first: 10, code: "${HBA1C}", after: $after) { edges { node { effectiveDateTime valueQuantity { value } } } pageInfo { endCursor hasNextPage } }
} }`

describe('lists that a clinician can use', () => {
  it('the ten latest values of one code come in order with one page, and only those ten records are opened', async () => {
    const id = await admit('short', 120)
    const answer = await clinic.ask('physician', FILTERED, { id })
    const values = nodesAt(answer.data, 'patient', 'observations').map((node) => at(node, 'valueQuantity', 'value'))
    expect(values).toEqual([110, 100, 90, 80, 70, 60, 50, 40, 30, 20])
    expect(answer.phi.resolved).toBe(20)
    expect(await auditOf(clinic, answer)).toHaveLength(21)
    const next = await clinic.ask('physician', FILTERED, {
      id,
      after: at(answer.data, 'patient', 'observations', 'pageInfo', 'endCursor'),
    })
    expect(nodesAt(next.data, 'patient', 'observations').map((node) => at(node, 'valueQuantity', 'value'))).toEqual([10, 0])
    expect(at(next.data, 'patient', 'observations', 'pageInfo', 'hasNextPage')).toBe(false)
  })

  it('a page of a long history takes as many requests as a page of a short one', async () => {
    const [short, long] = [await admit('brief', 12), await admit('long', 1_400)]
    const query = `query ($id: ID!) { patient(id: $id) { observations(first: 10) { edges { node { ${VALUES} } } } } }`
    for (const text of [query, FILTERED]) {
      const few = await requestsWhile(() => clinic.ask('physician', text, { id: short }))
      const many = await requestsWhile(() => clinic.ask('physician', text, { id: long }))
      expect(many.result.errors).toEqual([])
      expect(many.requests).toBe(few.requests)
    }
    const { result, requests } = await requestsWhile(() => clinic.ask('physician', FILTERED, { id: long }))
    expect(nodesAt(result.data, 'patient', 'observations').map((node) => at(node, 'valueQuantity', 'value'))[0]).toBe(1_390)
    // the patient with membership and key; the index root and chunks; the records and their access manifests
    expect(requests).toBeLessThanOrEqual(7)
  })

  it('pages lead to the end without a gap or a repeat while records are added', async () => {
    const ref = patient('growing')
    const id = await admit('growing', 40)
    const query = `query ($id: ID!, $after: String) { patient(id: $id) {
      observations(first: 7, after: $after) { edges { node { valueQuantity { value } } } pageInfo { endCursor hasNextPage } }
    } }`
    const seen: unknown[] = []
    let after: unknown
    for (let added = 40; ; added += 3) {
      const answer = await clinic.ask('physician', query, { id, after })
      seen.push(...nodesAt(answer.data, 'patient', 'observations').map((node) => at(node, 'valueQuantity', 'value')))
      if (at(answer.data, 'patient', 'observations', 'pageInfo', 'hasNextPage') !== true) break
      after = at(answer.data, 'patient', 'observations', 'pageInfo', 'endCursor')
      // newer records, which belong before the first page, and one record on a later page
      await store.write({
        patient: ref.patient,
        records: [finding(ref, added), finding(ref, added + 1), finding(ref, -added)],
        memberships: [],
      })
    }
    const old = seen.filter((value) => typeof value === 'number' && value >= 0)
    expect(old).toEqual(Array.from({ length: 40 }, (_, index) => 39 - index))
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('the panel is paged to the end without a gap or a repeat while patients are added', async () => {
    const early = await Promise.all(Array.from({ length: 9 }, (_, number) => admit(`early-${number}`, 0)))
    const query =
      'query ($after: String) { patients(first: 4, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }'
    const seen: unknown[] = []
    let after: unknown
    for (let added = 0; ; added++) {
      const answer = await clinic.ask('physician', query, { after })
      seen.push(...nodesAt(answer.data, 'patients').map((node) => at(node, 'id')))
      if (at(answer.data, 'patients', 'pageInfo', 'hasNextPage') !== true || added > 20) break
      after = at(answer.data, 'patients', 'pageInfo', 'endCursor')
      await admit(`late-${added}`, 0)
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(early.filter((id) => !seen.includes(id))).toEqual([])
  })

  it('P5 P12: a patient that denies everything to the caller is missing in a full page, and only the audit shows it', async () => {
    const ward = new Admissions(store)
    const admitFor = async (name: string, given: readonly Consent[] = []): Promise<string> =>
      await ward.write(name, [ward.record(name, 'Patient', '', { familyName: name })], ['nurse'], given)
    for (const name of ['one', 'two', 'three']) await admitFor(`panel ${name}`)
    const size = nodesAt((await clinic.ask('nurse', '{ patients(first: 100) { edges { node { id } } } }')).data, 'patients').length
    const panel = async (): Promise<ClinicAnswer> =>
      await clinic.ask('nurse', `{ patients(first: ${size}) { edges { node { id familyName } } pageInfo { hasNextPage } } }`)
    const before = await panel()
    const denying = await admitFor('panel denies', [{ id: 'no', effect: 'DENY' }])
    const after = await panel()
    expect(nodesAt(after.data, 'patients')).toHaveLength(size)
    expect(bytesOf(after)).toBe(bytesOf(before))
    const closed = (await auditOf(clinic, after)).filter(({ outcome }) => outcome === 'DENIED')
    expect(closed).toEqual([
      expect.objectContaining({ path: 'Patient.id', patient: decodeNodeId(denying)?.patient, reason: 'CONSENT' }),
    ])
  })

  it('P8: a cursor of one filter is refused with another', async () => {
    const id = await admit('filtered', 40)
    const cursor = async (filter: string, after?: unknown): Promise<{ status: number; end: unknown }> => {
      const query = `query ($id: ID!, $after: String) { patient(id: $id) {
        observations(first: 2, after: $after${filter}) { pageInfo { endCursor } }
      } }`
      const answer = await clinic.ask('physician', query, { id, after })
      return { status: answer.status, end: at(answer.data, 'patient', 'observations', 'pageInfo', 'endCursor') }
    }
    const filters = ['', `, code: "${HBA1C}"`, ', category: "laboratory"', ', since: "2019"', ', until: "2030-01-01"']
    for (const made of filters) {
      const { end } = await cursor(made)
      expect(end).toEqual(expect.any(String))
      for (const used of filters) expect((await cursor(used, end)).status, `${made} for ${used}`).toBe(made === used ? 200 : 400)
    }
  })

  it('a list of 100 patients with 8 fields, and one patient with 100 observations of 8 fields', { timeout: 60_000 }, async () => {
    for (let number = 0; number < PANEL; number += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, place) => admit(`panel-${number + place}`, 0)))
    }
    const fields = 'familyName givenName birthDate gender phone email mrn language'
    const panel = await requestsWhile(() =>
      clinic.ask('physician', `{ patients(first: ${PANEL}) { edges { node { ${fields} } } } }`),
    )
    expect(panel.result.errors).toEqual([])
    expect(nodesAt(panel.result.data, 'patients')).toHaveLength(PANEL)
    expect(panel.result.phi.resolved).toBe(8 * PANEL)
    // the panel and its memberships; then records, keys, memberships and consents, a hundred at a time
    expect(panel.requests).toBeLessThanOrEqual(11)
    expect(await auditOf(clinic, panel.result)).toHaveLength(8 * PANEL)

    const id = await admit('observed', 100)
    const list = await requestsWhile(() =>
      clinic.ask(
        'physician',
        `query ($id: ID!) { patient(id: $id) { observations(first: 100) { edges { node { ${VALUES} } } } } }`,
        { id },
      ),
    )
    expect(list.result.errors).toEqual([])
    expect(list.result.phi.resolved).toBe(800)
    expect(list.requests).toBeLessThanOrEqual(7)
    const audit = await auditOf(clinic, list.result)
    expect(audit).toHaveLength(801)
    expect(audit.filter(({ path, count }) => path === 'Patient.observations' && count === 100)).toHaveLength(1)
  })
})
