import { getNamedType, type GraphQLResolveInfo } from 'graphql'
import { randomBytes } from 'node:crypto'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Caller } from '../model/decision.ts'
import { BadUserInput, Erased, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Instant, RecordId, RecordRef } from '../model/ids.ts'
import { textDetail } from '../model/limit-details.ts'
import { type ErasureAct, ErasureFile, type StoredErasure } from '../store/erasure-file.ts'
import { ErasableChart } from '../store/erasable-chart.ts'
import { AccessRights, type Ground, rootOf } from './access-rights.ts'
import type { AccessMutationParts } from './care-team-mutations.ts'
import { inTurn, orUnavailable } from './change-attempts.ts'
import {
  ERASURE,
  ERASURE_PATH,
  type ErasurePayload,
  erasurePayload,
  type ErasureRefusal,
  HOLD_PATH,
  type HoldPayload,
  holdPayload,
  LEGAL_HOLD,
  stateOf,
} from './erasure-payloads.ts'
import { type CommitErasure, ErasureRun, type ErasureServices, isSamePerson } from './erasure-run.ts'
import { patientTypeOf } from './patient-type.ts'

export interface ErasureMutationParts extends AccessMutationParts {
  readonly erasures?: ErasureServices
}

type Args = Readonly<Record<string, unknown>>

/** The patient of a call that the caller may act for. */
interface Target {
  readonly services: ErasureServices
  readonly ref: RecordRef
  readonly patientId: string
  readonly ground: Omit<Ground, 'oversees'>
}

const MAX_REASON = 500
/** An unanswered request ends after this time. */
const REQUEST_MS = 30 * 86_400_000
/** The holds of one patient. */
const MAX_HOLDS = 20
const TOO_MANY_HOLDS = `The patient has ${MAX_HOLDS} legal holds, which is the maximum. Release one that is no longer needed.`

/**
 * Erasures of patients, and the legal holds that prevent them. One person requests an erasure, and another one approves it. Each change
 * commits with its audit record. A refusal is a result.
 *
 * Each method returns null after an error entry, and throws BadUserInput, Erased and AuditUnavailable.
 */
export class ErasureMutations {
  readonly #parts: ErasureMutationParts
  readonly #scope: RequestScope
  readonly #rights: AccessRights

  constructor(parts: ErasureMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
    this.#rights = new AccessRights(parts, scope)
  }

