import { membershipKey } from '../access/memberships.ts'
import type { AuditContext } from '../audit/entry.ts'
import type { ConsentChanges } from '../model/consent.ts'
import { type PatientId, type RecordId, recordKey } from '../model/ids.ts'
import type { Membership, NewRecord } from '../model/record.ts'
import type { SourceResource, WithdrawnResource } from '../model/source.ts'
import { NO_CHANGES, type RefusedResource, type SourceResult, sumOf } from '../model/source-result.ts'
import { locatedPatient, type StoredLocator } from '../store/record-locators.ts'
import type { RecordWriter } from '../store/record-writer.ts'
import { ChangedConsents } from './changed-consents.ts'
import { withForeignEncounter } from './foreign-encounters.ts'
import { NO_PARTS, type SourceChange, type SourceParts } from './source-changes.ts'
import type { PlanParts } from './source-parts.ts'
import { planBatch, type PlannedChanges } from './source-plan.ts'
import { SourceVersions, type VersionVerdict } from './source-versions.ts'

/** The resources of one patient, as an import reads them. */
export interface SourceBatch {
  readonly patient: PatientId
  readonly records: readonly NewRecord[]
  readonly memberships: readonly Membership[]
  readonly consents?: ConsentChanges
  readonly sources: readonly SourceResource[]
}

interface SourceImportParts extends PlanParts {
  readonly writer: RecordWriter
  /** Returns the context of a new request. */
  readonly context: () => AuditContext
}

/** The decisions about the resources of one write. */
interface Judged {
  readonly planned: PlannedChanges
  readonly outdated: readonly RecordId[]
  readonly closed: readonly PatientId[]
  readonly refused: readonly RefusedResource[]
}

type Found = ReadonlyMap<RecordId, StoredLocator>
type Verdicts = ReadonlyMap<SourceResource, VersionVerdict>

const AT_ONCE = 100

/**
 * Writes the resources of one import. The newest version of each resource is in the chart of the patient that it names, and in no
 * other chart. A record locator for each resource connects one import with the next (ADR 0034).
 */
export class SourceImport {
  readonly #parts: SourceImportParts
  readonly #versions = new SourceVersions()

  constructor(parts: SourceImportParts) {
    this.#parts = parts
  }

