/** A leaf or an edge without a decision. This is a fault of the gateway, and nothing is given. */
export class MissingDecisionError extends Error {
  override readonly name = 'MissingDecisionError'
  constructor(path: string) {
    super(`nothing was decided about ${path}`)
  }
}
