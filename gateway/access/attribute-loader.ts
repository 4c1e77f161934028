import type { OutcomeReason } from '../model/access-record.ts'
import type { Consent } from '../model/consent.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Emergency } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { EmergencyActs, EmergencyReviews } from './break-glass-port.ts'
import type { RelationshipScope } from '../model/record.ts'
import { type Held, type RelationshipRegistry, relationshipsOf } from './relationships.ts'

/** Where the emergencies of a caller are found: the glass that was broken, for each of the patients. */
export interface EmergencySource {
  /** Those that hold now. @throws StoreUnavailable, KeyUnavailable */
  emergencies(caller: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, Emergency>>
  /** How the glass is broken and put back; left out where that is done elsewhere. */
  readonly acts?: EmergencyActs
  /** How they are reviewed; left out where that is done elsewhere. */
  readonly reviews?: EmergencyReviews
}

/**
 * What is kept of a patient's consents. TAMPERED: something of it was taken away or put back, which may have been a denial.
 * UNROOTED: nothing at all is kept of the patient, which is so for one who does not exist and for no other.
 */
export type KnownConsents = readonly Consent[] | ConsentsOfErased | 'TAMPERED' | 'UNROOTED'

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
export interface KnownFacts extends Held {
  readonly emergency?: Emergency
  /** Undefined where they could not be found out. */
  readonly consents: readonly Consent[] | undefined
  /** Whether something is kept of the patient, who is therefore there; undefined where nobody tells. */
  readonly rooted?: boolean
  /** The patient's keys were destroyed: any that are found were put back, or are remembered from before. */
  readonly erased?: true
}

export interface FactSources {
  readonly relationships: RelationshipRegistry
  /** None: the glass cannot be broken. */
  readonly emergencies?: EmergencySource
  /** None: no patient has said anything, so that what needs a consent is closed. */
  readonly consents?: ConsentSource
}

interface FactParts extends FactSources {
  readonly caller: Caller
  readonly now: Instant
  readonly deadline: Deadline
  /** What a failure means, told to operators. @throws the failure, where it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

/** The part of the time for reading that the sources of facts have. */
const SOURCE_SHARE = 0.8

/** One relationship to one patient: whether it holds, and within which limits. */
interface HeldOne {
  readonly holds: boolean
  readonly scopes: readonly RelationshipScope[] | undefined
}

/** What is known of a caller and their patients during one request: each is asked for once, so that list, record and edge decide alike. */
export class PatientFacts {
  readonly #parts: FactParts
  readonly #relationships = new Map<string, HeldOne>()
  readonly #emergencies = new Map<PatientId, Emergency | undefined>()
  readonly #consents = new Map<PatientId, KnownConsents | undefined>()

  constructor(parts: FactParts) {
    this.#parts = parts
  }

  /** What was found damaged, or could not be found out, is asked for again. */
  async of(names: ReadonlySet<Relationship>, patients: readonly PatientId[]): Promise<ReadonlyMap<PatientId, KnownFacts>> {
    // one that is silent ends before the rest is given up with it; what is read of one table within one share is read at once
    const share = this.#parts.deadline.share(SOURCE_SHARE)
    const [held] = await Promise.all([
      this.#held(names, patients, share),
      this.#askEmergencies(patients, share),
      this.#askConsents(patients, share),
    ])
    return new Map(
      patients.map((patient): [PatientId, KnownFacts] => {
        const emergency = this.#emergencies.get(patient)
        const known = held.get(patient) ?? { relationships: new Set() }
        const told = this.#consents.get(patient)
        const erased = typeof told === 'object' && 'erased' in told
        const consents = typeof told === 'string' ? undefined : erased ? told.consents : told
        const damage = known.damage ?? consentDamage(told, known.relationships.size > 0 || emergency !== undefined)
        const rooted = damage === 'UNROOTED' ? false : told === undefined || this.#parts.consents === undefined ? undefined : true
        const facts = {
          ...known,
          ...(damage !== undefined && { damage }),
          ...(rooted !== undefined && { rooted }),
          ...(erased && { erased }),
          consents,
        }
        return [patient, { ...facts, ...(emergency !== undefined && { emergency }) }]
      }),
    )
  }

  async #held(
    names: ReadonlySet<Relationship>,
    patients: readonly PatientId[],
    share: Deadline,
  ): Promise<ReadonlyMap<PatientId, Held>> {
    const { relationships, caller, now, reasonOf } = this.#parts
    const held = new Map<PatientId, Held>()
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
  async #askEmergencies(patients: readonly PatientId[], share: Deadline): Promise<void> {
    const { caller, emergencies, reasonOf } = this.#parts
    const missing = patients.filter((patient) => !this.#emergencies.has(patient))
    if (caller.purpose !== 'BTG' || emergencies === undefined || missing.length === 0) return
    try {
      const found = await share.wait(() => emergencies.emergencies(caller, missing, share), storeOverdue)
      for (const patient of missing) this.#emergencies.set(patient, found.get(patient))
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
function consentDamage(told: KnownConsents | undefined, mayOpen: boolean): Held['damage'] {
  return typeof told === 'string' && (mayOpen || told === 'UNROOTED') ? told : undefined
}
