import { beforeEach, describe, expect, it } from 'vitest'
import { membershipChanged, membershipRelationship, sealMembership } from '../../../access/memberships.ts'
import { relationshipsOf } from '../../../access/relationships.ts'
import { AccessTable, type AccessItem, type AccessKey } from '../../../store/access.ts'
import type { GatewayEvent } from '../../../vocabulary/events.ts'
import { Deadline } from '../../../vocabulary/deadline.ts'
import { KeyUnavailable, StoreUnavailable } from '../../../vocabulary/failures.ts'
import type { Instant, PatientId, TenantId } from '../../../vocabulary/ids.ts'
import type { Relationship } from '../../../vocabulary/policy.ts'
import type { Membership } from '../../../vocabulary/record.ts'
import { KeyHouse, RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith } from './clinic-policy.ts'

const ANNA = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
const BERT = 'BBBBBBBBBBBBBBBBBBBBBB' as PatientId
const NURSE = 'Practitioner/nurse'
const caller = callerWith(['NURSE'], 'TREAT', { fhirUser: NURSE })

/** The access table in memory. Only what the relationship asks of it; no network. */
class MemoryAccessTable extends AccessTable {
  readonly items = new Map<string, AccessItem>()
  down = false

  constructor() {
    super(undefined as never, 'access')
  }

  static key(tenant: TenantId, { kind, patient, subject }: AccessKey): string {
    return [tenant, kind, patient, subject].join(' ')
  }

  store(tenant: TenantId, item: AccessItem): void {
    this.items.set(MemoryAccessTable.key(tenant, item), item)
  }

  override load(tenant: TenantId, wanted: readonly AccessKey[]): Promise<readonly AccessItem[]> {
    if (this.down) return Promise.reject(new StoreUnavailable())
    return Promise.resolve(wanted.flatMap((key) => this.items.get(MemoryAccessTable.key(tenant, key)) ?? []))
  }

  override patientsOf(): Promise<readonly PatientId[]> {
    return Promise.reject(new Error('nobody without an identity has a panel'))
  }
}

let house: KeyHouse
let table: MemoryAccessTable
let events: GatewayEvent[]

beforeEach(async () => {
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

const deadline = new Deadline(Date.now() + 5_000, Date.now)

async function join(...memberships: readonly Membership[]): Promise<void> {
  for (const each of memberships) table.store(RIVERSIDE, await sealMembership(house.ring, RIVERSIDE, each))
}

const source = (kind: 'CARE_TEAM' | 'SELF' = 'CARE_TEAM') =>
  membershipRelationship(kind, { table, keyring: house.ring, events: (event) => void events.push(event) })

async function holdsAt(time: string, patient = ANNA): Promise<boolean> {
  const name = 'CARE_TEAM' as Relationship
  const now = Date.parse(time) as Instant
  const held = await relationshipsOf(new Map([[name, source()]]), new Set([name]), caller, [ANNA, BERT], now, deadline)
  return held.get(patient)?.has(name) === true
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

  it('the offset of a time counts: it is an instant, not a text', async () => {
    await join(membership(ANNA, [{ since: '2026-01-01T02:00:00+02:00', until: '2026-01-01T00:00:00-05:00' }]))
    expect(await holdsAt('2025-12-31T23:59:59Z')).toBe(false)
    expect(await holdsAt('2026-01-01T00:00:00Z')).toBe(true)
    expect(await holdsAt('2026-01-01T04:59:59Z')).toBe(true)
    expect(await holdsAt('2026-01-01T05:00:00Z')).toBe(false)
  })

  it.each<[string, Membership['periods'][number]]>([
    ['a beginning that cannot be read', { since: 'last spring' }],
    ['an end that cannot be read', { until: 'next spring' }],
  ])('%s holds never', async (_what, period) => {
    await join(membership(ANNA, [period]))
    for (const time of ['1970-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2200-01-01T00:00:00Z'])
      expect(await holdsAt(time)).toBe(false)
  })

  it('none without a period', async () => {
    await join(membership(ANNA, []))
    expect(await holdsAt('2026-01-01T00:00:00Z')).toBe(false)
  })
})

describe('P6: a membership counts only where it was sealed', () => {
  const open = [{}]
  const standings = async (who = caller) => [...(await source().standings(who, [ANNA, BERT], deadline)).keys()]

  it('one that is moved to another patient, person or kind opens nothing and is told to operators', async () => {
    const own = await sealMembership(house.ring, RIVERSIDE, membership(ANNA, open))
    const others = await sealMembership(house.ring, RIVERSIDE, membership(BERT, open, 'Practitioner/other'))
    table.store(RIVERSIDE, { ...own, patient: BERT })
    table.store(RIVERSIDE, { ...others, patient: ANNA, subject: own.subject })
    expect(await standings()).toEqual([])
    expect(events).toEqual([
      { event: 'ACCESS_ITEM_FORGED', tenant: RIVERSIDE, patient: ANNA },
      { event: 'ACCESS_ITEM_FORGED', tenant: RIVERSIDE, patient: BERT },
    ])
    table.store(RIVERSIDE, { ...own, kind: 'SELF' })
    expect(await source('SELF').standings(caller, [ANNA], deadline)).toEqual(new Map())
  })

  it('a byte of it changed, or nothing of it, counts for nothing; the others stand', async () => {
    const item = await sealMembership(house.ring, RIVERSIDE, membership(ANNA, open))
    const sealed = Uint8Array.from(item.sealed)
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1
    table.store(RIVERSIDE, { ...item, sealed })
    await join(membership(BERT, open))
    expect(await standings()).toEqual([BERT])
    table.store(RIVERSIDE, { ...item, sealed: new Uint8Array() })
    expect(await standings()).toEqual([BERT])
    expect(events).toHaveLength(2)
  })

  it('a caller without a FHIR identity stands in none, and has no panel', async () => {
    await join(membership(ANNA, open))
    const nobody = callerWith(['NURSE'], 'TREAT')
    expect(await standings(nobody)).toEqual([])
    expect(await source().panel(nobody, undefined, 10, deadline)).toEqual([])
  })

  it('a table or a key that cannot be had is a failure, never a no', async () => {
    await join(membership(ANNA, open))
    table.down = true
    await expect(standings()).rejects.toThrow(StoreUnavailable)
    table.down = false
    house.ring = house.newRing()
    house.kms.down = true
    await expect(standings()).rejects.toThrow(KeyUnavailable)
  })
})

describe('a second import', () => {
  it('writes only the memberships that are new, changed or damaged', async () => {
    const stays = membership(ANNA, [{ since: '2026-01-01T00:00:00.000Z' }])
    const ends = membership(BERT, [{}])
    await join(stays, ends)
    const changed = async (...memberships: Membership[]) =>
      (await membershipChanged(house.ring, table, RIVERSIDE, memberships)).map(({ patient }) => patient)
    expect(await changed(stays, ends)).toEqual([])
    expect(await changed(stays, { ...ends, periods: [{ until: '2026-03-01T00:00:00.000Z' }] })).toEqual([BERT])
    expect(await changed(stays, { ...ends, fhirUser: 'Practitioner/other' })).toEqual([BERT])
    const [key, item] = [...table.items][0] ?? []
    if (key !== undefined && item !== undefined) table.items.set(key, { ...item, sealed: item.sealed.slice(1) })
    expect(await changed(stays, ends)).toEqual([ANNA])
  })
})
