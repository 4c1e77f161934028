import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { RecordMetadata } from '../../../gateway/model/record.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { seenOf, seenOfAll, watchCounts } from '../../harness/compared-work.ts'
import { type CountedProcess, countedProcess } from '../../harness/counted-requests.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, outcomesOf, pseudonymOf, RIVERSIDE, STUDY } from '../asking.ts'

const DENY_ALL: Consent = { id: 'all', effect: 'DENY' }
const NAME = 'query ($id: ID!) { patient(id: $id) { familyName } }'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions

type Reader = 'physician' | 'patient' | 'proxy' | 'researcher'
/** The memberships of each reader. Other readers see the patients of their tenant. */
const MEMBERSHIPS = {
  physician: ['CARE_TEAM', 'Practitioner/physician'],
  patient: ['SELF', 'Patient/riverside-1'],
  proxy: ['PROXY', 'RelatedPerson/proxy'],
  researcher: ['STUDY', `ResearchStudy/${STUDY}`],
} as const
const EVERYBODY = Object.keys(MEMBERSHIPS) as Reader[]

const patientOf = (name: string) => ward.ref(name).patient

/** Writes a patient with links to others, and with these readers. */
async function admit(
  name: string,
  { replacedBy, replaces }: { readonly replacedBy?: string; readonly replaces?: readonly string[] } = {},
  readers: readonly Reader[] = EVERYBODY,
  consents: readonly Consent[] = [],
): Promise<string> {
  const metadata: Partial<RecordMetadata> = {
    ...(replacedBy !== undefined && { replacedBy: patientOf(replacedBy) }),
    ...(replaces !== undefined && { replaces: replaces.map(patientOf) }),
  }
  const records = [
    ward.record(name, 'Patient', '', { familyName: 'Linked', mrn: `MR ${name}` }, metadata),
    ward.record(name, 'AllergyIntolerance', 'only', { criticality: 'high' }, { date: '2024-01-01T00:00:00.000Z' }),
  ]
  const id = await ward.write(name, records, [], consents)
  for (const reader of readers) {
    const [relationship, fhirUser] = MEMBERSHIPS[reader]
    await ward.change(ward.membership(name, relationship, fhirUser))
  }
  return id
}

const linksOf = ({ phi }: Pick<ClinicAnswer, 'phi'>): unknown => (phi as { readonly links?: unknown }).links

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, searchIndexes(clinicLock()))
  ward = new Admissions(store)
  await admit('old', { replacedBy: 'new' })
  await admit('new', { replaces: ['old', 'older'] })
  await admit('older', { replacedBy: 'new' }, ['physician'])
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

describe('a link is given to a caller that may read both patients', () => {
  it('of the replaced patient, with the id of the surviving one', async () => {
    const answer = await clinic.ask('physician', NAME, { id: ward.id('old') })
    expect(linksOf(answer)).toEqual([{ patient: ward.id('old'), replacedBy: ward.id('new') }])
    expect(answer.phi.resolved).toBe(1)
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Patient.familyName DISCLOSED', 'Patient.id DISCLOSED'])
    const named = (await auditOf(clinic, answer)).find(({ path }) => path === 'Patient.id')
    expect(named).toMatchObject({ patient: patientOf('new'), recordType: 'Patient', recordId: ward.ref('new').id, action: 'READ' })
  })

  it('of the surviving patient, with the ids whose charts can have more', async () => {
    const query = 'query ($id: ID!) { patient(id: $id) { allergyIntolerances { edges { node { criticality } } } } }'
    const answer = await clinic.ask('physician', query, { id: ward.id('new') })
    expect(linksOf(answer)).toEqual([{ patient: ward.id('new'), replaces: [ward.id('old'), ward.id('older')] }])
    const named = (await auditOf(clinic, answer)).filter(({ path }) => path === 'Patient.id').map(({ patient }) => patient)
    expect(named.toSorted()).toEqual([patientOf('old'), patientOf('older')].toSorted())
  })

  it('in a list, by a search, by an edge, and once for all aliases', async () => {
    const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
    const search = await clinic.ask('frontdesk', '{ patientsByIdentifier(mrn: "MR old") { edges { node { familyName } } } }')
    const edge = 'query ($id: ID!) { node(id: $id) { ... on AllergyIntolerance { patient { familyName } } } }'
    const byEdge = await clinic.ask('physician', edge, { id: ward.id('old', 'AllergyIntolerance', 'only') })
    const aliases = await clinic.ask(
      'physician',
      'query ($id: ID!) { a: patient(id: $id) { mrn } b: patient(id: $id) { familyName } }',
      {
        id: ward.id('old'),
      },
    )
    const link = { patient: ward.id('old'), replacedBy: ward.id('new') }
    expect(linksOf(panel)).toContainEqual(link)
    expect(linksOf(panel)).toHaveLength(3)
    for (const answer of [search, byEdge, aliases]) expect(linksOf(answer)).toEqual([link])
  })

  it('with the pseudonyms of a study', async () => {
    const [old, surviving] = [await pseudonymOf(clinic, ward.id('old')), await pseudonymOf(clinic, ward.id('new'))]
    const answer = await clinic.ask('researcher', 'query ($id: ID!) { patient(id: $id) { gender } }', { id: old })
    expect(linksOf(answer)).toEqual([{ patient: old, replacedBy: surviving }])
  })

  it('has a receipt over all items of the request', async () => {
    const answer = await clinic.ask('physician', NAME, { id: ward.id('old') })
    const parts = (await auditOf(clinic, answer)).map(({ part, parts = 0 }) => [part, parts])
    expect(Math.max(...parts.map(([, all = 0]) => all))).toBe(new Set(parts.map(([part]) => part)).size)
    expect(answer.phi.receipt).toEqual(expect.any(String))
  })

  it('not with a patient that the answer does not show', async () => {
    const answer = await clinic.ask('physician', '{ patients(first: 100) { pageInfo { hasNextPage } } }')
    expect(linksOf(answer)).toBeUndefined()
    expect(await auditOf(clinic, answer)).toEqual([])
  })

  it('is null, for every patient, while the attributes of the other patient cannot be read', async () => {
    const { ask, services } = await clinic.another()
    const unlinked = await admit('unlinked')
    for (const id of [ward.id('old'), unlinked]) await ask('physician', NAME, { id })
    const genuine = services.access.load.bind(services.access)
    const load = vi.spyOn(services.access, 'load')
    for (const name of ['old', 'new', 'unlinked']) {
      const id = ward.id(name)
      load.mockImplementation(async (...asked) => {
        if (!asked[1].includes(patientOf(name))) throw new StoreUnavailable()
        return await genuine(...asked)
      })
      const answer = await ask('physician', NAME, { id })
      expect(at(answer.data, 'patient', 'familyName')).toBe('Linked')
      expect(linksOf(answer)).toBeNull()
      expect((await auditOf(clinic, answer)).map(({ path }) => path)).toEqual(['Patient.familyName'])
    }
    load.mockRestore()
  })
})

