import type { Contract } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import type { AppVersion, RegisteredOperation } from '../../model/registered-operation.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Grant, PolicyTable } from '../../../directives/policy.ts'
import { safeHarborClass } from '../../../directives/table.ts'
import { type ContractJson, contractJson } from './contract-text.ts'
import { proofFaultText } from './proof-fault-text.ts'
import { largest, type Proof, type ProofFault } from './prove.ts'
import { anyone, reachOf, usableGrants } from './reach.ts'

/** A publication: operations of a client, with their proofs. */
export interface Publication {
  readonly client: string
  readonly contract: Contract | undefined
  readonly policy: PolicyTable
  readonly app?: AppVersion
  readonly operations: readonly { readonly operation: Pick<RegisteredOperation, 'id' | 'name' | 'text'>; readonly proof: Proof }[]
  /** Absent if nothing was approved: after a refusal, or in a dry run. */
  readonly approval?: { readonly by: string; readonly at: Instant }
}

/** The report of a publication, as JSON. The privacy officer keeps it on file (45 CFR 164.316(b)(1)). */
export interface PublicationReport {
  readonly client: string
  readonly verdict: 'APPROVED' | 'PROVED' | 'REFUSED'
  readonly app?: AppVersion
  readonly approvedBy?: string
  /** ISO 8601. */
  readonly approvedAt?: string
  readonly policyDigest: string
  readonly contractDigest?: string
  readonly contract?: ContractJson
  /** The paths of the contract, in the order of the schema. */
  readonly paths: readonly ReportedPath[]
  readonly operations: readonly ReportedOperation[]
}

export interface ReportedPath {
  readonly path: string
  readonly category: string
  /** `(C) DATE`, or `-`. */
  readonly safeHarbor: string
  readonly sensitivities: readonly string[]
  /** The grants that permit the path to the roles and purposes of the contract. */
  readonly grants: readonly {
    readonly rule: string
    readonly relationship: string
    readonly view: string
    readonly actions: readonly string[]
  }[]
}

export interface ReportedOperation {
  readonly id: string
  readonly name: string
  readonly text: string
  readonly verdict: 'PROVED' | 'REFUSED'
  readonly paths: readonly string[]
  /** The paths that arguments read. */
  readonly reads: readonly string[]
  /** The paths that computed values and views open besides. */
  readonly inputs: readonly string[]
  readonly pages: readonly { readonly field: string; readonly size: number }[]
  readonly faults: readonly (ProofFault & { readonly message: string })[]
}

export function publicationReport(publication: Publication): PublicationReport {
  const { client, contract, policy, app, approval } = publication
  const admitted = contract ?? anyone(policy)
  const operations = publication.operations.map(({ operation: { id, name, text }, proof: { operation, faults } }) => {
    const reach = operation && reachOf(operation.footprint, policy, admitted)
    return {
      ...{ id, name, text },
      verdict: faults.length === 0 ? ('PROVED' as const) : ('REFUSED' as const),
      paths: inSchemaOrder(policy, reach?.paths),
      reads: inSchemaOrder(policy, reach?.reads),
      inputs: inSchemaOrder(policy, reach?.inputs),
      pages: largest(operation?.pages ?? []).map(([field, size]) => ({ field, size })),
      faults: faults.map((fault) => ({ ...fault, message: proofFaultText(fault) })),
    }
  })
  const isRefused = operations.some(({ verdict }) => verdict === 'REFUSED')
  return {
    client,
    verdict: isRefused ? 'REFUSED' : approval === undefined ? 'PROVED' : 'APPROVED',
    ...(app !== undefined && { app }),
    ...(approval !== undefined && { approvedBy: approval.by, approvedAt: new Date(approval.at).toISOString() }),
    policyDigest: policy.digest,
    ...(contract !== undefined && { contractDigest: contract.digest, contract: contractJson(contract) }),
    paths: contract === undefined ? [] : reportedPaths(policy, contract),
    operations,
  }
}

/** The paths of a contract, in the order of the schema. */
export function reportedPaths(policy: PolicyTable, contract: Contract): readonly ReportedPath[] {
  return inSchemaOrder(policy, contract.paths).map((path) => reportedPath(path, policy, contract))
}

function reportedPath(path: SchemaPath, policy: PolicyTable, contract: Contract): ReportedPath {
  const phi = policy.phi.get(path)
  const grants = new Set((['READ', 'SEARCH'] as const).flatMap((action) => usableGrants(path, policy, contract, action)))
  return {
    path,
    category: phi?.category ?? '-',
    safeHarbor: safeHarborClass(phi?.identifier),
    sensitivities: [...(phi?.sensitivity ?? [])],
    grants: [...grants].map(({ rule, relationship, view, actions }: Grant) => ({
      rule,
      relationship,
      view,
      actions: [...actions],
    })),
  }
}

/** Paths that the policy does not know come last. */
function inSchemaOrder(policy: PolicyTable, paths: ReadonlySet<SchemaPath> = new Set()): readonly SchemaPath[] {
  return [...[...policy.phi.keys()].filter((path) => paths.has(path)), ...[...paths].filter((path) => !policy.phi.has(path))]
}
