import { describe, expect, it } from 'vitest'
import { AttributeLoader } from '../../../gateway/access/attribute-loader.ts'
import {
  isCurrent,
  type RelationshipAnswer,
  relationshipsOf,
  type RelationshipSource,
  type RelationshipPeriod,
} from '../../../gateway/access/relationships.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { Instant, PatientId } from '../../../gateway/model/ids.ts'
import type { Relationship } from '../../../directives/policy.ts'
import { callerWith } from '../decide/clinic-policy.ts'

const caller = callerWith(['NURSE'], 'TREAT')
const CARE_TEAM = 'CARE_TEAM' as Relationship
const SELF = 'SELF' as Relationship
const ANNA = 'anna' as PatientId
const BERT = 'bert' as PatientId
const deadline = new Deadline(Date.now() + 5_000, { now: Date.now, monotonic: Date.now })
const reasonOf = (): 'STORE' => 'STORE'
const at = (time: number): Instant => time as Instant

/** A source with the same answer for every caller. Counts its calls. */
function says(periods: ReadonlyMap<PatientId, readonly RelationshipPeriod[]>): RelationshipSource & { asked: number } {
  return {
    asked: 0,
    periods() {
      this.asked++
      return Promise.resolve(periods)
    },
    panel: () => Promise.resolve([]),
  }
}

describe('relationships are read in batches', () => {
  it('P3: a name without a source never holds', async () => {
    const active = await relationshipsOf(new Map(), new Set([CARE_TEAM, SELF]), caller, [ANNA], at(5), deadline, reasonOf)
    expect(active).toEqual(new Map([[ANNA, { relationships: new Set() }]]))
  })

  it('calls each source once for all patients, and only the sources of the given names', async () => {
    const team = says(new Map([[ANNA, [{}]]]))
    const self = says(new Map([[BERT, [{}]]]))
    const registry = new Map([
      [CARE_TEAM, team],
      [SELF, self],
    ])
    const active = await relationshipsOf(registry, new Set([CARE_TEAM]), caller, [ANNA, BERT], at(5), deadline, reasonOf)
    expect(active).toEqual(
      new Map([
        [ANNA, { relationships: new Set([CARE_TEAM]) }],
        [BERT, { relationships: new Set() }],
      ]),
    )
    expect([team.asked, self.asked]).toEqual([1, 0])
  })

  it('ignores a patient in the answer of a source that was not in the request', async () => {
    const registry = new Map([[CARE_TEAM, says(new Map([[BERT, [{}]]]))]])
    expect(await relationshipsOf(registry, new Set([CARE_TEAM]), caller, [ANNA], at(5), deadline, reasonOf)).toEqual(
      new Map([[ANNA, { relationships: new Set() }]]),
    )
  })

  it('P9: a failed source makes its relationship unknown, not absent; the others are returned', async () => {
    const broken: RelationshipSource = {
      periods: () => Promise.reject(new StoreUnavailable()),
      panel: () => Promise.resolve([]),
    }
    const registry = new Map([
      [SELF, broken],
      [CARE_TEAM, says(new Map([[ANNA, [{}]]]))],
    ])
    const active = await relationshipsOf(registry, new Set([SELF, CARE_TEAM]), caller, [ANNA], at(5), deadline, reasonOf)
    expect(active.get(ANNA)).toEqual({ relationships: new Set([CARE_TEAM]), unknown: new Map([[SELF, 'STORE']]) })
  })
})

describe('P6: damaged data does not count', () => {
  const damaged = (answer: RelationshipAnswer): RelationshipSource => ({
    periods: () => Promise.resolve(new Map([[ANNA, answer]])),
    panel: () => Promise.resolve([]),
  })

  it('is reported even if other relationships hold; TAMPERED takes precedence over NO_MANIFEST', async () => {
    const registry = new Map([
      [CARE_TEAM, damaged([{}])],
      [SELF, damaged('NO_MANIFEST')],
      ['PROXY' as Relationship, damaged('TAMPERED')],
    ])
    const activeWith = async (...names: Relationship[]) =>
      (await relationshipsOf(registry, new Set(names), caller, [ANNA, BERT], at(5), deadline, reasonOf)).get(ANNA)
    expect(await activeWith(CARE_TEAM, SELF)).toEqual({ relationships: new Set([CARE_TEAM]), damage: 'NO_MANIFEST' })
    expect(await activeWith('PROXY' as Relationship, SELF)).toEqual({ relationships: new Set(), damage: 'TAMPERED' })
    expect(await activeWith(SELF, 'PROXY' as Relationship)).toEqual({ relationships: new Set(), damage: 'TAMPERED' })
  })
})

