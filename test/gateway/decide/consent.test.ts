import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consentVerdict, type Footing } from '../../../gateway/decide/consent.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, RecordLabel, Role, Sensitivity } from '../../../directives/policy.ts'
import { clinic } from './clinic-policy.ts'
import { type Asked, modelVerdict } from './consent-model.ts'

/** Labels that only records have. */
const MARKS = ['R', 'V', 'NOPAT', 'NOAUTH', '?']
const LABELS = ['PSY', 'PSYTHPN', 'ETH', 'HIV', 'SEX', 'NEVER_HEARD_OF'] as Sensitivity[]
const FOOTINGS = ['CARE_TEAM', 'ORGANIZATION', 'SELF', 'PROXY', 'AUTHOR', 'BREAK_GLASS'] as Footing[]
const PURPOSES = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT'] as PurposeOfUse[]
const ROLES = ['PHYSICIAN', 'NURSE'] as Role[]
const RECORDS = ['r1', 'r2', 'e1'] as RecordId[]
const ACTORS = ['Practitioner/1', 'Practitioner/2', 'Organization/1']
const NOW = 1_000

const some = <T>(of: readonly T[]) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...of), { minLength: 1, maxLength: 2 }), { nil: undefined })
const optional = <T>(of: readonly T[]) => fc.option(fc.constantFrom(...of), { nil: undefined })

const consent: fc.Arbitrary<Consent> = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c'),
    effect: fc.constantFrom('PERMIT' as const, 'DENY' as const),
    labels: some(LABELS),
    actor: optional(ACTORS),
    roles: some(ROLES),
    purposes: some(PURPOSES),
    records: some(RECORDS),
    since: optional([NOW - 1, NOW, NOW + 1] as Instant[]),
    until: optional([NOW - 1, NOW, NOW + 1] as Instant[]),
    breakGlass: fc.option(fc.constant(true as const), { nil: undefined }),
  })
  // only denials can be made without an understanding of the statement
  .map(({ breakGlass, ...all }) => (all.effect === 'DENY' ? { ...all, breakGlass } : all))
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Consent)

const asked: fc.Arbitrary<Asked & { readonly footing: Footing }> = fc.record({
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
  now: fc.constant(NOW),
})

const rules = clinic.policy.consent

function verdictOf(of: Asked & { readonly footing: Footing }) {
  const { organization, encounter } = of
  return consentVerdict(
    new Set(of.fieldLabels as Sensitivity[]),
    of.footing,
    {
      fhirUser: of.user,
      roles: new Set(of.roles as Role[]),
      purpose: of.purpose as PurposeOfUse,
      ...(organization !== undefined && { organization }),
    },
    {
      rules,
      given: of.consents === 'OUTAGE' ? undefined : of.consents,
      record: {
        id: of.recordId as RecordId,
        labels: new Set(of.recordLabels as RecordLabel[]),
        ...(encounter !== undefined && { encounter: encounter as RecordId }),
      },
    },
    of.now as Instant,
  )
}

describe('P3: the verdict of consents', () => {
  it('equals the verdict of the model for any request', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(asked, (of) => {
        const expected = modelVerdict(of)
        seen.set(expected, (seen.get(expected) ?? 0) + 1)
        expect(verdictOf(of).kind).toBe(expected)
      }),
      { numRuns: 20_000 },
    )
    // the property must cover each verdict
    for (const verdict of ['OPEN', 'CLOSED', 'UNKNOWN']) expect(seen.get(verdict)).toBeGreaterThan(50)
  })

  it('a further denial opens nothing, a further permission closes nothing, and an outage opens nothing that is closed without consents', () => {
    const open = (of: Asked & { readonly footing: Footing }): boolean => verdictOf(of).kind === 'OPEN'
    fc.assert(
      fc.property(asked, consent, (of, more) => {
        if (of.consents === 'OUTAGE') {
          if (open(of)) expect(open({ ...of, consents: [] })).toBe(true)
          return
        }
        const after = open({ ...of, consents: [...of.consents, more] })
        if (more.effect === 'DENY') expect(!after || open(of)).toBe(true)
        else expect(after || !open(of)).toBe(true)
      }),
      { numRuns: 10_000 },
    )
  })

  it('names the permission that opened the record', () => {
    const of = {
      fieldLabels: [],
      recordLabels: ['ETH'],
      recordId: 'r1',
      encounter: undefined,
      user: 'Practitioner/1',
      organization: undefined,
    }
    const consents = [
      { id: 'other', effect: 'PERMIT' as const, labels: LABELS.slice(0, 1) },
      { id: 'this', effect: 'PERMIT' as const, labels: ['ETH' as Sensitivity] },
    ]
    expect(
      verdictOf({ ...of, footing: FOOTINGS[0] ?? 'BREAK_GLASS', roles: ['NURSE'], purpose: 'TREAT', consents, now: NOW }),
    ).toEqual({ kind: 'OPEN', consent: 'this' })
  })
})
