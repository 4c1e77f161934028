import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { membershipChanged, sealMembership } from '../access/memberships.ts'
import { storedStudies, studyWritten } from '../access/studies.ts'
import type { AuditContext } from '../audit/entry.ts'
import { newRequestId } from '../audit/request-id.ts'
import { subjectToken } from '../crypto/tokens.ts'
import { HistoryTable } from '../store/history.ts'
import { RecordWriter } from '../store/record-writer.ts'
import { Deadline } from '../model/deadline.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Membership } from '../model/record.ts'
import { type Study, studyReference } from '../model/study.ts'
import { type Env, openServices, type Services } from '../compose.ts'

/** A place in a study was to be given to nobody: the patient is not one of the tenant, or was erased. */
export class UnknownSubject extends Error {
  override readonly name = 'UnknownSubject'
  /** The first such place in the list of patients, from 0. */
  readonly place: number
  constructor(place: number) {
    super('A patient of the study is not known here.')
    this.place = place
  }
}

/** The patients of a study by what became of their places. */
export interface StudyCounts {
  readonly given: number
  readonly unchanged: number
  readonly ended: number
}

/** Where the studies of one tenant are written, and whom they are about. */
export interface StudyAdmin {
  /** @throws StoreUnavailable, KeyUnavailable, IntegrityFailure */
  list(): Promise<readonly Study[]>
  /**
   * Makes a study what it is said to be: these patients stand in it, and whoever else stood in it does no more. One patient is one
   * transaction, and the study the last: begun again after a failure it goes on where it ended, and repeated it writes nothing.
   *
   * @throws UnknownSubject before anything is written
   * @throws BadUserInput, VersionConflict, AuditUnavailable, StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  put(study: Study, patients: readonly PatientId[]): Promise<StudyCounts>
  /**
   * Ends a study now; the places in it stay as they are, and open nothing without it. UNKNOWN where there is none of that name.
   * @throws as `put` does
   */
  end(protocol: string): Promise<'ENDED' | 'UNCHANGED' | 'UNKNOWN'>
  close(): void
}

/** How long the writing of one study may take, in milliseconds. */
const WRITE_MS = 30_000
/** How many patients are asked of or looked for at a time. */
const AT_ONCE = 100

/**
 * Opens the studies of a tenant for their administration; a tenant that has no keys is not given any. What is written is audited
 * under the account that writes it.
 *
 * @param policy digest of the policy lock, for the audit
 * @throws ZodError for a missing variable
 */
export function openStudyAdmin(tenant: TenantId, policy: string, env: Env): StudyAdmin {
  const services = openServices(env)
  const { keyring, access, now } = services
  const historyTable = env['PHI_TABLE_HISTORY']
  if (historyTable === undefined) throw new TypeError('PHI_TABLE_HISTORY is not set')
  const writer = new RecordWriter({ ...services, history: new HistoryTable(historyTable) })
  const studies = storedStudies(services)
  const deadline = (): Deadline => new Deadline(now() + WRITE_MS, { now, monotonic: () => performance.now() })
  const context = (study: string): AuditContext => operatorContext(services, { tenant, policy, study })

  const requireKnown = async (patients: readonly PatientId[]): Promise<void> => {
    for (let at = 0; at < patients.length; at += AT_ONCE) {
      const some = patients.slice(at, at + AT_ONCE)
      const known = await keyring.patientKeys(tenant, some, 'always')
      const missing = some.findIndex((patient) => known.get(patient)?.erased !== false)
      if (missing >= 0) throw new UnknownSubject(at + missing)
    }
  }
  const placed = async (protocol: string): Promise<readonly PatientId[]> => {
    const subject = subjectToken(await keyring.purposeKey(tenant, 'lookup'), studyReference(protocol))
    const all: PatientId[] = []
    for (;;) {
      const some = await access.patientsOf(tenant, 'STUDY', subject, all.at(-1), AT_ONCE, deadline())
      all.push(...some)
      if (some.length < AT_ONCE) return all
    }
  }
  /** Whether it was not so yet. */
  const place = async (protocol: string, patient: PatientId, isIn: boolean): Promise<boolean> => {
    const fhirUser = studyReference(protocol)
    const membership: Membership = { patient, relationship: 'STUDY', fhirUser, periods: isIn ? [{}] : [] }
    const changed = await membershipChanged(keyring, access, tenant, [membership])
    if (changed.length === 0) return false
    const items = await Promise.all(changed.map(async (one) => await sealMembership(keyring, tenant, one)))
    await writer.write(context(protocol), { patient, records: [], access: items })
    return true
  }

  return {
    list: async () => await studies.studies(tenant, deadline()),
    async put(study, patients) {
      const { protocol } = study
      const wanted = new Set(patients)
      await requireKnown(patients)
      // before the study is widened or begun, who is not part of it any more is out of it
      let ended = 0
      const others = (await placed(protocol)).filter((patient) => !wanted.has(patient))
      const keys = await keyring.patientKeys(tenant, others, 'always')
      for (const patient of others) {
        // nothing of who was erased is open to anybody, and nothing can be written beside it
        if (keys.get(patient)?.erased === false && (await place(protocol, patient, false))) ended++
      }
      let given = 0
      for (const patient of wanted) if (await place(protocol, patient, true)) given++
      await writeStudy(services, context(protocol), study)
      return { given, unchanged: wanted.size - given, ended }
    },
    async end(protocol) {
      const known = (await studies.studies(tenant, deadline())).find((study) => study.protocol === protocol)
      if (known === undefined) return 'UNKNOWN'
      if (known.until <= now()) return 'UNCHANGED'
      await writeStudy(services, context(protocol), { ...known, until: now() as Instant })
      return 'ENDED'
    },
    close: () => {
      services.close()
    },
  }
}

/** The account that administers, as the audit names it: each write is a request of its own. */
function operatorContext(
  { process, now }: Services,
  { tenant, policy, study }: { readonly tenant: TenantId; readonly policy: string; readonly study: string },
): AuditContext {
  return {
    tenant,
    user: `os:${userInfo().username}`,
    roles: [],
    client: 'phi-study',
    purpose: 'HOPERAT',
    operation: 'study',
    persisted: false,
    policy,
    requestId: newRequestId(process, now(), randomBytes),
    study,
  }
}

/**
 * Writes a study with its record in the audit, or nothing where it stands there as it is.
 * @throws BadUserInput, IntegrityFailure, KeyUnavailable, StoreUnavailable, AuditUnavailable, VersionConflict
 */
export async function writeStudy(services: Services, context: AuditContext, study: Study): Promise<void> {
  const item = await studyWritten(services, context.tenant, study)
  if (item === undefined) return
  const at = services.now() as Instant
  const record = { path: 'ResearchStudy' as SchemaPath, action: 'UPDATE', outcome: 'WRITTEN', at } as const
  await services.audit.commit(context, [item], [record], at + WRITE_MS)
}
