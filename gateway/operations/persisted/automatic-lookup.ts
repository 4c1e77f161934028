import type { Deadline } from '../../model/deadline.ts'
import type { Caller } from '../../model/decision.ts'
import { storeOverdue } from '../../model/failures.ts'
import type { RequestId } from '../../model/ids.ts'
import type { EventSink } from '../../telemetry/events.ts'
import type { OperationParts } from './adoption.ts'
import type { ClientOf } from './operation-registry.ts'
import type { PreparedDocument } from './prepared-document.ts'
import type { PreparedDocuments } from './prepared-documents.ts'
import { isOutage, LOOKUP_SHARE, reportOutage } from './registry-lookup.ts'

interface AutomaticParts {
  readonly documents: PreparedDocuments
  readonly operations?: Pick<OperationParts, 'automatic'>
  readonly events: EventSink
}

interface AutomaticRequest {
  readonly caller: Caller
  readonly requestId: RequestId
  readonly deadline: Deadline
}

const SHA_256 = /^[0-9a-f]{64}$/

/**
 * Queries that clients register by themselves. They save bytes and prove nothing: each is a free text. A failure never refuses a
 * request, because the client can send the text again.
 */
export class AutomaticLookup {
  readonly #parts: AutomaticParts

  constructor(parts: AutomaticParts) {
    this.#parts = parts
  }

  /** The query with this hash, if the client registered it and the stored text has the hash. */
  async find(request: AutomaticRequest, hash: string): Promise<PreparedDocument | undefined> {
    const { automatic } = this.#parts.operations ?? {}
    const of = clientOf(request)
    if (automatic === undefined || of === undefined || !SHA_256.test(hash)) return undefined
    const deadline = request.deadline.share(LOOKUP_SHARE)
    const text = await this.#attempt(request, deadline, () => automatic.find(of, hash, deadline))
    if (text === undefined) return undefined
    const prepared = this.#parts.documents.read(text)
    // the store is not sealed, so that a writer of the database can change a text
    return 'refused' in prepared || prepared.textHash !== hash ? undefined : prepared
  }

  /** Stores a query that the schema accepts. @param hash verified by the caller */
  async store(request: AutomaticRequest, hash: string, text: string): Promise<void> {
    const { automatic } = this.#parts.operations ?? {}
    const of = clientOf(request)
    if (automatic === undefined || of === undefined) return
    const deadline = request.deadline.share(LOOKUP_SHARE)
    await this.#attempt(request, deadline, () => automatic.store(of, hash, text, deadline))
  }

  async #attempt<Result>(request: AutomaticRequest, deadline: Deadline, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await deadline.wait(work, storeOverdue)
    } catch (error) {
      if (!isOutage(error)) throw error
      reportOutage(this.#parts.events, request, error)
      return undefined
    }
  }
}

const clientOf = ({ caller: { tenant, client } }: AutomaticRequest): ClientOf | undefined =>
  client === undefined ? undefined : { tenant, client }
