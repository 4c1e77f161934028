import { getNamedType, type GraphQLResolveInfo } from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { OwnTeamMembership, type Stay } from '../access/own-team.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import { derivedId } from '../crypto/tokens.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { BadUserInput, keyOverdue, storeOverdue, StoreUnavailable, VersionConflict } from '../model/failures.ts'
import { type Instant, recordKey, type RecordId, type RecordRef } from '../model/ids.ts'
import { textDetail } from '../model/limit-details.ts'
import type { Json, NewRecord } from '../model/record.ts'
import type { AccessTable, MembershipChange } from '../store/access.ts'
import type { FormerVersion, RecordChange, RecordChangePort } from '../store/record-changes.ts'
import { inTurn, orUnavailable } from './change-attempts.ts'
import { AccessRights, type Ground, rootOf } from './access-rights.ts'
import type { ChangeTurns } from './change-turns.ts'
import { patientTypeOf } from './patient-type.ts'
import { spanOf } from './period-arguments.ts'
import type { RecordWriting } from './record-mutations.ts'

export interface AccessMutationParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly keyring: Keyring
  readonly trail: Trail
  readonly deadline: Deadline
  readonly turns: ChangeTurns
  readonly records?: RecordWriting
}

type Args = Readonly<Record<string, unknown>>

/** The type of the care team's records, as the schema names it, and its stored fields. */
interface MemberType {
  readonly type: TypeName
  readonly role: SchemaPath
  readonly period: SchemaPath
  readonly port: RecordChangePort
  readonly access: AccessTable
}

/** A place on the team, from the arguments of a call. */
interface Place {
  readonly userId: string
  readonly role: string
  readonly stay: Stay
  /** Whether the client named the start. */
  readonly isStartGiven: boolean
}

/** The path of the audit for memberships, as an import records them. */
const TEAM = 'Patient.careTeam' as SchemaPath
/** The form of the FHIR identity by which the memberships of clinicians are found. */
const PRACTITIONER = /^Practitioner\/[A-Za-z0-9\-.]{1,64}$/
const MAX_ROLE = 200
const MAX_REASON = 500

const USER_DETAIL = '`userId` is no FHIR identity of a practitioner. Write it as `Practitioner/123`.'
const ORDER_DETAIL = '`end` is not after the start. Without `start`, the membership begins now.'
const ON_TEAM =
  'The person has another stay on the team in this time. End that membership with `endCareTeamMembership`, or choose a start after its end.'
const IMPORTED = 'The membership comes from a source. End it there, and import it again.'

/** A schema with these mutations gives a type of records without the fields that they write. */
class NoCareTeamRecord extends Error {
  override readonly name = 'NoCareTeamRecord'
}

/**
 * Adds and ends members of care teams. The record of the member, its history, its index, the membership and the audit records are stored
 * in one transaction. Each method returns the record, or null after an error entry.
 *
 * A person has one stay on the team at a time. The id of a stay follows from patient, person and start, so that a repeated call finds it.
 */
export class CareTeamMutations {
  readonly #parts: AccessMutationParts
  readonly #scope: RequestScope
  readonly #rights: AccessRights

  constructor(parts: AccessMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
    this.#rights = new AccessRights(parts, scope)
  }

