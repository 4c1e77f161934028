import { compilePolicy } from '../../../../directives/compile.ts'
import type { Contract } from '../../../../gateway/model/contract.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import { type ContractJson, contractJson, parseContract } from '../../../../gateway/operations/contracts/contract-text.ts'
import type { Proof } from '../../../../gateway/operations/contracts/prove.ts'
import { Prover } from '../../../../gateway/operations/contracts/prove.ts'
import { readManifest, type ManifestOperation } from '../../../../gateway/operations/persisted/manifest.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import { dentalTypeDefs } from '../../../../examples/dental/schema.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'

export const NOW = Date.parse('2026-06-01T00:00:00Z') as Instant

export const clinic = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
export const dental = compilePolicy(dentalTypeDefs(), { relationships: 'unchecked' })
export const clinicProver = new Prover({ ...clinic, limits: DEFAULT_LIMITS })
export const dentalProver = new Prover({ ...dental, limits: DEFAULT_LIMITS })

/** A valid contract of the clinic. */
export const PAYER: ContractJson = {
  client: 'acme',
  recipient: { name: 'Acme Health Plan', address: '1 Payer Street, Springfield', reference: 'Organization/acme' },
  roles: ['PARTNER'],
  purposes: ['HPAYMT'],
  paths: ['Claim.status', 'Claim.total', 'Patient.claims', 'Patient.mrn'],
  categories: ['FINANCIAL', 'IDENTITY'],
  sensitivities: [],
  maxPage: 20,
  valuesPerDay: 50_000,
  expires: '2027-12-31T00:00:00.000Z',
  networks: ['192.0.2.0/24'],
}

export const contractOf = (changes: Partial<ContractJson> = {}): Contract => parseContract({ ...PAYER, ...changes })

/** The contract with one name fewer in a list. */
export function without(
  contract: Contract,
  list: 'paths' | 'categories' | 'sensitivities' | 'roles' | 'purposes',
  name: string,
): Contract {
  const names = new Set([...contract[list]].filter((other) => other !== name))
  return { ...contract, [list]: names }
}

export const changed = (contract: Contract, changes: Partial<ContractJson>): Contract =>
  parseContract({ ...contractJson(contract), ...changes })

/** The faults of a proof as short texts: `Patient.ssn NOT_IN_CONTRACT`. */
export function faultsOf({ faults }: Proof): readonly string[] {
  return faults.map((fault) => {
    switch (fault.kind) {
      case 'PATH':
        return [fault.path, fault.reason, fault.lacks ?? ''].join(' ').trim()
      case 'DOCUMENT':
        return fault.code
      case 'ROOT':
        return fault.root
      case 'PAGE':
        return `${fault.coordinate} ${fault.size}`
      case 'COST':
        return `COST ${fault.cost.values}`
    }
    return fault satisfies never
  })
}

/** A manifest of Relay with operations under their names as ids. */
export function operations(texts: Readonly<Record<string, string>>): readonly ManifestOperation[] {
  return readManifest(JSON.stringify(texts))
}
