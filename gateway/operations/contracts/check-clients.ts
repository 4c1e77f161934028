import type { Instant } from '../../model/ids.ts'
import { type ContractFault, contractFaults, faultText } from './contract-faults.ts'
import type { EvolvingClient } from './evolving-client.ts'
import { proofFaultText } from './proof-fault-text.ts'
import type { ProofFault, Prover } from './prove.ts'

/** An operation of a client that exceeds its contract or the policy. */
export interface ExceedingOperation {
  readonly client: string
  readonly id: string
  readonly name: string
  readonly faults: readonly (ProofFault & { readonly message: string })[]
}

/** A contract with names that the policy does not have, or that is over. */
interface FaultyContract {
  readonly client: string
  readonly faults: readonly (ContractFault & { readonly message: string })[]
}

/** The state of all operations and contracts under one schema and policy. */
export interface ClientCheck {
  readonly policyDigest: string
  readonly clients: number
  readonly operations: number
  readonly refused: readonly ExceedingOperation[]
  readonly contracts: readonly FaultyContract[]
}

/** Proves all operations of clients again. */
export function checkClients(prover: Prover, clients: readonly EvolvingClient[], now: Instant): ClientCheck {
  const { policy } = prover.parts
  return {
    policyDigest: policy.digest,
    clients: clients.length,
    operations: clients.reduce((sum, { operations }) => sum + operations.length, 0),
    refused: clients.flatMap((client) => exceedingOperations(prover, client)),
    contracts: clients.flatMap(({ client, contract }) => {
      const faults = contract === undefined ? [] : contractFaults(contract, policy, now)
      return faults.length === 0 ? [] : [{ client, faults: faults.map((fault) => ({ ...fault, message: faultText(fault) })) }]
    }),
  }
}

/** The operations of a client that exceed its contract or the policy, with every reason. */
export function exceedingOperations(
  prover: Prover,
  { client, contract, operations }: EvolvingClient,
): readonly ExceedingOperation[] {
  return operations.flatMap(({ id, name, text }) => {
    const { faults } = prover.prove(text, contract)
    return faults.length === 0 ? [] : [{ client, id, name, faults: faults.map(withMessage) }]
  })
}

const withMessage = (fault: ProofFault): ProofFault & { readonly message: string } => ({ ...fault, message: proofFaultText(fault) })

/** Whether every operation of every client is within its contract and the policy. */
export const isSound = ({ refused, contracts }: Pick<ClientCheck, 'refused' | 'contracts'>): boolean =>
  refused.length === 0 && contracts.length === 0
