import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, RequestId, TenantId } from '../model/ids.ts'

/**
 * An event that the gateway reports to its operators. Each event has a fixed shape without free text, so it cannot hold a
 * value (P8). `cause` is the name of an error class, never its message. `frames` are places in the code, without arguments.
 * `gateway/telemetry/operator-log.ts` defines how each event is printed.
 */
export type GatewayEvent =
  | {
      readonly event: 'REQUEST'
      readonly requestId: RequestId
      readonly status: number
      readonly milliseconds: number
      /**
       * `resolved` counts the values given in full or masked, `denied` the values and edges refused, and `unavailable` the
       * values that could not be read. All three are 0 if the response has no data.
       */
      readonly resolved: number
      readonly denied: number
      readonly unavailable: number
      /**
       * `metadata` counts the openings of sealed metadata and indexes, `searched` the values opened to compare them with a
       * search argument. Both count openings whether or not the response gives the value (P1).
       */
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
  /** A scrub found a disagreement between records, index and the audit of writes. Without a record it is about the whole chart. */
  | {
      readonly event: 'CHART_FAULT'
      readonly tenant: TenantId
      readonly patient: string
      readonly record?: RecordRef
      readonly what: ChartFault
    }
  /**
   * A scrub compared one part of a tenant's patients. `busy` changed during each read, and `left` were not reached in time.
   */
  | {
      readonly event: 'SCRUB_PASS'
      readonly tenant: TenantId
      readonly records: number
      readonly patients: number
      readonly faulty: number
      readonly busy: number
      readonly left: number
      readonly milliseconds: number
    }
  /** So many approved erasures of a tenant are not finished. A privacy officer approves each of them again. Once an hour. */
  | { readonly event: 'ERASURE_UNFINISHED'; readonly tenant: TenantId; readonly count: number }
  /** So many keys of a tenant are past the longest time without a rotation, or their age is unknown. Once a day. */
  | { readonly event: 'KEY_ROTATION_DUE'; readonly tenant: TenantId; readonly count: number }
  /** Nobody knows whether the records of a tenant are sound. Without a tenant, that of none is known. */
  | { readonly event: 'SCRUB_FAILED'; readonly tenant?: TenantId; readonly cause: string }
  | { readonly event: 'ACCESS_ITEM_FORGED'; readonly tenant: TenantId; readonly patient: string; readonly what: AccessFault }
  /**
   * BROKEN: a grant began. RENEWED: its end moved. ENDED: it was ended early. UNCERTAIN: the response to the write was lost, so the change
   * may be in force. REFUSED: the user opened the maximum number of patients in this hour.
   */
  | {
      readonly event: 'BREAK_GLASS'
      readonly requestId: RequestId
      readonly tenant: TenantId
      readonly patient: string
      readonly what: 'BROKEN' | 'RENEWED' | 'ENDED' | 'UNCERTAIN' | 'REFUSED'
    }
  | { readonly event: 'KEY_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  | { readonly event: 'STORE_UNAVAILABLE'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  /** Requests that were refused because the user has searched, or was refused, too often within the hour. */
  | {
      readonly event: 'BUDGET_EXCEEDED'
      readonly tenant: TenantId
      readonly budget: 'SEARCHES' | 'REFUSALS'
      readonly count: number
    }
  /**
   * A client whose operations are compared with the registered ones sent another one, which was answered. `hash` is the canonical hash
   * of its document.
   */
  | {
      readonly event: 'UNREGISTERED_OPERATION'
      readonly requestId: RequestId
      readonly tenant: TenantId
      readonly client: string
      readonly hash: string
    }
  /** Failed authentications since this process last reported them. The callers are unknown. */
  | { readonly event: 'AUTH_FAILURES'; readonly count: number }
  /** The counts of failed authentications could not be written to the security table. `lost` failures were dropped for good. */
  | { readonly event: 'AUTH_FAILURES_UNWRITTEN'; readonly cause: string; readonly lost: number }
  /** The stored key set of the issuer could not be read or written. The process verifies tokens with the keys in its memory. */
  | { readonly event: 'ISSUER_KEYS'; readonly what: 'NOT_READ' | 'NOT_KEPT'; readonly cause: string }
  /** The stored key set of the issuer was not written by this deployment. The process ignored it. */
  | { readonly event: 'ISSUER_KEYS_FORGED' }
  | { readonly event: 'AUDIT_REFUSED'; readonly tenant: TenantId; readonly lane: string; readonly cause: string }
  /**
   * The lane takes no more records. FENCED: another writer wrote at its next position. UNRESOLVED: an outage outlasted the
   * request. REFUSED: a fault of the gateway.
   */
  | {
      readonly event: 'AUDIT_LANE_RETIRED'
      readonly tenant: TenantId
      readonly lane: string
      readonly sequence: number
      readonly why: 'FENCED' | 'UNRESOLVED' | 'REFUSED'
    }
  /**
   * A complete pass of the notary. `late` counts the sealed items of hours that were closed before. `lag` is the longest time that an
   * item can have waited for its checkpoint, in seconds.
   */
  | {
      readonly event: 'NOTARY_PASS'
      readonly tenant: TenantId
      readonly sealed: number
      readonly rounds: number
      readonly late: number
      readonly lag: number
      readonly milliseconds: number
    }
  /** A pass of the notary ended early. The next pass does its work. Without a tenant, no pass began. */
  | { readonly event: 'NOTARY_FAILED'; readonly tenant?: TenantId; readonly cause: string }
  /**
   * The notary signs and publishes nothing more. ITEMS: items were altered or removed between their sealing and their copy to the object
   * store. CHECKPOINT: the published checkpoint is not of the log in the tables, as after a restore of the tables to an earlier time.
   */
  | { readonly event: 'NOTARY_STOPPED'; readonly tenant: TenantId; readonly what: 'ITEMS' | 'CHECKPOINT' }
  /**
   * The notary does not seal a lane from this item on. GAP: the item is missing and a later one exists. BROKEN: the item does not
   * continue the chain of hashes.
   */
  | {
      readonly event: 'AUDIT_LANE_FAULT'
      readonly tenant: TenantId
      readonly lane: string
      readonly sequence: number
      readonly what: 'GAP' | 'BROKEN'
    }
  /**
   * A witness did not cosign. CONFLICT: it holds another history of the log. REFUSED: it does not accept the log or its signature.
   * UNAVAILABLE: it gave no usable answer.
   */
  | {
      readonly event: 'WITNESS_FAILED'
      readonly tenant: TenantId
      readonly what: 'CONFLICT' | 'REFUSED' | 'UNAVAILABLE'
    }
  /**
   * A pass over the audit tables of a tenant. `size` counts the items of the log that they hold, `behind` those that were sealed before the
   * pass and are left to the next one.
   */
  | {
      readonly event: 'TABLES_PASS'
      readonly tenant: TenantId
      readonly added: number
      readonly behind: number
      readonly size: number
      readonly files: number
      readonly milliseconds: number
    }
  /** A question of an auditor got no answer, because the audit log or its tables could not be read. The question is recorded. */
  | { readonly event: 'AUDIT_READ_FAILED'; readonly requestId: RequestId; readonly tenant: TenantId; readonly cause: string }
  /** So many periods of a tenant have no signed access review, and their due days are over. Once a day. */
  | { readonly event: 'ACCESS_REVIEW_OVERDUE'; readonly tenant: TenantId; readonly count: number }
  /** Nobody knows whether an access review of a tenant is overdue. Without a tenant, that of none is known. */
  | { readonly event: 'ACCESS_REVIEWS_UNREAD'; readonly tenant?: TenantId; readonly cause: string }
  /** The audit tables of a tenant end where they ended before. Without a tenant, no pass began. */
  | { readonly event: 'TABLES_FAILED'; readonly tenant?: TenantId; readonly cause: string }
  /**
   * A pass over the delivery of a tenant's log to a receiver. `items` and `batches` were acknowledged. `behind` counts the sealed items that
   * are left, and `lag` is how long the oldest of them has been sealed, in seconds.
   */
  | {
      readonly event: 'DELIVERY_PASS'
      readonly receiver: string
      readonly tenant: TenantId
      readonly items: number
      readonly batches: number
      readonly behind: number
      readonly lag: number
      readonly milliseconds: number
    }
  /** The delivery of a tenant's log ends where it ended before. Without a tenant, nothing is delivered to anyone. */
  | { readonly event: 'DELIVERY_FAILED'; readonly receiver?: string; readonly tenant?: TenantId; readonly cause: string }
  /** The stream of the audit table brought records, and all of them were examined. */
  | { readonly event: 'AUDIT_WATCHED'; readonly records: number }
  /** An item of the audit table was changed or removed. No code of this system does either. */
  | { readonly event: 'AUDIT_CHANGED'; readonly tenant?: TenantId; readonly lane: string; readonly what: 'MODIFY' | 'REMOVE' }
  | { readonly event: 'INTERNAL'; readonly requestId: RequestId; readonly cause: string; readonly frames: readonly string[] }
  /** An error that the gateway's handling of requests did not catch. */
  | {
      readonly event: 'PROCESS_FAULT'
      readonly why: 'EXCEPTION' | 'REJECTION' | 'HANDLER'
      readonly cause: string
      readonly frames: readonly string[]
    }
  /** A warning of Node or a library. The event has only the warning's name, not its text. */
  | { readonly event: 'PROCESS_WARNING'; readonly cause: string }

/**
 * A disagreement between the records of a patient, their index, and the audit of writes:
 * - INDEX_BROKEN: the index is missing, or does not open.
 * - MISSING: the index lists a record that is not stored.
 * - UNLISTED: a stored record is not in the index.
 * - VERSION: index and record have different versions.
 * - ALTERED: the manifest of a record does not open, or a value is not the one in the manifest.
 * - ROLLED_BACK: the audit has a later write. Record and index may agree, because both were put back.
 * - UNRECORDED: the audit has no write that made the stored version.
 * - KEYS_MISSING: the list of patients has a patient without keys.
 */
export type ChartFault =
  | 'INDEX_BROKEN'
  | 'MISSING'
  | 'UNLISTED'
  | 'VERSION'
  | 'ALTERED'
  | 'ROLLED_BACK'
  | 'UNRECORDED'
  | 'KEYS_MISSING'

/**
 * A fault of a patient's access item, or of the access manifest that lists these items. NOT_LISTED: the manifest does not list
 * the item, so another writer added it. MISSING, ALTERED: another writer removed, changed or restored the item.
 */
export type AccessFault = 'NOT_LISTED' | 'MISSING' | 'ALTERED' | 'MANIFEST_MISSING' | 'MANIFEST_ALTERED'

/** Receives events. It must not throw. */
export type EventSink = (event: GatewayEvent) => void

/** One word of letters only, so that a cause cannot be an identifier, a date or a sentence. */
const CAUSE = /^[A-Za-z]{1,64}$/

/**
 * Returns the name of an error, the only part of an unknown error that may be reported. Any code can set `name`, and the SDK
 * copies it from a server's response. A name that is not a plain word becomes `Error`. For a value that is not an Error, returns
 * its JavaScript type. Never throws.
 */
export function causeName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  try {
    const { name } = error as { readonly name: unknown }
    return isCause(name) ? name : 'Error'
  } catch {
    // a getter can throw
    return 'Error'
  }
}

/** An error has at most this many causes behind each other: a cause could be the error itself. */
const MAX_CAUSES = 8

/** The name of the error that began a chain of causes. Never throws. */
export function originName(error: unknown): string {
  let origin = error
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (!(origin instanceof Error) || !(origin.cause instanceof Error)) break
    origin = origin.cause
  }
  return causeName(origin)
}

/** Whether a text is allowed as the cause of an event. */
export function isCause(text: unknown): text is string {
  return typeof text === 'string' && CAUSE.test(text)
}
