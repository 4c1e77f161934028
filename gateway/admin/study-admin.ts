import { ItemPacker } from '../audit/item-packer.ts'
import { membershipChanges } from '../access/memberships.ts'
import { storedStudies, studyWritten } from '../access/studies.ts'
import type { AuditContext } from '../audit/entry.ts'
import { subjectToken } from '../crypto/tokens.ts'
import { RecordWriter } from '../store/record-writer.ts'
import { Deadline } from '../model/deadline.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Membership } from '../model/record.ts'
import { type Study, studyReference } from '../model/study.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import { operatorContext } from './operator-context.ts'

/** The list of patients of a study has an id that the tenant does not know, or the id of an erased patient. */
export class UnknownSubject extends Error {
  override readonly name = 'UnknownSubject'
  /** The position of the first such id in the list, from 0. */
  readonly place: number
  constructor(place: number) {
    super('A patient of the study is not known here.')
    this.place = place
  }
}

/** The memberships of patients in a study, by the change that `put` made. */
export interface StudyCounts {
  readonly given: number
  readonly unchanged: number
  readonly ended: number
}

/** Administration of the studies of one tenant, and of their patients. */
export interface StudyAdmin {
  /** @throws StoreUnavailable, KeyUnavailable, IntegrityFailure */
  list(): Promise<readonly Study[]>
  /**
   * Writes a study with exactly these patients: it adds missing memberships and ends all others. Each patient is one transaction, and
   * the study itself is the last. After a failure, a further call continues the work. A repeated call writes nothing.
   *
   * @throws UnknownSubject before anything is written
   * @throws BadUserInput, VersionConflict, AuditUnavailable, StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  put(study: Study, patients: readonly PatientId[]): Promise<StudyCounts>
  /**
   * Ends a study now. The memberships of its patients remain, and grant no access after the end. Returns UNKNOWN if the tenant has no
   * study with this protocol.
   * @throws as `put` does
   */
  end(protocol: string): Promise<'ENDED' | 'UNCHANGED' | 'UNKNOWN'>
  close(): void
}

/** The limit for writing one study, in milliseconds. */
const WRITE_MS = 30_000
/** The number of patients in one lookup. */
const AT_ONCE = 100

/**
 * Opens the studies of a tenant for administration. Unlike `openStore`, it never creates keys for a tenant. The audit names the
 * operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @throws ZodError for a missing variable
 */
export function openStudyAdmin(tenant: TenantId, policy: string, env: Env): StudyAdmin {
  const services = openServices(env)
  const { keyring, access, now } = services
  const writer = new RecordWriter({ ...services, history: services.recordHistory })
  const studies = storedStudies(services)
  const deadline = (): Deadline => new Deadline(now() + WRITE_MS, { now, monotonic: () => performance.now() })
  const context = (study: string): AuditContext =>
    operatorContext(services, { tenant, client: 'phi-study', operation: 'study', policy, study })

  const requirePatients = async (patients: readonly PatientId[]): Promise<void> => {
    for (let at = 0; at < patients.length; at += AT_ONCE) {
      const some = patients.slice(at, at + AT_ONCE)
      const keys = await keyring.patientKeys(tenant, some, 'always')
      const missing = some.findIndex((patient) => keys.get(patient)?.erased !== false)
      if (missing >= 0) throw new UnknownSubject(at + missing)
    }
  }
  const patientsIn = async (protocol: string): Promise<readonly PatientId[]> => {
    const subject = subjectToken(await keyring.purposeKey(tenant, 'lookup'), studyReference(protocol))
    const all: PatientId[] = []
    for (;;) {
      const some = await access.patientsOf(tenant, 'STUDY', subject, all.at(-1), AT_ONCE, deadline())
      all.push(...some)
      if (some.length < AT_ONCE) return all
    }
  }
  /** Starts or ends the membership of a patient in a study. Returns whether that was a change. */
  const setMembership = async (protocol: string, patient: PatientId, isMember: boolean): Promise<boolean> => {
    const fhirUser = studyReference(protocol)
    const membership: Membership = { patient, relationship: 'STUDY', fhirUser, periods: isMember ? [{}] : [] }
    const changes = await membershipChanges({ keyring, table: access }, tenant, [membership])
    if (changes.length === 0) return false
    await writer.write(context(protocol), { patient, records: [], access: changes })
    return true
  }

  return {
    list: async () => await studies.studies(tenant, deadline()),
    async put(study, patients) {
      const { protocol } = study
      const wanted = new Set(patients)
      await requirePatients(patients)
      // end memberships first: a former patient must not be in the study once it is extended or started
      let ended = 0
      const others = (await patientsIn(protocol)).filter((patient) => !wanted.has(patient))
      const keys = await keyring.patientKeys(tenant, others, 'always')
      for (const patient of others) {
        // skip an erased patient: the records cannot be opened, and the patient has no key to seal a change
        if (keys.get(patient)?.erased === false && (await setMembership(protocol, patient, false))) ended++
      }
      let given = 0
      for (const patient of wanted) if (await setMembership(protocol, patient, true)) given++
      await writeStudy(services, context(protocol), study)
      return { given, unchanged: wanted.size - given, ended }
    },
    async end(protocol) {
      const current = (await studies.studies(tenant, deadline())).find((study) => study.protocol === protocol)
      if (current === undefined) return 'UNKNOWN'
      if (current.until <= now()) return 'UNCHANGED'
      await writeStudy(services, context(protocol), { ...current, until: now() as Instant })
      return 'ENDED'
    },
    close: () => {
      services.close()
    },
  }
}

/**
 * Writes a study and its audit record in one transaction. Writes nothing if the stored study is equal.
 *
 * @throws BadUserInput, IntegrityFailure, KeyUnavailable, StoreUnavailable, AuditUnavailable, VersionConflict
 */
export async function writeStudy(services: Services, context: AuditContext, study: Study): Promise<void> {
  const item = await studyWritten(services, context.tenant, study)
  if (item === undefined) return
  const at = services.now() as Instant
  const record = { path: 'ResearchStudy' as SchemaPath, action: 'UPDATE', outcome: 'WRITTEN', at } as const
  await services.audit.commit([item], new ItemPacker(context).ofWrite([record]), at + WRITE_MS)
}
