import type { KeyStatus } from './key-status.ts'

/** The keys that a rotation of all keys replaces. Ids and pseudonyms follow from the others, which therefore stay. */
const SCHEDULED_USES = ['access', 'cursor', 'index'] as const
const DAY_MS = 86_400_000

/** A key, and when its next rotation is due. */
export interface KeyDue {
  readonly key: 'tenant' | (typeof SCHEDULED_USES)[number]
  readonly version: number
  /** Milliseconds since the epoch. Undefined if the age of the key is unknown: the rotation is due at once. */
  readonly due: number | undefined
}

/**
 * The due dates of the newest versions of a tenant's keys.
 *
 * @param days the longest time without a rotation
 */
export function keysDue({ tenantKeys, purposeKeys }: Pick<KeyStatus, 'tenantKeys' | 'purposeKeys'>, days: number): KeyDue[] {
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
