import type { Sessions } from '../access/sessions.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import { BreakGlassMutations, type BreakGlassParts } from './break-glass-mutations.ts'
import { ReviewQueue } from './review-queue.ts'

/** The parts that the request's scope does not bring. */
type MutationParts = Omit<BreakGlassParts, 'counter' | 'errors' | 'failures' | 'recorder'> & {
  /** Left out: the deployment keeps no sessions. */
  readonly sessions?: Sessions
}

/** The part of one request that writes, beside the scope that reads. It shares the scope's counter, errors and recorder. */
export class MutationScope {
  readonly breakGlass: BreakGlassMutations
  /** The review queue of break-glass grants. */
  readonly reviews: ReviewQueue
  readonly sessions: Sessions | undefined

  constructor(parts: MutationParts, { counter, errors, failures, recorder }: RequestScope) {
    const shared = { ...parts, counter, errors, failures, recorder }
    this.breakGlass = new BreakGlassMutations(shared)
    this.reviews = new ReviewQueue(shared)
    this.sessions = parts.sessions
  }
}
