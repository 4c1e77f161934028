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
import type { ConsentSource, KnownConsents } from './attribute-loader.ts'
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
 * The consents of patients: one sealed item each in the access table, listed by the patient's access root like a membership, so
 * that none can be made, put back or taken away unseen. What is damaged is answers as such and never as a shorter list: it may be
 * a denial that is missing.
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
      const look = async (pending: readonly PatientId[]): Promise<ReadonlyMap<PatientId, ManifestItem<readonly Consent[]>>> => {
        const { items, roots } = await table.load(tenant, pending.map(consentsOf), signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        return new Map(
          pending.map((patient) => [patient, verifiedConsents(key, tenant, patient, found.get(patient), roots.get(patient))]),
        )
      }
      const answers = new Map<PatientId, KnownConsents>()
      for (const [patient, item] of await readManifestItems({ tenant, events }, patients, look)) {
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
  root: Uint8Array | undefined,
): ManifestItem<readonly Consent[]> {
  const place = { tenant, ...accessKey(tenant, consentsOf(patient)) }
  const manifestPlace = { tenant, ...accessManifestKey(tenant, patient) }
  return verifyAgainstManifest(
    { key, place, manifestPlace, name: place.sk },
    item?.sealed,
    root,
    (content) => Content.safeParse(content).data?.consents as readonly Consent[] | undefined,
  )
}

/**
 * The item with what a patient has said so far and says now; undefined where nothing changes. It may be written over the item that
 * it was made from and over no other: a denial that somebody else stored meanwhile must not be lost.
 *
 * @throws IntegrityFailure where what is stored is not whole; KeyUnavailable, StoreUnavailable, ValueNotSealable
 */
export async function sealConsents(
  { keyring, access }: { readonly keyring: Keyring; readonly access: AccessTable },
  tenant: TenantId,
  patient: PatientId,
  changes: ConsentChanges,
): Promise<AccessItem | undefined> {
  const key = await keyring.purposeKey(tenant, 'access')
  const asked = consentsOf(patient)
  const { items, roots } = await access.load(tenant, [asked])
  const known = verifiedConsents(key, tenant, patient, items[0], roots.get(patient))
  if (known.kind === 'FAULT') throw new IntegrityFailure()
  const before = known.kind === 'FOUND' ? known.content : []
  const after = changed(before, changes)
  if (JSON.stringify(after) === JSON.stringify(changed(before, { given: [], withdrawn: [] }))) return undefined
  const content: Json = { consents: after as unknown as Json }
  const sealed = sealAccessItem(key, { tenant, ...accessKey(tenant, asked) }, content)
  return { ...asked, sealed, replaces: known.kind === 'FOUND' ? known.digest : null }
}

/** By id, in its order: what is given anew takes the place of what was given under the same id. */
function changed(before: readonly Consent[], { given, withdrawn }: ConsentChanges): readonly Consent[] {
  const gone = new Set(withdrawn)
  const kept = new Map(before.filter(({ id }) => !gone.has(statementOf(id))).map((consent) => [consent.id, consent]))
  // one statement may be several consents, and fewer than it was
  const anew = new Set(given.map(({ id }) => statementOf(id)))
  for (const id of kept.keys()) if (anew.has(statementOf(id))) kept.delete(id)
  for (const consent of given) kept.set(consent.id, consent)
  return [...kept.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(inOrder)
}

/** `X.2` is a part of the statement `X`. */
const statementOf = (id: string): string => id.split('.', 1)[0] ?? id

/** The same consent is the same text, however it was put together. */
const inOrder = (consent: Consent): Consent =>
  Object.fromEntries(
    Object.entries(consent)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ) as unknown as Consent

const consentsOf = (patient: PatientId): AccessKey => ({ kind: 'CONSENTS', patient, subject: 'ALL' })
