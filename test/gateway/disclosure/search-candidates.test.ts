import { beforeEach, describe, expect, it } from 'vitest'
import type { SearchHit, SearchSource } from '../../../gateway/store/search.ts'
import type { Coordinate } from '../../../directives/coordinates.ts'
import type { Relationship, Sensitivity } from '../../../directives/policy.ts'
import type { ConsentAnswer } from '../../../gateway/access/attribute-loader.ts'
import type { RelationshipSource } from '../../../gateway/access/relationships.ts'
import { SearchCandidates } from '../../../gateway/disclosure/search-candidates.ts'
import { SearchComparison } from '../../../gateway/disclosure/search-comparison.ts'
import { searchTerms } from '../../../gateway/disclosure/search-terms.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import { IntegrityFailure, OperationTooCostly, StoreUnavailable } from '../../../gateway/model/failures.ts'
import { MAX_CANDIDATES, MAX_LISTED } from '../../../gateway/model/list.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import { RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith } from '../decide/clinic-policy.ts'
import { admitted, type Admitted, PATIENT, path, PHYSICIAN, policy, refOf, relatedTo, requestOf } from './request-fixtures.ts'

const PHONE = path('Person.phone')
const PERSON = refOf('Person', '' as PatientId).type
const FRONT_DESK = callerWith(['FRONT_DESK'], 'HOPERAT', { seesExistence: true })

let ward: Admitted
beforeEach(async () => {
  ward = await admitted()
  const [mine, other] = ward.patients
  for (const patient of [mine, other]) await ward.source.put(refOf('Person', patient), { phone: '555-0100', name: 'Ada' })
})

interface Search {
  readonly caller?: Caller
  /** The patients that the search table lists under the value. */
  readonly listed: readonly PatientId[]
  readonly relationships?: Readonly<Record<string, RelationshipSource>>
  readonly consents?: Readonly<Record<string, ConsentAnswer>>
}

/** A search for a phone number, by a physician on the care team of the first patient. */
async function searchFor({ caller = PHYSICIAN, listed, relationships, consents = {} }: Search) {
  const [mine] = ward.patients
  const hits: SearchHit[] = listed.map((patient) => ({ patient, id: patient as string as RecordId }))
  const search: SearchSource = { hits: () => Promise.resolve(hits) }
  const related = relationships ?? { CARE_TEAM: relatedTo({ [mine]: [{}] }), SELF: relatedTo({ [mine]: [{}] }) }
  const { parts, audit } = requestOf(ward, { caller, relationships: related, consents })
  const unshown: AccessRecord[] = []
  const candidates = new SearchCandidates({ ...parts, search })
  const comparison = new SearchComparison({ ...parts, search, record: (access) => void unshown.push(access) }, candidates)
  const key = await parts.keyring.purposeKey(RIVERSIDE, 'index')
  const terms = searchTerms(policy, new Map([[PHONE, '555-0100']]), key, RIVERSIDE)
  const find = () => candidates.find(PERSON, terms, comparison.opening)
  return { find, comparison, parts, audit, unshown }
}

