import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { type AuditEntry, entryHash, FIRST_PREV, linkEntry, type Unlinked, userAgentHash } from '../../../gateway/audit/entry.ts'
import { AUDIT_INDEX, fromItem, INDEX_SHARDS, type Item, LANES, laneKey, sequenceKey, toItem } from '../../../gateway/audit/item.ts'

const HEX = 'c3'.repeat(32)

/** Every field that an entry can have, each with a long value of the kind that it holds in service. */
const everything: Required<Omit<AuditEntry, 'paths' | 'userAgentText' | 'succeeds'>> = {
  ...linkEntry(
    {
      tenant: 'riverside-general-hospital',
      lane: 'cHJvY2Vz.12',
      sequence: 123_456_789,
      time: '2026-03-01T12:00:00.123Z',
      requestId: 'cmVxdWVzdHJlcXVlc3RyZXF1',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      user: 'oidc|9b2d6f0e-3c5a-4f64-8d2b-7a1e5c9f0b42',
      roles: ['PHYSICIAN', 'PRIVACY_OFFICER'],
      organization: 'riverside-general-cardiology',
      client: 'riverside-patient-portal-ios',
      session: '5f0c1f6a-1c1e-4b57-9d0e-2f4f7f3a8d11',
      sourceIp: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
      userAgent: userAgentHash('Mozilla/5.0'),
      patient: 'AAECAwQFBgcICQoLDA0ODw',
      recordType: 'CareTeamMember',
      recordId: 'EBESExQVFhcYGRobHB0eHw',
      recordVersion: 12,
      path: 'Observation.valueCodeableConcept',
      action: 'READ',
      view: 'PSEUDONYM',
      outcome: 'UNAVAILABLE',
      reason: 'RELATIONSHIP',
      rule: 'Observation.valueCodeableConcept#4',
      basis: 'BREAK_GLASS EBESExQVFhcYGRobHB0eHw',
      purpose: 'HOPERAT',
      operation: 'PatientChartWithObservationsAndCareTeam',
      operationHash: HEX,
      persisted: true,
      count: 100,
      policy: HEX,
    },
    HEX,
  ),
} as Required<Omit<AuditEntry, 'paths' | 'userAgentText' | 'succeeds'>>

const least: Unlinked = {
  tenant: 't',
  lane: 'cHJvY2Vz.1',
  sequence: 1,
  time: '2026-03-01T12:00:00.000Z',
  requestId: 'cmVxdWVzdHJlcXVlc3RyZXF1',
  user: 'u',
  roles: [],
  path: 'Query.patients',
  action: 'READ',
  outcome: 'DENIED',
  purpose: 'TREAT',
  persisted: false,
  policy: HEX,
}

const back = (entry: AuditEntry): AuditEntry => fromItem(toItem(entry))

function without<T extends object, K extends keyof T>(whole: T, ...names: readonly K[]): Omit<T, K> {
  const rest = { ...whole }
  for (const name of names) Reflect.deleteProperty(rest, name)
  return rest
}

/** What DynamoDB counts: names and texts as UTF-8, binary as it is, a number one byte for two digits and one more, a boolean one. */
function bytesOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0)
}

function valueBytes({ S, N, B, BOOL }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S)
  if (B !== undefined) return B.length
  if (N !== undefined) return Math.ceil(N.length / 2) + 1
  if (BOOL !== undefined) return 1
  throw new TypeError('an audit item holds texts, numbers, bytes and booleans only')
}

describe('P7: what is stored is what was hashed', () => {
  const all: AuditEntry = {
    ...everything,
    paths: ['Patient.birthDate', 'Patient.address.city'],
    userAgentText: 'Mozilla/5.0 (Ünïcode) 😀',
    succeeds: 'cHJvY2Vz.11/99',
  }

  it('P7: every field comes back, and with it the hash', () => {
    expect(back(all)).toEqual(all)
    const told = linkEntry(without(all, 'prev', 'hash'), FIRST_PREV)
    const { prev, hash, ...unlinked } = back(told)
    expect(entryHash(unlinked, prev)).toBe(hash)
    expect(hash).toBe(told.hash)
  })

  it.each(Object.keys(all).filter((name) => !Object.hasOwn({ ...least, prev: '', hash: '' }, name)))(
    'P7: without %s nothing is made up for it',
    (name) => {
      const partial = without(all, name as keyof AuditEntry) as AuditEntry
      expect(back(partial)).toEqual(partial)
    },
  )

  it('P7: what does not apply is left out: no patient, no roles', () => {
    const bare = linkEntry(least, FIRST_PREV)
    expect(back(bare)).toEqual(bare)
    expect(toItem(bare)).not.toHaveProperty('gp')
  })

  it.each(['a#b', '#', '##3', 'tenant#user#7', 'os:root', 'Ä#ö'])('P7: a user "%s" comes back as it is', (user) => {
    const entry = linkEntry({ ...least, user, patient: `x#${user}` }, FIRST_PREV)
    expect(back(entry)).toEqual(entry)
  })

  it('names an item that lacks its keys, and no value of it', () => {
    const item = without(toItem(linkEntry(least, FIRST_PREV)), 'gu') as Item
    expect(() => fromItem(item)).toThrow(new TypeError('an audit item lacks gu'))
  })
})

describe('what an item costs', () => {
  it('stays below 1 KiB with long values in every field of a read, index keys included', () => {
    const item = toItem(everything)
    for (const { key } of Object.values(AUDIT_INDEX)) expect(item).toHaveProperty(key)
    expect(bytesOf(item)).toBeLessThan(1024)
  })

  it('stays below 1 KiB in the first record of a successor, too', () => {
    expect(bytesOf(toItem({ ...everything, succeeds: 'cHJvY2Vz.11/123456788' }))).toBeLessThan(1024)
  })

  it('repeats nothing: a typical read leaves room for what is to come', () => {
    const typical = without(everything, 'traceId', 'organization', 'reason', 'count')
    expect(bytesOf(toItem({ ...typical, roles: ['PHYSICIAN'], path: 'Patient.familyName', sourceIp: '192.0.2.1' }))).toBeLessThan(
      800,
    )
  })
})

describe('keys', () => {
  it('sorts sequences as numbers', () => {
    const numbers = [1, 2, 10, 99, 100, 1_000_000]
    expect(numbers.map(sequenceKey).toSorted()).toEqual(numbers.map(sequenceKey))
    expect(sequenceKey(7)).toBe('000000000007')
  })

  it('spreads the records of one lane over all shards of an index', () => {
    const keys = Array.from({ length: 200 }, (_, i) => toItem(linkEntry({ ...least, sequence: i + 1 }, FIRST_PREV))['gf']?.S)
    expect(new Set(keys).size).toBe(INDEX_SHARDS)
  })

  it('no lane has the name under which lanes are registered', () => {
    expect(laneKey('riverside', LANES)).toBe('riverside#LANES')
    expect('cHJvY2Vz.1').not.toBe(LANES)
  })
})
