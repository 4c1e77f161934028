import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { ObjectFinding } from './findings.ts'
import { LOCKS, lockDigestIn, lockName } from './layout.ts'
import { type LogSource, sortedNames } from './log-source.ts'

/**
 * Compares the policy locks with their names, which are their digests.
 *
 * @param named digests that items name
 */
export async function verifyLocks(source: LogSource, named: ReadonlySet<string>): Promise<ObjectFinding[]> {
  const findings: ObjectFinding[] = []
  const names = new Set(await sortedNames(source, LOCKS))
  for (const digest of [...named].sort())
    if (!names.has(lockName(digest))) findings.push({ kind: 'LOCK_MISSING', name: lockName(digest) })
  for (const name of names) {
    const bytes = await source.read(name)
    if (bytes === undefined || bytesToHex(sha256(bytes)) !== lockDigestIn(name)) findings.push({ kind: 'LOCK_ALTERED', name })
  }
  return findings
}
