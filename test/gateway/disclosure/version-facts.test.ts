import { describe, expect, it } from 'vitest'
import type { RecordLabel, Relationship, Sensitivity } from '../../../directives/policy.ts'
import { authorRelationship } from '../../../gateway/access/author.ts'
import type { RelationshipSource } from '../../../gateway/access/relationships.ts'
import { RecordVisibility } from '../../../gateway/disclosure/record-visibility.ts'
import { versionFacts } from '../../../gateway/disclosure/version-facts.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import type { RecordMetadata } from '../../../gateway/model/record.ts'
import { NOW } from '../decide/clinic-policy.ts'
import { AUTHOR, names, PHYSICIAN, policy, refOf, relatedTo } from './request-fixtures.ts'

const note = refOf('Note', 'patient-1' as PatientId, 'note-1')
const RELATIONSHIPS = new Map<Relationship, RelationshipSource>([
  ['CARE_TEAM' as Relationship, relatedTo({})],
  ['AUTHOR' as Relationship, authorRelationship],
])
const metadata = (more: Partial<RecordMetadata> = {}): RecordMetadata => ({ open: {}, references: {}, ...more })
const by = (author: string): RecordMetadata => metadata({ author })
const of = (encounter: string): RecordMetadata => metadata({ references: { encounter: encounter as RecordId } })
const labeled = (...labels: string[]): RecordMetadata => metadata({ labels: labels as RecordLabel[] })

const factsOf = (caller: typeof PHYSICIAN, earlier: RecordMetadata, present: RecordMetadata, consents: readonly Consent[] = []) => {
  const visibility = new RecordVisibility({ caller, now: NOW, policy, relationships: RELATIONSHIPS })
  const attributes = { relationships: names(...(caller === PHYSICIAN ? ['CARE_TEAM'] : [])), consents }
  return versionFacts(visibility, attributes, note, earlier, { metadata: present, listed: false, version: 2 })
}
const permit = (...labels: string[]): Consent => ({ id: 'permit', effect: 'PERMIT', labels: labels as Sensitivity[] })

describe('P4: an earlier version is decided under its own facts and the present ones', () => {
  it('by the labels of both', () => {
    const { facts, also } = factsOf(PHYSICIAN, labeled('HIV'), labeled('ETH'), [permit('ETH', 'HIV')])
    expect([...(facts.consent.record?.labels ?? [])].toSorted()).toEqual(['ETH', 'HIV'])
    expect(also).toBeUndefined()
  })

  it.each([
    ['the author of both versions', by('Practitioner/1'), by('Practitioner/1'), 'OPEN'],
    ['the author of the earlier version only', by('Practitioner/1'), by('Practitioner/2'), 'RELATIONSHIP'],
    ['the author of the present version only', by('Practitioner/2'), by('Practitioner/1'), 'RELATIONSHIP'],
    ['the author of none', by('Practitioner/2'), by('Practitioner/2'), 'RELATIONSHIP'],
  ])('to %s', (_, earlier, present, closure) => {
    expect(factsOf(AUTHOR, earlier, present).closure).toBe(closure)
  })

  it.each([
    ['of the earlier version', of('denied'), of('other'), 'CONSENT'],
    ['of the present version', of('other'), of('denied'), 'CONSENT'],
    ['of neither', of('one'), of('two'), 'OPEN'],
  ])('a denial of an encounter %s', (_, earlier, present, closure) => {
    const deny: Consent = { id: 'deny', effect: 'DENY', records: ['denied' as RecordId] }
    const found = factsOf(PHYSICIAN, earlier, present, [deny])
    expect(found.closure).toBe(closure)
    expect(found.also).toBeDefined()
  })
})
