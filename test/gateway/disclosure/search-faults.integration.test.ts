import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authorRelationship } from '../../../gateway/access/author.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { membershipRelationship } from '../../../gateway/access/memberships.ts'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { searchKey, searchToken } from '../../../gateway/crypto/blind-index.ts'
import { compilePolicy } from '../../../directives/compile.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import { createGateway } from '../../../gateway/create-gateway.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { searchReindexer } from '../../../gateway/admin/search-admin.ts'
import { foundBy } from '../../../gateway/disclosure/edge-resolvers.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { SealedSource } from '../../../gateway/store/sealed-source.ts'
import { AccessTable } from '../../../gateway/store/access.ts'
import { destroyPatientKeys } from '../../../gateway/store/key-destruction.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import { StoreUnavailable, VersionConflict } from '../../../gateway/model/failures.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import type { Category, Relationship, Sensitivity } from '../../../directives/policy.ts'
import { bytesOf, type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions, commit } from '../admitted.ts'
import { at, auditOf, nodesAt, RIVERSIDE, workOf } from '../asking.ts'
import { DatabaseHand, flipped, type Item, recordItem } from '../store/database-hand.ts'
import { BREAK } from '../mutations/break-glass-ward.ts'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, searchIndexes(clinicLock()))
  ward = new Admissions(store)
  await ward.write('ann', [patient('ann', 'MR 1')], ['physician'])
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const patient = (name: string, mrn: string, phone = '') => ward.record(name, 'Patient', '', { mrn, phone })
const coverage = (name: string, subscriberId: string, labels: readonly string[] = []) =>
  ward.record(name, 'Coverage', subscriberId, { subscriberId }, { labels: labels as readonly Sensitivity[] })

const QUERY = `query ($mrn: String, $phone: String, $memberId: String) {
  found: patientsByIdentifier(mrn: $mrn, phone: $phone, memberId: $memberId, first: 100) { edges { node { id } } } }`
type Ask = RunningClinic['ask']
const search = async (
  user: string,
  values: Record<string, string>,
  { ask = (...asked) => clinic.ask(...asked), purpose }: { ask?: Ask; purpose?: string } = {},
): Promise<ClinicAnswer> => await ask(user, QUERY, values, purpose === undefined ? undefined : { 'x-purpose-of-use': purpose })
const found = ({ data }: ClinicAnswer): unknown[] => nodesAt(data, 'found').map((node) => at(node, 'id'))
const codes = ({ errors }: ClinicAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
const told = async (answer: ClinicAnswer): Promise<string[]> =>
  (await auditOf(clinic, answer)).map(({ path, outcome, reason = '' }) => `${path} ${outcome} ${reason}`.trim())
const ROOT = 'Query.patientsByIdentifier'

describe('P1: the openings of a search are counted', () => {
  it('apart from the values of the answer, and reported to operators', async () => {
    const answer = await search('frontdesk', { mrn: 'MR 1' })
    expect([found(answer), answer.phi.resolved]).toEqual([[ward.id('ann')], 0])
    const of = (event: string) => clinic.events.filter((one) => one.event === event)
    expect(of('REQUEST').at(-1)).toMatchObject({ requestId: answer.phi.requestId, resolved: 0, searched: 1 })
    // a record of another patient is neither opened nor counted
    const none = await search('patient', { mrn: 'MR 1' })
    expect(found(none)).toEqual([])
    expect(of('REQUEST').at(-1)).toMatchObject({ requestId: none.phi.requestId, metadata: 0, searched: 0 })
  })

  it('against the hourly limit: beyond the limit nothing is disclosed or opened', async () => {
    const { ask } = await clinic.another({ env: { PHI_LIMITS: '{"hour": {"STAFF": 1}}' } })
    expect(found(await search('billing', { mrn: 'MR 1' }, { ask }))).toEqual([ward.id('ann')])
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const beyond = await search('billing', { mrn: 'MR 1' }, { ask })
    expect([beyond.status, beyond.data, codes(beyond)]).toEqual([429, undefined, ['PHI_BUDGET_EXCEEDED']])
    expect(openings).not.toHaveBeenCalled()
    expect(await told(beyond)).toEqual([`${ROOT} ABSENT`, `${ROOT} DENIED BUDGET`])
  })
})

describe('P9: a search cannot be decided while attributes are unavailable', () => {
  it('without relationships the search is FIELD_UNAVAILABLE, never an empty list', async () => {
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    vi.spyOn(AccessTable.prototype, 'load').mockRejectedValue(new StoreUnavailable())
    const answer = await search('physician', { mrn: 'MR 1' })
    expect([answer.status, answer.data, codes(answer)]).toEqual([200, { found: null }, ['FIELD_UNAVAILABLE']])
    expect(await told(answer)).toEqual([`${ROOT} UNAVAILABLE STORE`])
    expect(openings).not.toHaveBeenCalled()
  })

  it('without consents, a value that needs one is unavailable; other values are found', async () => {
    await ward.write('bound', [patient('bound', 'MR 4'), coverage('bound', 'ETH 4', ['ETH'])])
    vi.spyOn(AccessTable.prototype, 'load').mockRejectedValue(new StoreUnavailable())
    expect(found(await search('frontdesk', { mrn: 'MR 4' }))).toEqual([ward.id('bound')])
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const answer = await search('frontdesk', { memberId: 'ETH 4' })
    expect([answer.data, codes(answer)]).toEqual([{ found: null }, ['FIELD_UNAVAILABLE']])
    expect(await told(answer)).toEqual([`${ROOT} ABSENT`, `${ROOT} UNAVAILABLE STORE`])
    expect(openings).not.toHaveBeenCalled()
  })

  it('with break-glass, only the patient of the grant is found during any outage', async () => {
    await ward.write('unknown', [patient('unknown', 'MR 2')])
    const id = ward.id('unknown')
    const emergency = { purpose: 'BTG' }
    const before = await search('physician', { mrn: 'MR 2' }, emergency)
    expect([found(before), await told(before)]).toEqual([[], [`${ROOT} DENIED PURPOSE`]])
    // a clinician may know that a patient with this id exists, so break-glass starts with the id
    const known = await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { id mrn } }', { id })
    expect(at(known.data, 'patient')).toEqual({ id, mrn: null })
    expect((await clinic.ask('physician', BREAK, { id }, { 'x-purpose-of-use': 'BTG' })).errors).toEqual([])
    vi.spyOn(AccessTable.prototype, 'load').mockRejectedValue(new StoreUnavailable())
    expect(found(await search('physician', { mrn: 'MR 2' }, emergency))).toEqual([id])
    // the care team is no basis for this purpose
    expect(found(await search('physician', { mrn: 'MR 1' }, emergency))).toEqual([])
  })
})

