import type { GraphQLResolveInfo } from 'graphql'
import type { BreakGlassReviewPort, ReviewedGrant } from '../access/break-glass-port.ts'
import type { BreakGlassSource } from '../access/attribute-loader.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
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
  /** Graphql calls it. */
  readonly node: (args: unknown, context: unknown, info: GraphQLResolveInfo) => object | null
}

/** A page as the Relay cursor specification has it. */
interface GrantPage {
  readonly edges: readonly GrantEdge[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

/** The emergencies of a tenant, for who reviews them. Each one that is shown is recorded under its patient. */
export class ReviewQueue {
  readonly #parts: QueueParts

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /**
   * Those that wait for a finding, or those that have one, oldest first.
   * @returns null where they cannot be had, which the answer's errors tell
   * @throws BadUserInput
   */
  async page({ first, after, reviewed }: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<GrantPage | null> {
    const { caller, deadline, keyring, errors, recorder } = this.#parts
    if (typeof first !== 'number' || !Number.isInteger(first) || first < 1 || first > MAX_PAGE) throw new BadUserInput()
    const isReviewed = reviewed === true
    const path = `${info.parentType.name}.${info.fieldName}` as SchemaPath
    const bound: CursorBound = { caller, coordinate: path as string as Coordinate, filter: { isReviewed } }
    try {
      const key = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
      const position = typeof after === 'string' ? positionIn(key, bound, after) : undefined
      const reviews = this.#reviews()
      const asked = { isReviewed, after: position, limit: first }
      const { items, more } = await deadline.wait(() => reviews.page(caller.tenant, asked, deadline), storeOverdue)
      // that nothing waits is an answer too
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

  /** One that was altered, put in or taken away has its place in the list all the same. */
  #damaged(path: SchemaPath, position: string): GrantEdge['node'] {
    this.#parts.recorder.recordOnce(`${path} ${position}`, { path, action: 'READ', outcome: 'UNAVAILABLE', reason: 'INTEGRITY' })
    return (_args, _context, info) => {
      this.#parts.errors.unavailable(`${info.parentType.name}.${info.fieldName}`, position, info.path)
      return null
    }
  }

  /** @throws StoreUnavailable in a deployment that keeps no grants */
  #reviews(): BreakGlassReviewPort {
    const reviews = this.#parts.breakGlass?.reviews
    if (reviews === undefined) throw new StoreUnavailable()
    return reviews
  }
}

function positionIn(key: PurposeKey<'cursor'>, bound: CursorBound, after: string): string {
  const position = openCursor(key, bound, after)
  if (typeof position !== 'string') throw new BadUserInput()
  return position
}
