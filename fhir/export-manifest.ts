import { posix } from 'node:path'
import { z } from 'zod'

const Listed = z.object({ url: z.string(), count: z.number().optional() })
const Files = z.array(Listed).default([])
/** @source https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status */
const Manifest = z.object({
  transactionTime: z.string(),
  request: z.string().optional(),
  output: z.array(Listed),
  deleted: Files,
  error: Files,
  link: z.array(z.object({ relation: z.string() })).default([]),
})

/** The list of the files of a bulk export. */
export type ExportManifest = z.output<typeof Manifest>

export function readManifest(value: unknown): ExportManifest | undefined {
  return Manifest.safeParse(value).data
}

/** A line of the log that a client of bulk exports keeps beside the files. @source https://github.com/smart-on-fhir/bulk-data-client */
const LogLine = z.object({ exportId: z.string(), eventId: z.string(), resourceType: z.undefined().optional() })
export const isLogLine = (value: unknown): boolean => LogLine.safeParse(value).success

/** The base of the server, from the request of the export: the part before the operation. */
export function baseOf({ request }: ExportManifest): string | undefined {
  const [, base] = /^(https?:\/\/[^?#]+?)\/(?:(?:Patient|Group\/[^/?#]+)\/)?\$export(?:[?#]|$)/.exec(request ?? '') ?? []
  return base
}

/**
 * Compares a manifest with the files beside it.
 *
 * @param counts the number of resources of each file, by the path of the file
 * @returns the number of listed files that are missing, and the files with another number of resources than the manifest lists
 */
export function compareWithManifest(
  { output, deleted, error }: ExportManifest,
  counts: ReadonlyMap<string, number>,
): { readonly missing: number; readonly different: readonly string[] } {
  const byName = new Map([...counts].map(([path, count]) => [nameOf(path), { path, count }]))
  const listed = [...output, ...deleted, ...error].map((one) => ({ ...one, name: nameOf(pathOf(one.url)) }))
  const known = listed.filter(({ name }) => byName.has(name))
  // a client may save the files under names of its own: then only their number can be compared
  const missing = known.length === 0 ? Math.max(0, listed.length - counts.size) : listed.length - known.length
  const different = output.flatMap(({ url, count }) => {
    const file = byName.get(nameOf(pathOf(url)))
    return file !== undefined && count !== undefined && file.count !== count ? [file.path] : []
  })
  return { missing, different }
}

function pathOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url, 'http://localhost/').pathname)
  } catch {
    return url
  }
}

const nameOf = (path: string): string => posix.basename(path).replace(/\.gz$/i, '')
