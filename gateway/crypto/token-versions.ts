import { sealingVersion } from './key-table.ts'

/** The versions of a key whose tokens are in use, oldest first. */
export interface TokenVersions {
  /** Each version that a stored row can have. */
  readonly searched: readonly number[]
  /** A row is written under each of these versions. */
  readonly written: readonly number[]
}

/**
 * A new version is written beside the former one for this time, in milliseconds. Then it is the only written version. No two processes
 * therefore write rows without a common version, although their clocks differ by up to a minute and a prepared write commits late.
 */
export const WRITTEN_TOGETHER_MS = 600_000

interface TokenVersion {
  readonly version: number
  readonly sealsFrom: number
}

/** @param now milliseconds since the epoch */
export function tokenVersions(versions: readonly TokenVersion[], now: number): TokenVersions {
  const searched = versions.map(({ version }) => version).toSorted((a, b) => a - b)
  const newest = sealingVersion(versions, now)
  const former = sealingVersion(versions, now - WRITTEN_TOGETHER_MS)
  // a version of `sealsFrom` 0 has no former one
  return { searched, written: former === newest || former === 0 ? [newest] : [former, newest] }
}

/** When every process has written only this version for a while: from then on, former rows can be rewritten for good. */
export const rewritableFrom = ({ sealsFrom }: Pick<TokenVersion, 'sealsFrom'>): number => sealsFrom + WRITTEN_TOGETHER_MS + 120_000