describe('P11: a patient is a candidate only if the caller may search by the field', () => {
  it('opens the patients of the caller, and hides the others without opening anything', async () => {
    const [mine, other] = ward.patients
    const { find, parts } = await searchFor({ listed: [mine, other] })
    const found = await find()
    expect(found).toMatchObject({
      open: [{ patient: mine, hits: [{ ref: refOf('Person', mine) }] }],
      hidden: [{ patient: other, denial: { outcome: 'DENIED', reason: 'RELATIONSHIP' } }],
    })
    expect(ward.source.opened).toEqual([])
    expect(parts.counter).toMatchObject({ fields: 0, searched: 0 })
  })

  it('hides every patient from a caller that sees the field masked', async () => {
    const [mine, other] = ward.patients
    const relationships = { ORGANIZATION: relatedTo({ [mine]: [{}], [other]: [{}] }) }
    const { find } = await searchFor({ caller: FRONT_DESK, listed: [mine, other], relationships })
    expect(await find()).toMatchObject({ open: [], hidden: [{ denial: { reason: 'ROLE' } }, { denial: { reason: 'ROLE' } }] })
  })

  it('hides a patient that denied access', async () => {
    const [mine] = ward.patients
    const { find } = await searchFor({ listed: [mine], consents: { [mine]: [{ id: 'c1', effect: 'DENY' }] } })
    expect(await find()).toMatchObject({ open: [], hidden: [{ patient: mine, denial: { reason: 'CONSENT' } }] })
  })

  it('compares no value of a hidden patient, and finds the comparable one', async () => {
    const [mine, other] = ward.patients
    const { find, comparison, parts, audit } = await searchFor({ listed: [mine, other] })
    const found = await find()
    if ('reason' in found) throw new TypeError('the search failed')
    const search = { ...found, verified: new Map() }
    expect(await comparison.verify(search, 'Query.people' as Coordinate, found.open)).toBeUndefined()
    expect([...search.verified]).toMatchObject([[mine, { has: true }]])
    expect(ward.source.opened).toHaveLength(1)
    expect(parts.counter).toMatchObject({ searched: 1, fields: 0 })
    expect(await audit()).toMatchObject([
      { patient: mine, path: PHONE, action: 'SEARCH', outcome: 'DISCLOSED', basis: 'CARE_TEAM' },
    ])
  })

  it('compares no value of a record with a label that closes the search', async () => {
    const [mine] = ward.patients
    await ward.source.put(refOf('Person', mine), { phone: '555-0100' }, { labels: ['ETH'] as Sensitivity[] })
    const { find, comparison, parts, unshown } = await searchFor({ listed: [mine] })
    const found = await find()
    if ('reason' in found) throw new TypeError('the search failed')
    const search = { ...found, verified: new Map() }
    await comparison.verify(search, 'Query.people' as Coordinate, found.open)
    expect([...search.verified]).toEqual([[mine, { has: false }]])
    expect(unshown).toMatchObject([{ patient: mine, outcome: 'DENIED', reason: 'CONSENT' }])
    expect(parts.counter.searched).toBe(0)
  })
})

describe('P5: a search costs the same for a hidden patient and for no patient', () => {
  it.each([
    ['a caller without the right to see existence', PATIENT],
    ['a caller that sees existence', PHYSICIAN],
  ])('reads a dummy patient if the table lists no patient, for %s', async (_, caller) => {
    const [, other] = ward.patients
    const reads: number[] = []
    for (const listed of [[other], []]) {
      const { find } = await searchFor({ caller, listed })
      expect(await find()).toMatchObject({ open: [] })
      reads.push(ward.source.loaded.splice(0).length)
    }
    expect(reads).toEqual([1, 1])
    expect(ward.source.opened).toEqual([])
  })
})

describe('P6: a search without a verdict has no result, never a shorter one', () => {
  it.each([
    ['tampered relationships', 'TAMPERED', 'INTEGRITY'],
    ['a missing access manifest', 'NO_MANIFEST', 'INTEGRITY'],
    ['a relationship that cannot be read', new StoreUnavailable(), 'STORE'],
  ] as const)('%s', async (_, answer, reason) => {
    const [mine, other] = ward.patients
    const relationships = { CARE_TEAM: relatedTo({ [mine]: [{}], [other]: answer }) }
    const { find } = await searchFor({ listed: [mine, other], relationships })
    // a source that fails leaves both open: the first one is named
    const failing = answer instanceof Error ? [mine, other].toSorted()[0] : other
    expect(await find()).toEqual({ patient: failing, reason })
  })

  it('a table that cannot be read fails the search', async () => {
    const { parts } = requestOf(ward)
    const key = await parts.keyring.purposeKey(RIVERSIDE, 'index')
    const terms = searchTerms(policy, new Map([[PHONE, '555-0100']]), key, RIVERSIDE)
    await expect(new SearchCandidates(parts).find(PERSON, terms, { fields: 0, metadata: 0 })).rejects.toThrow(StoreUnavailable)
  })

  it('a record that does not open makes the search UNAVAILABLE', async () => {
    const [mine] = ward.patients
    ward.source.damage(refOf('Person', mine), new IntegrityFailure())
    const { find, comparison, unshown } = await searchFor({ listed: [mine] })
    const found = await find()
    if ('reason' in found) throw new TypeError('the search failed')
    const search = { ...found, verified: new Map() }
    expect(await comparison.verify(search, 'Query.people' as Coordinate, found.open)).toBe('INTEGRITY')
    expect(unshown).toMatchObject([{ patient: mine, outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }])
  })
})

