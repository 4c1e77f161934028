import * as z from 'zod'
import { accessDigest, isBuried, openAccessRoot } from '../crypto/access-root.ts'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { UseKey } from '../crypto/tenant-keys.ts'
import { type AccessItem, accessKey, type AccessKey, accessRootKey, type AccessTable } from '../store/access.ts'
import type { Consent, ConsentChanges } from '../vocabulary/consent.ts'
import type { AccessFault, EventSink } from '../vocabulary/events.ts'
import { IntegrityFailure } from '../vocabulary/failures.ts'
import type { PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Json } from '../vocabulary/record.ts'
import type { ConsentSource, KnownConsents } from './patient-facts.ts'

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

/** A write between the reads of an item and of the root that lists it looks like tampering once; what stays so is no write. */
const READS = 3

/**
 * The consents of patients: one sealed item each in the access table, listed by the patient's access root like a membership, so
 * that none can be made, put back or taken away unseen. What is damaged is told as such and never as a shorter list: it may be
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
      const key = await keyring.useKey(tenant, 'access')
      const told = new Map<PatientId, KnownConsents>()
      let pending = patients
      for (let attempt = 1; pending.length > 0; attempt++) {
        const { items, roots } = await table.load(tenant, pending.map(consentsOf), signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        const doubtful: PatientId[] = []
        for (const patient of pending) {
          const known = knownOf(key, tenant, consentsOf(patient), found.get(patient), roots.get(patient))
          if (known === 'UNROOTED') told.set(patient, known)
          else if (typeof known !== 'string')
            told.set(patient, known.erased ? { erased: true, consents: known.consents } : known.consents)
          else if (attempt < READS) doubtful.push(patient)
          else {
            events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: known })
            told.set(patient, 'TAMPERED')
          }
        }
        pending = doubtful
      }
      return told
    },
  }
}

/** What is stored for a patient who is asked for by it. */
interface Stored {
  readonly consents: readonly Consent[]
  /** The digest of the item as the root lists it; undefined where the patient has said nothing yet. */
  readonly digest: string | undefined
  /** The patient's keys were destroyed. */
  readonly erased: boolean
}

function knownOf(
  key: UseKey<'access'>,
  tenant: TenantId,
  asked: AccessKey,
  item: AccessItem | undefined,
  root: Uint8Array | undefined,
): Stored | 'UNROOTED' | AccessFault {
  if (root === undefined) return 'UNROOTED'
  const place = { tenant, ...accessKey(tenant, asked) }
  try {
    const opened = openAccessRoot(key, { tenant, ...accessRootKey(tenant, asked.patient) }, root)
    const erased = isBuried(opened)
    const digest = opened.items.get(place.sk)
    if (digest === undefined) return item === undefined ? { consents: [], digest, erased } : 'NOT_LISTED'
    if (item === undefined) return 'MISSING'
    if (accessDigest(item.sealed) !== digest) return 'ALTERED'
    const content = Content.safeParse(openAccessItem(key, place, item.sealed))
    return content.success ? { consents: content.data.consents as unknown as readonly Consent[], digest, erased } : 'ALTERED'
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'ROOT_ALTERED'
    throw error
  }
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
  const key = await keyring.useKey(tenant, 'access')
  const asked = consentsOf(patient)
  const { items, roots } = await access.load(tenant, [asked])
  const known = knownOf(key, tenant, asked, items[0], roots.get(patient))
  if (typeof known === 'string' && known !== 'UNROOTED') throw new IntegrityFailure()
  const before = known === 'UNROOTED' ? NOTHING_SAID : known
  const after = changed(before.consents, changes)
  if (JSON.stringify(after) === JSON.stringify(changed(before.consents, { given: [], withdrawn: [] }))) return undefined
  const content: Json = { consents: after as unknown as Json }
  const sealed = sealAccessItem(key, { tenant, ...accessKey(tenant, asked) }, content)
  return { ...asked, sealed, replaces: before.digest ?? null }
}

const NOTHING_SAID: Stored = { consents: [], digest: undefined, erased: false }

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
