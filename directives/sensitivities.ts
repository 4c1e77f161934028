import { parseLock } from './lock.ts'
import type { Sensitivity } from './policy.ts'

/**
 * The sensitivities that a policy lock defines, for code that labels records without a compiled schema.
 *
 * @throws LockUnreadable
 */
export function sensitivities(lock: string): ReadonlySet<Sensitivity> {
  return new Set(
    parseLock(lock)
      .filter(({ kind }) => kind === 'consent')
      .map(({ subject }) => subject as Sensitivity),
  )
}
