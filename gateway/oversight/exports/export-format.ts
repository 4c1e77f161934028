import { accessEvents } from './access-event.ts'
import { outsideBoundary } from './boundary.ts'
import { csvHeader, csvLines } from './csv.ts'
import type { ExportFormat } from './export-formats.ts'
import { checkExportOptions, type ExportOptions } from './export-options.ts'
import { auditEvent } from './fhir-audit-event.ts'
import { provenance } from './fhir-provenance.ts'
import { IdentifierDigests } from './identifier-digests.ts'
import { type ExportItem, type ExportRecord, itemBatches } from './item-batches.ts'
import { datastoreActivity } from './ocsf.ts'
import { recordChanges } from './record-change.ts'

/**
 * Field-level records as text: `docs/audit-exports.md`. Each text of the stream has whole lines. The memory is bounded by a batch.
 *
 * @param batches with the records of an item together
 * @throws TypeError for options that are not valid, before anything is read
 */
export function exported(
  format: ExportFormat,
  batches: AsyncIterable<readonly ExportRecord[]>,
  options: ExportOptions,
): AsyncIterable<string> {
  return texts(format, batches, itemText(format, options))
}

/**
 * The text of one item in a format: whole lines, without the header of CSV. It depends on the item and the options alone.
 *
 * @throws TypeError for options that are not valid
 */
export function itemText(format: ExportFormat, options: ExportOptions): (item: ExportItem) => string {
  checkExportOptions(options)
  const { identifiers } = options
  const digests = identifiers === 'PLAIN' ? undefined : new IdentifierDigests(identifiers.digestKey)
  return (item) => textOf(format, digests === undefined ? item : outsideBoundary(item, digests), options)
}

async function* texts(
  format: ExportFormat,
  batches: AsyncIterable<readonly ExportRecord[]>,
  textOfItem: (item: ExportItem) => string,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHeader()
  for await (const items of itemBatches(batches)) yield items.map(textOfItem).join('')
}

function textOf(format: ExportFormat, item: ExportItem, options: ExportOptions): string {
  switch (format) {
    case 'csv':
      return csvLines(item)
    case 'ndjson':
      return lines(item)
    case 'ocsf':
      return lines(accessEvents(item, options.partnerRoles).map((event) => datastoreActivity(event)))
    case 'fhir':
      return lines([
        ...accessEvents(item, options.partnerRoles).map((event) => auditEvent(event, options)),
        ...recordChanges(item).map((change) => provenance(change, options)),
      ])
    default:
      return format satisfies never
  }
}

const lines = (values: readonly object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')