describe('P9: an erased patient', () => {
  it.each(['frontdesk', 'patient'])(
    'is found by none of the former values; %s gets the same answer as for an unknown value',
    async (user) => {
      const name = `gone for ${user}`
      await ward.write(name, [patient(name, 'MR 3')])
      // the keys in memory are from before the erasure
      if (user === 'frontdesk') expect(found(await search(user, { mrn: 'MR 3' }))).toEqual([ward.id(name)])
      const { services } = clinic
      const { patient: whose } = ward.ref(name)
      await commit(services, await destroyPatientKeys(services, RIVERSIDE, whose, services.now() as Instant), whose)
      await search(user, { mrn: 'nobody' })
      const openings = vi.spyOn(SealedRecord.prototype, 'openField')
      const events = clinic.events.length
      const gone = await workOf(clinic, () => search(user, { mrn: 'MR 3' }))
      const nobody = await workOf(clinic, () => search(user, { mrn: 'nobody at all' }))
      expect([found(gone.result), codes(gone.result)]).toEqual([[], []])
      expect(bytesOf(gone.result)).toBe(bytesOf(nobody.result))
      expect(await told(gone.result)).toEqual([user === 'frontdesk' ? `${ROOT} ABSENT` : `${ROOT} DENIED NOT_FOUND`])
      if (user === 'patient') expect(gone.requests).toEqual(nobody.requests)
      expect(openings).not.toHaveBeenCalled()
      expect(clinic.events.slice(events).filter(({ event }) => event !== 'REQUEST')).toEqual([])
    },
  )
})

