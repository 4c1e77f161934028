import type { GraphQLResolveInfo } from 'graphql'
import type { BreakGlassReviewPort, ReviewedGrant } from '../access/break-glass-port.ts'
import type { BreakGlassSource } from '../access/attribute-loader.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { firstDetail, CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput, Failure, keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import { MAX_PAGE } from '../model/list.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AccessRecorder } from '../disclosure/access-recorder.ts'
import type { FailureReasons } from '../disclosure/failure-reasons.ts'
import { GRANT, reviewPayload } from './grant-payloads.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { ResponseErrors } from '../disclosure/response-errors.ts'

interface QueueParts {
  readonly caller: Caller
  readonly policy: PolicyTable
  readonly ids: PublicIds
  readonly breakGlass?: BreakGlassSource
  readonly keyring: Keyring
  readonly deadline: Deadline
  readonly recorder: AccessRecorder
  readonly failures: FailureReasons
  readonly errors: ResponseErrors
}

interface GrantEdge {
  readonly cursor: string
  /** A resolver: graphql calls it. */
  readonly node: (args: unknown, context: unknown, info: GraphQLResolveInfo) => object | null
}

/** A page in the form of the Relay cursor specification. */
interface GrantPage {
  readonly edges: readonly GrantEdge[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

/** The break-glass grants of a tenant, for review. The audit records each grant on a page under its patient. */
export class ReviewQueue {
  readonly #parts: QueueParts

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /**
   * Returns the grants without a final finding, or those with one, oldest first.
   *
   * @returns null if the grants cannot be read; the response errors give the reason
   * @throws BadUserInput
   */
  async page({ first, after, reviewed }: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<GrantPage | null> {
    const { caller, deadline, keyring, errors, recorder } = this.#parts
    if (typeof first !== 'number' || !Number.isInteger(first) || first < 1 || first > MAX_PAGE)
      throw new BadUserInput({ detail: () => firstDetail(first, MAX_PAGE) })
    const isReviewed = reviewed === true
    const path = `${info.parentType.name}.${info.fieldName}` as SchemaPath
    const bound: CursorBound = { caller, coordinate: path as string as Coordinate, filter: { isReviewed } }
    try {
      const key = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
      const position = typeof after === 'string' ? positionIn(key, bound, after) : undefined
      const reviews = this.#reviews()
      const page = { isReviewed, after: position, limit: first }
      const { items, more } = await deadline.wait(() => reviews.page(caller.tenant, page, deadline), storeOverdue)
      // an empty page is a disclosure too, so it is recorded
      if (items.length === 0) recorder.recordOnce(`${path} ${isReviewed}`, { path, action: 'READ', outcome: 'ABSENT' })
      const edges = items.map(({ position: at, grant }): GrantEdge => {
        const cursor = sealCursor(key, bound, at)
        return { cursor, node: grant === 'DAMAGED' ? this.#damaged(path, at) : this.#shown(path, grant) }
      })
      const [startCursor, endCursor] = [edges[0]?.cursor ?? null, edges.at(-1)?.cursor ?? null]
      return { edges, pageInfo: { hasNextPage: more, hasPreviousPage: position !== undefined, startCursor, endCursor } }
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'FIELD_UNAVAILABLE') throw error
      const reason = this.#parts.failures.classify(error)
      recorder.recordOnce(`${path} ${isReviewed} ${reason}`, { path, action: 'READ', outcome: 'UNAVAILABLE', reason })
      errors.unavailable(path, path, info.path)
      return null
    }
  }

  #shown(path: SchemaPath, grant: ReviewedGrant): GrantEdge['node'] {
    const { patient, id } = grant
    const record: AccessRecord = { patient, recordType: GRANT, recordId: id, path, action: 'READ', outcome: 'DISCLOSED' }
    this.#parts.recorder.recordOnce(`${path} ${id}`, record)
    const answer = reviewPayload(this.#parts, grant)
    return () => answer
  }

  /** An altered, inserted or removed grant keeps its position in the list. */
  #damaged(path: SchemaPath, position: string): GrantEdge['node'] {
    this.#parts.recorder.recordOnce(`${path} ${position}`, { path, action: 'READ', outcome: 'UNAVAILABLE', reason: 'INTEGRITY' })
    return (_args, _context, info) => {
      this.#parts.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, position, info.path)
      return null
    }
  }

  /** @throws StoreUnavailable if the deployment stores no grants */
  #reviews(): BreakGlassReviewPort {
    const reviews = this.#parts.breakGlass?.reviews
    if (reviews === undefined) throw new StoreUnavailable()
    return reviews
  }
}

function positionIn(key: PurposeKey<'cursor'>, bound: CursorBound, after: string): string {
  const position = openCursor(key, bound, after)
  if (typeof position !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
  return position
}
