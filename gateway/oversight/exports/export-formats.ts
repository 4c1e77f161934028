/** The formats of an export: `docs/audit-exports.md`. */
export const EXPORT_FORMATS = ['csv', 'ndjson', 'ocsf', 'fhir'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]
