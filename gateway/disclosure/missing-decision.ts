/** A leaf or an edge that nobody decided about: a fault of the gateway, and no reason to give anything. */
export class MissingDecisionError extends Error {
  override readonly name = 'Undecided'
  constructor(path: string) {
    super(`nothing was decided about ${path}`)
  }
}