  /** @throws BadUserInput, Erased, AuditUnavailable */
  async add(args: Args, info: GraphQLResolveInfo): Promise<RecordRef | null> {
    const place = placeOf(args, this.#parts.now)
    return await orUnavailable(this.#scope, typeOf(info), info, async () => {
      const member = this.#memberType(info)
      const requestedId = String(args['patientId'])
      const patientRef = this.#scope.placeOf(requestedId, patientTypeOf(this.#parts.policy))
      const ground = await this.#rights.of(patientRef, requestedId, 'CREATE', member.access, info)
      if (ground === null) return null
      return await inTurn(this.#parts, patientRef.patient, async () => await this.#added(member, patientRef, place, ground, info))
    })
  }

  /** @throws BadUserInput, Erased, AuditUnavailable */
  async end({ id, reason }: Args, info: GraphQLResolveInfo): Promise<RecordRef | null> {
    const given = reason === undefined || reason === null ? undefined : textOf(reason, 'reason', MAX_REASON)
    return await orUnavailable(this.#scope, typeOf(info), info, async () => {
      const member = this.#memberType(info)
      const ref = this.#scope.placeOf(String(id), member.type)
      const { patient } = ref
      const patientRef = { type: patientTypeOf(this.#parts.policy), patient, id: patient as string as RecordId }
      const ground = await this.#rights.of(patientRef, String(id), 'UPDATE', member.access, info)
      if (ground === null) return null
      if (!ground.oversees) {
        // the labels of the record, and consents, can close it to a member of the team
        const target = await this.#scope.targets.targetOf(ref, { type: member.type, action: 'UPDATE' }, info)
        if (target === null) return null
      }
      const ended = await inTurn(this.#parts, patient, async () => await this.#ended(member, ref, given, ground, info))
      return ended ?? (await this.#rights.notFound(String(id), 'UPDATE', info))
    })
  }

  async #added(
    member: MemberType,
    patientRef: RecordRef,
    place: Place,
    ground: Ground,
    info: GraphQLResolveInfo,
  ): Promise<RecordRef> {
    const { patient } = patientRef
    const { userId, stay, role, isStartGiven } = place
    const membership = await this.#membership(member, patient, userId)
    const other = membership.overlapping(stay)
    // without a start, a repeated call means the stay that holds now
    const ref = await this.#refOf(member, patient, userId, other === undefined || isStartGiven ? stay.since : other.since)
    const former = await this.#waited(
      async () => await member.port.former(this.#parts.caller.tenant, ref, [member.role, member.period], this.#scope.counter),
    )
    if (other === undefined && former !== undefined) {
      // the same call may have been stored between the two reads
      const again = await this.#membership(member, patient, userId)
      if (again.overlapping(stay) !== undefined) throw new VersionConflict()
    }
    if (other !== undefined || former !== undefined) {
      const asked = { role, period: periodOf(isStartGiven || other === undefined ? stay : { ...stay, since: other.since }) }
      if (other === undefined || former === undefined || !isSame(member, former, asked)) throw new BadUserInput({ detail: ON_TEAM })
      return this.#repeated(ref, former.version, 'CREATE', info)
    }
    const record: NewRecord = {
      ref,
      values: new Map<SchemaPath, Json>([
        [member.role, role],
        [member.period, periodOf(stay)],
      ]),
      metadata: {
        open: { userId },
        references: {},
        date: new Date(stay.since).toISOString(),
        change: this.#change(),
      },
    }
    await this.#commit(member, ref, { kind: 'CREATE', record }, membership.with(stay), [member.period, member.role], ground, info)
    return ref
  }

  /** @returns undefined if the chart has no such record */
  async #ended(
    member: MemberType,
    ref: RecordRef,
    reason: string | undefined,
    ground: Ground,
    info: GraphQLResolveInfo,
  ): Promise<RecordRef | undefined> {
    const { caller, now } = this.#parts
    const former = await this.#waited(
      async () => await member.port.former(caller.tenant, ref, [member.period], this.#scope.counter),
    )
    if (former === undefined) return undefined
    const { metadata, version, values } = former
    const userId = metadata.open['userId']
    const stay = stayOf(values.get(member.period))
    // an import would give the membership again
    if (metadata.source !== undefined || typeof userId !== 'string' || stay === undefined)
      throw new BadUserInput({ detail: IMPORTED })
    const membership = await this.#membership(member, ref.patient, userId)
    const change = membership.endedAt(stay, now)
    if (change === undefined) return this.#repeated(ref, version, 'UPDATE', info)
    const period = periodOf({ since: stay.since, until: Math.max(now, stay.since + 1) as Instant })
    const patch = {
      ref,
      values: new Map<SchemaPath, Json>([[member.period, period]]),
      from: [],
      metadataOf: () => ({ ...metadata, change: { ...this.#change(), ...(reason !== undefined && { ended: reason }) } }),
    }
    await this.#commit(member, ref, { kind: 'UPDATE', expected: version, patch }, change, [member.period], ground, info)
    return ref
  }

  async #commit(
    { port }: MemberType,
    ref: RecordRef,
    record: RecordChange,
    access: MembershipChange,
    paths: readonly SchemaPath[],
    { oversees: _, ...ground }: Ground,
    info: GraphQLResolveInfo,
  ): Promise<void> {
    const { caller, policy, trail } = this.#parts
    const { patient, type, id } = ref
    const change = { patient, isNew: false, records: [record], access: [access], references: [] }
    const prepared = await this.#waited(async () => await port.prepare(caller.tenant, policy, change))
    // another writer changed the record, or removed it, since it was read
    if (prepared.kind !== 'PREPARED') throw new VersionConflict()
    const { items, version } = prepared
    const action = record.kind === 'CREATE' ? 'CREATE' : 'UPDATE'
    const written: AccessRecord[] = [
      {
        patient,
        recordType: type,
        recordId: id,
        recordVersion: version,
        path: rootOf(info),
        paths,
        action,
        outcome: 'WRITTEN',
        ...ground,
      },
      { patient, path: TEAM, action: 'UPDATE', outcome: 'WRITTEN', count: 1, ...ground },
    ]
    await trail.commit(items, ...written)
    this.#forget(ref)
  }

  /** The answer reads what was written, by the rights of now. The access of the patient is read again as well. */
  #forget(ref: RecordRef): void {
    const { patient } = ref
    this.#scope.targets.forget(ref)
    this.#scope.targets.forget({ type: patientTypeOf(this.#parts.policy), patient, id: patient as string as RecordId })
    this.#scope.reveal(ref)
  }

  #repeated(ref: RecordRef, version: number, action: 'CREATE' | 'UPDATE', info: GraphQLResolveInfo): RecordRef {
    const { patient, type, id } = ref
    const at = { patient, recordType: type, recordId: id, recordVersion: version, path: rootOf(info), action } as const
    this.#scope.recorder.recordOnce(`${rootOf(info)} ${recordKey(ref)}`, { ...at, outcome: 'ABSENT' })
    this.#scope.reveal(ref)
    return ref
  }

  async #membership({ access }: MemberType, patient: RecordRef['patient'], fhirUser: string): Promise<OwnTeamMembership> {
    const { caller, keyring, deadline } = this.#parts
    return await this.#waited(
      async () => await OwnTeamMembership.read({ keyring, access }, caller.tenant, { patient, fhirUser }, deadline.signal),
    )
  }

