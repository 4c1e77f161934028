import fc from 'fast-check'
import type { Footing } from '../../../gateway/decide/consent.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, Role, Sensitivity } from '../../../directives/policy.ts'
import type { Asked, ModelContract } from './consent-model.ts'

/** Labels that only records have. */
export const MARKS = ['R', 'V', 'NOPAT', 'NOAUTH', '?']
export const LABELS = ['PSY', 'PSYTHPN', 'ETH', 'HIV', 'SEX', 'NEVER_HEARD_OF'] as Sensitivity[]
export const FOOTINGS = ['CARE_TEAM', 'ORGANIZATION', 'SELF', 'PROXY', 'AUTHOR', 'BREAK_GLASS'] as Footing[]
const PURPOSES = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT'] as PurposeOfUse[]
const ROLES = ['PHYSICIAN', 'NURSE'] as Role[]
const RECORDS = ['r1', 'r2', 'e1'] as RecordId[]
const ACTORS = ['Practitioner/1', 'Practitioner/2', 'Organization/1']
export const CONSENT_NOW = 1_000

const some = <T>(of: readonly T[]) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...of), { minLength: 1, maxLength: 2 }), { nil: undefined })
const optional = <T>(of: readonly T[]) => fc.option(fc.constantFrom(...of), { nil: undefined })

/** A consent that is often about the requests of `asked`. */
export const consent: fc.Arbitrary<Consent> = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c'),
    effect: fc.constantFrom('PERMIT' as const, 'DENY' as const),
    labels: some(LABELS),
    actor: optional(ACTORS),
    roles: some(ROLES),
    purposes: some(PURPOSES),
    records: some(RECORDS),
    since: optional([CONSENT_NOW - 1, CONSENT_NOW, CONSENT_NOW + 1] as Instant[]),
    until: optional([CONSENT_NOW - 1, CONSENT_NOW, CONSENT_NOW + 1] as Instant[]),
    breakGlass: fc.option(fc.constant(true as const), { nil: undefined }),
  })
  // only denials can be made without an understanding of the statement
  .map(({ breakGlass, ...all }) => (all.effect === 'DENY' ? { ...all, breakGlass } : all))
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Consent)

const contract: fc.Arbitrary<ModelContract> = fc.record({
  recipient: optional(ACTORS),
  labels: fc.subarray([...LABELS, ...MARKS].map(String)),
  roles: fc.subarray(ROLES.map(String)),
})

/** A request of a caller without a contract. */
export const asked: fc.Arbitrary<Asked & { readonly footing: Footing }> = fc.record({
  fieldLabels: fc.uniqueArray(fc.constantFrom(...LABELS), { maxLength: 1 }),
  recordLabels: fc.uniqueArray(fc.constantFrom(...LABELS, ...MARKS), { maxLength: 2 }),
  recordId: fc.constantFrom('r1', 'r2'),
  encounter: optional(['e1']),
  footing: fc.constantFrom(...FOOTINGS),
  user: fc.constantFrom('Practitioner/1', 'Practitioner/3'),
  organization: optional(['Organization/1']),
  roles: fc.constantFrom(['PHYSICIAN'], ['NURSE'], ['PHYSICIAN', 'NURSE']),
  purpose: fc.constantFrom(...PURPOSES),
  consents: fc.oneof(
    { weight: 9, arbitrary: fc.array(consent, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant('OUTAGE' as const) },
  ),
  now: fc.constant(CONSENT_NOW),
})

/** A request under a contract. */
export const askedUnderContract = fc
  .record({ asked, contract })
  .map(({ asked: of, contract: under }) => ({ ...of, contract: under }))
