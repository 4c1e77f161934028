import { dayOf } from '../../model/accounting/calendar.ts'
import type { IndividualAccounting, IndividualEntry } from './individual-accounting.ts'
import type { ResearchProtocol } from './accounting.ts'

/** An accounting as plain text. */
export function accountingText({ patient, from, to, at, entries, protocols }: IndividualAccounting): string {
  const head = [
    'Accounting of disclosures (45 CFR 164.528)',
    `Patient id: ${patient}`,
    `Period: ${dayOf(from)} to ${dayOf(to)} (UTC)`,
    `Prepared on: ${dayOf(at)}`,
  ]
  const disclosures = entries.length === 0 ? ['There are no disclosures to account for in this period.'] : entries.map(entryText)
  const research =
    protocols.length === 0
      ? []
      : [
          'Your health information may or may not have been disclosed for each of these protocols or other research activities.',
          ...protocols.map(protocolText),
        ]
  return `${[head.join('\n'), ...disclosures, ...research].join('\n\n')}\n`
}

function entryText({ at, recipient, description, purpose, statement, repeated }: IndividualEntry): string {
  return lines([
    ['Date', dayOf(at)],
    ['Recipient', recipient.name],
    ['Address', recipient.address],
    ['Information', description],
    ['Purpose', purpose],
    ['Statement', statement],
    ['Repeated', repeated && `${repeated.frequency}; last on ${dayOf(repeated.last)}`],
  ])
}

function protocolText({ protocol, description, information, from, to, sponsor, researcher }: ResearchProtocol): string {
  const contact = ({ name, address, phone }: ResearchProtocol['sponsor']): string => `${name}, ${address}, ${phone}`
  return lines([
    ['Protocol', protocol],
    ['Description', description],
    ['Information', information],
    ['Disclosed', `${dayOf(from)} to ${to === undefined ? 'the present' : dayOf(to)}`],
    ['Sponsor', contact(sponsor)],
    ['Researcher', contact(researcher)],
  ])
}

const lines = (members: readonly (readonly [string, string | undefined])[]): string =>
  members.flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value.replaceAll('\n', '\n  ')}`)).join('\n')
