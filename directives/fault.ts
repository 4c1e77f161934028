import type { ASTNode, GraphQLError } from 'graphql'

/** Something in the SDL that keeps a schema from being compiled. Speaks of the schema only: no patient's data is near. */
export interface Fault {
  /** The name that the source was given, as a rule its file. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** `Patient.birthDate`, `Role.HYGIENIST`, `Patient.observations(code:)`; empty where the text could not be read so far. */
  readonly path: string
  readonly problem: string
  /** What to write instead. */
  readonly instead: string
}

/** The SDL cannot be compiled. Carries all its faults, so that they can be mended in one go. */
export class PolicyFaults extends Error {
  override readonly name = 'PolicyFaults'
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super(['The schema does not compile:', ...faults.map(renderFault)].join('\n'))
    this.faults = faults
  }
}

/** `patient.graphql:12 Patient.ssn: <problem> Instead: <what to write>`, on one line. */
function renderFault({ file, line, path, problem, instead }: Fault): string {
  return `${file}:${line} ${path === '' ? '' : `${path}: `}${problem} Instead: ${instead}`
}

/** Gathers faults; every check goes on after the first one. */
export class FaultList {
  readonly #faults: Fault[] = []

  /** `node` is the line to mend; left out where a type has no line of its own. */
  add(node: ASTNode | null | undefined, path: string, problem: string, instead: string): void {
    // a description stands before the name: the line of the name is the one to look at
    const named = node && 'name' in node ? (node.name ?? node) : node
    this.#faults.push({ file: named?.loc?.source.name ?? '', line: named?.loc?.startToken.line ?? 1, path, problem, instead })
  }

  addError(error: GraphQLError, path: string, instead: string): void {
    const file = error.source?.name ?? error.nodes?.[0]?.loc?.source.name ?? ''
    this.#faults.push({ file, line: error.locations?.[0]?.line ?? 1, path, problem: error.message, instead })
  }

  /** Throws PolicyFaults, in the order of file and line, when there are any. */
  throwIfAny(): void {
    if (this.#faults.length === 0) return
    throw new PolicyFaults(this.#faults.toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1)))
  }
}
