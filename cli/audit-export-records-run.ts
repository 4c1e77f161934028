import type { Command } from 'commander'
import { createWriteStream, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { PolicyTable } from '../directives/policy.ts'
import type { AuditReview } from '../gateway/admin/audit-review.ts'
import { accessFilter } from '../gateway/oversight/access-filter.ts'
import { accessPage } from '../gateway/oversight/access-page.ts'
import { exported } from '../gateway/oversight/exports/export-format.ts'
import type { ExportFormat } from '../gateway/oversight/exports/export-formats.ts'
import type { AccessPosition, RecordedAccess } from '../gateway/oversight/recorded-access.ts'
import { counted } from '../gateway/model/counted.ts'
import { type AccessFilterFlags, filterOf } from './access-filter-options.ts'
import { type AuditFlags, withAuditReview } from './audit-session.ts'
import { readInput, requireNewFile } from './files.ts'
import { emptyText, requireCategory } from './known-values.ts'
import { printLine } from './terminal.ts'
import { requireOrder } from './time-option.ts'

export interface ExportRecordsFlags extends AuditFlags, AccessFilterFlags {
  readonly format: ExportFormat
  readonly out: string
  readonly digestKey?: string
  readonly gateway?: string
}

/** Records that are read at a time. Each page is one review in the log. */
const PAGE = 10_000

/** Writes the accesses that the options select to a new file that only its owner can read. */
export async function exportRecords(flags: ExportRecordsFlags, command: Command): Promise<void> {
  const { format, out, gateway = `https://${process.env['PHI_LOG_ORIGIN'] ?? 'phi.invalid'}` } = flags
  const identifiers = flags.digestKey === undefined ? 'PLAIN' : { digestKey: readInput(flags.digestKey, '--digest-key') }
  requireOrder(flags.from, flags.to)
  await withAuditReview(flags, command, async (review, { policy }) => {
    requireCategory(flags.category, policy)
    const partnerRoles = new Set([...policy.roles.values()].flatMap(({ role, kind }) => (kind === 'PARTNER' ? [role] : [])))
    const written = { records: 0 }
    let texts: AsyncIterable<string>
    try {
      texts = exported(format, pages(review, policy, flags, written), { identifiers, gateway, partnerRoles })
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      return command.error(`error: ${error.message}`)
    }
    requireNewFile(out, '--out')
    try {
      await pipeline(Readable.from(texts), createWriteStream(out, { mode: 0o600 }))
      if (written.records === 0) printLine(await emptyText({ review, policy, flags }), 'stderr')
    } catch (error) {
      // a part of an export reads as a whole one
      rmSync(out, { force: true })
      throw error
    }
    printLine(`${counted(written.records, 'record')}. The file names patients and users: keep it as you keep records.`)
  })
}

async function* pages(
  review: AuditReview,
  policy: PolicyTable,
  flags: ExportRecordsFlags,
  written: { records: number },
): AsyncGenerator<readonly RecordedAccess[]> {
  const { from, to, format } = flags
  const given = filterOf(flags)
  const filter = accessFilter(policy, given, { from, to })
  let after: AccessPosition | undefined
  do {
    const request = { first: PAGE, ...(after && { after }) }
    const question = {
      field: 'fieldAccesses',
      args: { filter: { ...given, from, to }, format, ...request },
      patient: filter.patient,
    }
    const page = await review.ask(question, async ({ reader, deadline }) => {
      const answer = await accessPage(reader, filter, request, deadline)
      return { answer, count: answer.accesses.length }
    })
    written.records += page.accesses.length
    yield page.accesses
    after = page.next
  } while (after !== undefined)
}
