import { QueryCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { searchKey, searchToken } from '../../../gateway/crypto/blind-index.ts'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { SearchTable } from '../../../gateway/store/search.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Json, NewRecord } from '../../../gateway/model/record.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, LAKESIDE, nodesAt, RIVERSIDE, workOf } from '../asking.ts'
import { DatabaseHand, type Item } from '../store/database-hand.ts'

const INDEXES = searchIndexes(clinicLock())
let clinic: RunningClinic
let store: SealedStore
let lakeside: SealedStore
let hand: DatabaseHand

/** Every opening of a field in this process, by any caller. */
const openings = vi.spyOn(SealedRecord.prototype, 'openField')
const hits = vi.spyOn(SearchTable.prototype, 'hits')

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, INDEXES)
  lakeside = await openStore(LAKESIDE, '0'.repeat(64), clinic.stack.env, INDEXES)
  await admit('ann', ANN, CARE)
  await admit('bob', { ...BOB, phone: ANN.phone }, [])
  await admit('unpaid', { mrn: 'MR 310' }, [])
  const deny: Consent = { id: 'self-pay', effect: 'DENY', purposes: ['HPAYMT'] }
  const consents = { given: [deny], withdrawn: [] }
  await store.write({ patient: refOf('unpaid').patient, records: [], memberships: [], consents })
  await admit('twin', ANN, [['CARE_TEAM', 'Practitioner/lakeside-physician']], { store: lakeside })
})
afterAll(async () => {
  // test files share the module cache
  openings.mockRestore()
  hits.mockRestore()
  await store.close()
  await lakeside.close()
  await clinic.stop()
})
beforeEach(() => {
  openings.mockClear()
  hits.mockClear()
})
afterEach(() => {
  hits.mockReset()
})

const ANN = { mrn: 'MR 100', ssn: '123-45-6789', phone: '(555) 010-1234', familyName: 'Müller', birthDate: '1980-02-03' }
const BOB = { mrn: 'MR 200', ssn: '987-65-4321', phone: '', familyName: 'Stone', birthDate: '1980-02-03' }
type Member = readonly ['CARE_TEAM' | 'SELF', string]
const CARE: readonly Member[] = [
  ['CARE_TEAM', 'Practitioner/physician'],
  ['CARE_TEAM', 'Practitioner/nurse'],
  ['SELF', 'Patient/riverside-1'],
]

const refOf = (name: string, type = 'Patient', of = store): RecordRef => {
  const patient = of.idFor('Patient', name)
  const id = type === 'Patient' ? patient : of.idFor(type, name)
  return { type: type as TypeName, patient: patient as string as PatientId, id }
}
const idOf = (name: string, of = store): string => encodeNodeId(refOf(name, 'Patient', of))

/** Writes a patient with a coverage. The member id is `SUB` and the name. */
async function admit(
  name: string,
  values: Record<string, Json>,
  members: readonly Member[],
  { store: to = store, metadata = {} }: { store?: SealedStore; metadata?: Partial<NewRecord['metadata']> } = {},
): Promise<void> {
  const record = (type: string, of: Record<string, Json>): NewRecord => ({
    ref: refOf(name, type, to),
    values: new Map(Object.entries(of).map(([field, value]) => [`${type}.${field}` as SchemaPath, value])),
    metadata: { open: {}, references: {}, source: JSON.stringify(of), ...metadata },
  })
  const { patient } = refOf(name, 'Patient', to)
  await to.write({
    patient,
    records: [record('Patient', values), record('Coverage', { subscriberId: `SUB ${name}` })],
    memberships: members.map(([relationship, fhirUser]) => ({ patient, relationship, fhirUser, periods: [{}] })),
  })
}

const ROOTS = {
  identifiers: `query ($mrn: String, $ssn: String, $phone: String, $memberId: String, $birthDate: PartialDate, $first: Int = 20,
    $after: String) {
    found: patientsByIdentifier(mrn: $mrn, ssn: $ssn, phone: $phone, memberId: $memberId, birthDate: $birthDate, first: $first,
      after: $after) {
      edges { cursor node { id } } pageInfo { hasNextPage endCursor } mayBeIncomplete } }`,
  name: `query ($familyName: String!, $birthDate: PartialDate!) {
    found: patientByNameAndBirthDate(familyName: $familyName, birthDate: $birthDate) { edges { node { id } } } }`,
}
const search = async (user: string, values: Record<string, unknown>, headers?: Record<string, string>): Promise<ClinicAnswer> =>
  await clinic.ask(user, 'familyName' in values ? ROOTS.name : ROOTS.identifiers, values, headers)
