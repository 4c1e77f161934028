/** The exit code of a command that was refused, or that failed. docs/cli.md lists those of single commands. */
export const REFUSED_CODE = 1

/** A command is refused. The message states the cause and the next step, and repeats no value of a record (P8). */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly exitCode: number
  constructor(message: string, { exitCode = REFUSED_CODE, ...options }: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options)
    this.exitCode = exitCode
  }
}
