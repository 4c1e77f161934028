import type { Command } from 'commander'
import * as z from 'zod'
import { type DisclosureAdmin, disclosureAdmin } from '../gateway/admin/disclosure-admin.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { accountingHtml } from '../gateway/oversight/disclosures/accounting-html.ts'
import { accountingText } from '../gateway/oversight/disclosures/accounting-text.ts'
import { BASIS_NAMES } from '../gateway/oversight/disclosures/bases.ts'
import { ACCOUNTED_YEARS, dayOf, yearsBefore } from '../gateway/model/accounting/calendar.ts'
import { entryId } from '../gateway/oversight/disclosures/entry-id.ts'
import { forIndividual } from '../gateway/oversight/disclosures/individual-accounting.ts'
import { inForce } from '../gateway/oversight/disclosures/ledger.ts'
import { counted } from '../gateway/model/counted.ts'
import { withAuditReview } from './audit-session.ts'
import { readInputText, writeNewFile } from './files.ts'
import { Refused } from './refused.ts'
import { printLine, printText } from './terminal.ts'
import { fromOption, requireOrder, toOption } from './time-option.ts'

export interface AccountingOptions {
  readonly tenant: TenantId
  readonly patient: string
  readonly from: string
  readonly to: string
  readonly html?: string
  readonly json?: true
}

export interface DisclosureOptions {
  readonly tenant: TenantId
  readonly patient: string
  readonly json?: true
}

const DisclosureFile = z.strictObject({
  basis: z.enum(BASIS_NAMES),
  date: z.string(),
  lastDate: z.string().optional(),
  count: z.int().optional(),
  recipient: z.strictObject({ name: z.string(), address: z.string().optional() }),
  description: z.string(),
  purpose: z.string().optional(),
  requestCopy: z.string().optional(),
  protocol: z.string().optional(),
})

/** Prints an accounting, or writes it to a file. */
export async function printAccounting(
  { tenant, patient, from, to, html, json }: AccountingOptions,
  command: Command,
): Promise<void> {
  const begin = fromOption(from)
  requireOrder(begin, toOption(to))
  requireAccounted(begin)
  await withAdmin(tenant, command, async (admin) => {
    const accounting = await admin.accounting(patient, { from, to })
    const given = forIndividual(accounting)
    if (html !== undefined) writeNewFile(html, '--html', accountingHtml(given))
    if (json === true) printLine(JSON.stringify(accounting))
    else if (html === undefined) printText(accountingText(given))
    else printLine(`written: ${counted(given.entries.length, 'entry', 'entries')}`)
    if (accounting.decisions.length > 0 && json !== true)
      printLine('The log leaves decisions to the privacy officer. See them with --json.', 'stderr')
  })
}

/** Prints what was entered about a patient. */
export async function listDisclosures({ tenant, patient: id, json }: DisclosureOptions, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const { patient, disclosures } = await admin.entered(id)
    for (const disclosure of disclosures) {
      const { number, withdrawn, versions } = disclosure
      const { at, basis, recipient, count, description } = inForce(disclosure).content
      const state = withdrawn === undefined ? `version ${versions.length}` : 'withdrawn'
      const line = `${entryId({ patient, number })}  ${dayOf(at)}  ${basis} x${count}  ${recipient.name}  ${state}  ${description}`
      printLine(json === true ? JSON.stringify({ id: entryId({ patient, number }), ...disclosure }) : line)
    }
    if (disclosures.length === 0 && json !== true) printLine('no disclosures were entered')
  })
}

/** Enters the disclosure of a file. */
export async function recordFromFile(file: string, { tenant, patient }: DisclosureOptions, command: Command): Promise<void> {
  const input = disclosureIn(file, command)
  await withAdmin(tenant, command, async (admin) => {
    printLine(`entered: ${await admin.record(patient, input)}`)
  })
}

/** Prints the requests for accountings, those that are not answered first. */
export async function listRequests({ tenant, json }: Pick<DisclosureOptions, 'tenant' | 'json'>, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const today = dayOf(Date.now())
    const requests = (await admin.requests()).map((request) => {
      const { givenAt, withdrawn, due } = request
      const state = givenAt !== undefined ? 'GIVEN' : withdrawn ? 'WITHDRAWN' : due < today ? 'OVERDUE' : 'OPEN'
      return { state, ...request }
    })
    const rank = ['OVERDUE', 'OPEN', 'GIVEN', 'WITHDRAWN']
    const sorted = requests.toSorted(
      (one, other) => rank.indexOf(one.state) - rank.indexOf(other.state) || (one.due < other.due ? -1 : 1),
    )
    for (const one of sorted) {
      const line = `${one.state}  due ${one.due}  received ${one.received}  ${one.id}  ${one.free ? 'without charge' : 'fee possible'}`
      printLine(json === true ? JSON.stringify(one) : line)
    }
    if (sorted.length === 0 && json !== true) printLine('no requests')
  })
}

async function withAdmin(tenant: TenantId, command: Command, act: (admin: DisclosureAdmin) => Promise<void>): Promise<void> {
  await withAuditReview({ tenant }, command, async (review) => {
    await act(disclosureAdmin(review))
  })
}

function disclosureIn(file: string, command: Command): z.infer<typeof DisclosureFile> {
  const text = readInputText(file, '<file>')
  try {
    return DisclosureFile.parse(JSON.parse(text))
  } catch {
    return command.error('error: the file is not a disclosure. See the example: phi audit disclosures record --help')
  }
}

/** @throws Refused with the earliest day if the time begins before it, or is not over */
function requireAccounted(from: number): void {
  const now = Date.now()
  const first = yearsBefore(dayOf(now), ACCOUNTED_YEARS)
  if (from < Date.parse(first))
    throw new Refused(
      `--from is more than ${ACCOUNTED_YEARS} years back, which an accounting does not cover. Use --from ${first} or a later day.`,
    )
  if (from > now) throw new Refused('--from is in the future. Use a time that has begun.')
}
