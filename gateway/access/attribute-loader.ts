import type { OutcomeReason } from '../model/access-record.ts'
import type { Consent } from '../model/consent.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, BreakGlassGrantRef, RelationshipGround } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { BreakGlassPort, BreakGlassReviewPort } from './break-glass-port.ts'
import type { RelationshipScope } from '../model/record.ts'
import type { DecidedManifest } from '../store/record-source.ts'
import { type ActiveRelationships, type RelationshipRegistry, relationshipsOf } from './relationships.ts'

/** Source of a caller's break-glass grants. */
export interface BreakGlassSource {
  /** Returns the grants that are active now, by patient. @throws StoreUnavailable, KeyUnavailable */
  activeGrants(
    caller: Caller,
    patients: readonly PatientId[],
    deadline: Deadline,
  ): Promise<ReadonlyMap<PatientId, BreakGlassGrantRef>>
  /** Creates and ends grants. Leave it out if another system does this. */
  readonly port?: BreakGlassPort
  /** Reviews grants. Leave it out if another system does this. */
  readonly reviews?: BreakGlassReviewPort
}

/**
 * The stored consents of a patient.
 * - TAMPERED: a consent was removed or restored, perhaps a denial.
 * - NO_MANIFEST: the patient has no access manifest. This holds only for a patient that does not exist.
 */
export type ConsentAnswer = readonly Consent[] | ManifestConsents | 'TAMPERED' | 'NO_MANIFEST'

/** The consents of a patient from the access manifest. */
interface ManifestConsents {
  readonly consents: readonly Consent[]
  readonly manifest?: DecidedManifest
  /** The manifest records the destruction of the patient's keys. */
  readonly erased?: true
}

/** Source of patients' consents. */
export interface ConsentSource {
  /** Returns all consents by patient. A patient with unknown consents is absent. @throws StoreUnavailable, KeyUnavailable */
  consents(tenant: TenantId, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, ConsentAnswer>>
}

/** The attributes of one caller and one patient, known before any record of the patient is read. */
export interface SubjectAttributes extends ActiveRelationships {
  readonly breakGlass?: BreakGlassGrantRef
  /** Undefined if the consents could not be loaded. */
  readonly consents: readonly Consent[] | undefined
  /** Whether the patient has an access manifest and therefore exists; undefined if no source knows. */
  readonly hasManifest?: boolean
  /** The access manifest that these attributes come from. A record is opened only if it names this manifest. */
  readonly manifest?: DecidedManifest
  /** The patient's keys were destroyed. Keys that exist all the same were restored, or are cached from before. */
  readonly erased?: true
}

export interface AttributeSources {
  readonly relationships: RelationshipRegistry
  /** Without this source there is no break-glass. */
  readonly breakGlass?: BreakGlassSource
  /** Without this source no patient has consents, so that all values that require one are closed. */
  readonly consents?: ConsentSource
}

interface AttributeParts extends AttributeSources {
  readonly caller: Caller
  readonly now: Instant
  readonly deadline: Deadline
  /** Classifies a failure and reports it to operators. @throws the failure itself if no service caused it */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

/** The share of the remaining time that the sources of attributes may use. */
const SOURCE_SHARE = 0.8

/** Whether one relationship to one patient holds, within which limits, and by which membership. */
interface RelationshipState {
  readonly holds: boolean
  readonly scopes: readonly RelationshipScope[] | undefined
  readonly ground: RelationshipGround | undefined
}

/**
 * Loads the attributes of a caller and of patients for one request. Each attribute is loaded once, so that the decisions for
 * lists, records and edges agree.
 */
export class AttributeLoader {
  readonly #parts: AttributeParts
  readonly #relationships = new Map<Relationship, Map<PatientId, RelationshipState>>()
  readonly #breakGlass = new Map<PatientId, BreakGlassGrantRef | undefined>()
  readonly #consents = new Map<PatientId, ConsentAnswer | undefined>()

  constructor(parts: AttributeParts) {
    this.#parts = parts
  }

  /** Returns the attributes by patient. Loads damaged and unknown attributes again. */
  async attributesFor(
    names: ReadonlySet<Relationship>,
    patients: readonly PatientId[],
  ): Promise<ReadonlyMap<PatientId, SubjectAttributes>> {
    // one slow source must not time out the others; sources with the same share also batch their reads of one table
    const share = this.#parts.deadline.share(SOURCE_SHARE)
    const [relationships] = await Promise.all([
      this.#loadRelationships(names, patients, share),
      this.#loadBreakGlass(patients, share),
      this.#loadConsents(patients, share),
    ])
    return new Map(
      patients.map((patient): [PatientId, SubjectAttributes] => {
        const breakGlass = this.#breakGlass.get(patient)
        const active = relationships.get(patient) ?? { relationships: new Set() }
        const answer = this.#consents.get(patient)
        const { consents, manifest, erased } = known(answer)
        const damage = active.damage ?? consentDamage(answer, active.relationships.size > 0 || breakGlass !== undefined)
        const hasManifest =
          damage === 'NO_MANIFEST' ? false : answer === undefined || this.#parts.consents === undefined ? undefined : true
        const attributes = {
          ...active,
          ...(damage !== undefined && { damage }),
          ...(hasManifest !== undefined && { hasManifest }),
          ...(manifest !== undefined && { manifest }),
          ...(erased !== undefined && { erased }),
          consents,
        }
        return [patient, { ...attributes, ...(breakGlass !== undefined && { breakGlass }) }]
      }),
    )
  }

