import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Instant, PatientId, RecordId, RecordRef } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Role, Sensitivity } from '../../../directives/policy.ts'
import type { Json, NewRecord } from '../../../gateway/model/record.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, outcomesOf, RIVERSIDE } from '../asking.ts'
import { openWard } from '../mutations/break-glass-ward.ts'
import { accessManifest, DatabaseHand, flipped } from '../store/database-hand.ts'

const [ETH, HIV, PSYTHPN] = ['ETH', 'HIV', 'PSYTHPN'] as Sensitivity[] as [Sensitivity, Sensitivity, Sensitivity]
const NOTICE = '42 CFR part 2 prohibits unauthorized use or disclosure of these records.'

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

const ref = (patient: string, type: string, name: string): RecordRef => {
  const id = store.idFor(type, `${patient}/${name}`)
  const whose = store.idFor('Patient', patient)
  return { type: type as TypeName, patient: whose as string as PatientId, id: type === 'Patient' ? whose : id }
}
const idOf = (patient: string, type: string, name: string): RecordId => ref(patient, type, name).id

function record(patient: string, type: string, name: string, values: Record<string, Json>, metadata = {}): NewRecord {
  return {
    ref: ref(patient, type, name),
    values: new Map(Object.entries(values).map(([field, value]) => [`${type}.${field}` as SchemaPath, value])),
    metadata: { open: {}, references: {}, source: name, ...metadata },
  }
}

const day = (number: number): string => new Date(Date.UTC(2020, 0, 1 + number)).toISOString()

/**
 * One diagnosis for each day, the latest last, identified by name. A name that begins with `ETH` has the label of substance use.
 */
async function admit(patient: string, conditions: readonly string[], more: readonly NewRecord[] = []): Promise<string> {
  const records = conditions.map((name, number) => {
    const label = /^(?:ETH|HIV|PSYTHPN)/.exec(name)?.[0]
    const metadata = { date: day(number), ...(label !== undefined && { labels: [label] }), references: referencesOf(patient, name) }
    return record(patient, 'Condition', name, { code: { coding: [], text: name }, recordedDate: day(number) }, metadata)
  })
  const care = ['physician', 'nurse'].map((user) => {
    return {
      patient: ref(patient, 'Patient', '').patient,
      relationship: 'CARE_TEAM',
      fhirUser: `Practitioner/${user}`,
      periods: [{}],
    } as const
  })
  await store.write({
    patient: ref(patient, 'Patient', '').patient,
    records: [record(patient, 'Patient', '', { familyName: 'Agreed' }), ...more, ...records],
    memberships: care,
  })
  return encodeNodeId(ref(patient, 'Patient', ''))
}

/** `HIV at V1` belongs to the encounter `V1`. */
function referencesOf(patient: string, name: string): Record<string, RecordId> {
  const visit = / at (\w+)$/.exec(name)?.[1]
  return visit === undefined ? {} : { encounter: idOf(patient, 'Encounter', visit) }
}

async function say(patient: string, given: readonly Consent[], withdrawn: readonly string[] = []): Promise<void> {
  await store.write({ patient: ref(patient, 'Patient', '').patient, records: [], memberships: [], consents: { given, withdrawn } })
}

const LIST = `query ($id: ID!, $first: Int, $after: String) { patient(id: $id) { familyName
  conditions(first: $first, after: $after) { edges { node { code { text } } } pageInfo { hasNextPage endCursor } mayBeIncomplete } } }`

const namesIn = ({ data }: ClinicAnswer): unknown[] =>
  nodesAt(data, 'patient', 'conditions').map((node) => at(node, 'code', 'text'))
const listed = async (user: string, id: string, headers?: Record<string, string>, first = 20): Promise<ClinicAnswer> =>
  await clinic.ask(user, LIST, { id, first }, headers)
const closedIn = async (answer: ClinicAnswer): Promise<(string | undefined)[]> =>
  (await auditOf(clinic, answer)).flatMap(({ outcome, reason, recordId }) =>
    outcome === 'DENIED' && reason === 'CONSENT' ? [recordId] : [],
  )

