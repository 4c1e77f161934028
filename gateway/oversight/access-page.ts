import type { Deadline } from '../model/deadline.ts'
import type { AccessFilter } from './access-filter.ts'
import type { AuditReader } from './audit-reader.ts'
import type { AccessPage, PageRequest } from './recorded-access.ts'
import { tabledAccesses } from './tabled-accesses.ts'

/**
 * A page of the field-level records that a filter selects: from the indexes of the log by request, patient or user, and from the audit
 * tables by anything else.
 *
 * @throws FilterTooBroad for a filter of the tables without a span, or with one that is too long; BadUserInput, AuditLogUnavailable,
 *   StoreUnavailable
 */
export async function accessPage(
  { history, tables }: Pick<AuditReader, 'history' | 'tables'>,
  filter: AccessFilter,
  request: PageRequest,
  deadline: Deadline,
): Promise<AccessPage> {
  const isIndexed = filter.requestId !== undefined || filter.patient !== undefined || filter.user !== undefined
  return await (isIndexed ? history.page(filter, request, deadline) : tabledAccesses(tables, filter, request, deadline))
}
