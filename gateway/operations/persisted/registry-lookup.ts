import type { Deadline } from '../../model/deadline.ts'
import type { Caller } from '../../model/decision.ts'
import { IntegrityFailure, KeyUnavailable, OperationsUnavailable, storeOverdue, StoreUnavailable } from '../../model/failures.ts'
import type { RequestId } from '../../model/ids.ts'
import { causeName, type EventSink } from '../../telemetry/events.ts'
import type { OperationParts } from './adoption.ts'
import type { ClientOf, OperationRegistry, Registered } from './operation-registry.ts'

/** Share of the time that is left, for the registry. */
export const LOOKUP_SHARE = 0.2

interface LookupParts {
  readonly operations?: Pick<OperationParts, 'registry'>
  readonly events: EventSink
}

/** The facts of a request that a lookup uses. */
interface LookupRequest {
  readonly caller: Caller
  readonly requestId: RequestId
  readonly deadline: Deadline
}

const NOTHING: Registered = { status: 'NONE', client: undefined, operation: undefined }

/** Reads the registry for requests. A caller without a client, and a deployment without a registry, have no operations. */
export class RegistryLookup {
  readonly #parts: LookupParts

  constructor(parts: LookupParts) {
    this.#parts = parts
  }

  /** @throws OperationsUnavailable */
  async byId(request: LookupRequest, id: string): Promise<Registered> {
    return await this.#read(request, (registry, of, deadline) => registry.byId(of, id, deadline))
  }

  /** @throws OperationsUnavailable */
  async byText(request: LookupRequest, hash: string): Promise<Registered> {
    return await this.#read(request, (registry, of, deadline) => registry.byText(of, hash, deadline))
  }

  async #read(
    request: LookupRequest,
    find: (registry: OperationRegistry, of: ClientOf, deadline: Deadline) => Promise<Registered>,
  ): Promise<Registered> {
    const { operations, events } = this.#parts
    const { tenant, client } = request.caller
    if (operations === undefined || client === undefined) return NOTHING
    const deadline = request.deadline.share(LOOKUP_SHARE)
    try {
      return await deadline.wait(() => find(operations.registry, { tenant, client }, deadline), storeOverdue)
    } catch (error) {
      if (!isOutage(error)) throw error
      reportOutage(events, request, error)
      throw new OperationsUnavailable({ cause: error })
    }
  }
}

type Outage = StoreUnavailable | KeyUnavailable | IntegrityFailure

/** Whether an error is a failure of the registry's services or seals. */
export const isOutage = (error: unknown): error is Outage =>
  error instanceof StoreUnavailable || error instanceof KeyUnavailable || error instanceof IntegrityFailure

/** Reports a failure of the registry to operators. */
export function reportOutage(events: EventSink, { caller: { tenant }, requestId }: LookupRequest, error: Outage): void {
  if (error instanceof IntegrityFailure) {
    events({ event: 'INTEGRITY_FAILURE', requestId, tenant })
    return
  }
  const event = error instanceof KeyUnavailable ? 'KEY_UNAVAILABLE' : 'STORE_UNAVAILABLE'
  events({ event, requestId, tenant, cause: causeName(error.cause ?? error) })
}
