import { diff } from '@graphql-inspector/core'
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse } from 'graphql'
import type { Contract } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import type { CompiledPolicy } from '../../../directives/compile.ts'
import { diffLocks, type LockDiff } from '../../../directives/lock-diff.ts'
import type { Limits } from '../value-limits.ts'
import { type ContractFault, contractFaults } from './contract-faults.ts'
import { MeasuredTexts } from './measured-texts.ts'
import { type ProofFault, Prover } from './prove.ts'
import { anyone } from './reach.ts'
import { usedCoordinates } from './used-coordinates.ts'
import { PolicyWidening, type Widening } from './widening.ts'
import type { EvolvingClient } from './evolving-client.ts'

/** A change of a schema or policy, and everything that it could affect. */
export interface EvolutionParts {
  readonly before: CompiledPolicy
  readonly after: CompiledPolicy
  readonly clients: readonly EvolvingClient[]
  readonly limits: Pick<Limits, 'operation' | 'answer'>
  readonly now: Instant
}

/** A change of the schema that can affect clients, as graphql-inspector classifies it. */
interface SchemaChange {
  readonly criticality: 'BREAKING' | 'DANGEROUS'
  /** `FIELD_REMOVED`, `FIELD_ARGUMENT_ADDED`, ... */
  readonly type: string
  /** `Patient.claims.since` */
  readonly path: string
  readonly message: string
}

type PolicyChange = LockDiff['other'][number]

interface OperationRef {
  readonly client: string
  readonly id: string
  readonly name: string
}

export interface BrokenOperation extends OperationRef {
  /** The faults that the operation did not have before. */
  readonly faults: readonly ProofFault[]
  /** The changes of parts of the schema that the operation uses. */
  readonly schemaChanges: readonly SchemaChange[]
  /** The changes of the policy at the paths of the faults. */
  readonly policyChanges: readonly PolicyChange[]
}

interface WidenedOperation extends OperationRef {
  readonly widenings: readonly Widening[]
}

/** The effect of a change on all operations of all clients. */
export interface Evolution {
  readonly operations: number
  readonly broken: readonly BrokenOperation[]
  readonly widened: readonly WidenedOperation[]
  /** The operations that were refused before, too, and have no new faults. */
  readonly refusedBefore: readonly OperationRef[]
  /** The contracts with names that the changed policy does not have. */
  readonly contracts: readonly { readonly client: string; readonly faults: readonly ContractFault[] }[]
  /** All breaking and dangerous changes of the schema, also those that no operation uses. */
  readonly schemaChanges: readonly SchemaChange[]
  readonly policyChanges: LockDiff
}

/**
 * Proves all operations again under a changed schema and policy, and names those that would break and those that could give more.
 * Rules of consent and roles act on all operations: `policyChanges` names their changes.
 */
export async function evolve(parts: EvolutionParts): Promise<Evolution> {
  const { before, after, clients, now } = parts
  const policyChanges = diffLocks(before.lock, after.lock)
  const schemaChanges = await changesOf(before.schema, after.schema)
  const run = new Run(parts, { schemaChanges, policyChanges })
  for (const client of clients) run.check(client, now)
  const operations = clients.reduce((sum, client) => sum + client.operations.length, 0)
  const { broken, widened, refusedBefore, contracts } = run
  return { operations, broken, widened, refusedBefore, contracts, schemaChanges, policyChanges }
}

type Changes = Pick<Evolution, 'schemaChanges' | 'policyChanges'>

class Run {
  readonly broken: BrokenOperation[] = []
  readonly widened: WidenedOperation[] = []
  readonly refusedBefore: OperationRef[] = []
  readonly contracts: Evolution['contracts'][number][] = []
  readonly #before: Prover
  readonly #after: Prover
  readonly #changes: Changes
  readonly #texts: MeasuredTexts
  /** For all clients without a contract. */
  readonly #wideningOfAny: PolicyWidening

  constructor({ before, after, clients, limits }: EvolutionParts, changes: Changes) {
    this.#before = new Prover({ ...before, limits })
    this.#after = new Prover({ ...after, limits })
    const texts = clients.flatMap(({ operations }) => operations.map(({ text }) => text))
    this.#texts = new MeasuredTexts(this.#before, this.#after, texts)
    this.#changes = changes
    this.#wideningOfAny = new PolicyWidening(before.policy, after.policy, anyone(after.policy))
  }

