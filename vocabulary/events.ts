import type { RecordRef, RequestId, SchemaPath, TenantId } from './ids.ts'

/**
 * What the gateway tells its operators. Each event is a fixed shape: there is no free text in which a value could
 * stand (P8). `cause` is the name of an error class, never its message.
 */
export type GatewayEvent =
  | {
      readonly event: 'REQUEST'
      readonly requestId: RequestId
      readonly status: number
      readonly milliseconds: number
    }
  | {
      readonly event: 'INTEGRITY_FAILURE'
      readonly requestId: RequestId
      readonly tenant: TenantId
      readonly record?: RecordRef
      readonly path?: SchemaPath
    }
  | { readonly event: 'ACCESS_ITEM_FORGED'; readonly tenant: TenantId; readonly patient: string }
  | { readonly event: 'KEY_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  | { readonly event: 'STORE_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  | { readonly event: 'AUDIT_REFUSED'; readonly tenant: TenantId; readonly lane: string; readonly cause: string }
  | {
      readonly event: 'AUDIT_LANE_RETIRED'
      readonly tenant: TenantId
      readonly lane: string
      readonly sequence: number
      readonly why: 'FENCED' | 'UNRESOLVED' | 'REFUSED'
    }
  | { readonly event: 'INTERNAL'; readonly requestId: RequestId; readonly cause: string; readonly frames: readonly string[] }

/** Where events go; it must not throw. */
export type EventSink = (event: GatewayEvent) => void

/** The name of what went wrong, which is all of an unknown error that may be told. */
export function causeName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
