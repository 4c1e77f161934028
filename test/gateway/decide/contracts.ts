import type { RecordLabel } from '../../../directives/policy.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { clinic, NOW } from './clinic-policy.ts'

const { phi, roles, consent } = clinic.policy

/** A contract that admits everything of the shipped schema, so that a test names only what it narrows. */
export function contractWith(change: Partial<Contract> = {}): Contract {
  return {
    client: 'acme',
    recipient: { name: 'Acme Health Plan', address: '1 Elm Street, Springfield', reference: 'Organization/acme' },
    roles: new Set(roles.keys()),
    purposes: new Set(['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH']),
    paths: new Set(phi.keys()),
    categories: new Set([...phi.values()].map(({ category }) => category)),
    sensitivities: new Set(consent.keys() as Iterable<RecordLabel>),
    maxPage: 100,
    valuesPerDay: 50_000,
    expiresAt: (NOW + 1) as Instant,
    networks: [],
    digest: 'c0'.repeat(32),
    ...change,
  }
}
