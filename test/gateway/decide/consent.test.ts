import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consentVerdict, type Footing } from '../../../gateway/decide/consent.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, RecordLabel, Role, Sensitivity } from '../../../directives/policy.ts'
import { clinic } from './clinic-policy.ts'
import { asked, askedUnderContract, consent, CONSENT_NOW as NOW, FOOTINGS, LABELS } from './consent-arbitraries.ts'
import { type Asked, modelVerdict } from './consent-model.ts'
import { contractWith } from './contracts.ts'

const rules = clinic.policy.consent

function verdictOf(of: Asked & { readonly footing: Footing }) {
  const { organization, encounter, contract } = of
  return consentVerdict(
    new Set(of.fieldLabels as Sensitivity[]),
    of.footing,
    {
      fhirUser: of.user,
      roles: new Set(of.roles as Role[]),
      purpose: of.purpose as PurposeOfUse,
      ...(organization !== undefined && { organization }),
      ...(contract !== undefined && {
        contract: contractWith({
          recipient: recipientOf(contract.recipient),
          sensitivities: new Set(contract.labels as RecordLabel[]),
          roles: new Set(contract.roles as Role[]),
        }),
      }),
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

/** Generated requests of each property. */
const REQUESTS = Number(process.env['CONSENT_REQUESTS'] ?? 4_000)

const recipientOf = (reference: string | undefined) => ({ name: 'Acme', address: 'Elm Street 1', ...(reference && { reference }) })

describe('P3: the verdict of consents', () => {
  it.each([
    ['any request', asked],
    ['any request under a contract', askedUnderContract],
  ])('equals the verdict of the model for %s', (_, requests) => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(requests, (of) => {
        const expected = modelVerdict(of)
        seen.set(expected, (seen.get(expected) ?? 0) + 1)
        expect(verdictOf(of).kind).toBe(expected)
      }),
      { numRuns: REQUESTS },
    )
    // the property must cover each verdict: the rarest is 1 in 150 requests
    for (const verdict of ['OPEN', 'CLOSED', 'UNKNOWN']) expect(seen.get(verdict)).toBeGreaterThan(REQUESTS / 400)
  })

  it('a further denial opens nothing, a further permission closes nothing, and an outage opens nothing that is closed without consents', () => {
    const open = (of: Asked & { readonly footing: Footing }): boolean => verdictOf(of).kind === 'OPEN'
    fc.assert(
      fc.property(fc.oneof(asked, askedUnderContract), consent, (of, more) => {
        if (of.consents === 'OUTAGE') {
          if (open(of)) expect(open({ ...of, consents: [] })).toBe(true)
          return
        }
        const after = open({ ...of, consents: [...of.consents, more] })
        if (more.effect === 'DENY') expect(!after || open(of)).toBe(true)
        else expect(after || !open(of)).toBe(true)
      }),
      { numRuns: REQUESTS / 2 },
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

  // a consent can name the recipient of the contract, so the caller without a contract is one of the recipient's organization
  it('a contract opens nothing that is closed or unknown to a caller of its recipient without it', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(askedUnderContract, (of) => {
        const [under, without] = [
          verdictOf(of).kind,
          verdictOf({ ...of, organization: of.contract.recipient, contract: undefined }).kind,
        ]
        seen.set(`${without} ${under}`, (seen.get(`${without} ${under}`) ?? 0) + 1)
        if (under === 'OPEN') expect(without).toBe('OPEN')
      }),
      { numRuns: REQUESTS },
    )
    for (const pair of ['OPEN OPEN', 'OPEN CLOSED']) expect(seen.get(pair)).toBeGreaterThan(REQUESTS / 400)
  })
})
