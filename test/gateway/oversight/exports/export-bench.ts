import { ReadableStream } from 'node:stream/web'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { exported } from '../../../../gateway/oversight/exports/export-format.ts'
import type { ExportFormat } from '../../../../gateway/oversight/exports/export-formats.ts'
import type { ExportOptions } from '../../../../gateway/oversight/exports/export-options.ts'

export const PLAIN: ExportOptions = {
  identifiers: 'PLAIN',
  gateway: 'https://phi.example',
  partnerRoles: new Set(['PARTNER']),
}
export const DIGESTS: ExportOptions = { ...PLAIN, identifiers: { digestKey: new Uint8Array(32).fill(7) } }

/** The whole text of an export. */
export async function textOf(
  format: ExportFormat,
  entries: readonly AuditEntry[] | AsyncIterable<readonly AuditEntry[]>,
  options = PLAIN,
): Promise<string> {
  const batches = Array.isArray(entries)
    ? batchesOf(entries as readonly AuditEntry[], 100)
    : (entries as AsyncIterable<readonly AuditEntry[]>)
  let text = ''
  for await (const part of exported(format, batches, options)) text += part
  return text
}

export function batchesOf(entries: readonly AuditEntry[], size: number): AsyncIterable<readonly AuditEntry[]> {
  const starts = Array.from({ length: Math.ceil(entries.length / size) }, (_, number) => number * size)
  return ReadableStream.from(starts.map((start) => entries.slice(start, start + size)))
}

/** The objects of an export with one on each line. */
export async function objectsOf(
  format: Exclude<ExportFormat, 'csv'>,
  entries: readonly AuditEntry[],
  options = PLAIN,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const text = await textOf(format, entries, options)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
}
