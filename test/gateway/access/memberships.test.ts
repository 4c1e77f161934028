import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { membershipChanges, membershipRelationship } from '../../../gateway/access/memberships.ts'
import { relationshipsOf } from '../../../gateway/access/relationships.ts'
import { MAX_INLINE } from '../../../gateway/store/membership-list.ts'
import type { AccessFault, GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { Instant, PatientId } from '../../../gateway/model/ids.ts'
import type { Relationship } from '../../../directives/policy.ts'
import type { Membership } from '../../../gateway/model/record.ts'
import { KeyHouse, RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith } from '../decide/clinic-policy.ts'
import { MemoryAccessTable } from '../store/memory-access-table.ts'

const ANNA = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
const BERT = 'BBBBBBBBBBBBBBBBBBBBBB' as PatientId
const NURSE = 'Practitioner/nurse'
const caller = callerWith(['NURSE'], 'TREAT', { fhirUser: NURSE })

let house: KeyHouse
let table: MemoryAccessTable
let events: GatewayEvent[]
let deadline: Deadline

beforeEach(async () => {
  deadline = new Deadline(Date.now() + 5_000, { now: Date.now, monotonic: Date.now })
  house = new KeyHouse()
  await house.ring.createTenant(RIVERSIDE)
  table = new MemoryAccessTable()
  events = []
})

const membership = (patient: PatientId, periods: Membership['periods'], fhirUser = NURSE): Membership => ({
  patient,
  relationship: 'CARE_TEAM',
  fhirUser,
  periods,
})

async function join(...memberships: readonly Membership[]): Promise<void> {
  const key = await house.ring.purposeKey(RIVERSIDE, 'access')
  for (const [patient, own] of Map.groupBy(memberships, (membership) => membership.patient)) {
    await table.write(key, RIVERSIDE, patient, await changesOf(...own))
  }
}

const changesOf = (...memberships: readonly Membership[]) =>
  membershipChanges({ keyring: house.ring, table }, RIVERSIDE, memberships)

const source = (kind: Membership['relationship'] = 'CARE_TEAM') =>
  membershipRelationship(kind, { table, keyring: house.ring, events: (event) => void events.push(event) })

async function holdsAt(time: string, patient = ANNA): Promise<boolean> {
  const name = 'CARE_TEAM' as Relationship
  const now = Date.parse(time) as Instant
  const active = await relationshipsOf(
    new Map([[name, source()]]),
    new Set([name]),
    caller,
    [ANNA, BERT],
    now,
    deadline,
    () => 'STORE',
  )
  return active.get(patient)?.relationships.has(name) === true
}

describe('P13: a membership holds for its periods', () => {
  it('to the millisecond, the end exclusive', async () => {
    await join(membership(ANNA, [{ since: '2026-01-01T00:00:00.000Z', until: '2026-02-01T00:00:00.000Z' }]))
    expect(await holdsAt('2025-12-31T23:59:59.999Z')).toBe(false)
    expect(await holdsAt('2026-01-01T00:00:00.000Z')).toBe(true)
    expect(await holdsAt('2026-01-31T23:59:59.999Z')).toBe(true)
    expect(await holdsAt('2026-02-01T00:00:00.000Z')).toBe(false)
    expect(await holdsAt('2026-01-15T00:00:00.000Z', BERT)).toBe(false)
  })

  it('compares instants, not texts: the offset of a time counts', async () => {
    await join(membership(ANNA, [{ since: '2026-01-01T02:00:00+02:00', until: '2026-01-01T00:00:00-05:00' }]))
    expect(await holdsAt('2025-12-31T23:59:59Z')).toBe(false)
    expect(await holdsAt('2026-01-01T00:00:00Z')).toBe(true)
    expect(await holdsAt('2026-01-01T04:59:59Z')).toBe(true)
    expect(await holdsAt('2026-01-01T05:00:00Z')).toBe(false)
  })

  it.each<[string, Membership['periods'][number]]>([
    ['a beginning that cannot be read', { since: 'last spring' }],
    ['an end that cannot be read', { until: 'next spring' }],
  ])('%s never holds', async (_what, period) => {
    await join(membership(ANNA, [period]))
    for (const time of ['1970-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2200-01-01T00:00:00Z'])
      expect(await holdsAt(time)).toBe(false)
  })

  it('a list without periods never holds', async () => {
    await join(membership(ANNA, []))
    expect(await holdsAt('2026-01-01T00:00:00Z')).toBe(false)
  })
})

type Item = Record<string, AttributeValue>

const flipped = (item: Item): Item => {
  const sealed = Buffer.from(item['v']?.B ?? [])
  sealed.writeUInt8(sealed.readUInt8(sealed.length - 1) ^ 1, sealed.length - 1)
  return { ...item, v: { B: sealed } }
}

const open = [{}]
const periods = async (who = caller) => Object.fromEntries(await source().periods(who, [ANNA, BERT], deadline))
const forged = (patient: PatientId, what: AccessFault) => ({ event: 'ACCESS_ITEM_FORGED', tenant: RIVERSIDE, patient, what })
/** The token of a person identifies the membership in the audit. */
const TOKEN = expect.stringMatching(/^[\w-]{22}$/) as string
const HOLDS = [{ id: TOKEN }]
const manifestOf = (patient: PatientId): Item => table.manifest(RIVERSIDE, patient) ?? {}

describe('P6: a membership counts only in the manifest of its patient', () => {
  it('an entry of the index by user decides nothing', async () => {
    await join(membership(ANNA, open, 'Practitioner/other'), membership(BERT, open))
    const entries = [...table.items.values()].filter(({ sk }) => sk?.S?.startsWith('CARE_TEAM#') === true)
    for (const entry of entries) table.put({ ...entry, pk: manifestOf(ANNA)['pk'] ?? { S: '' } })
    expect(await periods()).toEqual({ [ANNA]: [], [BERT]: HOLDS })
    for (const entry of entries) table.remove(entry)
    expect(await periods()).toEqual({ [ANNA]: [], [BERT]: HOLDS })
    expect(events).toEqual([])
  })

  it('holds for its own kind only', async () => {
    await join(membership(ANNA, open))
    expect(await source('SELF').periods(caller, [ANNA], deadline)).toEqual(new Map([[ANNA, []]]))
  })

  it.each<[string, () => Item]>([
    ['of another patient', () => ({ ...manifestOf(ANNA), v: manifestOf(BERT)['v'] ?? { S: '' } })],
    ['with one bit changed', () => flipped(manifestOf(ANNA))],
    ['that is empty', () => ({ ...manifestOf(ANNA), v: { B: new Uint8Array() } })],
  ])('a manifest %s makes the membership unknown; other patients keep theirs', async (_case, item) => {
    await join(membership(ANNA, open), membership(BERT, open))
    table.put(item())
    expect(await periods()).toEqual({ [ANNA]: 'TAMPERED', [BERT]: HOLDS })
    expect(events).toEqual([forged(ANNA, 'MANIFEST_ALTERED')])
    // two more reads before the report
    expect(table.loads).toBeGreaterThanOrEqual(3)
  })

  it('a missing manifest is distinct from a patient without a membership; the caller knows whether the patient exists', async () => {
    await join(membership(ANNA, open, 'Practitioner/other'))
    table.loads = 0
    expect(await periods()).toEqual({ [ANNA]: [], [BERT]: 'NO_MANIFEST' })
    // one read, as for a patient that does not exist (P5)
    expect(table.loads).toBe(1)
  })

  it('no writer creates a second manifest, or repairs a damaged one', async () => {
    await join(membership(ANNA, open))
    const key = await house.ring.purposeKey(RIVERSIDE, 'access')
    table.put(flipped(manifestOf(ANNA)))
    await expect(table.write(key, RIVERSIDE, ANNA, [])).rejects.toThrow(IntegrityFailure)
  })

  it('a caller without a FHIR identity has no membership and no panel', async () => {
    await join(membership(ANNA, open))
    const nobody = callerWith(['NURSE'], 'TREAT')
    expect(await periods(nobody)).toEqual({})
    expect(await source().panel(nobody, undefined, 10, deadline)).toEqual([])
  })

  it('an unavailable table or key is a failure, never a denial', async () => {
    await join(membership(ANNA, open))
    table.down = true
    await expect(periods()).rejects.toThrow(StoreUnavailable)
    table.down = false
    house.ring = house.newRing()
    house.kms.down = true
    await expect(periods()).rejects.toThrow(KeyUnavailable)
  })
})

describe('P6: a large care team is stored in chunks', () => {
  const TEAM = 2_000
  const others = (count: number): Membership[] =>
    Array.from({ length: count }, (_, number) => membership(ANNA, open, `Practitioner/${number}`))
  const chunkOf = async (): Promise<Item> => {
    // finds the chunk with the caller's membership by removing one chunk at a time
    for (const chunk of table.chunkItems(RIVERSIDE, ANNA)) {
      table.remove(chunk)
      const answer = (await source().periods(caller, [ANNA], deadline)).get(ANNA)
      table.put(chunk)
      if (answer === 'TAMPERED') return chunk
    }
    throw new Error('no chunk has the membership')
  }

  it('if a care team exceeds the inline limit, all its memberships move to chunks', async () => {
    await join(membership(ANNA, open), ...others(MAX_INLINE - 1))
    expect(table.chunkItems(RIVERSIDE, ANNA)).toEqual([])
    await join(membership(ANNA, open, 'Practitioner/last'))
    expect(table.chunkItems(RIVERSIDE, ANNA)).toHaveLength(1)
    expect((await periods())[ANNA]).toEqual(HOLDS)
  })

  it('a team of 2,000 has small items, and each member is found through one chunk', async () => {
    await join(...others(TEAM))
    await join(membership(ANNA, open))
    const sizes = [manifestOf(ANNA), ...table.chunkItems(RIVERSIDE, ANNA)].map((item) => item['v']?.B?.length ?? 0)
    expect(sizes.length).toBeGreaterThan(TEAM / 64)
    expect(Math.max(...sizes)).toBeLessThan(7_000)
    expect((await periods())[ANNA]).toEqual(HOLDS)
    expect(await changesOf(...others(TEAM))).toEqual([])
    const stranger = callerWith(['NURSE'], 'TREAT', { fhirUser: 'Practitioner/stranger' })
    expect((await periods(stranger))[ANNA]).toEqual([])
  })

  it.each<[string, AccessFault, (chunk: Item) => void]>([
    ['removed', 'MISSING', (chunk) => table.remove(chunk)],
    ['altered', 'ALTERED', (chunk) => table.put(flipped(chunk))],
    [
      'replaced by another chunk',
      'ALTERED',
      (chunk) => {
        const other = table.chunkItems(RIVERSIDE, ANNA).find(({ sk }) => sk?.S !== chunk['sk']?.S)
        table.put({ ...chunk, v: other?.['v'] ?? { S: '' } })
      },
    ],
  ])('a chunk that was %s makes the membership unknown', async (_case, what, tamper) => {
    await join(membership(ANNA, open), ...others(100))
    const chunk = await chunkOf()
    events.length = 0
    tamper(chunk)
    expect((await periods())[ANNA]).toEqual('TAMPERED')
    expect(events).toEqual([forged(ANNA, what)])
    const change = await changesOf(membership(ANNA, [{ until: '2026-01-01T00:00:00.000Z' }]))
    const key = await house.ring.purposeKey(RIVERSIDE, 'access')
    await expect(table.write(key, RIVERSIDE, ANNA, change)).rejects.toThrow(IntegrityFailure)
  })

  it('an older chunk that was restored after a membership ended makes the membership unknown', async () => {
    await join(membership(ANNA, open), ...others(100))
    const yesterday = await chunkOf()
    events.length = 0
    await join(membership(ANNA, [{ until: '2026-01-01T00:00:00.000Z' }]))
    table.put(yesterday)
    expect((await periods())[ANNA]).toEqual('TAMPERED')
    expect(events).toEqual([forged(ANNA, 'ALTERED')])
  })

  it('a write between the reads of manifest and chunk is not tampering', async () => {
    await join(membership(ANNA, open), ...others(100))
    const before = new Map(table.items)
    await join(membership(ANNA, [{ since: '2020-01-01T00:00:00.000Z' }]))
    const after = manifestOf(ANNA)
    table.put(before.get(`${after['pk']?.S ?? ''} ${after['sk']?.S ?? ''}`) ?? {})
    const load = table.load.bind(table)
    table.load = async (...args) => {
      const loaded = await load(...args)
      table.put(after)
      return loaded
    }
    expect((await periods())[ANNA]).toEqual([{ id: TOKEN, since: Date.parse('2020-01-01T00:00:00.000Z') }])
    expect(events).toEqual([])
  })
})

describe('a second import', () => {
  it('writes only the memberships that are new, changed or damaged', async () => {
    const stays = membership(ANNA, [{ since: '2026-01-01T00:00:00.000Z' }])
    const ends = membership(BERT, [{}])
    await join(stays, ends)
    const changed = async (...memberships: Membership[]) => (await changesOf(...memberships)).map(({ patient }) => patient)
    expect(await changed(stays, ends)).toEqual([])
    expect(await changed(stays, { ...ends, periods: [{ until: '2026-03-01T00:00:00.000Z' }] })).toEqual([BERT])
    expect(await changed(stays, { ...ends, fhirUser: 'Practitioner/other' })).toEqual([BERT])
    // there is no membership to end
    expect(await changed({ ...ends, fhirUser: 'Practitioner/other', periods: [] })).toEqual([])
    expect(await changed({ ...ends, periods: [] })).toEqual([BERT])
    table.put({ ...manifestOf(ANNA), v: manifestOf(BERT)['v'] ?? { S: '' } })
    expect(await changed(stays, ends)).toEqual([ANNA])
  })
})

describe('C06: a proxy of a patient', () => {
  it('P13: acts until the end of the period, only for that patient, and is not on the care team', async () => {
    await join({ ...membership(ANNA, [{ until: '2026-03-01T00:00:00.000Z' }]), relationship: 'PROXY' })
    const names = ['PROXY', 'CARE_TEAM', 'SELF'] as const
    const registry = new Map(names.map((name) => [name as string as Relationship, source(name)]))
    const heldAt = async (time: string, patient: PatientId): Promise<string[]> => {
      const now = Date.parse(time) as Instant
      const unexpected = (error: unknown): never => {
        throw error
      }
      const active = await relationshipsOf(registry, new Set(registry.keys()), caller, [ANNA, BERT], now, deadline, unexpected)
      return [...(active.get(patient)?.relationships ?? [])]
    }
    expect(await heldAt('2026-02-28T23:59:59.999Z', ANNA)).toEqual(['PROXY'])
    expect(await heldAt('2026-03-01T00:00:00.000Z', ANNA)).toEqual([])
    expect(await heldAt('2026-02-01T00:00:00.000Z', BERT)).toEqual([])
  })

  it('is limited while all current periods have limits; an unscoped period overrides scoped ones', async () => {
    const scope = { categories: ['CLINICAL'], labeled: false } as const
    const proxy = { ...membership(ANNA, []), relationship: 'PROXY' } as const
    const periods = [
      { until: '2026-01-01T00:00:00.000Z' },
      { since: '2025-12-01T00:00:00.000Z', until: '2027-01-01T00:00:00.000Z', scope },
    ]
    await join({ ...proxy, periods })
    const [PROXY, registry] = ['PROXY' as Relationship, new Map([['PROXY' as Relationship, source('PROXY')]])]
    const heldAt = async (time: string) => {
      const now = Date.parse(time) as Instant
      return (await relationshipsOf(registry, new Set([PROXY]), caller, [ANNA], now, deadline, () => 'STORE')).get(ANNA)
    }
    const relationships = new Set([PROXY])
    const since = Date.parse('2025-12-01T00:00:00.000Z')
    const grounds = new Map([[PROXY, { id: TOKEN }]])
    expect(await heldAt('2025-12-15T00:00:00Z')).toEqual({ relationships, grounds })
    expect(await heldAt('2026-01-01T00:00:00Z')).toEqual({
      relationships,
      limits: new Map([[PROXY, [scope]]]),
      grounds: new Map([[PROXY, { id: TOKEN, since }]]),
    })
    expect(await heldAt('2027-01-01T00:00:00Z')).toEqual({ relationships: new Set() })
    // a second import compares the stored limits too
    const changed = async (again: Membership) => (await changesOf(again)).length
    expect(await changed({ ...proxy, periods })).toBe(0)
    expect(await changed({ ...proxy, periods: periods.map(({ scope: _scope, ...period }) => period) })).toBe(1)
    expect(
      await changed({
        ...proxy,
        periods: periods.map((one) => ({ ...one, ...('scope' in one && { scope: { ...scope, labeled: true } }) })),
      }),
    ).toBe(1)
  })
})
