import { type DocumentNode, type GraphQLSchema, Kind, type OperationDefinitionNode } from 'graphql'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PolicyTable } from '../../../directives/policy.ts'
import { possibleViewInputs } from '../../decide/view-inputs.ts'
import type { Contract } from '../../model/contract.ts'
import { footprint } from '../footprint.ts'

/** A value that is no boolean: a condition with it counts as met, and an argument with it counts as given. */
const ANY_VALUE = {}

/** The operation of a document; undefined if the document has several. */
export function onlyOperation({ definitions }: DocumentNode): OperationDefinitionNode | undefined {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  return operations.length === 1 ? operations[0] : undefined
}

/**
 * The PHI paths that an operation can read with any variables: each condition is met, each argument is given. Includes the inputs of
 * computed values.
 *
 * @param document validated, with one operation
 * @throws OperationUnknown if it has another number of operations
 */
export function operationReach(schema: GraphQLSchema, policy: PolicyTable, document: DocumentNode): ReadonlySet<SchemaPath> {
  const names = onlyOperation(document)?.variableDefinitions?.map(({ variable }) => variable.name.value) ?? []
  const variables = Object.fromEntries(names.map((name) => [name, ANY_VALUE]))
  const { paths, reads } = footprint(schema, policy, document, undefined, variables)
  const inputs = [...paths].flatMap((path) => policy.computed.get(path) ?? [])
  return new Set([...paths, ...reads, ...inputs])
}

/**
 * Whether a contract admits each of these paths: the path itself, its category and its labels. The same is required of the values
 * that a view of a path needs for a role of the contract. A path without a policy is never admitted.
 */
export function isWithinContract(
  paths: ReadonlySet<SchemaPath>,
  policy: Pick<PolicyTable, 'phi'>,
  contract: Pick<Contract, 'paths' | 'categories' | 'sensitivities' | 'roles'>,
): boolean {
  const admits = (path: SchemaPath): boolean => {
    const field = policy.phi.get(path)
    if (field === undefined || !contract.paths.has(path) || !contract.categories.has(field.category)) return false
    return [...field.sensitivity].every((label) => contract.sensitivities.has(label))
  }
  return [...paths].every((path) => admits(path) && [...possibleViewInputs(policy, path, contract.roles)].every(admits))
}
