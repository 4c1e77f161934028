import { z } from 'zod'
import type { KeyUse } from './key-table.ts'

/** The keys that a rotation of all keys replaces. Ids and pseudonyms follow from the others, which therefore stay. */
const SCHEDULED_USES = ['access', 'cursor', 'index'] as const
const DAY_MS = 86_400_000
const Schedule = z.object({ PHI_KEY_ROTATION_DAYS: z.coerce.number().int().min(1).max(3_650).default(365) })

/** The longest time between two rotations of a key, in days. @throws ZodError naming the malformed variable */
export const rotationDays = (env: Readonly<Record<string, string | undefined>>): number => Schedule.parse(env).PHI_KEY_ROTATION_DAYS

/** A key, and when its next rotation is due. */
export interface KeyDue {
  readonly key: 'tenant' | (typeof SCHEDULED_USES)[number]
  readonly version: number
  /** Milliseconds since the epoch. Undefined if the age of the key is unknown: the rotation is due at once. */
  readonly due: number | undefined
}

/** The versions of a tenant's keys, with their times in milliseconds since the epoch. */
export interface KeyAges {
  readonly tenantKeys: readonly { readonly version: number; readonly created?: number | undefined }[]
  readonly purposeKeys: readonly { readonly use: KeyUse; readonly version: number; readonly sealsFrom: number }[]
}

/**
 * The due dates of the newest versions of a tenant's keys.
 *
 * @param days the longest time without a rotation
 */
export function keysDue({ tenantKeys, purposeKeys }: KeyAges, days: number): KeyDue[] {
  const after = (created: number | undefined): number | undefined => (created === undefined ? undefined : created + days * DAY_MS)
  const newest = tenantKeys.toSorted((a, b) => b.version - a.version)[0]
  const first = tenantKeys.find(({ version }) => version === 1)
  const uses = SCHEDULED_USES.flatMap((key) => {
    const own = purposeKeys.filter(({ use }) => use === key).toSorted((a, b) => b.version - a.version)[0]
    // a first version has no time of its own: it is not older than its tenant
    return own === undefined
      ? []
      : [{ key, version: own.version, due: after(own.sealsFrom === 0 ? first?.created : own.sealsFrom) }]
  })
  return newest === undefined ? uses : [{ key: 'tenant', version: newest.version, due: after(newest.created) }, ...uses]
}

/** Whether a key is due for rotation. @param now milliseconds since the epoch */
export const isKeyDue = ({ due }: KeyDue, now: number): boolean => due === undefined || due <= now