describe('P3, P9: a record that needs a consent is closed until a consent permits it; only the audit shows the denial', () => {
  it('substance use: omitted from lists, not found by id, null over an edge; a permission discloses it with the notice', async () => {
    const visit = record('eth', 'Encounter', 'V1', { status: 'finished' }, { labels: [ETH], date: day(1) })
    const id = await admit('eth', ['plain', 'ETH use', 'HIV', 'plain at V1'], [visit])
    const closed = await listed('physician', id)
    expect(closed.errors).toEqual([])
    expect(namesIn(closed)).toEqual(['plain at V1', 'HIV', 'plain'])
    expect(closed.text).not.toContain('notices')
    expect(await closedIn(closed)).toEqual([idOf('eth', 'Condition', 'ETH use')])
    expect((await auditOf(clinic, closed)).find(({ path }) => path === 'Patient.conditions')?.count).toBe(3)

    const one = 'query ($id: ID!) { node(id: $id) { id ... on Condition { code { text } encounter { status } } } }'
    const byId = await clinic.ask('physician', one, { id: encodeNodeId(ref('eth', 'Condition', 'ETH use')) })
    const nobody = await clinic.ask('physician', one, { id: encodeNodeId(ref('eth', 'Condition', 'never was')) })
    expect(byId.data).toEqual({ node: null })
    expect(bytesOf(byId)).toBe(bytesOf(nobody))
    expect(outcomesOf(await auditOf(clinic, byId)).every((line) => line.endsWith('DENIED CONSENT'))).toBe(true)
    const along = await clinic.ask('physician', one, { id: encodeNodeId(ref('eth', 'Condition', 'plain at V1')) })
    expect(along.errors).toEqual([])
    expect(at(along.data, 'node', 'encounter')).toBeNull()

    await say('eth', [{ id: 'c1', effect: 'PERMIT', labels: [ETH] }])
    const open = await listed('physician', id)
    expect(namesIn(open)).toEqual(['plain at V1', 'HIV', 'ETH use', 'plain'])
    expect(at(open.phi, 'notices')).toEqual([{ text: NOTICE }])
    const entry = (await auditOf(clinic, open)).find(
      ({ path, recordId }) => path === 'Condition.code' && recordId === idOf('eth', 'Condition', 'ETH use'),
    )
    expect(entry).toMatchObject({ basis: 'CONSENT', basisId: 'c1' })

    await say('eth', [], ['c1'])
    expect(namesIn(await listed('physician', id))).toEqual(['plain at V1', 'HIV', 'plain'])
  })

  it('a permission applies by actor, role, purpose, period, label and record', async () => {
    const id = await admit('narrow', ['plain', 'ETH use', 'ETH two', 'HIV', 'PSYTHPN'])
    const permit = async (consent: Omit<Consent, 'id' | 'effect'>): Promise<void> => {
      await say('narrow', [{ id: 'c', effect: 'PERMIT', labels: [ETH], ...consent }])
    }
    const both = ['HIV', 'ETH two', 'ETH use', 'plain']
    await permit({ actor: 'Practitioner/nurse' })
    expect(namesIn(await listed('physician', id))).toEqual(['HIV', 'plain'])
    expect(namesIn(await listed('nurse', id))).toEqual(both)
    await permit({ roles: ['PHYSICIAN' as Role] })
    expect(namesIn(await listed('physician', id))).toEqual(both)
    expect(namesIn(await listed('nurse', id))).toEqual(['HIV', 'plain'])
    await permit({ purposes: ['HPAYMT'] })
    expect(namesIn(await listed('physician', id))).toEqual(['HIV', 'plain'])
    expect(namesIn(await listed('billing', id))).toEqual(both)
    await permit({ until: (Date.now() - 1) as Instant })
    expect(namesIn(await listed('physician', id))).toEqual(['HIV', 'plain'])
    await permit({ labels: [PSYTHPN] })
    expect(namesIn(await listed('physician', id))).toEqual(['PSYTHPN', 'HIV', 'plain'])
    await permit({ records: [idOf('narrow', 'Condition', 'ETH two')] })
    expect(namesIn(await listed('physician', id))).toEqual(['HIV', 'ETH two', 'plain'])
  })

  it('a denial closes a label, a record, an encounter for payment (164.522(a)(1)(vi)), or everything', async () => {
    const visit = record('denied', 'Encounter', 'V1', { status: 'finished' }, { date: day(1) })
    const claim = record(
      'denied',
      'Claim',
      'paid',
      { total: 100 },
      { references: { encounter: idOf('denied', 'Encounter', 'V1') }, date: day(1) },
    )
    const other = record('denied', 'Claim', 'other', { total: 200 }, { date: day(2) })
    const id = await admit('denied', ['plain', 'HIV', 'plain at V1', 'last'], [visit, claim, other])
    await say('denied', [{ id: 'hiv', effect: 'DENY', labels: [HIV], actor: 'Practitioner/nurse' }])
    expect(namesIn(await listed('nurse', id))).toEqual(['last', 'plain at V1', 'plain'])
    expect(namesIn(await listed('physician', id))).toEqual(['last', 'plain at V1', 'HIV', 'plain'])
    await say('denied', [{ id: 'paid', effect: 'DENY', purposes: ['HPAYMT'], records: [visit.ref.id] }])
    const totals = await clinic.ask('billing', 'query ($id: ID!) { patient(id: $id) { claims { edges { node { total } } } } }', {
      id,
    })
    expect(totals.errors).toEqual([])
    expect(nodesAt(totals.data, 'patient', 'claims')).toEqual([{ total: 200 }])
    expect(namesIn(await listed('billing', id))).toEqual(['last', 'HIV', 'plain'])
    expect(namesIn(await listed('physician', id))).toHaveLength(4)
    await say('denied', [{ id: 'all', effect: 'DENY', actor: 'Practitioner/nurse' }])
    const nothing = await listed('nurse', id)
    expect(nothing.data).toEqual({ patient: null })
    expect(nothing.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    expect(namesIn(await listed('physician', id))).toHaveLength(4)
  })
})

describe('P12: pages reveal nothing of closed records', () => {
  const names = Array.from({ length: 9 }, (_, number) => [`plain ${number}`, `ETH ${number}`]).flat()

  it('pages are full with records closed by label and by id, and the last page has no next page', async () => {
    const id = await admit('full', names)
    await say('full', [
      { id: 'd', effect: 'DENY', records: [3, 4, 0].map((number) => idOf('full', 'Condition', `plain ${number}`)) },
    ])
    const pages: unknown[][] = []
    for (let after: unknown = null; ; ) {
      const answer = await clinic.ask('physician', LIST, { id, first: 3, after })
      pages.push(namesIn(answer))
      expect(at(answer.data, 'patient', 'conditions', 'mayBeIncomplete')).toBe(true)
      expect(answer.errors).toEqual([])
      if (at(answer.data, 'patient', 'conditions', 'pageInfo', 'hasNextPage') !== true) break
      after = at(answer.data, 'patient', 'conditions', 'pageInfo', 'endCursor')
    }
    expect(pages).toEqual([
      ['plain 8', 'plain 7', 'plain 6'],
      ['plain 5', 'plain 2', 'plain 1'],
    ])
  })

  it('P13: after a withdrawal during paging, no later page has the record', async () => {
    const id = await admit('withdrawn', names)
    await say('withdrawn', [{ id: 'c', effect: 'PERMIT', labels: [ETH] }])
    const before = await listed('physician', id, undefined, 4)
    expect(namesIn(before)).toEqual(['ETH 8', 'plain 8', 'ETH 7', 'plain 7'])
    await say('withdrawn', [], ['c'])
    const after = at(before.data, 'patient', 'conditions', 'pageInfo', 'endCursor')
    const next = await clinic.ask('physician', LIST, { id, first: 4, after })
    expect(namesIn(next)).toEqual(['plain 6', 'plain 5', 'plain 4', 'plain 3'])
  })
})

describe('P9: consents that cannot be read', () => {
  it('an outage makes only records that need a consent unavailable', async () => {
    const id = await admit('outage', ['plain', 'ETH use', 'HIV'])
    await say('outage', [{ id: 'c', effect: 'PERMIT', labels: [ETH] }])
    const ward = await openWard(clinic, clinic.services, { consents: () => Promise.reject(new StoreUnavailable()) })
    const answer = await ward.ask('physician', LIST, { id, first: 20 }, 'TREAT')
    await ward.stop()
    expect(at(answer.data, 'patient', 'familyName')).toBe('Agreed')
    expect(nodesAt(answer.data, 'patient', 'conditions').map((node) => at(node, 'code', 'text'))).toEqual([
      'HIV',
      undefined,
      'plain',
    ])
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'ConditionEdge.node' } }])
    expect(outcomesOf(await auditOf(clinic, answer))).toContain('Condition.code UNAVAILABLE STORE')
  })

  it('P6: a consent that was removed or restored to an older version is an integrity failure, and nothing of the patient is disclosed', async () => {
    const id = await admit('damaged', ['plain', 'HIV'])
    const hand = new DatabaseHand(clinic)
    const before = await hand.read(accessManifest(id), 'ACCESS')
    await say('damaged', [{ id: 'd', effect: 'DENY', labels: [HIV] }])
    expect(namesIn(await listed('physician', id))).toEqual(['plain'])
    const now = await hand.read(accessManifest(id), 'ACCESS')
    // the manifest without the denial opens, but no record names it
    for (const item of [before, { ...now, v: flipped(now['v']) }]) {
      await hand.put(item, 'ACCESS')
      for (const user of ['physician', 'billing']) {
        const answer = await clinic.ask(user, LIST, { id, first: 20 })
        expect(answer.text).not.toContain('Agreed')
        expect(answer.data).toEqual({ patient: null })
        expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE' } }])
      }
    }
    const told = clinic.events.flatMap((event) => (event.event === 'ACCESS_ITEM_FORGED' ? [event.what] : []))
    expect(new Set(told)).toEqual(new Set(['ALTERED', 'MANIFEST_ALTERED']))
  })
})
