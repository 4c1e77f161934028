import { describe, expect, it } from 'vitest'
import { decide } from '../../../gateway/decide/decide.ts'
import { isWithinLimits, isRecordWithinLimits } from '../../../gateway/decide/relationship-limits.ts'
import type { Facts } from '../../../gateway/model/decision.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { PhiPolicy, Relationship, Sensitivity } from '../../../directives/policy.ts'
import type { RelationshipScope } from '../../../gateway/model/record.ts'
import { callerWith, clinic, factsOf } from './clinic-policy.ts'

const NOW = Date.UTC(2026, 0, 31) as Instant
const PROXY = 'PROXY' as Relationship
const SELF = 'SELF' as Relationship
const caller = callerWith(['PROXY'], 'PATRQT')

const limited = (scopes: readonly RelationshipScope[], labels: readonly string[] = []): Facts => {
  const facts = factsOf(['PROXY'])
  const record = { id: 'r' as RecordId, labels: new Set(labels as readonly Sensitivity[]) }
  return { ...facts, limits: new Map([[PROXY, scopes]]), consent: { ...facts.consent, record } }
}
const PLAIN: RelationshipScope = { categories: ['CLINICAL', 'IDENTITY'], labeled: false }
const readable = [...clinic.policy.phi.values()].filter(
  (field) => decide(field, caller, factsOf(['PROXY']), NOW).outcome === 'GRANTED',
)
const granted = (facts: Facts): PhiPolicy[] => readable.filter((field) => decide(field, caller, facts, NOW).outcome === 'GRANTED')

describe('C06: a relationship within limits', () => {
  it('grants the fields of its categories, and denies the rest with RELATIONSHIP and the rule', () => {
    expect(readable.length).toBeGreaterThan(20)
    const within = readable.filter(({ category }) => PLAIN.categories.includes(category))
    expect(within.length).toBeGreaterThan(5)
    expect(granted(limited([PLAIN]))).toEqual(within)
    for (const field of readable.filter((one) => !within.includes(one))) {
      const denial = decide(field, caller, limited([PLAIN]), NOW)
      expect(denial).toMatchObject({ outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false })
      expect('rule' in denial && denial.rule).toMatch(/#\d+$/)
    }
  })

  it('grants nothing of a labeled record, unless its scope includes labeled records', () => {
    expect(granted(limited([PLAIN], ['HIV']))).toEqual([])
    expect(granted(limited([{ ...PLAIN, labeled: true }], ['HIV']))).toEqual(granted(limited([PLAIN])))
    expect(isRecordWithinLimits(PROXY, limited([PLAIN], ['HIV']))).toBe(false)
    expect(isRecordWithinLimits(PROXY, limited([PLAIN]))).toBe(true)
  })

  it('a field with a sensitivity counts as labeled, like a record with one', () => {
    const field = { ...(readable[0] as PhiPolicy), category: 'CLINICAL', sensitivity: new Set(['HIV' as Sensitivity]) } as const
    expect(isWithinLimits(PROXY, field, limited([PLAIN]))).toBe(false)
    expect(isWithinLimits(PROXY, field, limited([{ ...PLAIN, labeled: true }]))).toBe(true)
  })

  it('several scopes apply separately: a field that no scope opens is not opened by all of them', () => {
    const scopes = [
      { categories: ['CLINICAL'], labeled: false },
      { categories: ['NOTE'], labeled: true },
    ] as const
    const categories = (facts: Facts): string[] => [...new Set(granted(facts).map(({ category }) => category))].toSorted()
    expect(categories(limited(scopes))).toEqual(['CLINICAL', 'NOTE'])
    expect(categories(limited(scopes, ['HIV']))).toEqual(['NOTE'])
    expect(granted(limited([]))).toEqual([])
  })

  it('limits of one relationship do not affect another', () => {
    const facts = { ...limited([]), relationships: new Set([SELF, PROXY]) }
    const field = readable[0] as PhiPolicy
    expect(decide(field, callerWith(['PATIENT'], 'PATRQT'), facts, NOW)).toMatchObject({ outcome: 'GRANTED', basis: 'SELF' })
  })
})
