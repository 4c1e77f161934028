import { getOperationAST, Kind, NoSchemaIntrospectionCustomRule, specifiedRules } from 'graphql'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import type { Contract } from '../../model/contract.ts'
import type { FailureCode } from '../../model/failures.ts'
import { MAX_PAGE } from '../../model/list.ts'
import type { Coordinate, SchemaPath } from '../../../directives/coordinates.ts'
import type { PolicyTable, Role } from '../../../directives/policy.ts'
import { type Cost, costOf } from '../cost.ts'
import { type DocumentRefusal, readDocument } from '../documents.ts'
import { type Footprint, largestFootprint } from '../footprint.ts'
import { type PageSize, pageSizes } from '../page-sizes.ts'
import type { Limits } from '../value-limits.ts'
import { excessOf, type PathExcess, ungranted } from './reach.ts'

/** The schema and the limits under which operations are proved. */
export interface ProofParts {
  readonly schema: GraphQLSchema
  readonly policy: PolicyTable
  readonly limits: Pick<Limits, 'operation' | 'answer'>
}

/** A reason for which an operation is refused. */
export type ProofFault =
  | { readonly kind: 'DOCUMENT'; readonly code: FailureCode; readonly locations?: DocumentRefusal['locations'] }
  | ({ readonly kind: 'PATH' } & PathExcess)
  /** A root field that none of the contract's roles may call. */
  | { readonly kind: 'ROOT'; readonly root: Coordinate }
  /** A page size in the text, or a default, above the page size of the contract. */
  | { readonly kind: 'PAGE'; readonly coordinate: Coordinate; readonly size: number }
  | { readonly kind: 'COST'; readonly cost: Cost; readonly limit: Cost }

/** The proof of one operation. It is proved if it has no faults. */
export interface Proof {
  /** All that exceeds, not only the first. Paths are in the order of the schema. */
  readonly faults: readonly ProofFault[]
  /** Absent if the document is refused. */
  readonly operation?: MeasuredOperation
}

/** An operation in its largest form: with all conditional fields, and all variables given. */
export interface MeasuredOperation {
  readonly footprint: Footprint
  readonly pages: readonly PageSize[]
  readonly cost: Cost
}

/** Proves operations against one schema. */
export class Prover {
  readonly parts: ProofParts
  readonly #order: ReadonlyMap<SchemaPath, number>

  constructor(parts: ProofParts) {
    this.parts = parts
    this.#order = new Map([...parts.policy.phi.keys()].map((path, place) => [path, place]))
  }

  /**
   * Proves that an operation stays within a contract for any variables and any data. Without a contract, only the document, its cost
   * and the page sizes are checked. A grant may need a purpose other than that of another path: the proof takes each path for itself.
   *
   * @param text a document with exactly one operation
   */
  prove(text: string, contract: Contract | undefined): Proof {
    return this.judge(this.measure(text), contract)
  }

  /** Reads and measures the text of an operation, which is the part of a proof that no contract changes. */
  measure(text: string): (MeasuredOperation & { readonly document: DocumentNode }) | DocumentRefusal {
    const { schema, policy } = this.parts
    const document = text.isWellFormed() ? readDocument(schema, text, RULES) : ({ refused: 'GRAPHQL_PARSE_FAILED' } as const)
    if ('refused' in document) return document
    const operation = getOperationAST(document)
    // the gateway refuses a request for such a document with the code OPERATION_RESOLUTION_FAILURE
    if (!operation || !schema.getRootType(operation.operation)) return { refused: 'GRAPHQL_VALIDATION_FAILED' }
    return {
      document,
      footprint: largestFootprint(schema, policy, document),
      pages: pageSizes(schema, document, undefined, {}, 'EVERY'),
      cost: costOf(schema, policy, { document, name: undefined, variables: smallestPages(operation) }),
    }
  }

  judge(measured: MeasuredOperation | DocumentRefusal, contract: Contract | undefined): Proof {
    if ('refused' in measured) {
      const { refused: code, locations } = measured
      return { faults: [{ kind: 'DOCUMENT', code, ...(locations !== undefined && { locations }) }] }
    }
    const { footprint: found, pages, cost } = measured
    return {
      faults: [...this.#pathFaults(found, contract), ...this.#otherFaults(measured, contract)],
      operation: { footprint: found, pages, cost },
    }
  }

  #pathFaults(found: Footprint, contract: Contract | undefined): readonly ProofFault[] {
    const { policy } = this.parts
    const excess: readonly PathExcess[] =
      contract === undefined
        ? [...found.paths, ...found.reads].filter((path) => !policy.phi.has(path)).map((path) => ({ path, reason: 'UNKNOWN' }))
        : excessOf(found, policy, contract)
    const withoutGrant = contract === undefined ? [] : ungranted(found, policy, contract).filter((path) => policy.phi.has(path))
    const all = [...excess, ...withoutGrant.map((path): PathExcess => ({ path, reason: 'NO_GRANT' }))]
    const place = ({ path }: PathExcess): number => this.#order.get(path) ?? Infinity
    return all.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b))).map((one) => ({ kind: 'PATH', ...one }))
  }

  #otherFaults({ footprint: { roots }, pages, cost }: MeasuredOperation, contract: Contract | undefined): readonly ProofFault[] {
    const { policy } = this.parts
    const closed = [...roots].filter((root) => {
      const call = policy.calls.get(root)
      return contract !== undefined && call !== undefined && ![...contract.roles].some((role) => call.roles.has(role))
    })
    const maxPage = contract?.maxPage ?? MAX_PAGE
    const limit = this.limitFor(contract?.roles ?? policy.roles.keys())
    return [
      ...closed.map((root): ProofFault => ({ kind: 'ROOT', root })),
      ...largest(pages).flatMap(([coordinate, size]): readonly ProofFault[] =>
        size > maxPage ? [{ kind: 'PAGE', coordinate, size }] : [],
      ),
      ...(cost.values > limit.values || cost.places > limit.places ? [{ kind: 'COST', cost, limit } as const] : []),
    ]
  }

  /** The highest limit on an operation of any of the roles. */
  limitFor(roles: Iterable<Role>): Cost {
    const { policy, limits } = this.parts
    const kinds = [...roles].flatMap((role) => policy.roles.get(role)?.kind ?? [])
    return { values: Math.max(0, ...kinds.map((kind) => limits.operation[kind])), places: limits.answer.places }
  }
}

/** Deployments refuse introspection wherever patients are real, so that no registered operation has any. */
const RULES = [...specifiedRules, NoSchemaIntrospectionCustomRule]

/**
 * The variables for the cost. A page size counts with its default, and as 1 if it has none. Requests are checked with their own
 * variables.
 */
const smallestPages = ({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, number> =>
  Object.fromEntries(
    variableDefinitions
      .filter(({ defaultValue }) => defaultValue === undefined || defaultValue.kind === Kind.BOOLEAN)
      .map(({ variable }) => [variable.name.value, 1]),
  )

/** The largest page of each field. */
export function largest(pages: readonly PageSize[]): readonly (readonly [Coordinate, number])[] {
  const sizes = new Map<Coordinate, number>()
  for (const { coordinate, size } of pages) {
    if (size !== undefined) sizes.set(coordinate, Math.max(size, sizes.get(coordinate) ?? 0))
  }
  return [...sizes]
}