const found = ({ data }: ClinicAnswer): unknown[] => nodesAt(data, 'found').map((node) => at(node, 'id'))
/** The audit records of the search itself: path, outcome and reason. */
async function told(answer: ClinicAnswer, tenant: TenantId = RIVERSIDE): Promise<string[]> {
  const entries = (await auditOf(clinic, answer, tenant)).filter(({ action }) => action === 'SEARCH')
  return entries
    .map(({ path, outcome, reason }) => [path, outcome, reason].filter((part) => part !== undefined).join(' '))
    .toSorted()
}

/** The row of a value in the search table. */
async function rowOf(path: string, value: string, name: string, type = 'Patient'): Promise<Item> {
  const index = INDEXES.find((one) => one.path === (path as SchemaPath))
  if (index === undefined) throw new Error('no such index')
  const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'index')
  const token = searchToken(key, RIVERSIDE, index, searchKey(index, () => value) ?? [])
  const { patient, id } = refOf(name, type)
  return { pk: { S: `${RIVERSIDE}#${path}#${token}` }, sk: { S: `${patient}#${id}` } }
}

describe('P11: an argument is a read', () => {
  const BY = {
    mrn: { mrn: ' mr  100 ' },
    ssn: { ssn: '123456789', birthDate: '1980-02-03' },
    phone: { phone: '555.010.1234' },
    memberId: { memberId: 'sub ANN' },
    name: { familyName: 'MÜLLER', birthDate: '1980-02-03' },
  }
  /**
   * The arguments by which a user finds the patient. NONE lists those that the user may search by without a result. The others are
   * refused.
   */
  const RIGHTS: [user: string, finds: string, none?: string][] = [
    ['physician', 'mrn phone name'],
    ['nurse', 'mrn phone name'],
    ['frontdesk', 'mrn ssn phone memberId name'],
    ['billing', 'mrn memberId name'],
    ['acme', 'mrn memberId name'],
    ['patient', 'mrn phone memberId name'],
    ['proxy', '', 'mrn phone memberId name'],
    ['researcher', ''],
    ['auditor', ''],
    ['privacy', ''],
    ['admin', ''],
  ]

  it.each(RIGHTS.map(([user, finds, none = '']) => ({ user, finds, none })))(
    '$user finds by: $finds',
    async ({ user, finds, none }) => {
      for (const [by, values] of Object.entries(BY)) {
        const answer = await search(user, values)
        const says = `${user} by ${by}`
        expect(answer.status, says).toBe(200)
        if (finds.split(' ').includes(by) || none.split(' ').includes(by)) {
          expect(answer.errors, says).toEqual([])
          // a phone number of two patients finds each of them that the caller may know of
          expect(found(answer).includes(idOf('ann')), says).toBe(finds.split(' ').includes(by))
          continue
        }
        expect(answer.data, says).toEqual({ found: null })
        expect(
          answer.errors.every(({ extensions }) => extensions['code'] === 'UNAUTHORIZED_FIELD_OR_TYPE'),
          says,
        ).toBe(true)
        expect((await auditOf(clinic, answer)).every(({ outcome, patient }) => outcome === 'DENIED' && patient === undefined)).toBe(
          true,
        )
      }
    },
  )

  it('the view LAST4 grants no search: the search is refused by its rule and recorded, and nothing is looked up', async () => {
    const answer = await search('billing', { mrn: ANN.mrn, ssn: ANN.ssn })
    expect(answer.errors.map(({ extensions }) => extensions)).toEqual([
      expect.objectContaining({ coordinate: 'Patient.ssn', reason: 'ROLE', rule: 'Patient.ssn#1' }),
    ])
    expect(await told(answer)).toEqual(['Patient.ssn DENIED ROLE'])
    expect(hits).not.toHaveBeenCalled()
    expect(openings).not.toHaveBeenCalled()
  })

  it('P4: alias, variable, literal and fragment make no difference, and one value is verified once', async () => {
    const query = `query ($ssn: String!) {
      name: patientsByIdentifier(ssn: $ssn, birthDate: "1980-02-03") { edges { node { id } } }
      ...Again
    }
    fragment Again on Query {
      mrn: patientsByIdentifier(birthDate: "1980-02-03", ssn: "123 45 6789") { edges { node { id } } }
    }`
    const refused = await clinic.ask('billing', query, { ssn: ANN.ssn })
    expect(refused.data).toEqual({ name: null, mrn: null })
    expect(await told(refused)).toEqual(['Patient.ssn DENIED ROLE'])
    openings.mockClear()
    const given = await clinic.ask('frontdesk', query, { ssn: ANN.ssn })
    expect(nodesAt(given.data, 'mrn')).toEqual([{ id: idOf('ann') }])
    expect(await told(given)).toEqual(['Patient.birthDate DISCLOSED', 'Patient.ssn DISCLOSED', 'Query.patientsByIdentifier ABSENT'])
    expect(openings).toHaveBeenCalledTimes(2)
    // a search by the number does not disclose the number
    const again = '{ found: patientsByIdentifier(ssn: "123456789", birthDate: "1980-02-03") { edges { node { ssn mrn } } } }'
    const asked = await clinic.ask('frontdesk', again)
    expect(nodesAt(asked.data, 'found')).toEqual([{ ssn: null, mrn: ANN.mrn }])
  })

  it('all given values must match; no value, and a value that no patient can have, are errors of the caller', async () => {
    expect(found(await search('frontdesk', { mrn: ANN.mrn, phone: ANN.phone, memberId: 'SUB ann' }))).toEqual([idOf('ann')])
    expect(found(await search('frontdesk', { mrn: ANN.mrn, memberId: 'SUB bob' }))).toEqual([])
    expect(found(await search('frontdesk', { familyName: 'Muller', birthDate: ANN.birthDate }))).toEqual([])
    const { ssn, birthDate } = ANN
    for (const values of [
      {},
      { mrn: null },
      { mrn: ' ' },
      { ssn: 'none', birthDate },
      { mrn: 'x'.repeat(257) },
      { ssn },
      { birthDate },
    ]) {
      const answer = await search('frontdesk', values)
      expect([answer.status, answer.errors[0]?.extensions['code']]).toEqual([400, 'BAD_USER_INPUT'])
    }
  })
})

