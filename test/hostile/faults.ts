/** A call of an SDK client, with the members that a script needs. */
export interface ServiceCall {
  /** `TransactWriteItems`: the operation, from `x-amz-target`. */
  readonly operation: string
  /** The body as sent. */
  readonly body: string
  /** The body, parsed. */
  readonly json: Readonly<Record<string, unknown>>
  /** The SDK's invocation id: equal for the SDK's own retries. */
  readonly invocation: string
  /** The token of the session whose credentials signed the call. */
  readonly sessionToken: string | undefined
  /** Whether the call names this table. */
  names(table: string): boolean
}

/** The answer of a service. */
export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** The fate of one call. The service is DynamoDB's engine, or KMS. */
export type Fault =
  | { readonly kind: 'PASS' }
  /** The service never sees the call; the client gets this error as the service's answer. */
  | { readonly kind: 'REFUSE'; readonly error: string; readonly status?: number; readonly reasons?: readonly { Code: string }[] }
  /** The service never sees the call; the client gets this answer. */
  | { readonly kind: 'ANSWER'; readonly reply: Reply }
  /** The service never sees the call; the connection ends. */
  | { readonly kind: 'CUT' }
  /** The service never sees the call; no answer arrives. */
  | { readonly kind: 'HANG' }
  /** The call waits, and then meets the next fault; by default it passes. */
  | { readonly kind: 'DELAY'; readonly milliseconds: number; readonly then?: Fault }
  /** The service gets this body, and the client gets the changed reply. A missing member changes nothing. */
  | { readonly kind: 'REWRITE'; readonly body?: string; readonly change?: (reply: Reply) => Reply | Promise<Reply> }
  /** The service executes the call; the connection ends before its answer. */
  | { readonly kind: 'DROP_ANSWER' }
  /** The service executes the call; its answer never arrives. */
  | { readonly kind: 'HOLD_ANSWER' }

/** Selects the fault of each call, in the order of arrival. It may use the service itself first. */
export type Script = (call: ServiceCall) => Fault | Promise<Fault>

export const PASS: Fault = { kind: 'PASS' }
export const CUT: Fault = { kind: 'CUT' }
export const HANG: Fault = { kind: 'HANG' }
export const DROP_ANSWER: Fault = { kind: 'DROP_ANSWER' }
export const HOLD_ANSWER: Fault = { kind: 'HOLD_ANSWER' }

export const refuse = (error: string, status = 400): Fault => ({ kind: 'REFUSE', error, status })

/** A canceled transaction with a reason for each action, `None` for actions without a fault. */
export const cancel = (...codes: string[]): Fault => ({
  kind: 'REFUSE',
  error: 'TransactionCanceledException',
  reasons: codes.map((Code) => ({ Code })),
})

/** An error in the wire format of DynamoDB and KMS. */
export function errorReply({ error, status = 400, reasons }: Omit<Extract<Fault, { kind: 'REFUSE' }>, 'kind'>): Reply {
  return { status, body: { __type: error, message: 'Injected.', ...(reasons && { CancellationReasons: reasons }) } }
}
