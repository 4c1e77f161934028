import type { PurposeOfUse } from '../../../../directives/policy.ts'
import { type AccountingFacts } from '../../../../gateway/oversight/disclosures/accounting.ts'
import { ledgerOf } from '../../../../gateway/oversight/disclosures/ledger.ts'
import type { DisclosureContent, LedgerEntry, StudyDisclosures } from '../../../../gateway/oversight/disclosures/ledger-entry.ts'
import { LoggedGroups } from '../../../../gateway/oversight/disclosures/logged-disclosures.ts'
import type { RecordedAccess } from '../../../../gateway/oversight/recorded-access.ts'
import { clinic } from '../../decide/clinic-policy.ts'

const PATIENT = 'AAAAAAAAAAAAAAAAAAAAAA'
export const at = (text: string): number => Date.parse(text)
export const NOW = at('2026-11-29T12:00:00Z')

let requests = 0

/** A record of the log: by default a partner's read for public health. */
export function access(
  changes: Partial<RecordedAccess> & { readonly purpose?: PurposeOfUse | (string & {}) } = {},
): RecordedAccess {
  return {
    format: 1,
    tenant: 'riverside',
    lane: 'l.1',
    sequence: 1,
    index: 1,
    part: 1,
    time: '2026-05-01T10:00:00.000Z',
    requestId: `request-${++requests}`,
    user: 'acme',
    client: 'acme',
    contract: 'c0ffee',
    roles: ['PARTNER'],
    purpose: 'PUBHLTH',
    patient: PATIENT,
    recordType: 'Patient',
    path: 'Patient.birthDate',
    action: 'READ',
    outcome: 'DISCLOSED',
    mfa: false,
    listed: false,
    persisted: true,
    policy: '0',
    ...changes,
  }
}

/** An access without a contract. */
export const withoutContract = (changes: Parameters<typeof access>[0] = {}): RecordedAccess => without(access(changes), 'contract')

/** An access of a person of the workforce, in no other organization's application. */
export const workforce = (changes: Parameters<typeof access>[0] = {}): RecordedAccess =>
  without(access(changes), 'client', 'contract')

/** A record without some of its members. */
export function without<Value extends object>(value: Value, ...names: readonly (keyof Value)[]): Value {
  const left = { ...value }
  for (const name of names) Reflect.deleteProperty(left, name)
  return left
}

/** A disclosure that was entered: by default one to the police. */
const content = (changes: Partial<DisclosureContent> = {}): DisclosureContent => ({
  basis: 'LAW_ENFORCEMENT',
  at: at('2026-04-01'),
  count: 1,
  recipient: { name: 'City Police', address: '2 Main Street' },
  description: 'Dates of visits',
  purpose: 'Search warrant 12',
  ...changes,
})

export const entered = (changes: Partial<DisclosureContent> = {}): LedgerEntry => ({
  kind: 'DISCLOSURE',
  at: NOW,
  by: 'privacy',
  content: content(changes),
})

export const study = (changes: Partial<StudyDisclosures> = {}): StudyDisclosures => ({
  protocol: 'A1C',
  standing: 'OTHER_ENTITY',
  description: 'Compares treatments of diabetes',
  information: 'Test results',
  from: at('2026-01-01'),
  sponsor: { name: 'Sponsor Inc', address: '3 Main Street', phone: '555-0100' },
  researcher: { name: 'University Hospital', address: '4 Main Street', phone: '555-0101' },
  individuals: 50,
  mayIncludeAnyone: false,
  at: NOW,
  by: 'privacy',
  ...changes,
})

export const ACME = { name: 'Acme Registry', address: '1 Main Street' }

/** Facts of an accounting over 2026. */
export function facts(parts: {
  readonly accesses?: readonly RecordedAccess[]
  readonly entries?: readonly LedgerEntry[]
  readonly studies?: readonly StudyDisclosures[]
  readonly changes?: Partial<AccountingFacts>
}): AccountingFacts {
  const groups = new LoggedGroups()
  for (const one of parts.accesses ?? []) groups.add(one)
  return {
    patient: PATIENT,
    from: at('2026-01-01'),
    to: NOW,
    now: NOW,
    policy: clinic.policy,
    groups: groups.all(),
    ledger: ledgerOf(parts.entries ?? []),
    studies: new Map((parts.studies ?? []).map((one) => [one.protocol, one])),
    recipients: new Map([['c0ffee', ACME]]),
    ...parts.changes,
  }
}
