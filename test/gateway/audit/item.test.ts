import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { type AuditContext, itemHash, type TimedAccess, userAgentHash } from '../../../gateway/audit/entry.ts'
import { NOTHING_BEFORE } from '../../../gateway/audit/verify/item.ts'
import {
  AUDIT_INDEX,
  entriesOf,
  INDEX_SHARDS,
  type Item,
  laneKey,
  registryKey,
  sequenceKey,
  toItem,
} from '../../../gateway/audit/item.ts'
import type { ItemPosition } from '../../../gateway/audit/item-encoder.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import type { Instant, UserId } from '../../../gateway/model/ids.ts'
import { access, context, NOON } from './examples.ts'

const HEX = 'c3'.repeat(32)
const LANE = 'kakjK50G.1'

/** Every member that a request's context can have. */
const everywhere: Required<Omit<AuditContext, 'userAgent'>> = {
  tenant: 'riverside' as never,
  requestId: 'cmVxdWVzdHJlcXVlc3RyZXF1' as never,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  user: 'oidc|9b2d6f0e-3c5a-4f64-8d2b-7a1e5c9f0b42',
  roles: ['PHYSICIAN', 'PRIVACY_OFFICER'],
  organization: 'riverside-cardiology',
  client: 'riverside-portal',
  app: 'Riverside Portal',
  appVersion: '4.2',
  contract: HEX,
  session: '5f0c1f6a-1c1e-4b57-9d0e-2f4f7f3a8d11',
  authTime: Date.parse('2026-03-01T08:00:00.000Z') as Instant,
  mfa: true,
  study: 'NCT00000000',
  sourceIp: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
  purpose: 'HOPERAT',
  operation: 'PatientChart',
  operationHash: HEX,
  persisted: true,
  policy: HEX,
}
const everything: Required<TimedAccess> = {
  ...access(12),
  recordType: 'Observation' as TypeName,
  recordId: 'EBESExQVFhcYGRobHB0eHw',
  listed: true,
  origin: 'epic',
  path: 'Observation.code' as SchemaPath,
  paths: ['Observation.code', 'Patient.birthDate'] as SchemaPath[],
  action: 'EXPORT',
  view: 'PSEUDONYM',
  outcome: 'UNAVAILABLE',
  reason: 'RELATIONSHIP',
  rule: 'Observation.code#4',
  basis: 'BREAK_GLASS',
  basisId: 'EBESExQVFhcYGRobHB0eHw',
  since: Date.parse('2026-02-28T23:00:00.000Z') as Instant,
  limits: [{ categories: ['LAB'], labeled: true }] as never,
  count: 100,
} as Required<TimedAccess>
const position = { userAgent: userAgentHash('Mozilla/5.0'), userAgentText: 'Mozilla/5.0 (Ünïcode) 😀', succeeds: 'kakjK50G.7/99' }

/** The stored item of the accesses of one request. */
function stored(
  accesses: readonly TimedAccess[],
  { about = context(), at = {}, sequence = 1 }: { about?: AuditContext; at?: Partial<ItemPosition>; sequence?: number } = {},
): Item {
  const packer = new ItemPacker(about)
  for (const one of accesses) packer.add(one)
  const [draft] = packer.rest()
  if (draft === undefined) throw new Error('no item')
  const address = { tenant: about.tenant, lane: LANE, sequence }
  const { text, bytes } = draft.encode(at)
  const hash = itemHash(address, text, NOTHING_BEFORE)
  return toItem({ ...address, time: draft.time, user: about.user, patient: draft.patient, text, bytes, prev: NOTHING_BEFORE, hash })
}

function without<T extends object>(whole: T, name: string): T {
  const rest = { ...whole }
  Reflect.deleteProperty(rest, name)
  return rest
}

