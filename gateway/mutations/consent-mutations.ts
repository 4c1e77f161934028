import { getNamedType, type GraphQLResolveInfo } from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { changedConsents, consentsOfPatient, statementOf, type StoredConsents } from '../access/consents.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import { derivedId } from '../crypto/tokens.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { Consent } from '../model/consent.ts'
import { BadUserInput, keyOverdue, storeOverdue, StoreUnavailable, VersionConflict } from '../model/failures.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import { idDetail } from '../model/limit-details.ts'
import type { AccessTable, ConsentsChange } from '../store/access.ts'
import type { RecordChangePort } from '../store/record-changes.ts'
import { inTurn, orUnavailable } from './change-attempts.ts'
import { AccessRights, type Ground, rootOf } from './access-rights.ts'
import type { AccessMutationParts } from './care-team-mutations.ts'
import { readStatement } from './consent-input.ts'
import { patientTypeOf } from './patient-type.ts'

type Args = Readonly<Record<string, unknown>>

/** A consent in the API. What it says is only what the caller has just sent: nothing is read from the store. */
export interface ConsentPayload {
  readonly id: string
  readonly patientId: string
  readonly withdrawn: boolean
  readonly effect?: Consent['effect']
  readonly sensitivities?: readonly string[] | undefined
  readonly actor?: string | undefined
  readonly roles?: readonly string[] | undefined
  readonly purposes?: readonly string[] | undefined
  readonly records?: readonly string[] | undefined
  readonly start?: string | undefined
  readonly end?: string | undefined
}

interface Writing {
  readonly port: RecordChangePort
  readonly access: AccessTable
  readonly key: PurposeKey<'identifier'>
}

/** The path of the audit for consents, as an import records them. */
const CONSENT = 'Consent' as SchemaPath
/** The consents that users can record for one patient. Each request about the patient opens all of them. */
const MAX_CONSENTS = 50

const TOO_MANY = `The patient has ${MAX_CONSENTS} recorded consents, which is the maximum. Withdraw one that is no longer needed.`
const IMPORTED = 'The consent comes from a source. Withdraw it there, and import it again.'

/**
 * Records and withdraws consents of a patient. A consent is stored in the patient's access manifest, in one transaction with its audit
 * record. It takes effect at the next request.
 *
 * The id of a consent follows from the patient and from what the consent says. The same statement is therefore one consent, however often
 * it is recorded, and no imported consent has its id.
 */
export class ConsentMutations {
  readonly #parts: AccessMutationParts
  readonly #scope: RequestScope
  readonly #rights: AccessRights

  constructor(parts: AccessMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
    this.#rights = new AccessRights(parts, scope)
  }

