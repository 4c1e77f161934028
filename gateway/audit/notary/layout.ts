// The names of a log's objects, `docs/checkpoints.md`, section "The objects". Each begins with the tenant.

/** Leaves of a full tile. @source C2SP tlog-tiles, "Merkle Tree" */
export const TILE_WIDTH = 256

const digits = (position: number): string => String(position).padStart(16, '0')

export const latestName = (tenant: string): string => `${tenant}/checkpoint`
export const noteName = (tenant: string, size: number): string => `${tenant}/checkpoints/${digits(size)}`
export const segmentName = (tenant: string, start: number, end: number): string =>
  `${tenant}/segments/${digits(start)}-${digits(end)}.ndjson.gz`
export const hourName = (tenant: string, hour: string): string => `${tenant}/hours/${hour}.json`
export const policyLockName = (tenant: string, digest: string): string => `${tenant}/policies/${digest}.lock`
/** The keys of the log and its witnesses: a C2SP `tlog-policy`. */
export const logPolicyName = (tenant: string): string => `${tenant}/policy`

/**
 * The name of a tile, or of a bundle of entries.
 *
 * @param width 1 to 256; below 256, the tile is partial
 * @source C2SP tlog-tiles, "Merkle Tree" and "Log entries"
 */
export function tileName(tenant: string, level: number | 'entries', index: number, width: number): string {
  const parts = [String(index % 1_000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1_000); rest > 0; rest = Math.floor(rest / 1_000))
    parts.unshift(`x${String(rest % 1_000).padStart(3, '0')}`)
  return `${tenant}/tile/${level}/${parts.join('/')}${width < TILE_WIDTH ? `.p/${width}` : ''}`
}