  /** Drops the attributes of patients, so that the next call loads them again. */
  forget(patients: ReadonlySet<PatientId>): void {
    for (const states of this.#relationships.values()) for (const patient of patients) states.delete(patient)
    for (const patient of patients) this.#consents.delete(patient)
  }

  async #loadRelationships(
    names: ReadonlySet<Relationship>,
    patients: readonly PatientId[],
    share: Deadline,
  ): Promise<ReadonlyMap<PatientId, ActiveRelationships>> {
    const { relationships, caller, now, reasonOf } = this.#parts
    const lacks = (name: Relationship, patient: PatientId): boolean => this.#relationships.get(name)?.has(patient) !== true
    const lacking = new Set([...names].filter((name) => patients.some((patient) => lacks(name, patient))))
    const missing = patients.filter((patient) => [...lacking].some((name) => lacks(name, patient)))
    const loaded =
      missing.length === 0
        ? new Map<PatientId, ActiveRelationships>()
        : await relationshipsOf(relationships, lacking, caller, missing, now, share, reasonOf)
    for (const [patient, found] of loaded) if (isCertain(found)) this.#keep(patient, lacking, found)
    return new Map(
      patients.map((patient) => {
        const active = this.#active(patient, names)
        const found = loaded.get(patient)
        return [patient, found === undefined || isCertain(found) ? active : merged(active, found)]
      }),
    )
  }

  #keep(patient: PatientId, names: ReadonlySet<Relationship>, { relationships, limits, grounds }: ActiveRelationships): void {
    for (const name of names) {
      const states = this.#relationships.get(name) ?? new Map<PatientId, RelationshipState>()
      const state = { holds: relationships.has(name), scopes: limits?.get(name), ground: grounds?.get(name) }
      this.#relationships.set(name, states.set(patient, state))
    }
  }

  #active(patient: PatientId, names: ReadonlySet<Relationship>): ActiveRelationships {
    const relationships = new Set<Relationship>()
    const limits = new Map<Relationship, readonly RelationshipScope[]>()
    const grounds = new Map<Relationship, RelationshipGround>()
    for (const name of names) {
      const state = this.#relationships.get(name)?.get(patient)
      if (state?.holds !== true) continue
      relationships.add(name)
      if (state.scopes !== undefined) limits.set(name, state.scopes)
      if (state.ground !== undefined) grounds.set(name, state.ground)
    }
    return { relationships, ...(limits.size > 0 && { limits }), ...(grounds.size > 0 && { grounds }) }
  }

  /** Loads grants only for a caller with purpose BTG. A failure fails closed: there is no grant. */
  async #loadBreakGlass(patients: readonly PatientId[], share: Deadline): Promise<void> {
    const { caller, breakGlass, reasonOf } = this.#parts
    const missing = patients.filter((patient) => !this.#breakGlass.has(patient))
    if (caller.purpose !== 'BTG' || breakGlass === undefined || missing.length === 0) return
    try {
      const found = await share.wait(() => breakGlass.activeGrants(caller, missing, share), storeOverdue)
      for (const patient of missing) this.#breakGlass.set(patient, found.get(patient))
    } catch (error) {
      reasonOf(error)
    }
  }

  async #loadConsents(patients: readonly PatientId[], share: Deadline): Promise<void> {
    const { caller, consents, reasonOf } = this.#parts
    const missing = patients.filter((patient) => {
      const answer = this.#consents.get(patient)
      return answer === undefined || typeof answer === 'string'
    })
    if (missing.length === 0) return
    if (consents === undefined) {
      for (const patient of missing) this.#consents.set(patient, [])
      return
    }
    try {
      const found = await share.wait(() => consents.consents(caller.tenant, missing, share), storeOverdue)
      for (const patient of missing) this.#consents.set(patient, found.get(patient))
    } catch (error) {
      reasonOf(error)
    }
  }
}

/** Whether a relationship is neither damaged nor unknown, so that it holds for the whole request. */
const isCertain = ({ damage, unknown }: ActiveRelationships): boolean => damage === undefined && unknown === undefined

/** Adds damaged or unknown relationships to those that are cached. */
function merged(cached: ActiveRelationships, found: ActiveRelationships): ActiveRelationships {
  const limits = new Map([...(cached.limits ?? []), ...(found.limits ?? [])])
  const grounds = new Map([...(cached.grounds ?? []), ...(found.grounds ?? [])])
  return {
    ...found,
    relationships: new Set([...cached.relationships, ...found.relationships]),
    ...(limits.size > 0 && { limits }),
    ...(grounds.size > 0 && { grounds }),
  }
}

function known(answer: ConsentAnswer | undefined): Partial<ManifestConsents> {
  if (answer === undefined || typeof answer === 'string') return {}
  return 'consents' in answer ? answer : { consents: answer }
}

/**
 * Damaged consents may miss a denial. TAMPERED matters only if the caller has a relationship or a grant, because otherwise
 * nothing is open.
 */
function consentDamage(answer: ConsentAnswer | undefined, mayOpen: boolean): ActiveRelationships['damage'] {
  return typeof answer === 'string' && (mayOpen || answer === 'NO_MANIFEST') ? answer : undefined
}
