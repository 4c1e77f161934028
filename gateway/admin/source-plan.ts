import { consentsChange } from '../access/consents.ts'
import { endedMemberships, membershipChanges, type TeamMembership, teamMembershipChanges } from '../access/memberships.ts'
import type { ConsentChanges } from '../model/consent.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import type { Membership, NewRecord } from '../model/record.ts'
import { type AccessChange, type AccessKey, type AccessKind } from '../store/access.ts'
import type { LocatedMembership, RecordLocator, StoredLocator } from '../store/record-locators.ts'
import type { LocatorWrite, PatientBatch } from '../store/record-writer.ts'
import {
  droppedParts,
  locatorAfter,
  locatorDuring,
  onlyRecord,
  sameLocator,
  sharedLocator,
  type SourceChange,
} from './source-changes.ts'
import { identifierWrites } from './source-identifiers.ts'
import type { PlanParts } from './source-parts.ts'

/** The changes of resources, and what comes with them. */
export interface PlannedChanges {
  /** Undefined if no patient is known. */
  readonly patient?: PatientId
  readonly changes: readonly SourceChange[]
  readonly records: readonly NewRecord[]
  /** Memberships that follow from no resource. */
  readonly memberships: readonly Membership[]
  readonly consents: ReadonlyMap<PatientId, ConsentChanges>
}

/** A record that several resources give, with its locator before and after the changes. */
interface SharedRecord {
  readonly ref: RecordRef
  readonly stored: StoredLocator | undefined
  readonly after: RecordLocator
}

/**
 * Returns the writes that bring charts and access from the stored versions of resources to the next ones.
 *
 * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
 */
export async function planBatch(parts: PlanParts, planned: PlannedChanges): Promise<PatientBatch> {
  const { patient, changes, records } = planned
  const shared = await sharedRecords(parts, changes)
  const left = shared.filter(({ after }) => after.holders.length === 0).map(({ ref }) => ref)
  const known = new Set(changes.flatMap(({ stored, next }) => (stored === undefined ? [] : next.records.map(recordKey))))
  for (const { ref, stored } of shared) if (stored !== undefined) known.add(recordKey(ref))
  return {
    ...(patient !== undefined && { patient }),
    records,
    access: await accessChanges(parts, planned),
    removed: [...changes.flatMap((change) => droppedParts(change).records), ...left],
    locators: await locatorWrites(parts, changes, shared),
    mayReturn: (ref) => known.has(recordKey(ref)),
  }
}

async function sharedRecords({ services, tenant }: PlanParts, changes: readonly SourceChange[]): Promise<readonly SharedRecord[]> {
  const refs = new Map<string, RecordRef>()
  const [given, dropped] = [new Map<string, Set<RecordId>>(), new Map<string, Set<RecordId>>()]
  const hold = (holders: Map<string, Set<RecordId>>, ref: RecordRef, id: RecordId): void => {
    refs.set(recordKey(ref), ref)
    holders.set(recordKey(ref), (holders.get(recordKey(ref)) ?? new Set()).add(id))
  }
  for (const change of changes) {
    for (const ref of change.next.shared) hold(given, ref, change.resource.id)
    for (const ref of droppedParts(change).shared) hold(dropped, ref, change.resource.id)
  }
  const key = await services.keyring.purposeKey(tenant, 'access')
  const stored = await services.locators.load(
    tenant,
    key,
    [...refs.values()].map(({ id }) => id),
  )
  return [...refs].map(([name, ref]) => {
    const before = stored.get(ref.id)
    const holders = new Set([...(before?.locator.holders ?? []), ...(given.get(name) ?? [])])
    for (const id of dropped.get(name) ?? []) holders.delete(id)
    return { ref, stored: before, after: sharedLocator(ref, [...holders]) }
  })
}

async function accessChanges(
  { services, tenant }: PlanParts,
  { changes, memberships, consents }: PlannedChanges,
): Promise<readonly AccessChange[]> {
  const { keyring, access: table } = services
  const teams: TeamMembership[] = []
  const ended: AccessKey[] = []
  const others: Membership[] = [...memberships]
  for (const change of changes) {
    const team = change.resource.id
    for (const one of change.next.members) {
      if (one.kind === 'CARE_TEAM') teams.push({ ...one, team })
      else others.push({ patient: one.patient, relationship: one.kind, fhirUser: one.fhirUser, periods: one.periods })
    }
    for (const key of droppedParts(change).members.map(keyOf)) {
      if (key.kind === 'CARE_TEAM') teams.push({ ...key, team, periods: [] })
      else ended.push(key)
    }
  }
  const read = { keyring, table }
  const given = await Promise.all([...consents].map(([patient, one]) => consentsChange(services, tenant, patient, one)))
  const memberChanges = await Promise.all([
    membershipChanges(read, tenant, others),
    teamMembershipChanges(read, tenant, teams),
    endedMemberships(read, tenant, ended),
  ])
  return [...given.filter((change) => change !== undefined), ...memberChanges.flat()]
}

/** The name of a membership is `kind#subject`. */
function keyOf({ patient, name }: LocatedMembership): AccessKey {
  const at = name.indexOf('#')
  return { kind: name.slice(0, at) as AccessKind, patient, subject: name.slice(at + 1) }
}

async function locatorWrites(
  { services, tenant }: PlanParts,
  changes: readonly SourceChange[],
  shared: readonly SharedRecord[],
): Promise<readonly LocatorWrite[]> {
  const key = await services.keyring.purposeKey(tenant, 'access')
  const put = (id: RecordId, locator: RecordLocator, before: Uint8Array | undefined, when: LocatorWrite['when']): LocatorWrite => {
    const item = services.locators.put(tenant, key, id, locator, before)
    return { item, bytes: sealedOf(item).length, when }
  }
  // the locators of identifiers come first, so that one that names a patient has the patient among its holders
  const writes: LocatorWrite[] = [...(await identifierWrites({ services, tenant }, key, changes))]
  for (const change of changes) {
    const { stored, resource } = change
    const after = locatorAfter(change)
    if (stored !== undefined && sameLocator(after, stored.locator)) continue
    const only = onlyRecord(change)
    const during = stored === undefined ? after : locatorDuring(after, stored.locator)
    const first = put(resource.id, only === undefined ? during : after, stored?.sealed, only ?? 'FIRST')
    writes.push(first)
    if (only === undefined && !sameLocator(during, after)) writes.push(put(resource.id, after, sealedOf(first.item), 'LAST'))
  }
  for (const { ref, stored, after } of shared) {
    if (stored !== undefined && sameLocator(after, stored.locator)) continue
    writes.push(put(ref.id, after, stored?.sealed, ref))
  }
  return writes
}

const sealedOf = (item: LocatorWrite['item']): Uint8Array => item.Put?.Item?.['v']?.B ?? new Uint8Array()
