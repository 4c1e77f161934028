import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, RequestId, TenantId } from '../model/ids.ts'

/**
 * What the gateway tells its operators. Each event is a fixed shape: there is no free text in which a value could
 * stand (P8). `cause` is the name of an error class, never its message; `frames` say where in the code, never with what.
 * What is printed of each, and in which form, stands in `gateway/telemetry/operator-log.ts`.
 */
export type GatewayEvent =
  | {
      readonly event: 'REQUEST'
      readonly requestId: RequestId
      readonly status: number
      readonly milliseconds: number
      /** Values given in full or masked, values and edges refused, values that could not be had. 0 where no data was given. */
      readonly resolved: number
      readonly denied: number
      readonly unavailable: number
      /** Sealed metadata and indexes opened, and values opened to compare them with what was searched for (P1); given or not. */
      readonly metadata: number
      readonly searched: number
    }
  | {
      readonly event: 'INTEGRITY_FAILURE'
      readonly requestId: RequestId
      readonly tenant: TenantId
      readonly record?: RecordRef
      readonly path?: SchemaPath
    }
  | { readonly event: 'ACCESS_ITEM_FORGED'; readonly tenant: TenantId; readonly patient: string; readonly what: AccessFault }
  /** UNCERTAIN: the answer to its writing was lost, and it may hold. */
  | {
      readonly event: 'BREAK_GLASS'
      readonly requestId: RequestId
      readonly tenant: TenantId
      readonly patient: string
      readonly what: 'BROKEN' | 'ENDED' | 'UNCERTAIN'
    }
  | { readonly event: 'KEY_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  | { readonly event: 'STORE_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  /** So many were not let in since this process told it last; nobody of them is known. */
  | { readonly event: 'AUTH_FAILURES'; readonly count: number }
  /** They could not be counted in the security table; `lost` of them never will be. */
  | { readonly event: 'AUTH_FAILURES_UNWRITTEN'; readonly cause: string; readonly lost: number }
  /** The key set that is kept of the issuer could not be read or written; tokens are verified with what the process has. */
  | { readonly event: 'ISSUER_KEYS'; readonly what: 'NOT_READ' | 'NOT_KEPT'; readonly cause: string }
  /** What stands as the issuer's kept key set was not written by this deployment. It counted for nothing. */
  | { readonly event: 'ISSUER_KEYS_FORGED' }
  | { readonly event: 'AUDIT_REFUSED'; readonly tenant: TenantId; readonly lane: string; readonly cause: string }
  | {
      readonly event: 'AUDIT_LANE_RETIRED'
      readonly tenant: TenantId
      readonly lane: string
      readonly sequence: number
      readonly why: 'FENCED' | 'UNRESOLVED' | 'REFUSED'
    }
  | { readonly event: 'INTERNAL'; readonly requestId: RequestId; readonly cause: string; readonly frames: readonly string[] }
  /** Outside of any request that could be answered for it. */
  | {
      readonly event: 'PROCESS_FAULT'
      readonly why: 'EXCEPTION' | 'REJECTION' | 'HANDLER'
      readonly cause: string
      readonly frames: readonly string[]
    }
  /** Node or a library warns; of the text, only the name of the warning is told. */
  | { readonly event: 'PROCESS_WARNING'; readonly cause: string }

/** What is wrong with an access item of a patient, or with the root that lists them. */
export type AccessFault = 'NOT_LISTED' | 'MISSING' | 'ALTERED' | 'MANIFEST_MISSING' | 'MANIFEST_ALTERED'

/** Where events go; it must not throw. */
export type EventSink = (event: GatewayEvent) => void

/** Letters alone: no number of a person, no date and no sentence is one word of them. */
const CAUSE = /^[A-Za-z]{1,64}$/

/**
 * The name of what went wrong, which is all of an unknown error that may be told. Anybody may set a name, the SDK from what a
 * server answers: one that is not a plain word is not passed on. Never throws, whatever it is given.
 */
export function causeName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  try {
    const { name } = error as { readonly name: unknown }
    return isCause(name) ? name : 'Error'
  } catch {
    // a name that is computed may fail
    return 'Error'
  }
}

/** Whether a text may stand as the cause of an event. */
export function isCause(text: unknown): text is string {
  return typeof text === 'string' && CAUSE.test(text)
}