describe('a record that is closed to a caller is closed to a search', () => {
  const limited = (name: string, categories: readonly string[], labeled: boolean) =>
    ward.membership(name, 'PROXY', 'RelatedPerson/proxy', [{ scope: { categories: categories as readonly Category[], labeled } }])

  it('a proxy within limits finds patients only by values within the limits', async () => {
    await ward.write('child', [patient('child', 'MR 5'), coverage('child', 'PLAIN 5'), coverage('child', 'HIV 5', ['HIV'])])
    await ward.change(limited('child', ['COVERAGE'], false))
    for (const values of [{ mrn: 'MR 5' }, { memberId: 'HIV 5' }]) {
      const answer = await search('proxy', values)
      expect([found(answer), answer.errors, answer.phi.denied]).toEqual([[], [], 0])
      expect(await told(answer)).toContain(`${ROOT} DENIED RELATIONSHIP`)
    }
    expect(found(await search('proxy', { memberId: 'PLAIN 5' }))).toEqual([ward.id('child')])
    await ward.change(limited('child', ['COVERAGE', 'IDENTITY'], true))
    for (const values of [{ mrn: 'MR 5' }, { memberId: 'HIV 5' }]) {
      expect(found(await search('proxy', values))).toEqual([ward.id('child')])
    }
  })

  it('42 CFR 2.32: a search by a record of substance use returns the same notice as reading the record', async () => {
    const permit: Consent = { id: 'part-2', effect: 'PERMIT', labels: ['ETH' as Sensitivity] }
    await ward.write('permits', [patient('permits', 'MR 6'), coverage('permits', 'ETH 6', ['ETH'])], [], [permit])
    const noticesOf = ({ text }: ClinicAnswer): unknown => at(JSON.parse(text), 'extensions', 'phi', 'notices')
    const reading = await clinic.ask(
      'billing',
      'query ($id: ID!) { patient(id: $id) { coverages { edges { node { subscriberId } } } } }',
      { id: ward.id('permits') },
    )
    expect(noticesOf(reading)).toEqual([{ text: expect.stringContaining('42 CFR part 2') as string }])
    const searched = await search('billing', { memberId: 'ETH 6' })
    expect([found(searched), noticesOf(searched)]).toEqual([[ward.id('permits')], noticesOf(reading)])
    const other = await search('billing', { mrn: 'MR 6' })
    expect([found(other), noticesOf(other)]).toEqual([[ward.id('permits')], undefined])
  })
})

describe('P11: the author of a record', () => {
  const SDL = `
    type Query { byNumber(number: String! @reads(field: "Note.number"), first: Int = 20, after: String): PatientConnection }
    type Patient @record(patient: "id") @minimumNecessary(roles: [PHYSICIAN, NURSE]) {
      id: ID! @notPhi(because: "random")
      familyName: String @phi(category: IDENTITY, identifier: NAME)
    }
    type Note @record {
      id: ID! @notPhi(because: "random")
      number: String @phi(category: NOTE, identifier: OTHER) @searchable
        @minimumNecessary(roles: [PHYSICIAN])
        @minimumNecessary(roles: [NURSE], relationship: AUTHOR)
    }
    type PatientConnection { edges: [PatientEdge!]!  pageInfo: PageInfo!  mayBeIncomplete: Boolean! }
    type PatientEdge { cursor: String!  node: Patient }
    type PageInfo { hasNextPage: Boolean!  hasPreviousPage: Boolean!  startCursor: String  endCursor: String }
  `

  it('does not find a patient by the record, because the author is sealed in it and it is not opened', async () => {
    const { access: table, keyring, events, records, audit, process, search: entries } = clinic.services
    const typeDefs = [{ name: 'notes.graphql', sdl: SDL }]
    const names = new Set(['CARE_TEAM', 'AUTHOR'] as Relationship[])
    const { lock } = compilePolicy(typeDefs, { relationships: names })
    const { PHI_ISSUER: issuer, PHI_AUDIENCE: audience, PHI_JWKS_URI: jwksUri } = clinic.stack.env
    const gateway = await createGateway({
      typeDefs,
      resolvers: { Query: { byNumber: foundBy('Patient') } },
      lock,
      relationships: new Map([
        ['CARE_TEAM' as Relationship, membershipRelationship('CARE_TEAM', { table, keyring, events })],
        ['AUTHOR' as Relationship, authorRelationship],
      ]),
      sources: new Map([['dynamodb', new SealedSource(records, keyring)]]),
      search: entries,
      identity: (policy) => tokenIdentity({ issuer, audience, jwksUri }, policy),
      keys: keyring,
      audit: { log: audit, process },
      events,
    })
    const notes = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, searchIndexes(lock))
    const of = new Admissions(notes)
    const note = of.record('noted', 'Note', 'one', { number: 'N 1' }, { author: 'Practitioner/nurse' })
    await of.write('noted', [of.record('noted', 'Patient', '', { familyName: 'Noted' }), note], ['physician'])
    const ask = async (user: string): Promise<ClinicAnswer> =>
      read(await gateway.handle(await clinic.requestOf(user, '{ found: byNumber(number: "N 1") { edges { node { id } } } }')))
    expect(found(await ask('physician'))).toEqual([of.id('noted')])
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const answer = await ask('nurse')
    expect([found(answer), answer.errors]).toEqual([[], []])
    expect(await told(answer)).toEqual(['Query.byNumber DENIED RELATIONSHIP'])
    expect(openings).not.toHaveBeenCalled()
    await notes.close()
    await gateway.stop()
  })
})

