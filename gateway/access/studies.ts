import * as z from 'zod'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { AccessTable } from '../store/access.ts'
import { studiesKey, type StudyTable } from '../store/studies.ts'
import type { Deadline } from '../model/deadline.ts'
import type { EventSink } from '../telemetry/events.ts'
import { BadUserInput, IntegrityFailure } from '../model/failures.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { isProtocol, type Study, studyReference } from '../model/study.ts'
import { membershipRelationship } from './memberships.ts'
import type { RelationshipSource } from './relationships.ts'

/** Source of studies and of their subjects. */
export interface StudySource {
  /** Returns all studies of a tenant. @throws StoreUnavailable, KeyUnavailable, IntegrityFailure */
  studies(tenant: TenantId, deadline: Deadline): Promise<readonly Study[]>
  /** Returns the patients of a study, as a relationship that is the same for all its researchers. */
  subjects(protocol: string): RelationshipSource
}

interface StudyParts {
  readonly studies: StudyTable
  readonly access: AccessTable
  readonly keyring: Keyring
  readonly events: EventSink
}

const Content = z.object({
  studies: z.array(
    z.strictObject({
      protocol: z.string().refine(isProtocol),
      title: z.string().max(200).optional(),
      researchers: z.array(z.string()),
      since: z.number().optional(),
      until: z.number(),
    }),
  ),
})

/**
 * Studies as sealed data of the tenant. A patient's place in a study is an access item of the patient, listed by the access
 * manifest like a membership: `gateway/access/memberships.ts`. A writer of the database can forge neither.
 */
export function storedStudies({ studies: table, access, keyring, events }: StudyParts): StudySource {
  const members = membershipRelationship('STUDY', { table: access, keyring, events })
  return {
    async studies(tenant, { signal }) {
      const [key, sealed] = await Promise.all([keyring.purposeKey(tenant, 'access'), table.load(tenant, signal)])
      return sealed === undefined ? [] : opened(key, tenant, sealed)
    },
    subjects(protocol) {
      const fhirUser = studyReference(protocol)
      return {
        periods: (caller, patients, deadline) => members.periods({ ...caller, fhirUser }, patients, deadline),
        panel: (caller, after, limit, deadline) => members.panel({ ...caller, fhirUser }, after, limit, deadline),
      }
    },
  }
}

/**
 * Returns the write of a study. It replaces the study with the same protocol, and fails if another write changed the studies in
 * the meantime.
 *
 * @returns undefined if the stored study is the same
 * @throws BadUserInput if `study` is not a valid study; IntegrityFailure, KeyUnavailable, StoreUnavailable, ValueNotSealable
 */
export async function studyWritten(
  { studies: table, keyring }: Pick<StudyParts, 'studies' | 'keyring'>,
  tenant: TenantId,
  study: Study,
): Promise<ReturnType<StudyTable['put']> | undefined> {
  const written = Content.safeParse({ studies: [study] })
  if (!written.success) throw new BadUserInput()
  const key = await keyring.purposeKey(tenant, 'access')
  const before = await table.load(tenant)
  const stored = before === undefined ? [] : opened(key, tenant, before)
  const others = stored.filter(({ protocol }) => protocol !== study.protocol)
  const studies = [...others, ...(written.data.studies as unknown as Study[])].toSorted((a, b) =>
    a.protocol < b.protocol ? -1 : 1,
  )
  if (JSON.stringify(studies) === JSON.stringify(stored)) return undefined
  const sealed = sealAccessItem(key, { tenant, ...studiesKey(tenant) }, { studies } as unknown as Json)
  return table.put(tenant, sealed, before)
}

function opened(key: Parameters<typeof openAccessItem>[0], tenant: TenantId, sealed: Uint8Array): readonly Study[] {
  const content = Content.safeParse(openAccessItem(key, { tenant, ...studiesKey(tenant) }, sealed))
  if (!content.success) throw new IntegrityFailure()
  return content.data.studies as unknown as readonly (Study & { until: Instant })[]
}