  async #refOf({ type }: MemberType, patient: RecordRef['patient'], userId: string, since: Instant): Promise<RecordRef> {
    const { caller, keyring, deadline } = this.#parts
    const key = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'identifier'), keyOverdue)
    // the id of a FHIR resource has no bracket
    return { type, patient, id: derivedId(key, type, JSON.stringify(['gateway', patient, userId, since])) }
  }

  #change() {
    const { caller, now } = this.#parts
    return { user: caller.user, at: new Date(now).toISOString() }
  }

  async #waited<Result>(work: () => Promise<Result>): Promise<Result> {
    return await this.#parts.deadline.wait(work, storeOverdue)
  }

  /** @throws StoreUnavailable without the services; NoCareTeamRecord */
  #memberType(info: GraphQLResolveInfo): MemberType {
    const { policy, records } = this.#parts
    const type = typeOf(info)
    const [role, period] = [`${type}.role` as SchemaPath, `${type}.period` as SchemaPath]
    if (!policy.records.has(type) || !policy.phi.has(role) || !policy.phi.has(period)) throw new NoCareTeamRecord()
    const port = records?.portOf(type)
    const access = records?.access
    if (port === undefined || access === undefined) throw new StoreUnavailable()
    return { type, role, period, port, access }
  }
}

const typeOf = ({ returnType }: GraphQLResolveInfo): TypeName => getNamedType(returnType).name as TypeName

/** @throws BadUserInput */
function placeOf({ userId, role, start, end }: Args, now: Instant): Place {
  if (typeof userId !== 'string' || !PRACTITIONER.test(userId)) throw new BadUserInput({ detail: USER_DETAIL })
  const since = (spanOf(start, 'start')?.from ?? now) as Instant
  const until = spanOf(end, 'end')?.end as Instant | undefined
  if (until !== undefined && until <= since) throw new BadUserInput({ detail: ORDER_DETAIL })
  const stay = { since, ...(until !== undefined && { until }) }
  return { userId, role: textOf(role, 'role', MAX_ROLE), stay, isStartGiven: typeof start === 'string' }
}

/** @throws BadUserInput */
function textOf(value: unknown, argument: string, most: number): string {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '' || text.length > most || !text.isWellFormed() || /\p{Cc}/u.test(text))
    throw new BadUserInput({ detail: textDetail(argument, most) })
  return text
}

/** A period as in FHIR, where the end is inclusive. */
const periodOf = ({ since, until }: Stay): { readonly [name: string]: Json } => ({
  start: new Date(since).toISOString(),
  ...(until !== undefined && { end: new Date(until - 1).toISOString() }),
})

/** The stay of a record that `periodOf` wrote; undefined for another form. */
function stayOf(period: Json | undefined): Stay | undefined {
  if (typeof period !== 'object' || period === null || Array.isArray(period)) return undefined
  const { start, end } = period as { readonly [name: string]: Json }
  const since = typeof start === 'string' ? Date.parse(start) : Number.NaN
  const last = typeof end === 'string' ? Date.parse(end) : undefined
  if (Number.isNaN(since) || Number.isNaN(last)) return undefined
  return { since: since as Instant, ...(last !== undefined && { until: (last + 1) as Instant }) }
}

const isSame = (
  { role, period }: MemberType,
  { values }: FormerVersion,
  asked: { readonly role: string; readonly period: Json },
): boolean => values.get(role) === asked.role && canonicalText(values.get(period) ?? null) === canonicalText(asked.period)
