import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { ObjectFinding } from './findings.ts'
import { LOCKS, lockDigestIn, lockName } from './layout.ts'
import { type LogSource, sortedNames } from './log-source.ts'
import { lockTable } from './replay-locks.ts'

/**
 * Compares the policy locks with their names, which are their digests.
 *
 * @param named digests that items name
 * @param reviewed digests of the locks that the auditor reviewed; undefined if any lock will do
 */
export async function verifyLocks(
  source: LogSource,
  named: ReadonlySet<string>,
  reviewed?: ReadonlySet<string>,
): Promise<ObjectFinding[]> {
  const findings: ObjectFinding[] = []
  const names = new Set(await sortedNames(source, LOCKS))
  for (const digest of [...named].sort()) {
    const name = lockName(digest)
    if (!names.has(name)) findings.push({ kind: 'LOCK_MISSING', name })
    if (reviewed?.has(digest) === false) findings.push({ kind: 'LOCK_UNREVIEWED', name })
  }
  for (const name of names) {
    const bytes = await source.read(name)
    const digest = lockDigestIn(name)
    if (bytes === undefined || digest === undefined || bytesToHex(sha256(bytes)) !== digest)
      findings.push({ kind: 'LOCK_ALTERED', name })
    else if (named.has(digest) && lockTable(bytes) === undefined) findings.push({ kind: 'LOCK_FORM', name })
  }
  return findings
}
