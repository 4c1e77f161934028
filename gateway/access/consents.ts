import * as z from 'zod'
import { sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type AccessItem, accessKey, type AccessKey, accessManifestKey, type AccessTable } from '../store/access.ts'
import type { Consent, ConsentChanges } from '../model/consent.ts'
import type { EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { ConsentAnswer, ConsentSource } from './attribute-loader.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from './manifest-items.ts'

const Content = z.object({
  consents: z.array(
    z.strictObject({
      id: z.string(),
      effect: z.enum(['PERMIT', 'DENY']),
      labels: z.array(z.string()).optional(),
      actor: z.string().optional(),
      roles: z.array(z.string()).optional(),
      purposes: z.array(z.string()).optional(),
      records: z.array(z.string()).optional(),
      since: z.number().optional(),
      until: z.number().optional(),
    }),
  ),
})

/**
 * The consents of patients: one sealed item for each patient in the access table. The patient's access manifest lists it like a
 * membership, so that a forged, restored or removed item is detected. Damage is reported as such and never as a shorter list,
 * because the missing consent may be a denial.
 */
export function storedConsents(parts: {
  readonly table: AccessTable
  readonly keyring: Keyring
  readonly events: EventSink
}): ConsentSource {
  const { table, keyring, events } = parts
  return {
    async consents(tenant, patients, { signal }) {
      const key = await keyring.purposeKey(tenant, 'access')
      const readItems = async (
        pending: readonly PatientId[],
      ): Promise<ReadonlyMap<PatientId, ManifestItem<readonly Consent[]>>> => {
        const { items, manifests } = await table.load(tenant, pending.map(consentsOf), signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        return new Map(
          pending.map((patient) => [patient, verifiedConsents(key, tenant, patient, found.get(patient), manifests.get(patient))]),
        )
      }
      const answers = new Map<PatientId, ConsentAnswer>()
      for (const [patient, item] of await readManifestItems({ tenant, events }, patients, readItems)) {
        if (item.kind === 'FOUND' || item.kind === 'NONE') {
          const consents = item.kind === 'FOUND' ? item.content : []
          answers.set(patient, item.erased ? { erased: true, consents } : consents)
        } else answers.set(patient, item.kind === 'NO_MANIFEST' ? 'NO_MANIFEST' : 'TAMPERED')
      }
      return answers
    },
  }
}

function verifiedConsents(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  item: AccessItem | undefined,
  manifest: Uint8Array | undefined,
): ManifestItem<readonly Consent[]> {
  const place = { tenant, ...accessKey(tenant, consentsOf(patient)) }
  const manifestPlace = { tenant, ...accessManifestKey(tenant, patient) }
  return verifyAgainstManifest(
    { key, place, manifestPlace, name: place.sk },
    item?.sealed,
    manifest,
    (content) => Content.safeParse(content).data?.consents as readonly Consent[] | undefined,
  )
}

/**
 * Returns the item with the stored consents and the changes; undefined if nothing changes. The item may replace only the one
 * that it was made from, so that a denial that another writer stored in the meantime is not lost.
 *
 * @throws IntegrityFailure if the stored item is not authentic; KeyUnavailable, StoreUnavailable, ValueNotSealable
 */
export async function sealConsents(
  { keyring, access }: { readonly keyring: Keyring; readonly access: AccessTable },
  tenant: TenantId,
  patient: PatientId,
  changes: ConsentChanges,
): Promise<AccessItem | undefined> {
  const key = await keyring.purposeKey(tenant, 'access')
  const itemKey = consentsOf(patient)
  const { items, manifests } = await access.load(tenant, [itemKey])
  const stored = verifiedConsents(key, tenant, patient, items[0], manifests.get(patient))
  if (stored.kind === 'FAULT') throw new IntegrityFailure()
  const before = stored.kind === 'FOUND' ? stored.content : []
  const after = changed(before, changes)
  if (JSON.stringify(after) === JSON.stringify(changed(before, { given: [], withdrawn: [] }))) return undefined
  const content: Json = { consents: after as unknown as Json }
  const sealed = sealAccessItem(key, { tenant, ...accessKey(tenant, itemKey) }, content)
  return { ...itemKey, sealed, replaces: stored.kind === 'FOUND' ? stored.digest : null }
}

/** Applies the changes and sorts by id. A given consent replaces the consents of the same statement. */
function changed(before: readonly Consent[], { given, withdrawn }: ConsentChanges): readonly Consent[] {
  // a statement has one or more consents, and its new version may have fewer
  const replaced = new Set([...withdrawn, ...given.map(({ id }) => statementOf(id))])
  const after = new Map(before.filter(({ id }) => !replaced.has(statementOf(id))).map((consent) => [consent.id, consent]))
  for (const consent of given) after.set(consent.id, consent)
  return [...after.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(withSortedMembers)
}

/** The consent `X.2` is a part of the statement `X`. */
const statementOf = (id: string): string => id.split('.', 1)[0] ?? id

/** Sorts the members, so that equal consents have the same JSON text. */
const withSortedMembers = (consent: Consent): Consent =>
  Object.fromEntries(
    Object.entries(consent)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ) as unknown as Consent

const consentsOf = (patient: PatientId): AccessKey => ({ kind: 'CONSENTS', patient, subject: 'ALL' })
