import { beforeEach, describe, expect, it } from 'vitest'
import { membershipChanged, membershipRelationship, sealMembership } from '../../../gateway/access/memberships.ts'
import { relationshipsOf } from '../../../gateway/access/relationships.ts'
import { accessDigest, sealAccessManifest } from '../../../gateway/crypto/access-manifest.ts'
import {
  AccessTable,
  type AccessItem,
  accessKey,
  type AccessKey,
  accessManifestKey,
  type LoadedAccess,
} from '../../../gateway/store/access.ts'
import type { AccessFault, GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { KeyUnavailable, StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { Instant, PatientId, TenantId } from '../../../gateway/model/ids.ts'
import type { Relationship } from '../../../directives/policy.ts'
import type { Membership } from '../../../gateway/model/record.ts'
import { KeyHouse, RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith } from '../decide/clinic-policy.ts'

const ANNA = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
const BERT = 'BBBBBBBBBBBBBBBBBBBBBB' as PatientId
const NURSE = 'Practitioner/nurse'
const caller = callerWith(['NURSE'], 'TREAT', { fhirUser: NURSE })

/** An in-memory access table with only the methods that the relationship calls. */
class MemoryAccessTable extends AccessTable {
  readonly items = new Map<string, AccessItem>()
  readonly manifests = new Map<PatientId, Uint8Array>()
  down = false
  loads = 0

  constructor() {
    super(undefined as never, 'access')
  }

  static key(tenant: TenantId, { kind, patient, subject }: AccessKey): string {
    return [tenant, kind, patient, subject].join(' ')
  }

  /** Stores an item without a manifest, as a writer of the database could. */
  store(tenant: TenantId, item: AccessItem): void {
    this.items.set(MemoryAccessTable.key(tenant, item), item)
  }

  override load(tenant: TenantId, wanted: readonly AccessKey[]): Promise<LoadedAccess> {
    this.loads++
    if (this.down) return Promise.reject(new StoreUnavailable())
    const items = wanted.flatMap((key) => this.items.get(MemoryAccessTable.key(tenant, key)) ?? [])
    return Promise.resolve({ items, manifests: new Map(this.manifests) })
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

const deadline = new Deadline(Date.now() + 5_000, { now: Date.now, monotonic: Date.now })

async function join(...memberships: readonly Membership[]): Promise<void> {
  for (const each of memberships) table.store(RIVERSIDE, await sealMembership(house.ring, RIVERSIDE, each))
  for (const { patient } of memberships) await list(patient)
}

/** Seals the patient's manifest over the stored items. */
async function list(patient: PatientId): Promise<void> {
  const own = [...table.items.values()].filter((item) => item.patient === patient)
  const items = new Map(own.map((item) => [accessKey(RIVERSIDE, item).sk, accessDigest(item.sealed)]))
  const place = { tenant: RIVERSIDE, ...accessManifestKey(RIVERSIDE, patient) }
  table.manifests.set(patient, sealAccessManifest(await house.ring.purposeKey(RIVERSIDE, 'access'), place, { version: 1, items }))
}

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
  const periods = async (who = caller) => Object.fromEntries(await source().periods(who, [ANNA, BERT], deadline))
  const forged = (patient: PatientId, what: AccessFault) => ({ event: 'ACCESS_ITEM_FORGED', tenant: RIVERSIDE, patient, what })
  const HOLDS = [{}]

  it('an item moved to another patient, person or kind opens nothing and is reported to operators', async () => {
    const own = await sealMembership(house.ring, RIVERSIDE, membership(ANNA, open))
    const others = await sealMembership(house.ring, RIVERSIDE, membership(BERT, open, 'Practitioner/other'))
    await list(ANNA)
    await list(BERT)
    table.store(RIVERSIDE, { ...own, patient: BERT })
    table.store(RIVERSIDE, { ...others, patient: ANNA, subject: own.subject })
    expect(await periods()).toEqual({})
    expect(events).toEqual([forged(ANNA, 'NOT_LISTED'), forged(BERT, 'NOT_LISTED')])
    table.store(RIVERSIDE, { ...own, kind: 'SELF' })
    expect(await source('SELF').periods(caller, [ANNA], deadline)).toEqual(new Map())
  })

  it('an authentic item that is not listed does not count', async () => {
    await join(membership(ANNA, open, 'Practitioner/other'))
    table.store(RIVERSIDE, await sealMembership(house.ring, RIVERSIDE, membership(ANNA, open)))
    expect(await periods()).toEqual({ [BERT]: 'NO_MANIFEST' })
    expect(events).toEqual([forged(ANNA, 'NOT_LISTED')])
  })

  it('an altered or empty item makes the membership unknown; other memberships hold', async () => {
    await join(membership(ANNA, open), membership(BERT, open))
    const item = await sealMembership(house.ring, RIVERSIDE, membership(ANNA, open))
    const sealed = Uint8Array.from([...table.items.values()][0]?.sealed ?? [])
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1
    table.store(RIVERSIDE, { ...item, sealed })
    expect(await periods()).toEqual({ [ANNA]: 'TAMPERED', [BERT]: HOLDS })
    table.store(RIVERSIDE, { ...item, sealed: new Uint8Array() })
    expect(await periods()).toEqual({ [ANNA]: 'TAMPERED', [BERT]: HOLDS })
    expect(events).toEqual([forged(ANNA, 'ALTERED'), forged(ANNA, 'ALTERED')])
  })

  it('a restored or removed item makes the membership unknown', async () => {
    await join(membership(ANNA, open), membership(BERT, open))
    const [yesterday] = [...table.items.values()].filter(({ patient }) => patient === ANNA)
    await join(membership(ANNA, [{ until: '2026-01-01T00:00:00.000Z' }]))
    if (yesterday !== undefined) table.store(RIVERSIDE, yesterday)
    for (const [key, { patient }] of table.items) if (patient === BERT) table.items.delete(key)
    expect(await periods()).toEqual({ [ANNA]: 'TAMPERED', [BERT]: 'TAMPERED' })
    expect(events).toEqual([forged(ANNA, 'ALTERED'), forged(BERT, 'MISSING')])
  })

  it('a manifest of another patient, an earlier or an altered manifest lists nothing', async () => {
    await join(membership(ANNA, [{ until: '2026-01-01T00:00:00.000Z' }]), membership(BERT, open))
    const earlier = table.manifests.get(ANNA) ?? new Uint8Array()
    await join(membership(ANNA, open))
    for (const [manifest, what] of [
      [table.manifests.get(BERT), 'MANIFEST_ALTERED'],
      [new Uint8Array(), 'MANIFEST_ALTERED'],
      [earlier, 'ALTERED'],
    ] as const) {
      events.length = 0
      table.manifests.set(ANNA, manifest ?? new Uint8Array())
      expect(await periods()).toEqual({ [ANNA]: 'TAMPERED', [BERT]: HOLDS })
      expect(events).toEqual([forged(ANNA, what)])
    }
  })

  it('a missing manifest is distinct from a patient without an item; the caller knows whether the patient exists', async () => {
    await join(membership(ANNA, open))
    table.manifests.delete(ANNA)
    expect(await periods()).toEqual({ [ANNA]: 'NO_MANIFEST', [BERT]: 'NO_MANIFEST' })
    // one read, as for a patient that does not exist (P5)
    expect(table.loads).toBe(1)
  })

  it('a write between the reads of item and manifest is not tampering', async () => {
    await join(membership(ANNA, [{ until: '2026-01-01T00:00:00.000Z' }]), membership(BERT, open))
    const before = new Map(table.manifests)
    await join(membership(ANNA, open))
    const after = new Map(table.manifests)
    table.manifests.set(ANNA, before.get(ANNA) ?? new Uint8Array())
    const load = table.load.bind(table)
    table.load = async (...args) => {
      const loaded = await load(...args)
      for (const [patient, manifest] of after) table.manifests.set(patient, manifest)
      return loaded
    }
    expect(await periods()).toEqual({ [ANNA]: HOLDS, [BERT]: HOLDS })
    expect(events).toEqual([])
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
    // a correct item that the manifest does not list
    if (key !== undefined && item !== undefined) table.items.set(key, item)
    await list(ANNA)
    expect(await changed(stays, ends)).toEqual([])
    table.manifests.set(ANNA, table.manifests.get(BERT) ?? new Uint8Array())
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
    expect(await heldAt('2025-12-15T00:00:00Z')).toEqual({ relationships: new Set([PROXY]) })
    expect(await heldAt('2026-01-01T00:00:00Z')).toEqual({ relationships: new Set([PROXY]), limits: new Map([[PROXY, [scope]]]) })
    expect(await heldAt('2027-01-01T00:00:00Z')).toEqual({ relationships: new Set() })
    // a second import compares the stored limits too
    const changed = async (again: Membership) => (await membershipChanged(house.ring, table, RIVERSIDE, [again])).length
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
