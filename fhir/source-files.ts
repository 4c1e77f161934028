import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface SourceFile {
  readonly path: string
  /** The path as given, or below the directory that was given. */
  readonly name: string
  readonly bytes: number
}

/** The files behind one path of a command. */
export interface SourceRoot {
  readonly name: string
  readonly files: readonly SourceFile[]
  /** The files that the import does not read, by their kind: `.xml`. */
  readonly passedOver: ReadonlyMap<string, number>
}

const SOURCE = /\.(?:json|ndjson|jsonl|gz|zip)$/i
/** Kinds that a report names. Any other ending may be part of a name, so it is `other` (P8). */
const KINDS: ReadonlySet<string> = new Set(
  `7z bz2 ccd ccda cda csv dat db dcm doc docx gif hl7 htm html jpeg jpg log md parquet pdf png rar rtf sql tar tgz tif tiff tsv ttl
  txt xls xlsx xml xz yaml yml zip zst`.split(/\s+/),
)
/** Files that an archive program of macOS adds beside each file: they end like it and hold something else. */
const RESOURCE_FORK = /(?:^|\/)(?:\._[^/]*|__MACOSX\/.*)$/

export const isSource = (name: string): boolean => SOURCE.test(name) && !RESOURCE_FORK.test(name)

/** The kind of a file in a report: its ending if it is a known one. */
export function kindOf(name: string): string {
  const ending = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase()
  return ending !== undefined && KINDS.has(ending) && !RESOURCE_FORK.test(name) ? `.${ending}` : 'other'
}

/**
 * The files behind some paths: each file itself, and of a directory all that can hold resources, sorted. Links are not followed. A
 * file that cannot be opened stays in the list and fails when it is read.
 */
export function sourceRoots(paths: readonly string[]): Promise<readonly SourceRoot[]> {
  return Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => undefined)
      if (found?.isDirectory()) return await rootOf(path)
      return { name: basename(path), files: [{ path, name: basename(path), bytes: found?.size ?? 0 }], passedOver: new Map() }
    }),
  )
}

async function rootOf(directory: string): Promise<SourceRoot> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths: string[] = []
  const passedOver = new Map<string, number>()
  for (const entry of entries) {
    if (entry.isDirectory()) continue
    if (entry.isFile() && isSource(entry.name)) {
      paths.push(join(entry.parentPath, entry.name))
      continue
    }
    const kind = entry.isFile() ? kindOf(entry.name) : entry.isSymbolicLink() ? 'link' : 'other'
    passedOver.set(kind, (passedOver.get(kind) ?? 0) + 1)
  }
  const files = await Promise.all(
    paths.sort().map(async (path) => ({ path, name: path.slice(join(directory, '/').length), bytes: (await stat(path)).size })),
  )
  return { name: basename(directory), files, passedOver }
}
