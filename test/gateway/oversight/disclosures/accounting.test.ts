import { describe, expect, it } from 'vitest'
import { type Accounting, accountingOf } from '../../../../gateway/oversight/disclosures/accounting.ts'
import { type Basis, BASES, BASIS_NAMES, exclusionOf } from '../../../../gateway/oversight/disclosures/bases.ts'
import { forIndividual } from '../../../../gateway/oversight/disclosures/individual-accounting.ts'
import { frequencyOf } from '../../../../gateway/model/accounting/repeated.ts'
import { access, ACME, at, entered, facts, NOW, study, without, withoutContract, workforce } from './facts.ts'

const counts = ({ exclusions }: Accounting): Record<string, number> =>
  Object.fromEntries(exclusions.map(({ exclusion, count }) => [exclusion, count]))

describe('C20: an accounting of what the log has', () => {
  it('C20: names date, recipient with address, information and purpose of a partner’s request', () => {
    const request = { requestId: 'one' }
    const accounting = accountingOf(
      facts({
        accesses: [
          access({ ...request, path: 'Patient.birthDate' }),
          access({ ...request, path: 'Patient.familyName', time: '2026-05-01T09:59:59.000Z' }),
          access({ ...request, path: 'Patient.gone', outcome: 'MASKED' }),
          access({ ...request, path: 'Patient.ssn', outcome: 'DENIED' }),
        ],
      }),
    )
    expect(forIndividual(accounting).entries).toEqual([
      {
        at: at('2026-05-01T09:59:59Z'),
        recipient: ACME,
        description: 'Name and identifying numbers; date of birth and other personal details; other information of the record',
        purpose: 'Public health activities (45 CFR 164.512(b))',
      },
    ])
    expect(accounting.exclusions).toEqual([])
  })

  it.each(['DENIED', 'ABSENT', 'ERASED', 'UNAVAILABLE', 'WRITTEN', 'REVIEWED'])(
    'C20: has nothing of an access that is %s',
    (outcome) => {
      const accounting = accountingOf(facts({ accesses: [access({ outcome })] }))
      expect(accounting).toMatchObject({ entries: [], exclusions: [], decisions: [] })
    },
  )

  it.each([
    ['TREAT', 'TREATMENT_PAYMENT_OPERATIONS'],
    ['ETREAT', 'TREATMENT_PAYMENT_OPERATIONS'],
    ['BTG', 'TREATMENT_PAYMENT_OPERATIONS'],
    ['HPAYMT', 'TREATMENT_PAYMENT_OPERATIONS'],
    ['HOPERAT', 'TREATMENT_PAYMENT_OPERATIONS'],
    ['PATRQT', 'TO_INDIVIDUAL'],
  ])('C20: leaves out a partner’s read for %s as %s', (purpose, exclusion) => {
    const accounting = accountingOf(facts({ accesses: [access({ purpose })] }))
    expect(accounting.entries).toEqual([])
    expect(counts(accounting)).toEqual({ [exclusion]: 1 })
  })

  it.each(['PUBHLTH', 'HRESCH', 'A_PURPOSE_THAT_NOBODY_KNOWS'])('C20: counts a partner’s read for %s', (purpose) => {
    const accounting = accountingOf(facts({ accesses: [access({ purpose })] }))
    expect(accounting.entries).toHaveLength(1)
    expect(accounting.exclusions).toEqual([])
  })

  it.each([
    ['PHYSICIAN', 'TREAT'],
    ['PHYSICIAN', 'BTG'],
    ['BILLING', 'HPAYMT'],
    ['NURSE', 'PUBHLTH'],
    ['PRIVACY_OFFICER', 'HOPERAT'],
  ])('C20: takes a read of a %s for %s as use, also after break-glass', (role, purpose) => {
    const accounting = accountingOf(facts({ accesses: [workforce({ roles: [role], purpose, basis: 'BREAK_GLASS' })] }))
    expect(accounting.entries).toEqual([])
    expect(counts(accounting)).toEqual({ USE_BY_WORKFORCE: 1 })
  })

  it('C20: takes what patients and proxies read as disclosures to the individual', () => {
    const own = workforce({ purpose: 'PATRQT' })
    const accounting = accountingOf(
      facts({
        accesses: [
          { ...own, roles: ['PATIENT'] },
          { ...own, requestId: 'x', roles: ['PROXY'] },
        ],
      }),
    )
    expect(counts(accounting)).toEqual({ TO_INDIVIDUAL: 2 })
  })

  it('C20: counts a read by a client with a contract, whatever the role of its user', () => {
    const accounting = accountingOf(facts({ accesses: [access({ roles: ['PHYSICIAN'], purpose: 'PUBHLTH' })] }))
    expect(accounting.entries).toHaveLength(1)
  })

  it('C20: counts a read by a role that the policy no longer has, and asks the privacy officer', () => {
    const old = withoutContract({ roles: ['OLD_PARTNER'] })
    const accounting = accountingOf(facts({ accesses: [old] }))
    expect(accounting.entries).toHaveLength(1)
    expect(accounting.decisions).toEqual([
      { decision: 'UNKNOWN_ROLE', client: 'acme', count: 1 },
      { decision: 'RECIPIENT_UNKNOWN', client: 'acme', count: 1 },
    ])
  })

  it('C20: falls back to the id of the client if no contract of that time is on file, and says so', () => {
    const accounting = accountingOf(facts({ accesses: [access({ contract: 'older' })] }))
    expect(accounting.entries).toMatchObject([{ recipient: { name: 'acme' }, isRecipientKnown: false }])
    expect(accounting.decisions).toEqual([{ decision: 'RECIPIENT_UNKNOWN', client: 'acme', count: 1 }])
    expect(forIndividual(accounting).entries[0]?.recipient.name).toMatch(/not on file.*acme$/)
  })
})