describe('P11: counts cover only patients that the caller may find', () => {
  const RESIDENTS = 60

  beforeAll(async () => {
    const names = Array.from({ length: RESIDENTS }, (_, number) => `resident ${number}`)
    while (names.length > 0) {
      const some = names.splice(0, 10)
      await Promise.all(
        some.map((name) => ward.write(name, [patient(name, `home ${name}`, '800')], name.endsWith('7') ? ['physician'] : [])),
      )
    }
  })

  it('of more patients than a search compares, the caller finds those on the panel', async () => {
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const answer = await search('physician', { phone: '800' })
    const theirs = [7, 17, 27, 37, 47, 57].map((number) => ward.id(`resident ${number}`))
    expect(found(answer).toSorted()).toEqual(theirs.toSorted())
    expect(openings).toHaveBeenCalledTimes(theirs.length)
    const denied = (await auditOf(clinic, answer)).filter(({ outcome }) => outcome === 'DENIED')
    expect(denied.map(({ count }) => count)).toEqual([RESIDENTS - theirs.length])
  })

  it('a caller with access to more patients than a search compares is refused, and finds one by a second value', async () => {
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const answer = await search('frontdesk', { phone: '800' })
    expect([answer.status, codes(answer)]).toEqual([400, ['OPERATION_TOO_COSTLY']])
    expect(openings).not.toHaveBeenCalled()
    expect(found(await search('frontdesk', { phone: '800', mrn: 'home resident 33' }))).toEqual([ward.id('resident 33')])
  })

  it('P5: an unrelated patient learns nothing, and one record has the number of hidden patients', async () => {
    const answer = await search('patient', { phone: '800' })
    const nobody = await search('patient', { phone: '801' })
    expect(bytesOf(answer)).toBe(bytesOf(nobody))
    const entries = await auditOf(clinic, answer)
    expect(entries.map(({ outcome, count }) => [outcome, count])).toEqual([['DENIED', RESIDENTS]])
  })
})

