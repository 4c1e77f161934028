import type { Command } from 'commander'
import type { CompiledPolicy } from '../directives/compile.ts'
import { NoSealedLog } from '../gateway/oversight/log/stored-log.ts'
import { type AuditReview, openAuditReview } from '../gateway/admin/audit-review.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import { BadUserInput, FilterTooBroad, VersionConflict } from '../gateway/model/failures.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { compileProject } from './operation-session.ts'
import { unknownTenantText } from './tenant-check.ts'
import { requireOrder } from './time-option.ts'

/** The options of a command on the audit log of a tenant. Times are milliseconds since the epoch. */
export interface AuditFlags {
  readonly tenant: TenantId
  readonly from?: number
  readonly to?: number
}

/** The next step if a tenant has no sealed log. */
export const SEALED_SOON = 'The notary seals the log each minute: run the command again in two minutes.'

/** The options that a question can lack, by their arguments in the auditor's API. */
const OPTION_OF: Readonly<Record<string, string>> = {
  patientId: '--patient',
  userId: '--user',
  requestId: '--request',
  clientId: '--client',
  outcome: '--outcome',
}

/**
 * Opens the audit log for the questions of a command, and ends the command for options that no question can be made of.
 *
 * @param exitCode of a command that ends so
 */
export async function withAuditReview<Result>(
  { tenant, from, to }: AuditFlags,
  command: Command,
  work: (review: AuditReview, compiled: CompiledPolicy) => Promise<Result>,
  exitCode = 1,
): Promise<Result> {
  const refuse = (message: string): never => command.error(`error: ${message}`, { exitCode })
  requireOrder(from, to, exitCode)
  const compiled = compileProject()
  try {
    const review = await openAuditReview(tenant, compiled, process.env)
    try {
      return await work(review, compiled)
    } finally {
      review.close()
    }
  } catch (error) {
    if (error instanceof UnknownTenant) return refuse(unknownTenantText(tenant, process.env))
    if (error instanceof NoSealedLog) return refuse(`${error.message} ${SEALED_SOON}`)
    if (error instanceof FilterTooBroad) return refuse(`this covers too much of the log. ${adviceOf(error)}`)
    if (error instanceof BadUserInput)
      return refuse('an option has a value that the policy or the log cannot have. See the forms with --help')
    if (error instanceof VersionConflict)
      return refuse('the named review or record changed in the meantime. Read it again, then run the command again')
    throw error
  }
}

const adviceOf = ({ add }: FilterTooBroad): string =>
  `Add or narrow one of ${add.map((name) => OPTION_OF[name] ?? `--${name}`).join(', ')}`
