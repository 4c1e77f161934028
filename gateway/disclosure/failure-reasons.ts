import type { OutcomeReason } from '../model/access-record.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { type Failure, IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, RequestId, TenantId } from '../model/ids.ts'

/** Classifies the failures of one request, and reports them to operators. */
export class FailureReasons {
  readonly #requestId: RequestId
  readonly #tenant: TenantId
  readonly #events: EventSink
  /** One outage is one event of a request, however many records it affects. */
  readonly #reported = new Set<string>()

  constructor({ requestId, tenant, events }: { requestId: RequestId; tenant: TenantId; events: EventSink }) {
    this.#requestId = requestId
    this.#tenant = tenant
    this.#events = events
  }

  /** @throws the error itself if it is no failure of a service or a seal: the whole request fails */
  classify(error: unknown, record?: RecordRef, path?: SchemaPath): OutcomeReason {
    if (error instanceof KeyUnavailable) return this.#outage('KEY_UNAVAILABLE', 'KEY', error)
    if (error instanceof StoreUnavailable) return this.#outage('STORE_UNAVAILABLE', 'STORE', error)
    if (!(error instanceof IntegrityFailure)) throw error
    const where = { ...(record !== undefined && { record }), ...(path !== undefined && { path }) }
    this.#events({ event: 'INTEGRITY_FAILURE', requestId: this.#requestId, tenant: this.#tenant, ...where })
    return 'INTEGRITY'
  }

  #outage(event: 'KEY_UNAVAILABLE' | 'STORE_UNAVAILABLE', reason: 'KEY' | 'STORE', error: Failure): OutcomeReason {
    const cause = causeName(error.cause ?? error)
    const key = `${event} ${cause}`
    if (!this.#reported.has(key)) this.#events({ event, requestId: this.#requestId, tenant: this.#tenant, cause })
    this.#reported.add(key)
    return reason
  }
}