describe('C20: research', () => {
  const research = (changes = {}) => access({ purpose: 'HRESCH', study: 'A1C', ...changes })
  const own = () => workforce({ purpose: 'HRESCH', study: 'A1C', roles: ['RESEARCHER'], basis: 'STUDY' })

  it('C20: is use by the workforce without a contract, and the privacy officer is asked about the study', () => {
    const accounting = accountingOf(facts({ accesses: [own()] }))
    expect(counts(accounting)).toEqual({ USE_BY_WORKFORCE: 1 })
    expect(accounting.decisions).toEqual([{ decision: 'RESEARCHER_OF_OTHER_ENTITY', protocol: 'A1C', count: 1 }])
    const stated = accountingOf(facts({ accesses: [own()], studies: [study({ standing: 'WORKFORCE' })] }))
    expect(counts(stated)).toEqual({ USE_BY_WORKFORCE: 1 })
    expect(stated.decisions).toEqual([])
  })

  it('C20: is a disclosure to the researcher once another entity does it', () => {
    const { entries } = accountingOf(facts({ accesses: [own()], studies: [study({ individuals: 49 })] }))
    expect(entries).toMatchObject([{ recipient: { name: 'University Hospital', address: '4 Main Street' }, basis: 'RESEARCH' }])
  })

  it.each(['AUTHORIZATION', 'LIMITED_DATA_SET'] as const)('C20: is left out if the study stands on %s', (standing) => {
    const accounting = accountingOf(facts({ accesses: [research(), own()], studies: [study({ standing })] }))
    expect(accounting.entries).toEqual([])
    expect(counts(accounting)).toEqual({ [standing]: 2 })
  })

  it('C20: leaves out what stands on the consent of the patient, and nothing else of the request', () => {
    const request = { requestId: 'both' }
    const accounting = accountingOf(
      facts({ accesses: [research({ ...request, basis: 'CONSENT' }), research({ ...request, path: 'Patient.ssn' })] }),
    )
    expect(counts(accounting)).toEqual({ AUTHORIZATION: 1 })
    expect(accounting.entries).toMatchObject([{ description: 'Name and identifying numbers' }])
    expect(accounting.decisions).toEqual([{ decision: 'FACTS_OF_STUDY', protocol: 'A1C', client: 'acme', count: 1 }])
  })

  it('C20: a consent leaves out no read for public health', () => {
    expect(accountingOf(facts({ accesses: [access({ basis: 'CONSENT' })] })).entries).toHaveLength(1)
  })

  it('C20: lists each disclosure up to 49 individuals, and the protocol from 50 on', () => {
    const few = accountingOf(facts({ accesses: [research()], studies: [study({ individuals: 49 })] }))
    expect([few.entries.length, few.protocols.length]).toEqual([1, 0])
    const many = accountingOf(facts({ accesses: [research()], studies: [study({ individuals: 50 })] }))
    expect([many.entries.length, many.protocols.length]).toEqual([0, 1])
    const shown = without(study(), 'individuals', 'mayIncludeAnyone', 'standing', 'at', 'by')
    expect(many.protocols).toEqual([shown])
  })

  it('C20: lists a protocol for a disclosure that was entered, and for any patient if anyone may be included', () => {
    const byHand = accountingOf(facts({ entries: [entered({ basis: 'RESEARCH', protocol: 'A1C' })], studies: [study()] }))
    expect([byHand.entries.length, byHand.protocols.length]).toEqual([0, 1])
    const anyone = (changes = {}) => accountingOf(facts({ studies: [study({ mayIncludeAnyone: true, ...changes })] })).protocols
    expect(anyone()).toHaveLength(1)
    expect(anyone({ individuals: 49 })).toEqual([])
    expect(anyone({ from: NOW + 1 })).toEqual([])
    expect(anyone({ from: at('2020-01-01'), to: at('2025-12-31') })).toEqual([])
    expect(accountingOf(facts({ studies: [study()] })).protocols).toEqual([])
  })
})

