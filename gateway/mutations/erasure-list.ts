import type { GraphQLResolveInfo } from 'graphql'
import type { Coordinate } from '../../directives/coordinates.ts'
import { type CursorBound, openCursor, sealCursor } from '../crypto/cursor.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import { BadUserInput, keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { PatientId, RecordId } from '../model/ids.ts'
import { CURSOR_DETAIL, firstDetail } from '../model/limit-details.ts'
import { MAX_PAGE } from '../model/list.ts'
import { type UnfinishedErasure, unfinishedErasures } from '../store/unfinished-erasures.ts'
import { AccessRights, rootOf } from './access-rights.ts'
import { orUnavailable } from './change-attempts.ts'
import type { ErasureMutationParts } from './erasure-mutations.ts'
import { ERASURE, type ErasurePayload, erasurePayload, stateOf } from './erasure-payloads.ts'
import { patientTypeOf } from './patient-type.ts'

interface ErasureEdge {
  readonly cursor: string
  /** A resolver: graphql calls it. */
  readonly node: (args: unknown, context: unknown, info: GraphQLResolveInfo) => ErasurePayload | null
}

/** A page in the form of the Relay cursor specification. */
interface ErasurePage {
  readonly edges: readonly ErasureEdge[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

/** The requested and approved erasures of a tenant, for roles of oversight. The audit records each one shown under its patient. */
export class ErasureList {
  readonly #parts: ErasureMutationParts
  readonly #scope: RequestScope

  constructor(parts: ErasureMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
  }

  /**
   * @returns null after an error entry
   * @throws BadUserInput
   */
  async page({ first, after }: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<ErasurePage | null> {
    if (typeof first !== 'number' || !Number.isInteger(first) || first < 1 || first > MAX_PAGE)
      throw new BadUserInput({ detail: () => firstDetail(first, MAX_PAGE) })
    return await orUnavailable(this.#scope, ERASURE, info, async () => await this.#page(first, after, info))
  }

  async #page(first: number, after: unknown, info: GraphQLResolveInfo): Promise<ErasurePage | null> {
    const { caller, deadline, erasures: services, keyring, now } = this.#parts
    const { recorder } = this.#scope
    const path = rootOf(info)
    // any other role has a relationship to each patient, or learns nothing of the patient
    if (!new AccessRights(this.#parts, this.#scope).oversees(info)) return this.#denied(info)
    if (services === undefined) throw new StoreUnavailable()
    const bound: CursorBound = { caller, coordinate: path as string as Coordinate, filter: null }
    const key = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'cursor'), keyOverdue)
    const position = typeof after === 'string' ? openCursor(key, bound, after) : undefined
    if (position !== undefined && typeof position !== 'string') throw new BadUserInput({ detail: CURSOR_DETAIL })
    const wanted = { after: position as PatientId | undefined, limit: first, deadline }
    const parts = { access: services.access, keyring }
    const { erasures, next } = await deadline.wait(() => unfinishedErasures(parts, caller.tenant, wanted), storeOverdue)
    const shown = erasures.filter(({ erasure }) => erasure === 'DAMAGED' || stateOf(erasure, now) !== 'EXPIRED')
    // an empty page is a disclosure too, so it is recorded
    if (shown.length === 0) recorder.recordOnce(path, { path, recordType: ERASURE, action: 'READ', outcome: 'ABSENT' })
    const edges = shown.map((one) => ({ cursor: sealCursor(key, bound, one.patient), node: this.#node(one, info) }))
    const endCursor = next === undefined ? (edges.at(-1)?.cursor ?? null) : sealCursor(key, bound, next)
    const ends = { startCursor: edges[0]?.cursor ?? null, endCursor }
    return { edges, pageInfo: { hasNextPage: next !== undefined, hasPreviousPage: position !== undefined, ...ends } }
  }

  #node({ patient, erasure }: UnfinishedErasure, info: GraphQLResolveInfo): ErasureEdge['node'] {
    const { recorder, ids, errors } = this.#scope
    const { now, policy } = this.#parts
    const at = { patient, recordType: ERASURE, path: rootOf(info), action: 'READ' } as const
    if (erasure === 'DAMAGED') {
      recorder.recordOnce(`${at.path} ${patient}`, { ...at, outcome: 'UNAVAILABLE', reason: 'INTEGRITY' })
      return (_args, _context, { parentType, fieldName, path }) => {
        errors.unavailable(`${parentType.name}.${fieldName}`, patient, path)
        return null
      }
    }
    recorder.recordOnce(`${at.path} ${erasure.id}`, { ...at, recordId: erasure.id, outcome: 'DISCLOSED' })
    const patientId = ids.encode({ type: patientTypeOf(policy), patient, id: patient as string as RecordId })
    const payload = erasurePayload(ids, { patient, patientId, now, erasure })
    return () => payload
  }

  #denied(info: GraphQLResolveInfo): null {
    const path = rootOf(info)
    const denial = { outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false } as const
    this.#scope.errors.record(path, path, { outcome: 'DENIED', denial }, info.path)
    this.#scope.recorder.recordOnce(path, { path, recordType: ERASURE, action: 'READ', outcome: 'DENIED', reason: 'RELATIONSHIP' })
    return null
  }
}
