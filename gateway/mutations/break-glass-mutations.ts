import type { GraphQLResolveInfo } from 'graphql'
import type { BreakGlassPort, BreakGlassReviewPort, Finding, PreparedReview } from '../access/break-glass-port.ts'
import type { BreakGlassSource } from '../access/attribute-loader.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { lookupToken } from '../crypto/tokens.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import { idDetail, textDetail, minutesDetail } from '../model/limit-details.ts'
import { BadUserInput, Failure, keyOverdue, OperationTooCostly, PhiBudgetExceeded, VersionConflict } from '../model/failures.ts'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordRef } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { DisclosureCounter } from '../disclosure/disclosure-counter.ts'
import type { AccessRecorder } from '../disclosure/access-recorder.ts'
import type { FailureReasons } from '../disclosure/failure-reasons.ts'
import { GRANT, type GrantPayload, grantPayload, reviewPayload } from './grant-payloads.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { ResponseErrors } from '../disclosure/response-errors.ts'
import { type At, GrantWriter, type GrantWriterParts, type Prepare } from './grant-writer.ts'

export interface BreakGlassParts extends GrantWriterParts {
  readonly now: Instant
  readonly policy: PolicyTable
  readonly ids: PublicIds
  readonly breakGlass?: BreakGlassSource
  readonly keyring: Keyring
  readonly failures: FailureReasons
  readonly errors: ResponseErrors
  readonly counter: DisclosureCounter
  readonly recorder: AccessRecorder
  /** The patients that the caller may open by break-glass within an hour. */
  readonly maxPatients: number
}

/** Maximum characters of a reason: a sentence or two, not a chart. */
const MAX_REASON = 500
/** Maximum characters of a reviewer's note. */
const MAX_NOTE = 2_000
const FINDINGS: ReadonlySet<unknown> = new Set<Finding>(['APPROPRIATE', 'INAPPROPRIATE', 'FOLLOW_UP'])
const FINDING_DETAIL = `\`finding\` is one of: ${[...FINDINGS].join(', ')}.`

/** The schema has a break-glass mutation, but the deployment configures no port for it. */
class NoBreakGlassPort extends Error {
  override readonly name = 'NoBreakGlassPort'
}

/** A reviewer may not review a grant of their own. */
class OwnGrant extends Error {
  override readonly name = 'OwnGrant'
}

/** The grant already has another final finding. */
class FinalFinding extends Error {
  override readonly name = 'FinalFinding'
}

/**
 * Creates, ends and reviews break-glass grants. Each change commits with its audit record. A new or ended grant also emits an
 * event for the operators.
 */
export class BreakGlassMutations {
  readonly #parts: BreakGlassParts
  readonly #writer: GrantWriter
  #isRequested = false

  constructor(parts: BreakGlassParts) {
    this.#parts = parts
    this.#writer = new GrantWriter(parts)
  }

  /**
   * Creates a grant for one patient, one caller, a stated reason and a number of minutes (45 CFR 164.312(a)(2)(ii)). If the caller has an
   * open grant for the patient, it renews that grant.
   *
   * @returns null if the patient does not exist or the lookup failed; the response errors distinguish the two
   * @throws BadUserInput, AuditUnavailable; OperationTooCostly for a second call in one operation; PhiBudgetExceeded if the caller opened
   *   too many patients in this hour
   */
  async breakGlass(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<GrantPayload | null> {
    const { caller, policy, now, maxPatients } = this.#parts
    const port = this.#port()
    // the operation is refused before its execution if it has two calls; this holds for a schema that names the field differently
    if (this.#isRequested)
      throw new OperationTooCostly({
        detail: 'An operation opens one patient by break-glass at most. Send the other patients in requests of their own.',
      })
    this.#isRequested = true
    const { patientId, minutes } = args
    const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
    if (typeof patientId !== 'string' || reason === '' || reason.length > MAX_REASON)
      throw new BadUserInput({ detail: textDetail('reason', MAX_REASON) })
    if (typeof minutes !== 'number' || !Number.isInteger(minutes) || minutes < 1 || minutes > port.maxMinutes) {
      throw new BadUserInput({ detail: () => minutesDetail(minutes, port.maxMinutes) })
    }
    const ref = this.#parts.ids.decode(patientId)
    const isPatient = ref !== undefined && policy.records.get(ref.type)?.patient === 'id' && (ref.patient as string) === ref.id
    return await this.#act(patientId, isPatient ? ref : undefined, 'CREATE', info, async ({ patient }, deadline) => {
      const prepared = await port.prepareGrant(caller, { patient, reason, minutes, maxPatients }, now, deadline)
      return prepared === 'TOO_MANY' ? this.#tooMany(patient, info) : prepared
    })
  }

  /**
   * Ends the caller's own grant; an oversight role may end any grant of the tenant. An ended grant does not change.
   *
   * @throws BadUserInput, AuditUnavailable
   */
  async endBreakGlass({ id }: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<GrantPayload | null> {
    const { caller, now } = this.#parts
    const port = this.#port()
    const reviews = this.#oversees(info) ? this.#reviews() : undefined
    return await this.#act(
      grantId(id),
      this.#grantRef(id),
      'UPDATE',
      info,
      async ({ patient, id: grant }, deadline) =>
        (await port.prepareEnd(caller, patient, grant, now, deadline)) ??
        (await reviews?.prepareEnd(caller.tenant, patient, grant, now, deadline)),
    )
  }

