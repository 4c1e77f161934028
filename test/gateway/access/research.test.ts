import { describe, expect, it } from 'vitest'
import { asResearcher, besideResearch, NO_SUBJECTS, studyOf, withinStudy } from '../../../gateway/access/research.ts'
import type { RelationshipAnswer, RelationshipSource } from '../../../gateway/access/relationships.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import type { Instant, PatientId } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, Relationship, Role, RolePolicy } from '../../../directives/policy.ts'
import { clinic } from '../decide/clinic-policy.ts'

const { policy } = clinic
const deadline = new Deadline(1, { now: () => 0, monotonic: () => 0 })
const callerWith = (roles: readonly string[], purpose: PurposeOfUse): Caller => {
  const seesExistence = roles.some((role) => policy.roles.get(role as Role)?.seesExistence)
  return { roles: new Set(roles), purpose, mayClaim: [], seesExistence, fhirUser: 'Practitioner/1' } as unknown as Caller
}

describe('C18: a researcher has no other role during the request', () => {
  it('a physician that is also a researcher has one of the two roles, by purpose', () => {
    const both = ['PHYSICIAN', 'RESEARCHER']
    expect(asResearcher(callerWith(both, 'TREAT'), policy)).toBeUndefined()
    expect([...besideResearch(callerWith(both, 'TREAT'), policy).roles]).toEqual(['PHYSICIAN'])
    const researcher = asResearcher(callerWith(both, 'HRESCH'), policy)
    expect([...(researcher?.roles ?? [])]).toEqual(['RESEARCHER'])
    expect(researcher).toMatchObject({ seesExistence: false, study: null })
  })

  it('another role with the purpose of research counts as research too: the code uses kinds of roles, never names', () => {
    const roles = new Map(policy.roles)
    const trial = { role: 'TRIALIST' as Role, kind: 'RESEARCH', mayClaim: ['TREAT'], mfa: true, seesExistence: false } as const
    roles.set(trial.role, trial satisfies RolePolicy)
    const researcher = asResearcher(callerWith(['PHYSICIAN', 'TRIALIST'], 'TREAT'), { roles })
    expect([...(researcher?.roles ?? [])]).toEqual(['TRIALIST'])
    expect(researcher?.seesExistence).toBe(false)
  })
})

describe('P3: the study of a request', () => {
  const now = 1_000 as Instant
  const theirs = { protocol: 'A', researchers: ['Practitioner/1'], until: 2_000 as Instant }
  const caller = { fhirUser: 'Practitioner/1' }

  it.each([
    ['the only one', [theirs], undefined, 'A'],
    ['the one named', [theirs, { ...theirs, protocol: 'B' }], 'B', 'B'],
    ['two and no name', [theirs, { ...theirs, protocol: 'B' }], undefined, undefined],
    ['one that holds beside one that has ended', [theirs, { ...theirs, protocol: 'B', until: now }], undefined, 'A'],
    ['a name that is none of theirs', [theirs, { ...theirs, protocol: 'B', researchers: ['Practitioner/2'] }], 'B', undefined],
    ['ended this moment', [{ ...theirs, until: now }], 'A', undefined],
    ['not begun', [{ ...theirs, since: 1_001 as Instant }], undefined, undefined],
    ['begun this moment', [{ ...theirs, since: now }], undefined, 'A'],
    ['none at all', [], 'A', undefined],
  ])('%s', (_, studies, named, found) => {
    expect(studyOf(studies, caller, named, now)?.protocol).toBe(found)
  })

  it('a caller without a FHIR identity has no study', () => {
    expect(studyOf([theirs], {}, 'A', now)).toBeUndefined()
  })
})

describe('P3: under a study each relationship holds only to the patients of the study', () => {
  const [p, q] = ['p', 'q'] as PatientId[] as [PatientId, PatientId]
  const source = (periods: Readonly<Record<string, RelationshipAnswer>>): RelationshipSource => ({
    periods: () => Promise.resolve(new Map(Object.entries(periods) as [PatientId, RelationshipAnswer][])),
    panel: () => Promise.resolve(Object.keys(periods) as PatientId[]),
  })
  const everybody = source({ p: [{}], q: [{}] })
  const within = async (own: RelationshipSource, subjects: RelationshipSource) => {
    const limited = withinStudy(new Map([['ORGANIZATION' as Relationship, own]]), subjects).get('ORGANIZATION' as Relationship)
    const caller = callerWith(['RESEARCHER'], 'HRESCH')
    const periods = await limited?.periods(caller, [p, q], deadline)
    return { periods: Object.fromEntries(periods ?? []), panel: await limited?.panel(caller, undefined, 9, deadline) }
  }

  it('excludes a patient outside the study, even if the relationship holds', async () => {
    expect(await within(everybody, source({ p: [{}] }))).toEqual({ periods: { p: [{}] }, panel: ['p'] })
    expect(await within(everybody, NO_SUBJECTS)).toEqual({ periods: {}, panel: [] })
    expect((await within(source({}), source({ p: [{}] }))).periods).toEqual({ p: [] })
  })

  it('both relationships must hold at the same time', async () => {
    const [early, late] = [{ until: 5 as Instant }, { since: 5 as Instant, until: 9 as Instant }]
    const { periods } = await within(source({ p: [early], q: [{ since: 3 as Instant }] }), source({ p: [late], q: [early] }))
    expect(periods).toEqual({ p: [{ since: 5, until: 5 }], q: [{ since: 3, until: 5 }] })
  })

  it('applies the limits of both', async () => {
    const some = { scope: { categories: ['CLINICAL', 'NOTE'], labeled: true } } as const
    const others = { scope: { categories: ['NOTE', 'CONTACT'], labeled: false } } as const
    const { periods } = await within(source({ p: [some], q: [some] }), source({ p: [{}], q: [others] }))
    expect(periods).toEqual({ p: [some], q: [{ scope: { categories: ['NOTE'], labeled: false } }] })
  })

  it('P6: reports tampering', async () => {
    expect((await within(everybody, source({ p: 'TAMPERED', q: 'NO_MANIFEST' }))).periods).toEqual({
      p: 'TAMPERED',
      q: 'NO_MANIFEST',
    })
    expect((await within(source({ p: 'TAMPERED', q: 'TAMPERED' }), source({ p: [{}], q: [] }))).periods).toEqual({
      p: 'TAMPERED',
      q: [],
    })
  })
})