  /**
   * Writes the newest versions of a patient's resources. A resource that was in the chart of another patient leaves that chart in the same
   * transaction.
   *
   * @throws as `RecordWriter.write`
   */
  async write(batch: SourceBatch): Promise<SourceResult> {
    return await this.#write(async () => {
      const found = await this.#locators(batch.sources)
      return await this.#judge(batch, found)
    })
  }

  /**
   * Removes resources from the charts that have them. A patient without a readable resource is closed instead, and so is a patient with a
   * consent that cannot be read.
   *
   * @throws as `RecordWriter.write`
   */
  async withdraw(resources: readonly WithdrawnResource[]): Promise<SourceResult> {
    let total = NO_CHANGES
    for (let start = 0; start < resources.length; start += AT_ONCE) {
      const some = resources.slice(start, start + AT_ONCE)
      const found = await this.#locators(some)
      for (const [patient, own] of Map.groupBy(some, ({ id }) => locatedPatient(found.get(id)))) {
        const result = await this.#write(async () => await this.#judgeWithdrawn(patient, own, await this.#locators(own)))
        total = sumOf(total, result)
      }
    }
    return total
  }

  async #write(judge: () => Promise<Judged>): Promise<SourceResult> {
    const { writer, context } = this.#parts
    const attempts: Judged[] = []
    const result = await writer.write(context(), async () => {
      const judged = await judge()
      attempts.push(judged)
      return await planBatch(this.#parts, judged.planned)
    })
    const { outdated = [], closed = [], refused = [] } = attempts.at(-1) ?? {}
    return { ...result, outdated, closed, refused }
  }

  async #locators(resources: readonly { readonly id: RecordId }[]): Promise<Found> {
    const { services, tenant } = this.#parts
    const key = await services.keyring.purposeKey(tenant, 'access')
    return await services.locators.load(
      tenant,
      key,
      resources.map(({ id }) => id),
    )
  }

  async #judge(batch: SourceBatch, found: Found): Promise<Judged> {
    const { patient, sources, records, consents = { given: [], withdrawn: [] } } = batch
    const own = sources.find(({ type }) => type === 'Patient')
    const isStored = await this.#isStored(patient)
    const verdicts = new Map(sources.map((source) => [source, this.#versions.judge(source, found.get(source.id)?.locator)]))
    const planned = { patient, changes: [], records: [], memberships: [], consents: new Map() }
    // without its own record there is no chart, and consents alone must not create one
    if (!isStored && own !== undefined && verdicts.get(own) !== 'APPLY') {
      return { planned, ...withoutChart(own, verdicts) }
    }
    const isNowhere = !isStored && own === undefined
    const changes: SourceChange[] = []
    const refused: RefusedResource[] = []
    const dropped = new Set<RecordId>()
    const changed = new ChangedConsents()
    const foreign = await withForeignEncounter(batch, (ids) => this.#locators(ids.map((id) => ({ id }))))
    for (const [source, verdict] of verdicts) {
      const stored = found.get(source.id)
      if (verdict === 'APPLY' && foreign.has(source.id)) {
        dropped.add(source.id)
        refused.push({ id: source.id, why: 'ENCOUNTER' })
        changes.push(withoutParts(source, stored, undefined, false))
        continue
      }
      if (verdict !== 'APPLY') dropped.add(source.id)
      if (verdict === 'CONFLICT' || verdict === 'REVIVAL') refused.push({ id: source.id, why: verdict })
      if (verdict === 'APPLY' && isNowhere) {
        // a consent of a patient that no import has brought leaves the patient that it was filed under before
        dropped.add(source.id)
        if (source.type !== 'Consent') refused.push({ id: source.id, why: 'PATIENT' })
        const former = stored?.locator.consentOf
        if (former !== undefined) changed.withdraw(former, source.id)
        if (stored !== undefined) changes.push(withoutParts(source, stored, undefined, false))
      } else if (verdict === 'APPLY') {
        const next = await this.#partsOf(source, patient)
        changes.push({ resource: source, stored, status: 'CURRENT', isRetracted: false, next })
        const former = stored?.locator.consentOf
        if (former !== undefined && former !== next.consentOf) changed.withdraw(former, source.id)
        if (source.type === 'Patient') changed.withdraw(patient, source.id)
      } else if (verdict === 'CONFLICT') {
        const closing = closingPatient(source.type, source.id, stored, patient)
        if (closing !== undefined) changed.close(closing, source.id)
        changes.push(withoutParts(source, stored, closing, false))
      }
    }
    if (isNowhere) {
      return { planned: { ...planned, changes, consents: changed.byPatient }, outdated: outdatedOf(verdicts), closed: [], refused }
    }
    for (const consent of consents.given) if (!dropped.has(statementOf(consent.id))) changed.give(patient, consent)
    for (const id of consents.withdrawn) if (!dropped.has(id as RecordId)) changed.withdraw(patient, id)
    return {
      planned: {
        patient,
        changes,
        records: givenRecords(records, sources, dropped),
        memberships: unsourced(batch.memberships, sources),
        consents: changed.byPatient,
      },
      outdated: outdatedOf(verdicts),
      closed: changed.closed,
      refused,
    }
  }

  async #judgeWithdrawn(patient: PatientId | undefined, resources: readonly WithdrawnResource[], found: Found): Promise<Judged> {
    const changes: SourceChange[] = []
    const refused: RefusedResource[] = []
    const changed = new ChangedConsents()
    const outdated: RecordId[] = []
    for (const resource of resources) {
      const stored = found.get(resource.id)
      const verdict = this.#versions.judge(resource, stored?.locator)
      if (verdict === 'OUTDATED') outdated.push(resource.id)
      if (verdict === 'CONFLICT') refused.push({ id: resource.id, why: verdict })
      // the files lack only the patient of a resource that did not change
      const isSame = stored?.locator.status === 'CURRENT' && stored.locator.digest === resource.digest
      if (verdict === 'OUTDATED' || verdict === 'REVIVAL' || (resource.reason === 'UNFILED' && isSame)) continue
      const isRetracted = resource.reason === 'RETRACTED' && verdict === 'APPLY'
      const closing = isRetracted && resource.type === 'Consent' ? undefined : await this.#closing(resource, stored)
      if (closing !== undefined) changed.close(closing, resource.id)
      const former = stored?.locator.consentOf
      if (former !== undefined && closing === undefined) changed.withdraw(former, resource.id)
      changes.push(withoutParts(resource, stored, closing, isRetracted))
    }
    const planned = { ...(patient && { patient }), changes, records: [], memberships: [], consents: changed.byPatient }
    return { planned, outdated, closed: changed.closed, refused }
  }

  /** The patient that a withdrawn resource closes. Without a locator, an earlier version may have written the patient. */
  async #closing({ type, id }: WithdrawnResource, stored: StoredLocator | undefined): Promise<PatientId | undefined> {
    const own = id as string as PatientId
    if (type === 'Patient') return (await this.#isStored(own)) ? own : undefined
    return closingPatient(type, id, stored, undefined)
  }

  async #isStored(patient: PatientId): Promise<boolean> {
    return (await this.#parts.services.records.indexRoot(this.#parts.tenant, patient)) !== undefined
  }

  async #partsOf(source: SourceResource, patient: PatientId): Promise<SourceParts> {
    const { services, tenant } = this.#parts
    const members = source.memberships.map(async ({ relationship, fhirUser, periods }) => ({
      ...(await membershipKey(services.keyring, tenant, { patient, relationship, fhirUser })),
      fhirUser,
      periods,
    }))
    return {
      records: source.records,
      shared: source.shared,
      members: await Promise.all(members),
      ...(source.type === 'Consent' && { consentOf: patient }),
      identifiers: source.identifiers ?? [],
    }
  }
}