  /**
   * Records a finding about an ended grant. A caller cannot review a grant of their own.
   *
   * @throws BadUserInput, AuditUnavailable, VersionConflict
   */
  async reviewBreakGlass(args: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<GrantPayload | null> {
    const { caller, now, errors, recorder } = this.#parts
    const { id, finding } = args
    const reviews = this.#reviews()
    const note = typeof args['note'] === 'string' && args['note'].trim() !== '' ? args['note'].trim() : undefined
    if (!isFinding(finding)) throw new BadUserInput({ detail: FINDING_DETAIL })
    if ((note?.length ?? 0) > MAX_NOTE) throw new BadUserInput({ detail: textDetail('note', MAX_NOTE) })
    const review = async ({ patient, id: grant }: RecordRef, deadline: Deadline): Promise<PreparedReview | undefined> => {
      const prepared = await reviews.prepareReview(caller, patient, grant, { finding, note }, now, deadline)
      if (prepared === 'OWN') throw new OwnGrant()
      // an active grant cannot be reviewed yet; a reviewer can end it
      if (prepared === 'OPEN')
        throw new BadUserInput({
          detail: 'The grant is still active, and a review needs an ended one. End it with `endBreakGlass`.',
        })
      if (prepared === 'FINAL') throw new FinalFinding()
      return prepared
    }
    try {
      return await this.#act(grantId(id), this.#grantRef(id), 'UPDATE', info, review)
    } catch (error) {
      if (error instanceof FinalFinding) throw new VersionConflict({ cause: error })
      const ref = this.#grantRef(id)
      if (!(error instanceof OwnGrant) || ref === undefined) throw error
      const path = `${info.parentType.name}.${info.fieldName}` as SchemaPath
      const denial = { outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false } as const
      errors.record(path, ref.id, { outcome: 'DENIED', denial }, info.path)
      const at = { patient: ref.patient, recordType: GRANT, recordId: ref.id, path, action: 'UPDATE' } as const
      recorder.recordOnce(`${path} ${ref.id}`, { ...at, outcome: 'DENIED', reason: 'RELATIONSHIP' })
      return null
    }
  }

  /** Whether the caller has an oversight role that may call this mutation. */
  #oversees({ parentType, fieldName }: GraphQLResolveInfo): boolean {
    const { caller, policy } = this.#parts
    const mayCall = policy.calls.get(`${parentType.name}.${fieldName}` as Coordinate)?.roles
    return [...caller.roles].some((role) => mayCall?.has(role) === true && policy.roles.get(role)?.kind === 'OVERSIGHT')
  }

  #reviews(): BreakGlassReviewPort {
    const reviews = this.#parts.breakGlass?.reviews
    if (reviews === undefined) throw new NoBreakGlassPort()
    return reviews
  }

  #port(): BreakGlassPort {
    const port = this.#parts.breakGlass?.port
    if (port === undefined) throw new NoBreakGlassPort()
    return port
  }

  async #act(
    requestedId: string,
    ref: RecordRef | undefined,
    action: AccessRecord['action'],
    info: GraphQLResolveInfo,
    prepare: Prepare,
  ): Promise<GrantPayload | null> {
    const path = `${info.parentType.name}.${info.fieldName}` as SchemaPath
    const at = { path, action } as const
    try {
      const prepared = ref && (await this.#writer.change(ref, at, prepare))
      if (prepared === undefined) return await this.#notFound(requestedId, at, info)
      const { grant } = prepared
      return 'reason' in grant ? reviewPayload(this.#parts, grant) : grantPayload(this.#parts, grant)
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'FIELD_UNAVAILABLE') throw error
      const reason = this.#parts.failures.classify(error)
      this.#parts.trail.record({ ...at, ...(ref && { patient: ref.patient }), outcome: 'UNAVAILABLE', reason })
      this.#parts.counter.unavailable++
      this.#parts.errors.unavailable(path, requestedId, info.path)
      return null
    }
  }

  /** @throws PhiBudgetExceeded */
  #tooMany(patient: PatientId, { parentType, fieldName }: GraphQLResolveInfo): never {
    const path = `${parentType.name}.${fieldName}` as SchemaPath
    this.#parts.trail.record({ patient, path, action: 'CREATE', outcome: 'DENIED', reason: 'BUDGET' })
    this.#writer.report(patient, 'REFUSED')
    throw new PhiBudgetExceeded('BREAK_GLASS')
  }

  /** One answer and one audit record for all ids that the caller may not use: missing, of another tenant, of another user (P5). */
  async #notFound(requestedId: string, at: At, info: GraphQLResolveInfo): Promise<null> {
    const { caller, keyring, deadline, trail, counter, errors } = this.#parts
    const lookup = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue)
    trail.record({ ...at, patient: lookupToken(lookup, requestedId), outcome: 'DENIED', reason: 'NOT_FOUND' })
    counter.denied++
    errors.notFound(info.path)
    return null
  }

  #grantRef(id: unknown): RecordRef | undefined {
    const ref = typeof id === 'string' ? this.#parts.ids.decode(id) : undefined
    return ref?.type === GRANT ? ref : undefined
  }
}

const isFinding = (value: unknown): value is Finding => FINDINGS.has(value)

function grantId(id: unknown): string {
  if (typeof id !== 'string') throw new BadUserInput({ detail: idDetail('id') })
  return id
}