  check({ client, contract, operations }: EvolvingClient, now: Instant): void {
    const [before, after] = [this.#before.parts.policy, this.#after.parts.policy]
    if (contract !== undefined) {
      const known = new Set(contractFaults(contract, before, now).map((fault) => JSON.stringify(fault)))
      const faults = contractFaults(contract, after, now).filter((fault) => !known.has(JSON.stringify(fault)))
      if (faults.length > 0) this.contracts.push({ client, faults })
    }
    const widening = contract === undefined ? this.#wideningOfAny : new PolicyWidening(before, after, contract)
    for (const { id, name, text } of operations) this.#checkOperation({ client, id, name }, text, contract, widening)
  }

  #checkOperation(ref: OperationRef, text: string, contract: Contract | undefined, widening: PolicyWidening): void {
    const measured = this.#texts.of(text)
    const { faults } = this.#after.judge(measured.after, contract)
    if (faults.length > 0) this.#refused(ref, text, contract, faults)
    if (!('footprint' in measured)) return
    const widenings = widening.of(measured.footprint, measured.after.footprint)
    if (widenings.length > 0) this.widened.push({ ...ref, widenings })
  }

  #refused(ref: OperationRef, text: string, contract: Contract | undefined, faults: readonly ProofFault[]): void {
    const known = new Set(this.#before.judge(this.#texts.before(text), contract).faults.map((fault) => JSON.stringify(fault)))
    const caused = faults.filter((fault) => !known.has(JSON.stringify(fault)))
    if (caused.length === 0) this.refusedBefore.push(ref)
    else this.broken.push({ ...ref, faults: caused, ...this.#causes(text, caused) })
  }

  #causes(text: string, faults: readonly ProofFault[]): Pick<BrokenOperation, 'schemaChanges' | 'policyChanges'> {
    const { schemaChanges, policyChanges } = this.#changes
    const subjects = new Set<string>(
      faults.flatMap((fault) => {
        if (fault.kind === 'ROOT') return [fault.root]
        if (fault.kind !== 'PATH') return []
        const policies = [this.#before, this.#after].map(({ parts }) => parts.policy.phi.get(fault.path))
        return [fault.path, ...policies.flatMap((phi) => phi?.coordinate ?? [])]
      }),
    )
    const all = [...policyChanges.narrowed, ...policyChanges.widened, ...policyChanges.other]
    return {
      schemaChanges: relevantChanges([this.#before.parts.schema, this.#after.parts.schema], text, schemaChanges),
      policyChanges: all.filter(({ subject }) => subjects.has(subject)),
    }
  }
}

/** The changes at parts of the schemas that an operation uses. None for a text that the parser refuses. */
function relevantChanges(
  schemas: readonly GraphQLSchema[],
  text: string,
  changes: readonly SchemaChange[],
): readonly SchemaChange[] {
  if (changes.length === 0) return []
  let document: DocumentNode
  try {
    document = parse(text)
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    return []
  }
  const used = new Set(schemas.flatMap((schema) => [...usedCoordinates(schema, document)]))
  return changes.filter(({ type, path }) => {
    // a new required argument breaks each use of its field, and a changed value each use of its enum
    const owner = path.slice(0, Math.max(0, path.lastIndexOf('.')))
    return used.has(path) || (ACTS_ON_OWNER.has(type) && used.has(owner))
  })
}

const ACTS_ON_OWNER: ReadonlySet<string> = new Set([
  'FIELD_ARGUMENT_ADDED',
  'INPUT_FIELD_ADDED',
  'ENUM_VALUE_ADDED',
  'ENUM_VALUE_REMOVED',
])

async function changesOf(before: GraphQLSchema, after: GraphQLSchema): Promise<readonly SchemaChange[]> {
  const changes = await diff(before, after)
  return changes.flatMap(({ criticality, type, path = '', message }): readonly SchemaChange[] => {
    const level: string = criticality.level
    // the policy is compared by its lock, which knows the effect of its directives
    if (String(type).startsWith('DIRECTIVE_USAGE_') || (level !== 'BREAKING' && level !== 'DANGEROUS')) return []
    return [{ criticality: level, type: String(type), path, message }]
  })
}
