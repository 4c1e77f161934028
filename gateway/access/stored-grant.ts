import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type GrantText, grantTextPlace } from '../store/break-glass.ts'
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
  /** The groups of renewals, oldest first: the number of renewals in the group, and the digest of its item. */
  renewals: z.array(z.tuple([z.int(), z.string()])).optional(),
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

export const renewalCount = ({ renewals = [] }: Pick<StoredGrant, 'renewals'>): number =>
  renewals.reduce((sum, [count]) => sum + count, 0)

export const grantOf = ({ id, patient, since, until, ended, renewals = [] }: StoredGrant): BreakGlassGrant => ({
  id,
  patient: patient as PatientId,
  since: since as Instant,
  until: until as Instant,
  renewalCount: renewalCount({ renewals }),
  ...(ended !== undefined && { ended: ended as Instant }),
})

const TIME_BYTES = 6
const RANDOM_BYTES = 10

/**
 * Returns the id of a new grant: 6 bytes of its time, in milliseconds since the epoch, and 10 random bytes. The time gives the
 * position of the grant in its queue, so that a grant is found by its id however many grants its patient has.
 */
export function newGrantId(since: Instant): string {
  const time = Buffer.alloc(TIME_BYTES)
  time.writeUIntBE(since, 0, TIME_BYTES)
  return Buffer.concat([time, randomBytes(RANDOM_BYTES)]).toString('base64url')
}

/** Returns the time in the id of a grant. Any other id of 16 bytes has a meaningless time. */
export const timeInId = (id: string): Instant => Buffer.from(id, 'base64url').readUIntBE(0, TIME_BYTES) as Instant

/** The grant that a text belongs to. The text opens only for this grant. */
type Owner = Pick<StoredGrant, 'patient' | 'id'>

const placeOf = (tenant: TenantId, { patient, id }: Owner, text: GrantText): AccessItemPlace =>
  grantTextPlace(tenant, patient as PatientId, text, id)

/** @throws ValueNotSealable */
export function sealText(key: PurposeKey<'access'>, tenant: TenantId, owner: Owner, kind: GrantText, text: string): string {
  return Buffer.from(sealAccessItem(key, placeOf(tenant, owner, kind), text)).toString('base64url')
}

/** @throws IntegrityFailure, KeyUnavailable */
export function openText(key: PurposeKey<'access'>, tenant: TenantId, owner: Owner, kind: GrantText, sealed: string): string {
  const text = openAccessItem(key, placeOf(tenant, owner, kind), Buffer.from(sealed, 'base64url'))
  if (typeof text !== 'string') throw new IntegrityFailure()
  return text
}