/** The resource leaves its charts. A patient keeps the own record, because it is closed instead. */
function withoutParts(
  resource: SourceChange['resource'],
  stored: StoredLocator | undefined,
  closing: PatientId | undefined,
  isRetracted: boolean,
): SourceChange {
  const isPatient = resource.type === 'Patient'
  const next: SourceParts = {
    ...NO_PARTS,
    ...(isPatient && { records: stored?.locator.records ?? [] }),
    ...(resource.type === 'Consent' && closing !== undefined && { consentOf: closing }),
  }
  return { resource, stored, status: 'WITHDRAWN', isRetracted, next }
}

/** @param named the patient that the resource names now */
function closingPatient(
  type: string,
  id: RecordId,
  stored: StoredLocator | undefined,
  named: PatientId | undefined,
): PatientId | undefined {
  if (type === 'Patient') return id as string as PatientId
  return type === 'Consent' ? (named ?? stored?.locator.consentOf) : undefined
}

/** The consent `X.2` is a part of the statement `X`. */
const statementOf = (id: string): RecordId => id.split('.', 1)[0] as RecordId

const outdatedOf = (verdicts: Verdicts): readonly RecordId[] =>
  [...verdicts].flatMap(([{ id }, verdict]) => (verdict === 'OUTDATED' ? id : []))

/** The result for the resources of a patient without a chart: the patient's own resource is not the newest one. */
function withoutChart(own: SourceResource, verdicts: Verdicts): Omit<Judged, 'planned'> {
  const verdict = verdicts.get(own)
  const others = [...verdicts.keys()].filter((source) => source !== own).map(({ id }) => ({ id, why: 'PATIENT' }) as const)
  if (verdict === 'CONFLICT' || verdict === 'REVIVAL') {
    return { outdated: [], closed: [], refused: [{ id: own.id, why: verdict }, ...others] }
  }
  return { outdated: [own.id], closed: [], refused: others }
}

/** The records that a written resource gives, and those that no resource gives. */
function givenRecords(
  records: readonly NewRecord[],
  sources: readonly SourceResource[],
  dropped: ReadonlySet<RecordId>,
): readonly NewRecord[] {
  const [given, all] = [new Set<string>(), new Set<string>()]
  for (const { id, records: own, shared } of sources) {
    for (const ref of [...own, ...shared]) {
      all.add(recordKey(ref))
      if (!dropped.has(id)) given.add(recordKey(ref))
    }
  }
  return records.filter(({ ref }) => given.has(recordKey(ref)) || !all.has(recordKey(ref)))
}

function unsourced(memberships: readonly Membership[], sources: readonly SourceResource[]): readonly Membership[] {
  const nameOf = ({ relationship, fhirUser }: Pick<Membership, 'relationship' | 'fhirUser'>) => `${relationship} ${fhirUser}`
  const given = new Set(sources.flatMap((source) => source.memberships.map(nameOf)))
  return memberships.filter((one) => !given.has(nameOf(one)))
}