describe('the relationships of a request', () => {
  it('are loaded once for each patient; damaged ones are loaded again', async () => {
    const asked: PatientId[][] = []
    const answer = new Map<PatientId, RelationshipAnswer>([
      [ANNA, [{}]],
      [BERT, 'NO_MANIFEST'],
    ])
    const source: RelationshipSource = {
      periods: (_caller, patients) => {
        asked.push([...patients])
        return Promise.resolve(answer)
      },
      panel: () => Promise.resolve([]),
    }
    const loader = new AttributeLoader({ deadline, reasonOf, caller, now: at(5), relationships: new Map([[CARE_TEAM, source]]) })
    const names = new Set([CARE_TEAM])
    const first = await loader.attributesFor(names, [ANNA, BERT])
    expect(await loader.attributesFor(names, [ANNA, BERT])).toEqual(first)
    expect(await loader.attributesFor(names, [ANNA])).toEqual(new Map([[ANNA, { relationships: names, consents: [] }]]))
    expect(asked).toEqual([[ANNA, BERT], [BERT]])
    // a known relationship is not loaded again together with another one
    const both = new Set([CARE_TEAM, SELF])
    expect(await loader.attributesFor(both, [ANNA])).toEqual(new Map([[ANNA, { relationships: names, consents: [] }]]))
    expect(asked).toHaveLength(2)
    // a forgotten relationship is loaded again
    loader.forget(new Set([ANNA]))
    expect((await loader.attributesFor(names, [ANNA])).get(ANNA)?.relationships).toEqual(names)
    expect(asked).toHaveLength(3)
  })
})

describe('C08: the ground of a relationship', () => {
  it('is the membership and its start, or the start alone', async () => {
    const registry = new Map([
      [CARE_TEAM, says(new Map([[ANNA, [{ id: 'membership-1', since: at(1) }]]]))],
      [SELF, says(new Map([[ANNA, [{ since: at(2) }]]]))],
    ])
    const active = await relationshipsOf(registry, new Set([CARE_TEAM, SELF]), caller, [ANNA], at(5), deadline, reasonOf)
    expect(active.get(ANNA)?.grounds).toEqual(
      new Map([
        [CARE_TEAM, { id: 'membership-1', since: at(1) }],
        [SELF, { since: at(2) }],
      ]),
    )
  })

  it('stays while another relationship is unknown', async () => {
    const broken: RelationshipSource = {
      periods: () => Promise.reject(new StoreUnavailable()),
      panel: () => Promise.resolve([]),
    }
    const relationships = new Map([
      [CARE_TEAM, says(new Map([[ANNA, [{ id: 'membership-1' }]]]))],
      [SELF, broken],
    ])
    const loader = new AttributeLoader({ deadline, reasonOf, caller, now: at(5), relationships })
    const grounds = new Map([[CARE_TEAM, { id: 'membership-1' }]])
    expect((await loader.attributesFor(new Set([CARE_TEAM]), [ANNA])).get(ANNA)?.grounds).toEqual(grounds)
    const both = (await loader.attributesFor(new Set([CARE_TEAM, SELF]), [ANNA])).get(ANNA)
    expect(both).toMatchObject({ grounds, unknown: new Map([[SELF, 'STORE']]) })
  })
})

describe('P13: a relationship holds from its beginning until just before its end', () => {
  it.each<[RelationshipPeriod, now: number, expected: boolean]>([
    [{}, 0, true],
    [{ since: at(10) }, 9, false],
    [{ since: at(10) }, 10, true],
    [{ until: at(20) }, 19, true],
    [{ until: at(20) }, 20, false],
    [{ since: at(10), until: at(20) }, 15, true],
    [{ since: at(20), until: at(10) }, 15, false],
    [{ since: at(10), until: at(10) }, 10, false],
  ])('%j at %d: %s', (period, now, expected) => {
    expect(isCurrent(period, at(now))).toBe(expected)
  })

  it('one current period of several is enough', async () => {
    const registry = new Map([[CARE_TEAM, says(new Map([[ANNA, [{ until: at(5) }, { since: at(10), until: at(20) }]]]))]])
    const heldAt = async (now: number) =>
      (await relationshipsOf(registry, new Set([CARE_TEAM]), caller, [ANNA], at(now), deadline, reasonOf)).get(ANNA)?.relationships
    expect(await heldAt(4)).toEqual(new Set([CARE_TEAM]))
    expect(await heldAt(7)).toEqual(new Set())
    expect(await heldAt(10)).toEqual(new Set([CARE_TEAM]))
    expect(await heldAt(20)).toEqual(new Set())
  })
})
