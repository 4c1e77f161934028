import { createHash } from 'node:crypto'
import { type PolicyTable, PURPOSES_OF_USE } from '../../directives/policy.ts'
import type { Contract } from '../../gateway/model/contract.ts'
import type { Instant } from '../../gateway/model/ids.ts'

const FAR = Date.parse('2126-01-01T00:00:00Z') as Instant

/** A contract that narrows nothing of a policy, with these changes. */
export function contractFor(policy: PolicyTable, client: string, changes: Partial<Omit<Contract, 'digest'>> = {}): Contract {
  const fields = [...policy.phi.values()]
  const contract = {
    client,
    recipient: { name: 'Acme Health Plan', address: '1 Main Street, Springfield' },
    roles: new Set(policy.roles.keys()),
    purposes: new Set(PURPOSES_OF_USE),
    paths: new Set(policy.phi.keys()),
    categories: new Set(fields.map(({ category }) => category)),
    sensitivities: new Set(policy.consent.keys()),
    maxPage: 100,
    valuesPerDay: 1_000_000,
    expiresAt: FAR,
    networks: ['0.0.0.0/0', '::/0'],
    ...changes,
  }
  const text = JSON.stringify(contract, (_name, value: unknown) => (value instanceof Set ? [...value].toSorted() : value))
  return { ...contract, digest: createHash('sha256').update(text).digest('hex') }
}