describe('C20: disclosures that were entered', () => {
  const EXCLUDED: readonly Basis[] = [
    'TREATMENT_PAYMENT_OPERATIONS',
    'TO_INDIVIDUAL',
    'INCIDENTAL',
    'AUTHORIZATION',
    'DIRECTORY_OR_CARE',
    'NATIONAL_SECURITY',
    'CORRECTIONAL',
    'LIMITED_DATA_SET',
  ]

  it.each(EXCLUDED)('C20: leaves out %s, and counts it for the privacy officer', (basis) => {
    const accounting = accountingOf(facts({ entries: [entered({ basis })] }))
    expect(accounting.entries).toEqual([])
    expect(counts(accounting)).toEqual({ [basis]: 1 })
  })

  it.each(BASIS_NAMES.filter((basis) => !EXCLUDED.includes(basis)))('C20: lists %s with its provision', (basis) => {
    const accounting = accountingOf(facts({ entries: [entered({ basis })] }))
    expect(accounting.entries).toMatchObject([
      { purpose: `${BASES[basis].words} (${BASES[basis].citation})`, statement: 'Search warrant 12' },
    ])
  })

  it('C20: leaves out what was disclosed before the compliance date', () => {
    expect(exclusionOf('JUDICIAL', at('2003-04-13T23:59:59Z'))).toBe('BEFORE_COMPLIANCE_DATE')
    expect(exclusionOf('JUDICIAL', at('2003-04-14T00:00:00Z'))).toBeUndefined()
  })

  it('C20: has those of the span, and of a repeated one any part', () => {
    const within = (changes: Parameters<typeof entered>[0]) => accountingOf(facts({ entries: [entered(changes)] })).entries.length
    expect(within({ at: at('2025-12-31') })).toBe(0)
    expect(within({ at: at('2026-01-01') })).toBe(1)
    expect(within({ at: at('2025-11-01'), last: at('2026-01-01'), count: 3 })).toBe(1)
    expect(within({ at: at('2025-11-01'), last: at('2025-12-31'), count: 3 })).toBe(0)
    expect(within({ at: NOW + 1 })).toBe(0)
  })

  it('C20: uses the last correction, and nothing of one that was withdrawn', () => {
    const made = { at: NOW, by: 'privacy' }
    const correction = {
      kind: 'CORRECTION',
      ...made,
      of: 1,
      reason: 'typo',
      content: { ...contentOf(), description: 'Visits of May' },
    } as const
    const corrected = accountingOf(facts({ entries: [entered(), correction] }))
    expect(corrected.entries).toMatchObject([{ description: 'Visits of May' }])
    const withdrawal = { kind: 'WITHDRAWAL', ...made, of: 1, reason: 'other patient' } as const
    expect(accountingOf(facts({ entries: [entered(), correction, withdrawal] })).entries).toEqual([])
  })
  const contentOf = () => {
    const entry = entered()
    if (entry.kind !== 'DISCLOSURE') throw new TypeError('a disclosure')
    return entry.content
  }
})

