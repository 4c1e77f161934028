import type { Contract } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import { type PolicyTable, PURPOSES_OF_USE } from '../../../directives/policy.ts'
import { REFRAINS } from '../../../directives/record-labels.ts'

/** What is wrong with a member, and how to correct it. */
const MESSAGES = {
  NOT_JSON: 'is not valid JSON. Correct its syntax.',
  MISSING: 'is missing. Add it: docs/contracts.md has the format.',
  UNKNOWN_MEMBER: 'is not a member of a contract. Remove it, or correct its name.',
  INVALID: 'has an invalid value. Correct it: docs/contracts.md has the format.',
  TOO_MANY: 'has too many entries. docs/contracts.md has the limits.',
  TOO_LARGE: 'is too large to be stored. Remove paths or networks.',
  NOT_A_NETWORK: 'is not a network. Write it in CIDR notation, with zeros after the prefix: 192.0.2.0/24.',
  UNKNOWN_ROLE: 'is not a role of the schema. Use a value of the enum Role.',
  UNKNOWN_PURPOSE: 'is not a purpose of use. Use a value of the enum PurposeOfUse.',
  UNCLAIMABLE_PURPOSE: 'cannot be claimed by any role of the contract. Remove the purpose, or add a role that may claim it.',
  UNKNOWN_PATH: 'is not a PHI path of the schema. Correct it, or remove it.',
  UNKNOWN_CATEGORY: 'is not the category of any PHI path. Use a value of the enum Category that the schema uses.',
  UNKNOWN_LABEL: 'is not a label of the schema. Use a sensitivity, or a confidentiality or refrain policy that closes records.',
  EXPIRED: 'is in the past. Use a time in the future.',
} as const

export type ContractFaultReason = keyof typeof MESSAGES

/** A fault of a contract. */
export interface ContractFault {
  /** The place in the JSON: `paths[3]`, `recipient.name`. Empty for the contract as a whole. */
  readonly member: string
  readonly reason: ContractFaultReason
  /** The name in the contract that is at fault: a role, a purpose, a path, a category or a label. */
  readonly name?: string
}

/** A contract is refused. The message names each member, and repeats only names that could be names of a schema. */
export class ContractRefused extends Error {
  override readonly name = 'ContractRefused'
  readonly faults: readonly ContractFault[]
  constructor(faults: readonly ContractFault[]) {
    super(faults.map(faultText).join('\n'))
    this.faults = faults
  }
}

/** One line for a person: `paths[3] Patient.sssn is not a PHI path of the schema. ...` */
export function faultText({ member, reason, name }: ContractFault): string {
  return [member === '' ? 'The contract' : member, ...(name === undefined ? [] : [name]), MESSAGES[reason]].join(' ')
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,199}$/

/** Adds the name to a fault, if the text has the form of a name. Any other text could confuse a terminal. */
export function faultOf(member: string, reason: ContractFaultReason, name?: unknown): ContractFault {
  return { member, reason, ...(typeof name === 'string' && NAME.test(name) && { name }) }
}

/**
 * The faults of a contract under a policy, in the order of the members: names that the policy does not have, a purpose that no role
 * of the contract may claim, and an expiry in the past. Lists are in the order in which the contract names them.
 */
export function contractFaults(contract: Contract, policy: PolicyTable, now: Instant): readonly ContractFault[] {
  const purposes: ReadonlySet<string> = new Set(PURPOSES_OF_USE)
  const claimable = new Set<string>([...contract.roles].flatMap((role) => policy.roles.get(role)?.mayClaim ?? []))
  const categories = new Set([...policy.phi.values()].map(({ category }) => category))
  const sensitivities = [...policy.phi.values()].flatMap(({ sensitivity }) => [...sensitivity])
  const labels = new Set<string>([...policy.consent.keys(), ...sensitivities, ...REFRAINS])
  return [
    ...unknown('roles', contract.roles, policy.roles, 'UNKNOWN_ROLE'),
    ...unknown('purposes', contract.purposes, purposes, 'UNKNOWN_PURPOSE'),
    ...[...contract.purposes].flatMap((purpose, place) =>
      purposes.has(purpose) && !claimable.has(purpose) ? faultOf(`purposes[${place}]`, 'UNCLAIMABLE_PURPOSE', purpose) : [],
    ),
    ...unknown('paths', contract.paths, policy.phi, 'UNKNOWN_PATH'),
    ...unknown('categories', contract.categories, categories, 'UNKNOWN_CATEGORY'),
    ...unknown('sensitivities', contract.sensitivities, labels, 'UNKNOWN_LABEL'),
    ...(contract.expiresAt <= now ? [faultOf('expires', 'EXPIRED')] : []),
  ]
}

function unknown<Name extends string>(
  member: string,
  names: ReadonlySet<Name>,
  known: { has(name: Name): boolean },
  reason: ContractFaultReason,
): readonly ContractFault[] {
  return [...names].flatMap((name, place) => (known.has(name) ? [] : faultOf(`${member}[${place}]`, reason, name)))
}