describe('P11: the bounds of a search depend only on patients that the caller may find', () => {
  const many = (count: number): PatientId[] => Array.from({ length: count }, (_, index) => `patient-${String(index)}` as PatientId)

  it('hides any number of other patients', async () => {
    const [mine] = ward.patients
    const { find } = await searchFor({ listed: [...many(MAX_CANDIDATES + 1), mine] })
    const found = await find()
    if ('reason' in found) throw new TypeError('the search failed')
    expect(found.open.map(({ patient }) => patient)).toEqual([mine])
    expect(found.hidden).toHaveLength(MAX_CANDIDATES + 1)
  })

  it('refuses more patients than it may compare, and more records than a value may have', async () => {
    const own = many(MAX_CANDIDATES + 1)
    const relationships = { CARE_TEAM: relatedTo(Object.fromEntries(own.map((patient) => [patient, [{}]]))) }
    await expect((await searchFor({ listed: own, relationships })).find()).rejects.toThrow(OperationTooCostly)
    await expect((await searchFor({ listed: many(MAX_LISTED + 1) })).find()).rejects.toThrow(OperationTooCostly)
  })
})

describe('P11: while the key of the index is replaced', () => {
  const listedBy = async (hitsOf: (token: string) => readonly SearchHit[]) => {
    const [mine] = ward.patients
    const tokens: string[] = []
    const search: SearchSource = {
      hits: (_tenant, { token }) => {
        tokens.push(token)
        return Promise.resolve(hitsOf(token))
      },
    }
    const { parts } = requestOf(ward, { caller: PHYSICIAN, relationships: { CARE_TEAM: relatedTo({ [mine]: [{}] }) } })
    const key = await parts.keyring.purposeKey(RIVERSIDE, 'index')
    const terms = searchTerms(policy, new Map([[PHONE, '555-0100']]), key, RIVERSIDE)
    const both = terms.map((term) => ({ ...term, tokens: ['older', 'newer'] }))
    const found = await new SearchCandidates({ ...parts, search }).find(PERSON, both, { fields: 0, metadata: 0 })
    return { found, tokens }
  }
  const hit = (patient: PatientId): SearchHit => ({ patient, id: patient as string as RecordId })

  it('a search asks for both tokens, and counts a record under both once', async () => {
    const [mine] = ward.patients
    const { found, tokens } = await listedBy(() => [hit(mine)])
    expect(found).toMatchObject({ open: [{ patient: mine, hits: [{ ref: refOf('Person', mine) }] }] })
    expect('open' in found && found.open[0]?.hits).toHaveLength(1)
    expect(tokens).toEqual(['older', 'newer'])
  })

  it('a search finds an entry that moves to the newer token between its two lookups', async () => {
    const [mine] = ward.patients
    let place = 'older'
    const { found } = await listedBy((token) => {
      const hits = token === place ? [hit(mine)] : []
      place = 'newer'
      return hits
    })
    expect(found).toMatchObject({ open: [{ patient: mine }] })
  })

  it('a search without a result makes the same lookups', async () => {
    const { found, tokens } = await listedBy(() => [])
    expect(found).toMatchObject({ open: [], hidden: [] })
    expect(tokens).toEqual(['older', 'newer'])
  })
})

it('P9: an erased patient is neither found nor hidden', async () => {
  const [mine] = ward.patients
  const { find } = await searchFor({ listed: [mine], consents: { [mine]: { erased: true, consents: [] } } })
  expect(await find()).toMatchObject({ open: [], hidden: [] })
})

it('P11: reads only relationships that could open the field to the caller', async () => {
  const [mine] = ward.patients
  const asked: string[] = []
  const counting = (name: Relationship): RelationshipSource => ({
    ...relatedTo({ [mine]: [{}] }),
    periods: (_caller, patients) => {
      asked.push(name)
      return Promise.resolve(new Map(patients.map((patient) => [patient, [{}]])))
    },
  })
  const relationships = Object.fromEntries(
    (['CARE_TEAM', 'SELF', 'ORGANIZATION'] as Relationship[]).map((name) => [name, counting(name)]),
  )
  await (await searchFor({ listed: [mine], relationships })).find()
  expect(asked).toEqual(['CARE_TEAM'])
})
