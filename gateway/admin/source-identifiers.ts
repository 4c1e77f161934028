import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { PatientId, RecordId } from '../model/ids.ts'
import type { StoredLocator } from '../store/record-locators.ts'
import type { LocatorWrite } from '../store/record-writer.ts'
import { identifierLocator, sameLocator, type SourceChange } from './source-changes.ts'
import type { PlanParts } from './source-parts.ts'

/**
 * An identifier that more patients have names none of them, for good. Sources write placeholders such as `999-99-9999`: without an upper
 * bound, the locator of a placeholder would grow with each patient.
 */
const MAX_HOLDERS = 8

/**
 * Returns the writes of the locators of identifiers that patients get or lose. The locator of the patient decides which identifiers the
 * patient has, and the locator of an identifier leads to the patient. A patient is among the holders before the own locator names the
 * identifier, and leaves them afterwards. An interrupted import therefore leaves at most a holder that does not count.
 *
 * @throws StoreUnavailable, IntegrityFailure
 */
export async function identifierWrites(
  { services: { locators }, tenant }: Pick<PlanParts, 'tenant'> & { readonly services: Pick<PlanParts['services'], 'locators'> },
  key: PurposeKey<'access'>,
  changes: readonly SourceChange[],
): Promise<readonly LocatorWrite[]> {
  const changed = changes.flatMap(({ resource, stored, next }) => {
    const before = new Set(stored?.locator.identifiers.map(({ id }) => id))
    const after = new Set(next.identifiers.map(({ id }) => id))
    return [...new Set([...before, ...after])]
      .filter((id) => before.has(id) !== after.has(id))
      .map((id) => ({ id, holder: resource.id, isAdded: after.has(id) }))
  })
  if (changed.length === 0) return []
  const found = await locators.load(tenant, key, [...new Set(changed.map(({ id }) => id))])
  return [...Map.groupBy(changed, ({ id }) => id)].flatMap(([id, all]) => {
    const stored = found.get(id)
    const before = stored?.locator.holders ?? []
    if (before.length > MAX_HOLDERS) return []
    const holders = new Set(before)
    for (const { holder, isAdded } of all) {
      if (isAdded) holders.add(holder)
      else holders.delete(holder)
    }
    const after = identifierLocator([...holders].toSorted().slice(0, MAX_HOLDERS + 1))
    if (stored === undefined ? holders.size === 0 : sameLocator(after, stored.locator)) return []
    const item = locators.put(tenant, key, id, after, stored?.sealed)
    const bytes = (item.Put?.Item?.['v']?.B ?? new Uint8Array()).length
    return [{ item, bytes, when: all.some(({ isAdded }) => isAdded) ? 'FIRST' : 'LAST' }] satisfies LocatorWrite[]
  })
}

/**
 * Finds the patients of earlier imports. A patient that is erased, or of which the own resource was withdrawn, is not found.
 *
 * @param ids of patients' own resources, and of identifiers
 * @param at ISO 8601 in UTC with milliseconds: an identifier counts if it is valid at this instant
 * @returns the patient by each id that leads to exactly one
 * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
 */
export async function storedPatients(
  {
    services: { keyring, locators },
    tenant,
  }: Omit<PlanParts, 'services'> & {
    readonly services: Pick<PlanParts['services'], 'keyring' | 'locators'>
  },
  ids: readonly RecordId[],
  at: string,
): Promise<ReadonlyMap<RecordId, PatientId>> {
  const key = await keyring.purposeKey(tenant, 'access')
  const found = await locators.load(tenant, key, ids)
  const held = await locators.load(tenant, key, [...new Set([...found.values()].flatMap(holdersOf))])
  const named = [...new Set(ids)].flatMap((id): readonly (readonly [RecordId, PatientId])[] => {
    const stored = found.get(id)
    if (stored === undefined) return []
    const patients = isPatient(id, stored)
      ? [id]
      : holdersOf(stored).filter((holder) => hasIdentifier(holder, held.get(holder), id, at))
    const [patient, ...others] = patients
    return patient === undefined || others.length > 0 ? [] : [[id, patient as string as PatientId]]
  })
  // the keys of an erased patient are destroyed, and nothing more is written for the patient
  const keys = await keyring.patientKeys(tenant, [...new Set(named.map(([, patient]) => patient))], 'always')
  return new Map(named.filter(([, patient]) => keys.get(patient)?.erased === false))
}

const holdersOf = ({ locator: { holders } }: StoredLocator): readonly RecordId[] => (holders.length > MAX_HOLDERS ? [] : holders)

/** Whether the resource is that of a patient: the id of a patient's own record is the id of the patient. */
function isPatient(id: RecordId, { locator: { status, records } }: StoredLocator): boolean {
  return status === 'CURRENT' && records.some((ref) => ref.id === id && ref.patient === (id as string))
}

function hasIdentifier(holder: RecordId, stored: StoredLocator | undefined, id: RecordId, at: string): boolean {
  if (stored === undefined || !isPatient(holder, stored)) return false
  return stored.locator.identifiers.some(
    (one) => one.id === id && (one.since === undefined || one.since <= at) && (one.until === undefined || one.until > at),
  )
}