  async request({ patientId, reason }: Args, info: GraphQLResolveInfo): Promise<ErasurePayload | null> {
    const why = reasonOf(reason)
    return await this.#of(String(patientId), patientTypeOf(this.#parts.policy), 'CREATE', info, async (target) => {
      const file = await this.#file(target)
      const { erasure } = file.content
      const { now } = this.#parts
      // a repeated call gives the same erasure
      if (erasure !== undefined && stateOf(erasure, now) !== 'EXPIRED') return this.#unchanged(target, erasure, 'CREATE', info)
      if (file.isErased) throw new Erased()
      const chart = await this.#waited(() => this.#run(target).chartOr(file))
      if (!(chart instanceof ErasableChart)) return this.#refused(target, undefined, chart, 'CREATE', info)
      const requested: StoredErasure = {
        id: newId(),
        reason: why,
        requested: actOf(this.#parts.caller, now),
        until: now + REQUEST_MS,
      }
      const writes = file.write({ ...file.content, erasure: requested })
      await this.#commit(target, writes, { recordType: ERASURE, recordId: requested.id, path: ERASURE_PATH, action: 'CREATE' })
      return this.#shown(target, requested)
    })
  }

  async approve({ id }: Args, info: GraphQLResolveInfo): Promise<ErasurePayload | null> {
    return await this.#of(String(id), ERASURE, 'DELETE', info, async (target) => {
      const file = await this.#file(target)
      const { erasure } = file.content
      const { caller, now } = this.#parts
      if (erasure?.id !== (target.ref.id as string)) return await this.#rights.notFound(String(id), 'DELETE', info)
      const state = stateOf(erasure, now)
      if (state === 'ERASED') return this.#unchanged(target, erasure, 'DELETE', info)
      const act = actOf(caller, now)
      if (isSamePerson(erasure.requested, act)) return this.#refused(target, erasure, { refusal: 'SAME_PERSON' }, 'DELETE', info)
      if (state === 'EXPIRED') return this.#refused(target, erasure, { refusal: 'EXPIRED' }, 'DELETE', info)
      const run = this.#run(target)
      const chart = await this.#waited(() => run.chartOr(file))
      if (!(chart instanceof ErasableChart)) return this.#refused(target, erasure, chart, 'DELETE', info)
      const asked = { erasure, approved: erasure.approved ?? act, requestId: this.#scope.requestId }
      const erased = await run.erase(file, chart, asked, async (writes, record) => {
        await this.#commit(target, writes, { recordType: ERASURE, recordId: erasure.id, ...record })
      })
      return this.#shown(target, erased)
    })
  }

  async read({ id }: Args, info: GraphQLResolveInfo): Promise<ErasurePayload | null> {
    return await this.#of(String(id), ERASURE, 'READ', info, async (target) => {
      const { erasure } = (await this.#file(target)).content
      if (erasure?.id !== (target.ref.id as string)) return await this.#rights.notFound(String(id), 'READ', info)
      this.#disclosed(target, ERASURE, erasure.id, info)
      return this.#shown(target, erasure, { withReason: true })
    })
  }

  async placeHold({ patientId, reason }: Args, info: GraphQLResolveInfo): Promise<HoldPayload | null> {
    const why = reasonOf(reason)
    return await this.#of(String(patientId), patientTypeOf(this.#parts.policy), 'CREATE', info, async (target) => {
      const file = await this.#file(target)
      if (file.isErased) throw new Erased()
      const { caller, now } = this.#parts
      const { holds } = file.content
      const same = holds.find((hold) => hold.reason === why && hold.act.by === (caller.user as string))
      const hold = same ?? { id: newId(), reason: why, act: actOf(caller, now) }
      const at = { recordType: LEGAL_HOLD, recordId: hold.id, path: HOLD_PATH, action: 'CREATE' } as const
      if (same !== undefined) this.#absent(target, at, info)
      else {
        if (holds.length >= MAX_HOLDS) throw new BadUserInput({ detail: TOO_MANY_HOLDS })
        await this.#commit(target, file.write({ ...file.content, holds: [...holds, hold] }), at)
      }
      return holdPayload(this.#scope.ids, target.ref.patient, target.patientId, hold)
    })
  }

  async releaseHold({ id }: Args, info: GraphQLResolveInfo): Promise<HoldPayload | null> {
    return await this.#of(String(id), LEGAL_HOLD, 'DELETE', info, async (target) => {
      const file = await this.#file(target)
      const { holds } = file.content
      const hold = holds.find((one) => one.id === (target.ref.id as string))
      if (hold === undefined) return await this.#rights.notFound(String(id), 'DELETE', info)
      const at = { recordType: LEGAL_HOLD, recordId: hold.id, path: HOLD_PATH, action: 'DELETE' } as const
      await this.#commit(target, file.write({ ...file.content, holds: holds.filter((one) => one !== hold) }), at)
      return holdPayload(this.#scope.ids, target.ref.patient, target.patientId, hold, { released: true })
    })
  }

  async holds({ patientId }: Args, info: GraphQLResolveInfo): Promise<readonly HoldPayload[] | null> {
    return await this.#of(String(patientId), patientTypeOf(this.#parts.policy), 'READ', info, async (target) => {
      const { holds } = (await this.#file(target)).content
      if (holds.length === 0) this.#absent(target, { recordType: LEGAL_HOLD, action: 'READ' }, info)
      for (const { id } of holds) this.#disclosed(target, LEGAL_HOLD, id, info)
      const { ids } = this.#scope
      return holds.map((hold) => holdPayload(ids, target.ref.patient, target.patientId, hold, { reason: hold.reason }))
    })
  }

  /** Finds the patient of an id of this type, and decides about it. Then the act has its turn among the changes of the chart. */
  async #of<Result>(
    id: string,
    type: TypeName,
    action: 'CREATE' | 'DELETE' | 'READ',
    info: GraphQLResolveInfo,
    act: (target: Target) => Promise<Result | null>,
  ): Promise<Result | null> {
    return await orUnavailable(this.#scope, getNamedType(info.returnType).name as TypeName, info, async () => {
      const { erasures: services, policy } = this.#parts
      if (services === undefined) throw new StoreUnavailable()
      const ref = this.#scope.placeOf(id, type)
      const { patient } = ref
      const patientRef = { type: patientTypeOf(policy), patient, id: patient as string as RecordId }
      const right = await this.#rights.of(patientRef, id, action, services.access, info)
      if (right === null) return null
      const target = { services, ref, patientId: this.#scope.ids.encode(patientRef), ground: groundOf(right) }
      if (action === 'READ') return await act(target)
      return await inTurn(this.#parts, patient, async () => await act(target))
    })
  }

  async #file({ services, ref: { patient } }: Target): Promise<ErasureFile> {
    return await this.#waited(() => ErasureFile.open(services, this.#parts.caller.tenant, patient))
  }

  #run({ services, ref: { patient } }: Target): ErasureRun {
    const { caller, policy, now } = this.#parts
    return new ErasureRun({ services, tenant: caller.tenant, policy, patient, now })
  }

  async #commit(
    { ref: { patient }, ground }: Target,
    writes: Parameters<CommitErasure>[0],
    record: Omit<AccessRecord, 'outcome' | 'patient'>,
  ): Promise<void> {
    const { trail, policy } = this.#parts
    await trail.commit(writes, { patient, outcome: 'WRITTEN', ...record, ...ground })
    // the rest of the operation reads the access of the patient again
    this.#scope.targets.forget({ type: patientTypeOf(policy), patient, id: patient as string as RecordId })
  }

  #refused(
    target: Target,
    erasure: StoredErasure | undefined,
    refused: ErasureRefusal,
    action: 'CREATE' | 'DELETE',
    info: GraphQLResolveInfo,
  ): ErasurePayload {
    const { patient } = target.ref
    const path = rootOf(info)
    const id = erasure === undefined ? {} : { recordId: erasure.id }
    const rule = `${path}#${refused.refusal}`
    this.#scope.recorder.recordOnce(`${path} ${patient}`, {
      patient,
      recordType: ERASURE,
      ...id,
      path,
      action,
      outcome: 'DENIED',
      rule,
    })
    return this.#shown(target, erasure, { refused })
  }

  #unchanged(target: Target, erasure: StoredErasure, action: 'CREATE' | 'DELETE', info: GraphQLResolveInfo): ErasurePayload {
    this.#absent(target, { recordType: ERASURE, recordId: erasure.id, action }, info)
    return this.#shown(target, erasure)
  }

  #absent(
    { ref: { patient } }: Target,
    record: Pick<AccessRecord, 'recordType' | 'recordId' | 'action'>,
    info: GraphQLResolveInfo,
  ) {
    const path: SchemaPath = rootOf(info)
    this.#scope.recorder.recordOnce(`${path} ${patient}`, { ...record, patient, path, outcome: 'ABSENT' })
  }

  /** The read of a reason. */
  #disclosed({ ref: { patient } }: Target, recordType: TypeName, recordId: string, info: GraphQLResolveInfo): void {
    const path: SchemaPath = rootOf(info)
    this.#scope.recorder.recordOnce(`${path} ${recordId}`, {
      patient,
      recordType,
      recordId,
      path,
      action: 'READ',
      outcome: 'DISCLOSED',
    })
  }

  #shown(
    { ref: { patient }, patientId }: Target,
    erasure: StoredErasure | undefined,
    more: { readonly refused?: ErasureRefusal; readonly withReason?: true } = {},
  ): ErasurePayload {
    return erasurePayload(this.#scope.ids, { patient, patientId, now: this.#parts.now, erasure, ...more })
  }

  async #waited<Result>(work: () => Promise<Result>): Promise<Result> {
    return await this.#parts.deadline.wait(work, storeOverdue)
  }
}

const groundOf = ({ oversees: _, ...ground }: Ground): Target['ground'] => ground

const newId = (): string => randomBytes(16).toString('base64url')

const actOf = ({ user, fhirUser }: Caller, at: Instant): ErasureAct => ({
  by: user,
  ...(fhirUser !== undefined && { person: fhirUser }),
  at,
})

/** @throws BadUserInput */
function reasonOf(value: unknown): string {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '' || text.length > MAX_REASON || !text.isWellFormed() || /\p{Cc}/u.test(text))
    throw new BadUserInput({ detail: textDetail('reason', MAX_REASON) })
  return text
}
