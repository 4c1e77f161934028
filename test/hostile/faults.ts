/** A call of an SDK client, as far as a script needs it to choose. */
export interface ServiceCall {
  /** `TransactWriteItems`: the operation, from `x-amz-target`. */
  readonly operation: string
  /** As it was sent. */
  readonly body: string
  /** The body, parsed. */
  readonly json: Readonly<Record<string, unknown>>
  /** The SDK's id of what its caller asked for: the same when the SDK sends it again by itself. */
  readonly invocation: string
  /** Whether the call names this table. */
  names(table: string): boolean
}

/** What a service answered. */
export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** What becomes of one call. The service here is DynamoDB's engine, or KMS. */
export type Fault =
  | { readonly kind: 'PASS' }
  /** The service never sees it; the client gets this error of it. */
  | { readonly kind: 'REFUSE'; readonly error: string; readonly status?: number; readonly reasons?: readonly { Code: string }[] }
  /** The service never sees it; the client gets this. */
  | { readonly kind: 'ANSWER'; readonly reply: Reply }
  /** The service never sees it; the connection ends. */
  | { readonly kind: 'CUT' }
  /** The service never sees it; no answer ever comes. */
  | { readonly kind: 'HANG' }
  /** It waits, and then that becomes of it; it passes where nothing is said. */
  | { readonly kind: 'DELAY'; readonly milliseconds: number; readonly then?: Fault }
  /** The service gets this body, and the client the changed reply; each as it is where left out. */
  | { readonly kind: 'REWRITE'; readonly body?: string; readonly change?: (reply: Reply) => Reply | Promise<Reply> }
  /** The service does it; the connection ends before its answer. */
  | { readonly kind: 'DROP_ANSWER' }
  /** The service does it; its answer never comes. */
  | { readonly kind: 'HOLD_ANSWER' }

/** Decides about each call, in the order in which they come; may act on the service itself first. */
export type Script = (call: ServiceCall) => Fault | Promise<Fault>

export const PASS: Fault = { kind: 'PASS' }
export const CUT: Fault = { kind: 'CUT' }
export const HANG: Fault = { kind: 'HANG' }
export const DROP_ANSWER: Fault = { kind: 'DROP_ANSWER' }
export const HOLD_ANSWER: Fault = { kind: 'HOLD_ANSWER' }

export const refuse = (error: string, status = 400): Fault => ({ kind: 'REFUSE', error, status })

/** A cancelled transaction with a reason for each action, `None` for those that were not at fault. */
export const cancel = (...codes: string[]): Fault => ({
  kind: 'REFUSE',
  error: 'TransactionCanceledException',
  reasons: codes.map((Code) => ({ Code })),
})

/** An error in the shape in which DynamoDB and KMS send theirs. */
export function errorReply({ error, status = 400, reasons }: Omit<Extract<Fault, { kind: 'REFUSE' }>, 'kind'>): Reply {
  return { status, body: { __type: error, message: 'Injected.', ...(reasons && { CancellationReasons: reasons }) } }
}
