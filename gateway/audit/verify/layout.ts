// The names of a log's objects, `docs/checkpoints.md`, section "The objects". In a store each follows the tenant and `/`. In an export
// it is a file.

/** Leaves of a full tile. @source C2SP tlog-tiles, "Merkle Tree" */
export const TILE_WIDTH = 256

export const LATEST_NAME = 'checkpoint'
export const POLICY_NAME = 'policy'
/** The positions that an export claims to hold. A store has no such object. */
export const EXPORT_NAME = 'export.json'
export const SEGMENTS = 'segments/'
export const CHECKPOINTS = 'checkpoints/'
export const HOURS = 'hours/'
export const LOCKS = 'policies/'

/** Sixteen digits, so that the order of names is that of numbers. */
export const positionText = (position: number): string => String(position).padStart(16, '0')

export const noteName = (size: number): string => `${CHECKPOINTS}${positionText(size)}`
export const segmentName = (start: number, end: number): string =>
  `${SEGMENTS}${positionText(start)}-${positionText(end)}.ndjson.gz`
export const hourName = (hour: string): string => `${HOURS}${hour}.json`
export const lockName = (digest: string): string => `${LOCKS}${digest}.lock`

/** The positions of a segment, by its name; undefined for another name. */
export function segmentRange(name: string): { readonly start: number; readonly end: number } | undefined {
  const [, from, to] = /^segments\/(\d{16})-(\d{16})\.ndjson\.gz$/.exec(name) ?? []
  const [start, end] = [Number(from), Number(to)]
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start < end ? { start, end } : undefined
}

/** The size of a checkpoint, by its name; undefined for another name. */
export function noteSize(name: string): number | undefined {
  const [, digits] = /^checkpoints\/(\d{16})$/.exec(name) ?? []
  const size = Number(digits)
  return Number.isSafeInteger(size) ? size : undefined
}

/** The hour of a registry, by its name: `2026-11-28T17`. */
export const hourIn = (name: string): string | undefined => /^hours\/(\d{4}-\d\d-\d\dT\d\d)\.json$/.exec(name)?.[1]

/** The digest of a policy lock, by its name: 64 hex digits. */
export const lockDigestIn = (name: string): string | undefined => /^policies\/([0-9a-f]{64})\.lock$/.exec(name)?.[1]

/** The name of an object in a store. */
export const inStore = (tenant: string, name: string): string => `${tenant}/${name}`

/** A tile of hashes. `width` is 1 to 256; below 256, the tile is partial. */
export interface Tile {
  readonly level: number
  readonly index: number
  readonly width: number
}

/**
 * The name of a tile, or of a bundle of entries.
 *
 * @source C2SP tlog-tiles, "Merkle Tree" and "Log entries"
 */
export function tileName({ level, index, width }: Omit<Tile, 'level'> & { readonly level: number | 'entries' }): string {
  const parts = [String(index % 1_000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1_000); rest > 0; rest = Math.floor(rest / 1_000))
    parts.unshift(`x${String(rest % 1_000).padStart(3, '0')}`)
  return `tile/${level}/${parts.join('/')}${width < TILE_WIDTH ? `.p/${width}` : ''}`
}

/** The last tile of each level in a tree of this size, from level 0. A level whose last tile is full or empty has none. */
export function partialTiles(size: number): Tile[] {
  const tiles: Tile[] = []
  let [level, rest] = [0, size]
  while (rest > 0) {
    const width = rest % TILE_WIDTH
    if (width > 0) tiles.push({ level, index: Math.floor(rest / TILE_WIDTH), width })
    rest = Math.floor(rest / TILE_WIDTH)
    level++
  }
  return tiles
}

/** The tenant of a log, by its origin: the part after `/audit/`. */
export const tenantOf = (origin: string): string | undefined => /\/audit\/([a-z0-9-]+)$/.exec(origin)?.[1]
