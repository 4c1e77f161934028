// docs/clients.md contains parts of this file.

/** The members of an error in which clients of GraphQL keep the answer. */
interface ClientFailure {
  readonly name?: unknown
  readonly message?: unknown
  readonly stack?: unknown
  /** Apollo Client */
  readonly errors?: unknown
  readonly extensions?: unknown
  /** urql */
  readonly graphQLErrors?: unknown
  /** graphql-request */
  readonly response?: { readonly errors?: unknown; readonly extensions?: unknown }
}

/** The parts of an error that a crash report may have: no message, no answer, no request. */
export interface Reportable {
  readonly name: string
  readonly codes: readonly string[]
  readonly requestId: string | undefined
  /** The frames of the stack, without the message in front of them. */
  readonly frames: readonly string[]
}

/** Returns the reportable parts of an error. Send these to the crash reporter, and never the error itself. */
export function reportable(error: unknown): Reportable {
  const failure = Object(error) as ClientFailure
  const { name, message, stack, response } = failure
  const entries = [failure.errors ?? failure.graphQLErrors ?? response?.errors ?? []].flat()
  const codes = entries.map((entry) => textAt(entry, 'extensions', 'code'))
  const requestId = textAt(failure.extensions ?? response?.extensions, 'phi', 'requestId')
  const frames = (typeof stack === 'string' ? stack : '').replace(typeof message === 'string' ? message : '', '')
  return {
    name: typeof name === 'string' && /^\w{1,64}$/.test(name) ? name : 'Error',
    codes: codes.filter((code) => code !== undefined && /^[A-Z_]{1,64}$/.test(code)) as string[],
    requestId: requestId !== undefined && /^[\w-]{24}$/.test(requestId) ? requestId : undefined,
    frames: frames.split('\n').filter((line) => /^\s+at [\w.<> ]+ \(?[^"{}]*:\d+:\d+\)?$/.test(line)),
  }
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce<unknown>((inner, key) => (Object(inner) as Record<string, unknown>)[key], value)
  return typeof found === 'string' ? found : undefined
}