describe('P5: a caller that may read only one of two linked patients learns nothing', () => {
  let counted: CountedProcess
  let counts: ReturnType<typeof watchCounts>
  /** A patient without a link, and patients with a link to one that the readers may not read. */
  const ALIKE = ['plain', 'by nobody', 'by one that denies', 'for several']

  beforeAll(async () => {
    await admit('stranger', {}, [])
    await admit('denies', {}, [], [DENY_ALL])
    await admit('plain')
    await admit('by nobody', { replacedBy: 'nobody' })
    await admit('by one that denies', { replacedBy: 'denies' })
    await admit('for several', { replacedBy: 'nobody', replaces: ['denies', 'nobody else'] })
    await admit('team of one', { replacedBy: 'stranger' })
    counted = await countedProcess(clinic)
    counts = watchCounts()
    // the process reads a link first; the first request of a user stores a session, and the first one about a patient reads keys
    for (const name of ['old', 'team of one', ...ALIKE]) await counted.ask('physician', NAME, { id: ward.id(name) })
  })
  afterAll(async () => {
    counts.stop()
    await counted.stop()
  })

  async function expectEqual(user: string, names: readonly string[], query: string): Promise<void> {
    const idFor = async (name: string): Promise<string> =>
      user === 'researcher' ? await pseudonymOf(clinic, ward.id(name)) : ward.id(name)
    await counted.ask(user, query, { id: await idFor('plain') })
    const all = await seenOfAll(names, async (name) => {
      counts.start()
      const work = await counted.ask(user, query, { id: await idFor(name) })
      return { work, seen: seenOf(work, counts.counts()) }
    })
    for (const [number, { seen, work }] of all.entries()) {
      const about = `${user} ${names[number] ?? ''} ${query}`
      expect(linksOf(work.answer), about).toBeUndefined()
      expect(seen, about).toEqual(all[0]?.seen)
    }
  }

  it.each(['physician', 'frontdesk', 'billing', 'acme', 'patient', 'proxy', 'researcher'])('%s', async (user) => {
    await expectEqual(user, ALIKE, 'query ($id: ID!) { patient(id: $id) { id gender language } }')
    await expectEqual(
      user,
      ALIKE,
      'query ($id: ID!) { node(id: $id) { ... on Patient { gender allergyIntolerances { edges { node { criticality patient { gender } } } } } } }',
    )
  })

  it.each(['physician', 'patient', 'proxy', 'researcher'])('%s, without a relationship to the other patient', async (user) => {
    await expectEqual(user, ['plain', 'team of one'], 'query ($id: ID!) { patient(id: $id) { gender } }')
  })

  it('the surviving patient of one that the caller may not read, beside one that the caller may read', async () => {
    const answer = await clinic.ask('patient', 'query ($id: ID!) { patient(id: $id) { gender } }', { id: ward.id('new') })
    expect(linksOf(answer)).toEqual([{ patient: ward.id('new'), replaces: [ward.id('old')] }])
    const named = (await auditOf(clinic, answer)).filter(({ path }) => path === 'Patient.id')
    expect(named.map(({ patient }) => patient)).toEqual([patientOf('old')])
  })

  it('a role that knows of every patient, and reads nothing of the one that it asks for', async () => {
    await admit('not on the team', { replacedBy: 'new' }, [])
    const answer = await clinic.ask('physician', NAME, { id: ward.id('not on the team') })
    expect(answer.data).toEqual({ patient: { familyName: null } })
    expect(linksOf(answer)).toBeUndefined()
  })
})
