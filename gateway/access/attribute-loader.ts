import type { OutcomeReason } from '../model/access-record.ts'
import type { Consent } from '../model/consent.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, BreakGlassGrantRef } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { BreakGlassPort, BreakGlassReviewPort } from './break-glass-port.ts'
import type { RelationshipScope } from '../model/record.ts'
import { type HeldRelationships, type RelationshipRegistry, relationshipsOf } from './relationships.ts'

/** Where the emergencies of a caller are found: the glass that was broken, for each of the patients. */
export interface BreakGlassSource {
  /** Those that hold now. @throws StoreUnavailable, KeyUnavailable */
  activeGrants(
    caller: Caller,
    patients: readonly PatientId[],
    deadline: Deadline,
  ): Promise<ReadonlyMap<PatientId, BreakGlassGrantRef>>
  /** How the glass is broken and put back; left out where that is done elsewhere. */
  readonly port?: BreakGlassPort
  /** How they are reviewed; left out where that is done elsewhere. */
  readonly reviews?: BreakGlassReviewPort
}

/**
 * What is kept of a patient's consents. TAMPERED: something of it was taken away or put back, which may have been a denial.
 * NO_MANIFEST: nothing at all is kept of the patient, which is so for one who does not exist and for no other.
 */
export type KnownConsents = readonly Consent[] | ConsentsOfErased | 'TAMPERED' | 'NO_MANIFEST'

/** The consents of a patient whose keys were destroyed, as far as is known where consents are kept. */
interface ConsentsOfErased {
  readonly erased: true
  readonly consents: readonly Consent[]
}

/** Where patients' consents are found. */
export interface ConsentSource {
  /** All consents of each of the patients; one whose consents cannot be told is left out. @throws StoreUnavailable, KeyUnavailable */
  consents(tenant: TenantId, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, KnownConsents>>
}

/** What is known of one caller and one patient, before any record of the patient is. */
export interface SubjectAttributes extends HeldRelationships {
  readonly breakGlass?: BreakGlassGrantRef
  /** Undefined where they could not be found out. */
  readonly consents: readonly Consent[] | undefined
  /** Whether something is kept of the patient, who is therefore there; undefined where nobody tells. */
  readonly hasManifest?: boolean
  /** The patient's keys were destroyed: any that are found were put back, or are remembered from before. */
  readonly erased?: true
}

export interface AttributeSources {
  readonly relationships: RelationshipRegistry
  /** None: the glass cannot be broken. */
  readonly breakGlass?: BreakGlassSource
  /** None: no patient has said anything, so that what needs a consent is closed. */
  readonly consents?: ConsentSource
}

interface AttributeParts extends AttributeSources {
  readonly caller: Caller
  readonly now: Instant
  readonly deadline: Deadline
  /** What a failure means, told to operators. @throws the failure, where it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

/** The part of the time for reading that the sources of facts have. */
const SOURCE_SHARE = 0.8

/** One relationship to one patient: whether it holds, and within which limits. */
interface RelationshipState {
  readonly holds: boolean
  readonly scopes: readonly RelationshipScope[] | undefined
}

/** What is known of a caller and their patients during one request: each is asked for once, so that list, record and edge decide alike. */
export class AttributeLoader {
  readonly #parts: AttributeParts
  readonly #relationships = new Map<string, RelationshipState>()
  readonly #breakGlass = new Map<PatientId, BreakGlassGrantRef | undefined>()
  readonly #consents = new Map<PatientId, KnownConsents | undefined>()

  constructor(parts: AttributeParts) {
    this.#parts = parts
  }

  /** What was found damaged, or could not be found out, is asked for again. */
  async attributesFor(
    names: ReadonlySet<Relationship>,
    patients: readonly PatientId[],
  ): Promise<ReadonlyMap<PatientId, SubjectAttributes>> {
    // one that is silent ends before the rest is given up with it; what is read of one table within one share is read at once
    const share = this.#parts.deadline.share(SOURCE_SHARE)
    const [held] = await Promise.all([
      this.#held(names, patients, share),
      this.#askBreakGlass(patients, share),
      this.#askConsents(patients, share),
    ])
    return new Map(
      patients.map((patient): [PatientId, SubjectAttributes] => {
        const breakGlass = this.#breakGlass.get(patient)
        const known = held.get(patient) ?? { relationships: new Set() }
        const told = this.#consents.get(patient)
        const erased = typeof told === 'object' && 'erased' in told
        const consents = typeof told === 'string' ? undefined : erased ? told.consents : told
        const damage = known.damage ?? consentDamage(told, known.relationships.size > 0 || breakGlass !== undefined)
        const hasManifest =
          damage === 'NO_MANIFEST' ? false : told === undefined || this.#parts.consents === undefined ? undefined : true
        const facts = {
          ...known,
          ...(damage !== undefined && { damage }),
          ...(hasManifest !== undefined && { hasManifest }),
          ...(erased && { erased }),
          consents,
        }
        return [patient, { ...facts, ...(breakGlass !== undefined && { breakGlass }) }]
      }),
    )
  }

  async #held(
    names: ReadonlySet<Relationship>,
    patients: readonly PatientId[],
    share: Deadline,
  ): Promise<ReadonlyMap<PatientId, HeldRelationships>> {
    const { relationships, caller, now, reasonOf } = this.#parts
    const held = new Map<PatientId, HeldRelationships>()
    const missing: PatientId[] = []
    for (const patient of patients) {
      const answers = [...names].map((name) => [name, this.#relationships.get(`${name} ${patient}`)] as const)
      if (answers.some(([, known]) => known === undefined)) missing.push(patient)
      else {
        const holding = answers.filter(([, known]) => known?.holds === true)
        const limits = new Map(
          holding.flatMap(([name, known]) => (known?.scopes === undefined ? [] : [[name, known.scopes] as const])),
        )
        held.set(patient, { relationships: new Set(holding.map(([name]) => name)), ...(limits.size > 0 && { limits }) })
      }
    }
    if (missing.length === 0) return held
    for (const [patient, found] of await relationshipsOf(relationships, names, caller, missing, now, share, reasonOf)) {
      held.set(patient, found)
      if (found.damage !== undefined || found.unknown !== undefined) continue
      for (const name of names) {
        const one = { holds: found.relationships.has(name), scopes: found.limits?.get(name) }
        this.#relationships.set(`${name} ${patient}`, one)
      }
    }
    return held
  }

  /** Asked for those alone who say that it is one. That nobody knows is no emergency: it fails closed. */
  async #askBreakGlass(patients: readonly PatientId[], share: Deadline): Promise<void> {
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

  async #askConsents(patients: readonly PatientId[], share: Deadline): Promise<void> {
    const { caller, consents, reasonOf } = this.#parts
    const missing = patients.filter((patient) => {
      const told = this.#consents.get(patient)
      return told === undefined || typeof told === 'string'
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

/** Nobody knows what a patient denied of whom consents were taken away; it matters to those alone to whom something may be open. */
function consentDamage(told: KnownConsents | undefined, mayOpen: boolean): HeldRelationships['damage'] {
  return typeof told === 'string' && (mayOpen || told === 'NO_MANIFEST') ? told : undefined
}