describe('P7: an item returns the records that it was made of', () => {
  it('P7: returns every member, for each record of the item', () => {
    const other = access(13, { path: 'Patient.birthDate' as SchemaPath, rule: 'Patient.birthDate#1' })
    const item = stored([everything, { ...other, patient: everything.patient }], { about: everywhere, at: position })
    const { at, since, ...record } = everything
    const common = { ...everywhere, authTime: '2026-03-01T08:00:00.000Z', ...position, format: 1, part: 1, parts: 1 }
    const place = { lane: LANE, sequence: 1, time: '2026-03-01T12:00:00.000Z', prev: NOTHING_BEFORE }
    const [first, second] = entriesOf(item)
    const { hash = '', ...entry } = first ?? {}
    expect(at).toBe(NOON)
    expect(entry).toEqual({ ...common, ...record, ...place, since: new Date(since).toISOString(), index: 1 })
    expect(second).toMatchObject({
      ...common,
      ...place,
      index: 2,
      hash,
      recordVersion: 13,
      path: 'Patient.birthDate',
      view: 'FULL',
    })
    expect(hash).toBe(itemHash({ tenant: 'riverside', lane: LANE, sequence: 1 }, item['e']?.S ?? '', NOTHING_BEFORE))
  })

  it.each(Object.keys(everywhere).filter((name) => !Object.hasOwn(context(), name)))(
    'P7: invents no value for a missing %s',
    (name) => {
      const [entry] = entriesOf(stored([everything], { about: without(everywhere, name) }))
      // a flag is in every export
      if (name === 'mfa') expect(entry?.mfa).toBe(false)
      else expect(entry).not.toHaveProperty(name)
    },
  )

  it.each(Object.keys(everything).filter((name) => !['at', 'path', 'action', 'outcome'].includes(name)))(
    'P7: returns a record without %s as such',
    (name) => {
      const [entry] = entriesOf(stored([without(everything, name)]))
      if (name === 'listed') expect(entry?.listed).toBe(false)
      else expect(entry).not.toHaveProperty(name)
      const others = Object.keys(everything).filter((one) => one !== name && one !== 'at')
      for (const one of others) expect(entry).toHaveProperty(one)
    },
  )

  it.each(['a#b', '#', '##3', 'tenant#user#7', 'os:root', 'Ä#ö'])('P7: returns a user and a patient "%s" unchanged', (user) => {
    const [entry] = entriesOf(stored([access(1, { patient: `x#${user}` })], { about: context({ user: user as UserId }) }))
    expect(entry).toMatchObject({ user, patient: `x#${user}`, tenant: 'riverside', lane: LANE })
  })

  it('P7: stores half of a surrogate pair from a client as U+FFFD, which has a canonical form', () => {
    const half = 'x😀'.slice(0, -1)
    const about = context({ app: half, operation: half, client: half, user: half as UserId })
    expect(entriesOf(stored([access(1)], { about }))[0]).toMatchObject({ app: 'x\uFFFD', operation: 'x\uFFFD', user: 'x\uFFFD' })
  })

  it.each(['l', 'n', 'e', 'pv', 'h'])('names an item without %s, and no value of the item', (name) => {
    const item = without(stored([access(1)]), name)
    expect(() => entriesOf(item)).toThrow(new RegExp(`^an audit item has (no|a malformed) ${name}`, 'u'))
  })
})

describe('keys', () => {
  it('equal those of docs/audit-log.md', () => {
    const item = stored([access(1)], { sequence: 7 })
    expect(item).toMatchObject({ l: { S: `riverside#${LANE}` }, n: { S: '00000007' }, at: { N: String(NOON) } })
    const shard = item['gp']?.S?.split('#').at(-1)
    expect([item['gp']?.S, item['gu']?.S]).toEqual([`riverside#AAECAwQFBgcICQoLDA0ODw#${shard}`, `riverside#physician#${shard}`])
    expect(Object.keys(item).toSorted()).toEqual(['at', 'e', 'gp', 'gu', 'h', 'l', 'n', 'pv', 'z'])
    expect(item['z']?.S).toMatch(/^ *$/)
    expect(stored([access(1, { patient: undefined as never })])).not.toHaveProperty('gp')
  })

  it('sort sequences as numbers', () => {
    const numbers = [1, 2, 10, 99, 100, 1_000_000]
    expect(numbers.map(sequenceKey).toSorted()).toEqual(numbers.map(sequenceKey))
  })

  it('spread the items of one lane over all shards of an index', () => {
    for (const { key } of Object.values(AUDIT_INDEX)) {
      const keys = Array.from({ length: 200 }, (_, at) => stored([access(1)], { sequence: at + 1 })[key]?.S)
      expect(new Set(keys).size).toBe(INDEX_SHARDS)
    }
  })

  it('never put a lane into the partition that registers the lanes of an hour', () => {
    expect(registryKey('riverside', '2026-11-28T17')).toBe('riverside#LANES#2026-11-28T17')
    // the name of a lane consists of base64url, dots and digits
    expect(laneKey('riverside', LANE).split('#')).toHaveLength(2)
  })
})