describe('P1, P5: matches are decided before anything is opened', () => {
  it('a patient without a relationship is left out, recorded only in the audit, and not opened', async () => {
    const answer = await search('physician', { mrn: BOB.mrn })
    expect([found(answer), answer.errors, answer.phi.denied]).toEqual([[], [], 0])
    expect(openings).not.toHaveBeenCalled()
    const [entry] = await auditOf(clinic, answer)
    expect(entry).toMatchObject({ patient: refOf('bob').patient, action: 'SEARCH', outcome: 'DENIED', reason: 'RELATIONSHIP' })
    // of two patients with one phone number, the caller finds the related one
    expect(found(await search('physician', { phone: ANN.phone }))).toEqual([idOf('ann')])
    expect(found(await search('frontdesk', { phone: ANN.phone })).toSorted()).toEqual([idOf('ann'), idOf('bob')].toSorted())
  })

  it('the same number in another tenant is another patient', async () => {
    expect(found(await search('lakeside-physician', { mrn: ANN.mrn }))).toEqual([idOf('twin', lakeside)])
    expect(found(await search('physician', { mrn: ANN.mrn }))).toEqual([idOf('ann')])
    expect(await told(await search('lakeside-physician', { mrn: BOB.mrn }), LAKESIDE)).toEqual([
      'Query.patientsByIdentifier ABSENT',
    ])
  })

  it.each([
    ['patient', BOB.mrn],
    ['proxy', BOB.mrn],
    ['acme', 'MR 310'],
    ['physician', BOB.mrn],
  ])('for %s, an unrelated patient and an unknown value yield equal bytes, reads and audit records', async (user, theirs) => {
    const seen: unknown[] = []
    await search(user, { mrn: 'nobody' })
    for (const mrn of ['nobody at all', theirs, 'MR 999']) {
      hits.mockClear()
      const { result, requests } = await workOf(clinic, () => search(user, { mrn }))
      const entries = await auditOf(clinic, result)
      seen.push({
        text: bytesOf(result),
        requests,
        hits: hits.mock.calls.length,
        entries: entries.length,
      })
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
    expect(openings).not.toHaveBeenCalled()
  })

  it('a patient that a consent closes to a role is not found by that role, and is found by others', async () => {
    const deny = { id: 'no', effect: 'DENY', purposes: ['HOPERAT'] } as const
    await admit('closed', { mrn: 'MR 300' }, [])
    const { patient } = refOf('closed')
    await store.write({ patient, records: [], memberships: [], consents: { given: [deny], withdrawn: [] } })
    const answer = await search('frontdesk', { mrn: 'MR 300' })
    expect(found(answer)).toEqual([])
    expect(at(answer.data, 'found', 'mayBeIncomplete')).toBe(true)
    expect(await told(answer)).toEqual(['Query.patientsByIdentifier DENIED CONSENT'])
    expect(openings).not.toHaveBeenCalled()
    expect(found(await search('billing', { mrn: 'MR 300' }))).toEqual([idOf('closed')])
  })

  it('break-glass replaces a missing place on the care team', async () => {
    const asked = { 'x-purpose-of-use': 'BTG' }
    expect(found(await search('physician', { mrn: BOB.mrn }, asked))).toEqual([])
    const glass = 'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "found unconscious") { id } }'
    expect((await clinic.ask('physician', glass, { id: idOf('bob') }, asked)).errors).toEqual([])
    expect(found(await search('physician', { mrn: BOB.mrn }, asked))).toEqual([idOf('bob')])
    expect(found(await search('physician', { mrn: BOB.mrn }))).toEqual([])
  })

  it('a record that its own labels close finds no patient, and is not opened', async () => {
    await admit('labeled', { mrn: 'MR 400' }, [], { metadata: { labels: ['ETH' as never] } })
    const seen = []
    let answer = await search('frontdesk', { mrn: 'MR 400' })
    for (const mrn of ['MR 401', 'MR 400']) {
      const { result, requests } = await workOf(clinic, () => search('frontdesk', { mrn }))
      seen.push({ text: bytesOf(result), requests, entries: (await auditOf(clinic, result)).length })
      answer = result
    }
    expect(seen[1]).toEqual(seen[0])
    expect(found(answer)).toEqual([])
    expect(await told(answer)).toEqual(['Query.patientsByIdentifier DENIED CONSENT'])
    expect(openings).not.toHaveBeenCalled()
  })
})

describe('pages of a search', () => {
  it('P8: are in one order, with sealed cursors that are valid only for this search', async () => {
    for (const name of ['f1', 'f2', 'f3']) await admit(name, { phone: '700' }, [])
    const all = ['f1', 'f2', 'f3'].toSorted((a, b) => (refOf(a).patient < refOf(b).patient ? -1 : 1)).map((name) => idOf(name))
    const one = await search('frontdesk', { phone: '700', first: 2 })
    expect([found(one), at(one.data, 'found', 'pageInfo', 'hasNextPage')]).toEqual([all.slice(0, 2), true])
    const after = at(one.data, 'found', 'pageInfo', 'endCursor')
    const two = await search('frontdesk', { phone: '700', first: 2, after })
    expect([found(two), at(two.data, 'found', 'pageInfo', 'hasNextPage')]).toEqual([all.slice(2), false])
    const other = await search('frontdesk', { phone: '701', first: 2, after })
    expect(other.errors[0]?.extensions['code']).toBe('BAD_USER_INPUT')
  })

  it('a value with more records than a search compares is refused, and nothing is opened', async () => {
    const row = await rowOf('Patient.phone', '800', 'ann')
    for (let extra = 0; extra <= 50; extra++)
      await hand.put({ ...row, sk: { S: `${String(extra).padStart(22, 'A')}#x` } }, 'SEARCH')
    const answer = await search('frontdesk', { phone: '800' })
    expect([answer.status, answer.errors[0]?.extensions['code']]).toEqual([400, 'OPERATION_TOO_COSTLY'])
    expect(openings).not.toHaveBeenCalled()
  })
})

describe('P6: forged rows of the search table', () => {
  const integrity = () => clinic.events.filter(({ event }) => event === 'INTEGRITY_FAILURE').length

  it.each([
    ['planted under another value', async () => await rowOf('Patient.mrn', 'MR 555', 'ann')],
    [
      'planted for no existing patient',
      async (): Promise<Item> => ({
        ...(await rowOf('Patient.mrn', 'MR 555', 'ann')),
        sk: { S: `${'A'.repeat(22)}#${'A'.repeat(22)}` },
      }),
    ],
    ['moved from another field', async () => await rowOf('Patient.phone', '123456789', 'ann')],
  ])('a row %s finds no patient, and operators get an event', async (_, row) => {
    const before = integrity()
    const planted = await row()
    await hand.put(planted, 'SEARCH')
    const answer = await search(
      'frontdesk',
      planted['pk']?.S?.includes('phone') === true ? { phone: '123456789' } : { mrn: 'MR 555' },
    )
    expect([found(answer), answer.errors]).toEqual([[], []])
    expect(integrity()).toBe(before + 1)
    expect((await told(answer)).join()).toContain('UNAVAILABLE INTEGRITY')
    await hand.remove(planted, 'SEARCH')
  })

  it('a change of the value moves the entry; the old value no longer finds the earlier version', async () => {
    await admit('moving', { mrn: 'MR 600', phone: '1' }, [])
    await hand.remove(await rowOf('Patient.phone', '1', 'moving'), 'SEARCH')
    await admit('moving', { mrn: 'MR 601', phone: '1' }, [])
    const before = integrity()
    expect(found(await search('frontdesk', { mrn: 'MR 600' }))).toEqual([])
    expect(found(await search('frontdesk', { mrn: 'MR 601' }))).toEqual([idOf('moving')])
    // a removed entry exists again after the next write
    expect(found(await search('frontdesk', { phone: '1' }))).toEqual([idOf('moving')])
    expect(integrity()).toBe(before)
    await admit('moving', { phone: '1' }, [])
    expect(found(await search('frontdesk', { mrn: 'MR 601' }))).toEqual([])
    expect(integrity()).toBe(before)
  })

  it('a write between two reads is no forged entry', async () => {
    const before = integrity()
    hits.mockResolvedValueOnce([refOf('ann')])
    expect(found(await search('frontdesk', { mrn: 'MR 556' }))).toEqual([])
    expect(openings).toHaveBeenCalledTimes(1)
    expect(integrity()).toBe(before)
  })
})

describe('limits of a search', () => {
  it('P9: an unavailable table yields FIELD_UNAVAILABLE, never an empty list', async () => {
    hits.mockRejectedValue(new StoreUnavailable())
    const answer = await search('frontdesk', { mrn: ANN.mrn })
    expect([answer.status, answer.data]).toEqual([200, { found: null }])
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    expect(await told(answer)).toEqual(['Query.patientsByIdentifier UNAVAILABLE STORE'])
  })

  it('P8: no searched value is in a log, an event, the audit, a cursor or a table, for any caller', async () => {
    const { byPath } = clinic.canary.patient.markers
    const valueOf = (path: string) => byPath.get(path)
    const values = { mrn: valueOf('Patient.mrn'), phone: valueOf('Patient.phone') }
    for (const user of ['canary-physician', 'canary-patient']) {
      expect(found(await search(user, { mrn: values.mrn })), user).toEqual([clinic.canary.id])
      await search(user, { phone: values.phone })
      await search(user, { familyName: valueOf('Patient.familyName'), birthDate: valueOf('Patient.birthDate') })
    }
    await search('physician', values)
    const { Items = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: clinic.stack.env.PHI_TABLE_SEARCH,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': first([(await rowOf('Patient.mrn', ANN.mrn, 'ann'))['pk']]) ?? { S: '' } },
      }),
    )
    expect(Items.map((item) => Object.keys(item).toSorted())).toEqual([['pk', 'sk']])
  })

  it('explainAccess explains its arguments like other reads', async () => {
    const query = 'query ($q: String!) { explainAccess(query: $q) { paths { path action outcome reason rule at } } }'
    const q = '{ patientsByIdentifier(ssn: "1") { edges { node { mrn } } } }'
    const answer = await clinic.ask('billing', query, { q })
    expect(at(answer.data, 'explainAccess', 'paths')).toEqual([
      expect.objectContaining({ path: 'Patient.mrn', outcome: 'DENIED', at: 'Patient.ssn' }),
      expect.objectContaining({ path: 'Patient.ssn', action: 'SEARCH', outcome: 'DENIED', reason: 'ROLE' }),
    ])
  })
})
