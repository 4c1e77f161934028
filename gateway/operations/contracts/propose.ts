import type { Contract, Recipient } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import { MAX_PAGE } from '../../model/list.ts'
import { permitsChange } from '../../../directives/actions.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PurposeOfUse, Role } from '../../../directives/policy.ts'
import type { Footprint } from '../footprint.ts'
import type { ManifestOperation } from '../persisted/manifest.ts'
import { contractJson, parseContract } from './contract-text.ts'
import type { MeasuredOperation, Proof, ProofFault, Prover } from './prove.ts'
import { type Admitted, reachOf, ungranted } from './reach.ts'

/** PHI values a day, unless given: one hour of the default limit for partners. */
export const DEFAULT_VALUES_PER_DAY = 50_000

/** The part of a contract that no operation shows. */
export interface ProposalTerms {
  readonly client: string
  readonly recipient: Recipient
  readonly expiresAt: Instant
  readonly networks: readonly string[]
  /** The roles to choose from. Without them: all roles of kind PARTNER. */
  readonly roles?: ReadonlySet<Role>
  /** The purposes to choose from. Without them: all purposes that the roles may claim. */
  readonly purposes?: ReadonlySet<PurposeOfUse>
  readonly valuesPerDay?: number
}

export interface Proposal {
  /** The smallest contract under which all other operations are proved. */
  readonly contract: Contract
  /** The operations that no contract with these roles and purposes admits. Their paths are not in the contract. */
  readonly refused: readonly { readonly operation: ManifestOperation; readonly faults: readonly ProofFault[] }[]
}

/**
 * Proposes the smallest contract for some operations. Without any of its paths, categories, sensitivities, roles or purposes, some
 * operation fails. The exception: a contract has at least one role and one purpose, also if no operation needs them. The page size is
 * the largest in the texts, their defaults and the defaults of the schema. If a required variable sets it, the default of the schema counts.
 * The labels of records are no part of an operation: an
 * operator adds the sensitivities that the client may receive.
 *
 * @throws ContractRefused if the terms are invalid, or there is no role to choose from
 */
export function proposeContract(prover: Prover, operations: readonly ManifestOperation[], terms: ProposalTerms): Proposal {
  const { policy } = prover.parts
  const roles = terms.roles ?? new Set([...policy.roles.values()].filter(({ kind }) => kind === 'PARTNER').map(({ role }) => role))
  const purposes = terms.purposes ?? new Set([...roles].flatMap((role) => policy.roles.get(role)?.mayClaim ?? []))
  const proofs = operations.map((operation) => ({ operation, proof: proveWithin(prover, operation, { roles, purposes }) }))
  const admitted = proofs.flatMap(({ proof }) => (proof.faults.length === 0 && proof.operation ? [proof.operation] : []))
  const needed = unionOf(admitted)
  const subject = smallestAdmitted(needed, prover, { roles, purposes })
  const reach = reachOf(needed, policy, subject)
  const paths = new Set<SchemaPath>([...reach.paths, ...reach.reads, ...reach.inputs])
  const phi = [...paths].flatMap((path) => policy.phi.get(path) ?? [])
  const { valuesPerDay = DEFAULT_VALUES_PER_DAY, client, recipient, expiresAt, networks } = terms
  const proposed = {
    ...{ client, recipient, expiresAt, networks, valuesPerDay, ...subject, paths },
    categories: new Set(phi.map(({ category }) => category)),
    sensitivities: new Set(phi.flatMap(({ sensitivity }) => [...sensitivity])),
    maxPage: Math.max(1, ...admitted.flatMap(({ pages }) => pages.map((page) => page.size ?? page.schemaDefault ?? MAX_PAGE))),
  }
  return {
    contract: parseContract(contractJson(proposed)),
    refused: proofs.flatMap(({ operation, proof: { faults } }) => (faults.length === 0 ? [] : [{ operation, faults }])),
  }
}

/** Proves an operation under the largest contract with these roles and purposes. */
function proveWithin(prover: Prover, { text }: ManifestOperation, admitted: Admitted): Proof {
  const { policy } = prover.parts
  const everything = [...policy.phi.values()]
  return prover.prove(text, {
    ...admitted,
    client: '',
    recipient: { name: '', address: '' },
    paths: new Set(policy.phi.keys()),
    categories: new Set(everything.map(({ category }) => category)),
    sensitivities: new Set(everything.flatMap(({ sensitivity }) => [...sensitivity])),
    maxPage: MAX_PAGE,
    valuesPerDay: 0,
    expiresAt: 0 as Instant,
    networks: [],
    digest: '',
  })
}

/** The needs of all operations together. */
interface Needed extends Pick<Footprint, 'paths' | 'reads' | 'roots'> {
  /** The values of the costliest operation. */
  readonly values: number
}

function unionOf(operations: readonly MeasuredOperation[]): Needed {
  return {
    paths: new Set(operations.flatMap(({ footprint: { paths } }) => [...paths])),
    reads: new Set(operations.flatMap(({ footprint: { reads } }) => [...reads])),
    roots: new Set(operations.flatMap(({ footprint: { roots } }) => [...roots])),
    values: Math.max(0, ...operations.map(({ cost }) => cost.values)),
  }
}

/**
 * Leaves out one role or purpose after the other, as long as the rest still grants everything. More roles and purposes never grant
 * less, so that no further one can be left out of the result. The first to leave out is BTG, because break-glass replaces TREAT and
 * a missing relationship. Then come those that grant the most paths of the policy, and among equals the last of the schema.
 */
function smallestAdmitted(needed: Needed, prover: Prover, from: Admitted): Admitted {
  const grants = [...prover.parts.policy.phi.values()].flatMap((phi) => phi.grants).filter((grant) => !permitsChange(grant))
  const weight = (name: Role | PurposeOfUse) =>
    name === 'BTG'
      ? Infinity
      : grants.filter((grant) => grant.roles.has(name as Role) || grant.purposes.has(name as PurposeOfUse)).length
  const heaviestFirst = <Name extends Role | PurposeOfUse>(names: ReadonlySet<Name>): readonly Name[] =>
    [...names].toReversed().toSorted((a, b) => weight(b) - weight(a))
  let { roles, purposes } = from
  for (const role of heaviestFirst(roles)) {
    const fewer = without(roles, role)
    if (grantsAll(needed, prover, { roles: fewer, purposes })) roles = fewer
  }
  for (const purpose of heaviestFirst(purposes)) {
    const fewer = without(purposes, purpose)
    if (grantsAll(needed, prover, { roles, purposes: fewer })) purposes = fewer
  }
  return { roles, purposes }
}

function grantsAll(needed: Needed, prover: Prover, admitted: Admitted): boolean {
  const { policy } = prover.parts
  const roles = [...admitted.roles]
  const isClaimable = roles.some((role) => policy.roles.get(role)?.mayClaim.some((purpose) => admitted.purposes.has(purpose)))
  const isCallable = [...needed.roots].every((root) => {
    const call = policy.calls.get(root)
    return call === undefined || roles.some((role) => call.roles.has(role))
  })
  const isWithinCost = needed.values <= prover.limitFor(roles).values
  return isClaimable && isCallable && isWithinCost && ungranted(needed, policy, admitted).length === 0
}

const without = <Name>(names: ReadonlySet<Name>, name: Name): ReadonlySet<Name> =>
  new Set([...names].filter((other) => other !== name))
