import * as z from 'zod'
import { accessDigest } from '../crypto/access-seal.ts'
import { type GrantManifest, openGrantManifest, sealGrantManifest } from '../crypto/grant-manifest.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import {
  type BreakGlassTable,
  grantName,
  grantManifestPlace,
  grantTextPlace,
  type BreakGlassWrite,
  queuedAs,
} from '../store/break-glass.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { BreakGlassGrant } from './break-glass-port.ts'

const Content = z.object({
  id: z.string(),
  patient: z.string(),
  user: z.string(),
  /** Sealed separately, base64url, so that a reader of the grant does not open the reason. The same holds for `review.note`. */
  reason: z.string(),
  since: z.number(),
  until: z.number(),
  ended: z.number().optional(),
  review: z
    .object({
      finding: z.enum(['APPROPRIATE', 'INAPPROPRIATE', 'FOLLOW_UP']),
      by: z.string(),
      at: z.number(),
      note: z.string().optional(),
    })
    .optional(),
})

/** The stored form of a grant, for its holder and its reviewers. */
export type StoredGrant = z.infer<typeof Content>

export const parseStoredGrant = (content: Json): StoredGrant | undefined => Content.safeParse(content).data

export const isOpen = ({ until, ended }: StoredGrant, now: number): boolean => ended === undefined && now < until

export const grantOf = ({ id, patient, since, until, ended }: StoredGrant): BreakGlassGrant => ({
  id,
  patient: patient as PatientId,
  since: since as Instant,
  until: until as Instant,
  ...(ended !== undefined && { ended: ended as Instant }),
})

/** The grant that a text belongs to. The text opens only for this grant. */
type Owner = Pick<StoredGrant, 'patient' | 'id'>

const placeOf = (tenant: TenantId, { patient, id }: Owner, text: 'REASON' | 'NOTE'): AccessItemPlace =>
  grantTextPlace(tenant, patient as PatientId, text, id)

/** @throws ValueNotSealable */
export function sealText(key: PurposeKey<'access'>, tenant: TenantId, owner: Owner, kind: 'REASON' | 'NOTE', text: string): string {
  return Buffer.from(sealAccessItem(key, placeOf(tenant, owner, kind), text)).toString('base64url')
}

/** @throws IntegrityFailure, KeyUnavailable */
export function openText(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  owner: Owner,
  kind: 'REASON' | 'NOTE',
  sealed: string,
): string {
  const text = openAccessItem(key, placeOf(tenant, owner, kind), Buffer.from(sealed, 'base64url'))
  if (typeof text !== 'string') throw new IntegrityFailure()
  return text
}

/**
 * The number of queued grants that a manifest lists: about 100 KB of its maximum of 200 KB. A new grant must not fail because
 * of earlier ones.
 */
const MAX_QUEUED = 1_000

/** Changes of the grants of one patient. */
interface GrantChanges {
  readonly put: readonly { readonly place: AccessItemPlace; readonly grant: StoredGrant }[]
  readonly removed?: readonly AccessItemPlace[]
}

/** Returns the writes of a patient's grants and of their manifest. They fail if the stored manifest is not `before`. */
export function writesOf(
  { table, key, tenant, patient }: { table: BreakGlassTable; key: PurposeKey<'access'>; tenant: TenantId; patient: PatientId },
  before: Uint8Array | undefined,
  { put, removed = [] }: GrantChanges,
): readonly BreakGlassWrite[] {
  const items = put.map(({ place, grant }) => ({ place, sealed: sealAccessItem(key, place, grant as Json) }))
  const { version, items: listedBefore } = manifestOf(key, tenant, patient, before)
  const listed = new Map(listedBefore)
  for (const place of removed) listed.delete(grantName(patient, place))
  for (const { place, sealed } of items) listed.set(grantName(patient, place), accessDigest(sealed))
  const queued = [...listed.keys()].filter((name) => queuedAs(tenant, name) !== undefined)
  // drop reviewed grants first, the oldest before newer ones
  for (const name of queued.toSorted(reviewedFirst).slice(0, Math.max(0, queued.length - MAX_QUEUED))) listed.delete(name)
  const place = grantManifestPlace(tenant, patient)
  const manifest = { place, sealed: sealGrantManifest(key, place, { version: version + 1, items: listed }) }
  return table.write(manifest, before, items, removed)
}

const isReviewed = (name: string): boolean => name.startsWith('REVIEWED#')
const reviewedFirst = (a: string, b: string): number =>
  isReviewed(a) === isReviewed(b) ? (a < b ? -1 : 1) : isReviewed(a) ? -1 : 1

/** Opens the manifest, or returns an empty one if it does not open. All other grants of the patient are then closed. */
function manifestOf(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  sealed: Uint8Array | undefined,
): GrantManifest {
  const none: GrantManifest = { version: 0, items: new Map() }
  if (sealed === undefined) return none
  try {
    return openGrantManifest(key, grantManifestPlace(tenant, patient), sealed)
  } catch (error) {
    if (error instanceof IntegrityFailure) return none
    throw error
  }
}
