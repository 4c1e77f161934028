import type { GraphQLResolveInfo } from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable, Relationship, Role } from '../../directives/policy.ts'
import { readPatientAccess } from '../access/patient-access.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { lookupToken } from '../crypto/tokens.ts'
import { actingRoles } from '../decide/contract.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Facts } from '../model/decision.ts'
import { keyOverdue, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import type { AccessTable } from '../store/access.ts'

/** The ground of a permitted change, as the audit records it. */
export interface Ground extends Pick<AccessRecord, 'basis' | 'basisId' | 'since' | 'limits'> {
  /** Whether the caller acts in an oversight role, which needs no relationship and reads no record. */
  readonly oversees: boolean
}

interface RightParts {
  readonly caller: Caller
  readonly policy: PolicyTable
  readonly keyring: Keyring
  readonly trail: Trail
  readonly deadline: Deadline
}

/**
 * The right to change who has access to a patient's record: the care team and the consents.
 *
 * `@mayCall` names the roles. A role of oversight needs no relationship: it may act for each patient of its tenant. Any other role needs
 * a relationship that holds now, and it is the one by which the role reads the patient's own record for this purpose. For a physician
 * that is CARE_TEAM, for a patient SELF, and for the front desk ORGANIZATION. No grant for break-glass counts.
 *
 * A relationship whose limits exclude labeled records gives no right, because a consent or a member of the team reaches these as well.
 */
export class AccessRights {
  readonly #parts: RightParts
  readonly #scope: RequestScope

  constructor(parts: RightParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
  }

  /**
   * Decides about one patient. A denial and an unknown patient leave an error entry and an audit record.
   *
   * @param requestedId the id that the client sent, for the audit of an unknown one
   * @returns null without the right
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  async of(
    ref: RecordRef,
    requestedId: string,
    action: 'CREATE' | 'UPDATE' | 'DELETE' | 'READ',
    access: AccessTable,
    info: GraphQLResolveInfo,
  ): Promise<Ground | null> {
    const roles = this.#callingRoles(info)
    if (this.oversees(info)) return await this.#overseen(ref, requestedId, action, access, info)
    const target = await this.#scope.targets.targetOf(ref, { type: ref.type, action: action === 'READ' ? 'UPDATE' : action }, info)
    if (target === null) return null
    const { facts } = target
    const named = this.#relationshipsOf(roles, ref)
    const holding = [...named].filter((name) => facts.relationships.has(name))
    const within = holding.find((name) => reachesLabels(name, facts))
    if (within !== undefined) return groundOf(within, facts)
    if (holding.length === 0 && [...named].some((name) => facts.unknown?.has(name) === true)) throw new StoreUnavailable()
    this.#deny(ref, named.size === 0 ? 'PURPOSE' : 'RELATIONSHIP', action, info)
    return null
  }

  /** Whether the caller acts in a role of oversight that may call the root field. */
  oversees(info: GraphQLResolveInfo): boolean {
    return this.#callingRoles(info).some((role) => this.#oversees(role))
  }

  /** One answer and one audit record for every id that leads nowhere (P5). */
  async notFound(requestedId: string, action: AccessRecord['action'], info: GraphQLResolveInfo): Promise<null> {
    const { caller, keyring, deadline } = this.#parts
    const lookup = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue)
    const at = { path: rootOf(info), action, patient: lookupToken(lookup, requestedId) } as const
    this.#scope.recorder.recordOnce(`${rootOf(info)} ${requestedId}`, { ...at, outcome: 'DENIED', reason: 'NOT_FOUND' })
    this.#scope.errors.notFound(info.path, requestedId)
    return null
  }

  async #overseen(
    { patient }: RecordRef,
    requestedId: string,
    action: AccessRecord['action'],
    access: AccessTable,
    info: GraphQLResolveInfo,
  ): Promise<Ground | null> {
    const { caller, keyring, deadline } = this.#parts
    const wanted = new Map([[patient, []]])
    const read = await deadline.wait(
      () => readPatientAccess({ table: access, keyring }, caller.tenant, wanted, deadline.signal),
      storeOverdue,
    )
    if (read.get(patient)?.kind === 'NO_MANIFEST') return await this.notFound(requestedId, action, info)
    return { basis: 'ORGANIZATION', oversees: true }
  }

  #callingRoles({ parentType, fieldName }: GraphQLResolveInfo): readonly Role[] {
    const { caller, policy } = this.#parts
    const mayCall = policy.calls.get(`${parentType.name}.${fieldName}` as Coordinate)?.roles
    return [...actingRoles(caller)].filter((role) => mayCall?.has(role) === true)
  }

  #oversees(role: Role): boolean {
    const { caller, policy } = this.#parts
    const declared = policy.roles.get(role)
    return declared?.kind === 'OVERSIGHT' && declared.mayClaim.includes(caller.purpose)
  }

  /** The relationships by which the roles read the patient's own record for the purpose of the request. */
  #relationshipsOf(roles: readonly Role[], { type }: RecordRef): ReadonlySet<Relationship> {
    const { caller, policy } = this.#parts
    const grants = [...policy.phi.values()].filter(({ path }) => path.startsWith(`${type}.`)).flatMap((field) => field.grants)
    const applying = grants.filter(
      (grant) => grant.actions.has('READ') && grant.purposes.has(caller.purpose) && roles.some((role) => grant.roles.has(role)),
    )
    return new Set(applying.map(({ relationship }) => relationship))
  }

  #deny(ref: RecordRef, reason: 'PURPOSE' | 'RELATIONSHIP', action: AccessRecord['action'], info: GraphQLResolveInfo): void {
    const { errors, recorder } = this.#scope
    const path = rootOf(info)
    errors.record(path, recordKey(ref), { outcome: 'DENIED', denial: { outcome: 'DENIED', reason, breakGlass: false } }, info.path)
    recorder.recordOnce(`${path} ${recordKey(ref)}`, { patient: ref.patient, path, action, outcome: 'DENIED', reason })
  }
}

export const rootOf = ({ parentType, fieldName }: GraphQLResolveInfo): SchemaPath => `${parentType.name}.${fieldName}` as SchemaPath

const reachesLabels = (name: Relationship, { limits }: Facts): boolean =>
  limits?.get(name)?.some(({ labeled }) => labeled) !== false

function groundOf(basis: Relationship, { grounds, limits }: Facts): Ground {
  const { id, since } = grounds?.get(basis) ?? {}
  const scopes = limits?.get(basis)
  return {
    basis,
    oversees: false,
    ...(id !== undefined && { basisId: id }),
    ...(since !== undefined && { since }),
    ...(scopes !== undefined && { limits: scopes }),
  }
}