describe('P6: reindexing notices and repairs removed and planted entries of the search table', { timeout: 60_000 }, () => {
  const INDEXES = searchIndexes(clinicLock())
  let hand: DatabaseHand
  let sound: number

  const mend = async () => await searchReindexer(clinic.services, 'f'.repeat(64), INDEXES).reindex(RIVERSIDE, () => undefined)
  async function rowOf(mrn: string, name: string): Promise<Item> {
    const index = INDEXES.find(({ path }) => path === 'Patient.mrn')
    if (index === undefined) throw new Error('no such index')
    const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'index')
    const token = searchToken(key, RIVERSIDE, index, searchKey(index, () => mrn) ?? [])
    const { patient: whose, id } = ward.ref(name)
    return { pk: { S: `${RIVERSIDE}#Patient.mrn#${token}` }, sk: { S: `${whose}#${id}` } }
  }

  beforeAll(async () => {
    hand = new DatabaseHand(clinic)
    await ward.write('buried', [patient('buried', 'MR 90')])
    const { services } = clinic
    const { patient: whose } = ward.ref('buried')
    await commit(services, await destroyPatientKeys(services, RIVERSIDE, whose, services.now() as Instant), whose)
  })

  it('removes the entries of erased patients; a second run changes nothing', async () => {
    const first = await mend()
    expect(first).toMatchObject({ written: 0, refused: 0 })
    expect(first.removed).toBeGreaterThan(0)
    await expect(hand.read(await rowOf('MR 90', 'buried'), 'SEARCH')).rejects.toThrow()
    sound = first.sound
    expect(await mend()).toEqual({ sound, written: 0, removed: 0, refused: 0 })
  })

  it('repairs one removed and two planted entries, reports and audits both, and searches work again', async () => {
    const taken = await rowOf('MR 1', 'ann')
    const planted = [await rowOf('MR 999', 'ann'), { ...taken, sk: { S: 'no such keys' } }]
    await hand.remove(taken, 'SEARCH')
    for (const row of planted) await hand.put(row, 'SEARCH')
    expect(found(await search('frontdesk', { mrn: 'MR 1' }))).toEqual([])
    const ran = await promisify(execFile)(process.execPath, ['cli/phi.ts', 'search', 'reindex', '--tenant', RIVERSIDE], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: { ...process.env, ...clinic.stack.env },
    }).catch((failure: unknown) => failure)
    const line = `search entries: sound ${sound - 1}, written 1, removed 2, refused 0\n`
    expect(ran).toMatchObject({ code: 3, stdout: expect.stringMatching(new RegExp(`^${line}comparison tokens: `)) as string })
    expect(found(await search('frontdesk', { mrn: 'MR 1' }))).toEqual([ward.id('ann')])
    for (const row of planted) await expect(hand.read(row, 'SEARCH')).rejects.toThrow()
    const { patient: whose } = ward.ref('ann')
    const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, whose)
    const mended = entries.filter(({ path }) => path === '#search-entry')
    expect(mended.map(({ action, outcome, count }) => `${action} ${outcome} ${String(count)}`).toSorted()).toEqual([
      'CREATE WRITTEN 1',
      'DELETE WRITTEN 1',
    ])
  })

  it('finds a name by every kind of apostrophe and hyphen, also one that was indexed before the kinds were equal', async () => {
    const query = `query ($familyName: String!) {
      patientByNameAndBirthDate(familyName: $familyName, birthDate: "1980-02-03") { edges { node { id } } } }`
    const foundAs = async (familyName: string): Promise<unknown> =>
      nodesAt((await clinic.ask('frontdesk', query, { familyName })).data, 'patientByNameAndBirthDate').map((node) =>
        at(node, 'id'),
      )
    const named = (name: string, familyName: string) => ward.record(name, 'Patient', '', { familyName, birthDate: '1980-02-03' })
    await ward.write('quoted', [named('quoted', "O'Neill-Jones")])
    const earlier = INDEXES.map((index) => ({
      ...index,
      normalize: index.normalize === 'NAME' ? ('CASE_AND_SPACE' as const) : index.normalize,
    }))
    const before = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, earlier)
    await new Admissions(before).write('typeset', [named('typeset', 'O’Neill–Jones')])
    await before.close()
    expect(await foundAs("O'Neill-Jones")).toEqual([ward.id('quoted')])
    expect(await mend()).toEqual({ sound: sound + 1, written: 1, removed: 1, refused: 0 })
    sound += 2
    const both = [ward.id('quoted'), ward.id('typeset')].toSorted()
    for (const name of ["O'Neill-Jones", 'O’Neill–Jones', ' oʼneill ‑ JONES', 'O`NEILL\u2212Jones', 'O´Neill\u00adJones'])
      expect(((await foundAs(name)) as string[]).toSorted(), name).toEqual(both)
    for (const name of ['ONeill-Jones', "O'Neill Jones", "O'Neill"]) expect(await foundAs(name), name).toEqual([])
  })

  it('indexes a field that became searchable, in every record', async () => {
    const before = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
    await new Admissions(before).write('early', [patient('early', 'MR 91', '91'), coverage('early', 'SUB 91')])
    await before.close()
    expect(found(await search('frontdesk', { memberId: 'SUB 91' }))).toEqual([])
    // a write to the record at that moment discards what was read, and the record is read again
    const conflict = vi.spyOn(clinic.services.audit, 'commit').mockRejectedValueOnce(new VersionConflict())
    expect(await mend()).toEqual({ sound, written: 3, removed: 0, refused: 0 })
    expect(conflict).toHaveBeenCalledTimes(2)
    sound += 3
    for (const values of [{ memberId: 'SUB 91' }, { mrn: 'MR 91', phone: '91' }]) {
      expect(found(await search('frontdesk', values))).toEqual([ward.id('early')])
    }
  })

  it('writes and removes nothing for a patient with a damaged or missing record, and reports it', async () => {
    const row = await rowOf('MR 1', 'ann')
    const item = await hand.read(recordItem(ward.id('ann')))
    await hand.put({ ...item, m: flipped(item['m']) })
    expect(await mend()).toMatchObject({ written: 0, removed: 0, refused: 1 })
    await hand.remove(item)
    expect(await mend()).toMatchObject({ written: 0, removed: 0, refused: 1 })
    await hand.put(item)
    const key = { pk: item['pk'] ?? { S: '' }, sk: { S: 'KEY' } }
    const keys = await hand.read(key, 'KEYS')
    await hand.remove(key, 'KEYS')
    expect(await mend()).toMatchObject({ written: 0, removed: 0, refused: 1 })
    await hand.put(keys, 'KEYS')
    expect(await hand.read(row, 'SEARCH')).toEqual(row)
    expect(await mend()).toEqual({ sound, written: 0, removed: 0, refused: 0 })
  })
})
