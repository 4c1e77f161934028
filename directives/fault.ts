import type { ASTNode, GraphQLError } from 'graphql'

/** An error in the SDL that prevents compilation. It names parts of the schema only, never patient data. */
export interface Fault {
  /** The name of the source, usually its file name. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** `Patient.birthDate`, `Role.HYGIENIST`, `Patient.observations(code:)`; empty for a fault that graphql reports. */
  readonly path: string
  readonly problem: string
  /** The text to write instead. */
  readonly instead: string
}

/** The SDL cannot be compiled. Carries all faults, so that they can be fixed in one go. */
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

/** Collects faults, so that checks continue after the first one. */
export class FaultList {
  readonly #faults: Fault[] = []

  /** @param node the definition to fix; undefined or null if it has no line in the SDL */
  add(node: ASTNode | null | undefined, path: string, problem: string, instead: string): void {
    // a node starts at its description; report the line of its name
    const named = node && 'name' in node ? (node.name ?? node) : node
    this.#faults.push({ file: named?.loc?.source.name ?? '', line: named?.loc?.startToken.line ?? 1, path, problem, instead })
  }

  /** Adds an error of the graphql package, with its message as the problem. */
  addError(error: GraphQLError, path: string, instead: string): void {
    const file = error.source?.name ?? error.nodes?.[0]?.loc?.source.name ?? ''
    this.#faults.push({ file, line: error.locations?.[0]?.line ?? 1, path, problem: error.message, instead })
  }

  /** @throws PolicyFaults with the faults in the order of file and line, if there are any */
  throwIfAny(): void {
    if (this.#faults.length === 0) return
    throw new PolicyFaults(this.#faults.toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1)))
  }
}