describe('C20: repeated disclosures', () => {
  it('C20: has the first in full, then number, frequency and the last', () => {
    const times = ['2026-05-01', '2026-05-08', '2026-05-15', '2026-05-22'].map((day) => `${day}T10:00:00.000Z`)
    const accounting = accountingOf(facts({ accesses: times.toReversed().map((time) => access({ time })) }))
    expect(forIndividual(accounting).entries).toMatchObject([
      {
        at: at('2026-05-01T10:00:00Z'),
        repeated: { count: 4, last: at('2026-05-22T10:00:00Z'), frequency: '4 times, about once every 7 days' },
      },
    ])
  })

  it('C20: describes information that only a later disclosure had', () => {
    const accounting = accountingOf(
      facts({ accesses: [access(), access({ path: 'Patient.ssn', time: '2026-06-01T00:00:00.000Z' })] }),
    )
    expect(accounting.entries[0]?.description).toBe(
      'Date of birth and other personal details\nLater also: Name and identifying numbers',
    )
  })

  it('C20: never joins other recipients, purposes, or disclosures that were not permitted', () => {
    const police = entered()
    const other = entered({ recipient: { name: 'County Police' } })
    const reason = entered({ purpose: 'Search warrant 13' })
    expect(accountingOf(facts({ entries: [police, other, reason] })).entries).toHaveLength(3)
    const wrong = entered({ basis: 'NOT_PERMITTED' })
    expect(accountingOf(facts({ entries: [wrong, wrong] })).entries).toHaveLength(2)
    const accesses = [access(), access({ purpose: 'HRESCH' }), access({ contract: 'older', client: 'other' })]
    expect(accountingOf(facts({ accesses })).entries).toHaveLength(3)
  })

  it('C20: joins entries that say how often, for a name in another writing', () => {
    const first = entered({ at: at('2026-02-01'), last: at('2026-03-01'), count: 3 })
    const second = entered({ at: at('2026-03-10'), recipient: { name: 'CITY  POLICE.', address: '2 Main Street' } })
    expect(accountingOf(facts({ entries: [second, first] })).entries).toMatchObject([
      { at: at('2026-02-01'), repeated: { count: 4, last: at('2026-03-10') } },
    ])
  })

  it.each([
    ['2026-01-01', 2, '2026-01-09', '2 times'],
    ['2026-01-01', 3, '2026-01-01', '3 times on one day'],
    ['2026-01-01', 8, '2026-01-08', '8 times, about once a day'],
    ['2026-01-01', 80, '2026-01-08', '80 times, several times a day'],
    ['2026-01-01', 3, '2026-03-02', '3 times, about once every 30 days'],
  ])('from %s, %i times until %s: %s', (first, count, last, words) => {
    expect(frequencyOf(at(first), { count, last: at(last) })).toBe(words)
  })
})

describe('C20: suspensions', () => {
  const suspension = (changes = {}) =>
    ({
      kind: 'SUSPENSION',
      at: at('2026-11-01'),
      by: 'privacy',
      agency: 'city police',
      statement: 'WRITTEN',
      statedAt: at('2026-11-01'),
      until: at('2026-12-31'),
      ...changes,
    }) as const

  it('C20: leave the disclosures to the agency out, and say nothing of it to the individual', () => {
    const entries = [entered(), entered({ recipient: { name: 'County Police' } }), suspension()]
    const accounting = accountingOf(facts({ entries }))
    expect(accounting.entries.map(({ recipient }) => recipient.name)).toEqual(['County Police'])
    expect(accounting.suspended).toMatchObject([
      { suspension: { agency: 'city police' }, entries: [{ recipient: { name: 'City Police' } }] },
    ])
    expect(JSON.stringify(forIndividual(accounting)).toLowerCase()).not.toMatch(/city police|suspen|exclu|decision/)
  })

  it('C20: cover what a client of the agency received', () => {
    const accounting = accountingOf(facts({ accesses: [access()], entries: [suspension({ agency: 'ACME registry' })] }))
    expect(accounting.entries).toEqual([])
    expect(accounting.suspended[0]?.entries).toHaveLength(1)
  })

  it('C20: cover no entered disclosure besides oversight and law enforcement', () => {
    for (const basis of BASIS_NAMES.filter((name) => BASES[name].counts)) {
      const covered = basis === 'HEALTH_OVERSIGHT' || basis === 'LAW_ENFORCEMENT'
      const { entries } = accountingOf(facts({ entries: [entered({ basis }), suspension()] }))
      expect([basis, entries.length]).toEqual([basis, covered ? 0 : 1])
    }
  })

  it('C20: end with their time, and early if they are ended', () => {
    const left = (now: number, ...more: readonly ReturnType<typeof endOf>[]) =>
      accountingOf(facts({ entries: [entered(), suspension(), ...more], changes: { now, to: at('2027-01-01') } })).entries.length
    const endOf = (time: number) => ({ kind: 'SUSPENSION_END', at: time, by: 'privacy', of: 2, reason: 'case closed' }) as const
    expect(left(at('2026-10-31'))).toBe(1)
    expect(left(at('2026-11-01'))).toBe(0)
    expect(left(at('2026-12-31'))).toBe(0)
    expect(left(at('2026-12-31') + 1)).toBe(1)
    expect(left(at('2026-11-10') - 1, endOf(at('2026-11-10')))).toBe(0)
    expect(left(at('2026-11-10'), endOf(at('2026-11-10')))).toBe(1)
  })

  it('C20: show the privacy officer one that matches nothing', () => {
    expect(accountingOf(facts({ entries: [suspension({ agency: 'Misspelled' })] })).suspended).toMatchObject([{ entries: [] }])
  })
})