  /** @returns null after an error entry. @throws BadUserInput, Erased, AuditUnavailable */
  async record({ patientId, input }: Args, info: GraphQLResolveInfo): Promise<ConsentPayload | null> {
    const { content, recordIds } = readStatement(typeof input === 'object' && input !== null ? (input as Args) : {})
    const type = typeOf(info)
    return await orUnavailable(this.#scope, type, info, async () => {
      const writing = await this.#writing()
      const patientRef = this.#scope.placeOf(String(patientId), patientTypeOf(this.#parts.policy))
      const { patient } = patientRef
      const ground = await this.#rights.of(patientRef, String(patientId), 'CREATE', writing.access, info)
      if (ground === null) return null
      const records = recordIds && (await this.#recordsOf(patientRef, recordIds, info))
      if (records === null) return null
      const said = { ...content, ...(records && { records: records.toSorted() }) }
      const consent: Consent = { id: idOf(writing.key, patient, said), ...said }
      const ref = { type, patient, id: consent.id as RecordId }
      await inTurn(this.#parts, patient, async () => {
        const stored = await this.#stored(writing, patient)
        const change = changedConsents(patient, stored, { given: [consent], withdrawn: [] })
        if (change === undefined) {
          this.#unchanged(ref, 'CREATE', info)
          return
        }
        const recorded = stored.consents.filter((one) => isRecorded(writing.key, patient, one))
        if (recorded.length >= MAX_CONSENTS) throw new BadUserInput({ detail: TOO_MANY })
        await this.#commit(writing, ref, change, 'CREATE', ground)
      })
      return this.#payload(ref, said, recordIds)
    })
  }

  /** A consent that is not in force stays withdrawn. @returns null after an error entry. @throws as `record` */
  async withdraw({ id }: Args, info: GraphQLResolveInfo): Promise<ConsentPayload | null> {
    const type = typeOf(info)
    return await orUnavailable(this.#scope, type, info, async () => {
      const writing = await this.#writing()
      const ref = this.#scope.placeOf(String(id), type)
      const { patient } = ref
      const patientRef = { type: patientTypeOf(this.#parts.policy), patient, id: patient as string as RecordId }
      const ground = await this.#rights.of(patientRef, String(id), 'DELETE', writing.access, info)
      if (ground === null) return null
      await inTurn(this.#parts, patient, async () => {
        const stored = await this.#stored(writing, patient)
        const parts = stored.consents.filter((one) => statementOf(one.id) === (ref.id as string))
        // an import would record it again
        if (!parts.every((one) => isRecorded(writing.key, patient, one))) throw new BadUserInput({ detail: IMPORTED })
        const change = changedConsents(patient, stored, { given: [], withdrawn: [ref.id] })
        if (change === undefined) this.#unchanged(ref, 'DELETE', info)
        else await this.#commit(writing, ref, change, 'DELETE', ground)
      })
      return { ...this.#payload(ref), withdrawn: true }
    })
  }

  /**
   * The records that a consent names. The caller must be able to know each of them: otherwise the answer would show which ids exist.
   *
   * @returns null after an error entry
   */
  async #recordsOf({ patient }: RecordRef, ids: readonly string[], info: GraphQLResolveInfo): Promise<readonly RecordId[] | null> {
    const { policy } = this.#parts
    const refs = ids.map((id) => this.#scope.ids.decode(id))
    const named = refs.flatMap((ref) => (ref !== undefined && ref.patient === patient && policy.records.has(ref.type) ? [ref] : []))
    if (named.length < refs.length) throw new BadUserInput({ detail: idDetail('records') })
    const targets = await Promise.all(
      named.map(async (ref) => await this.#scope.targets.targetOf(ref, { type: ref.type, action: 'UPDATE' }, info)),
    )
    return targets.includes(null) ? null : [...new Set(named.map(({ id }) => id))]
  }

  async #commit(
    { port }: Writing,
    ref: RecordRef,
    access: ConsentsChange,
    action: 'CREATE' | 'DELETE',
    { oversees: _, ...ground }: Ground,
  ): Promise<void> {
    const { caller, policy, trail, deadline } = this.#parts
    const { patient, type, id } = ref
    const change = { patient, isNew: false, records: [], access: [access], references: [] }
    const prepared = await deadline.wait(async () => await port.prepare(caller.tenant, policy, change), storeOverdue)
    if (prepared.kind !== 'PREPARED') throw new VersionConflict()
    const at = { patient, recordType: type, recordId: id, path: CONSENT, action } as const
    await trail.commit(prepared.items, { ...at, outcome: 'WRITTEN', ...ground })
    // the rest of the operation reads the access of the patient again
    this.#scope.targets.forget({ type: patientTypeOf(policy), patient, id: patient as string as RecordId })
  }

  #unchanged(ref: RecordRef, action: 'CREATE' | 'DELETE', info: GraphQLResolveInfo): void {
    const { patient, type, id } = ref
    const at = { patient, recordType: type, recordId: id, path: rootOf(info), action } as const
    this.#scope.recorder.recordOnce(`${rootOf(info)} ${recordKey(ref)}`, { ...at, outcome: 'ABSENT' })
  }

  #payload(ref: RecordRef, said?: Omit<Consent, 'id'>, records?: readonly string[]): ConsentPayload {
    const { ids } = this.#scope
    const { patient } = ref
    const patientRef = { type: patientTypeOf(this.#parts.policy), patient, id: patient as string as RecordId }
    const known = { id: ids.encode(ref), patientId: ids.encode(patientRef), withdrawn: false }
    if (said === undefined) return known
    const { effect, labels: sensitivities, actor, roles, purposes, since, until } = said
    const [start, end] = [timeOf(since), timeOf(until === undefined ? undefined : until - 1)]
    return { ...known, effect, sensitivities, actor, roles, purposes, records, start, end }
  }

  async #stored({ access }: Writing, patient: PatientId): Promise<StoredConsents> {
    const { caller, keyring, deadline } = this.#parts
    return await deadline.wait(
      async () => await consentsOfPatient({ keyring, access }, caller.tenant, patient, deadline.signal),
      storeOverdue,
    )
  }

  /** @throws StoreUnavailable without the services; KeyUnavailable */
  async #writing(): Promise<Writing> {
    const { caller, policy, records, keyring, deadline } = this.#parts
    const port = records?.portOf(patientTypeOf(policy))
    const access = records?.access
    if (port === undefined || access === undefined) throw new StoreUnavailable()
    return { port, access, key: await deadline.wait(() => keyring.purposeKey(caller.tenant, 'identifier'), keyOverdue) }
  }
}

const typeOf = ({ returnType }: GraphQLResolveInfo): TypeName => getNamedType(returnType).name as TypeName

const timeOf = (time: number | undefined): string | undefined => (time === undefined ? undefined : new Date(time).toISOString())

/** The id of a recorded consent. The id of a FHIR resource has no bracket, so that no imported consent has the same. */
const idOf = (key: PurposeKey<'identifier'>, patient: PatientId, said: Omit<Consent, 'id'>): string =>
  derivedId(key, 'Consent' as TypeName, `["gateway",${JSON.stringify(patient)},${canonicalText(said)}]`)

/** Whether a user recorded the consent, and no import. */
function isRecorded(key: PurposeKey<'identifier'>, patient: PatientId, { id, ...said }: Consent): boolean {
  return idOf(key, patient, said) === id
}
