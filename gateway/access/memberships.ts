import * as z from 'zod'
import type { Keyring } from '../crypto/keyring.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import { subjectToken } from '../crypto/tokens.ts'
import { type AccessKey, type AccessKind, type MembershipChange, membershipName } from '../store/access.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant, RecordId, TenantId } from '../model/ids.ts'
import { mergedPeriods } from '../model/membership-periods.ts'
import type { Json, Membership, MembershipPeriod } from '../model/record.ts'
import { type PatientAccessParts, type PatientAccessRead, readPatientAccess } from './patient-access.ts'
import type { RelationshipAnswer, RelationshipSource, RelationshipPeriod } from './relationships.ts'

const since = z.number().optional()
const until = z.number().optional()
const scope = z.object({ categories: z.array(z.string()), labeled: z.boolean() })
const periods = z.array(z.object({ since, until }))
/** Limited periods are separate: a reader without support for limits must not treat them as unlimited. */
export const MembershipContent = z.object({
  periods,
  limited: z.array(z.object({ since, until, scope })).optional(),
  /** The care team that gives all periods, or the periods of each of several teams. No decision reads them. */
  team: z.string().optional(),
  teams: z.record(z.string(), periods).optional(),
})
type Stored = z.infer<typeof MembershipContent>

/**
 * CARE_TEAM, SELF, PROXY and STUDY: memberships in the patient's access manifest, by the token of the person or study. Manifest and
 * chunks are sealed. A writer of the database can therefore forge no membership. A removed or altered part is detected here, and a
 * manifest that was put back is detected when a record is opened (`docs/sealed-field.md` section 7).
 */
export function membershipRelationship(kind: AccessKind, parts: PatientAccessParts): RelationshipSource {
  const { table, keyring } = parts
  const subjectOf = async (caller: Caller): Promise<string | undefined> =>
    caller.fhirUser === undefined ? undefined : subjectToken(await keyring.purposeKey(caller.tenant, 'lookup'), caller.fhirUser)

  return {
    async periods(caller, patients, { signal }) {
      const subject = await subjectOf(caller)
      if (subject === undefined) return new Map()
      const name = membershipName({ kind, subject })
      const reads = await readPatientAccess(parts, caller.tenant, new Map(patients.map((patient) => [patient, [name]])), signal)
      return new Map([...reads].map(([patient, read]) => [patient, answerOf(read, name, subject)]))
    },
    async panel(caller, after, limit, deadline) {
      const subject = await subjectOf(caller)
      return subject === undefined ? [] : await table.patientsOf(caller.tenant, kind, subject, after, limit, deadline)
    },
  }
}

/** @param id identifies the membership in the audit: the token of the person or study */
function answerOf(read: PatientAccessRead, name: string, id: string): RelationshipAnswer {
  // a missing manifest is a fault only if the patient exists, which this source does not know
  if (read.kind === 'NO_MANIFEST') return 'NO_MANIFEST'
  if (read.kind === 'FAULT') return 'TAMPERED'
  const membership = read.members.get(name)
  if (membership === undefined) return []
  const stored = MembershipContent.safeParse(membership)
  return stored.success ? periodsOf(stored.data, id) : 'TAMPERED'
}

const periodsOf = ({ periods, limited = [] }: Stored, id: string): readonly RelationshipPeriod[] =>
  [...periods, ...limited].map((period) => ({ ...period, id })) as unknown as readonly RelationshipPeriod[]

/**
 * Returns the changes that write memberships. Memberships that are stored already need none, so that a repeated import writes
 * nothing. A membership without periods ends the stored one; if none is stored, it is no change.
 *
 * @throws KeyUnavailable, StoreUnavailable
 */
export async function membershipChanges(
  { keyring, table }: Pick<PatientAccessParts, 'keyring' | 'table'>,
  tenant: TenantId,
  memberships: readonly Membership[],
): Promise<readonly MembershipChange[]> {
  const changes = await Promise.all(
    memberships.map(async (membership) => ({
      ...(await membershipKey(keyring, tenant, membership)),
      content: contentOf(membership),
    })),
  )
  const byPatient = Map.groupBy(changes, ({ patient }) => patient)
  const wanted = new Map([...byPatient].map(([patient, own]) => [patient, own.map(membershipName)]))
  const reads = await readPatientAccess({ keyring, table }, tenant, wanted)
  return changes.filter((change, index) => {
    const read = reads.get(change.patient)
    // the writer refuses a patient whose manifest or chunk is damaged
    if (read?.kind === 'FAULT') return true
    const stored = read?.kind === 'FOUND' ? read.members.get(membershipName(change)) : undefined
    if (stored === undefined) return memberships[index]?.periods.length !== 0
    return canonicalText(stored) !== canonicalText(change.content)
  })
}

/** The periods that one care team gives a member. Without periods, the team ends its part of the membership. */
export interface TeamMembership extends AccessKey {
  /** The id of the care team, a keyed hash. */
  readonly team: RecordId
  readonly periods: readonly MembershipPeriod[]
}

/**
 * Returns the changes that write the periods of care teams. A member of several teams has one membership with the periods of all, and each
 * team changes its own part only. Equal memberships need no change.
 *
 * @throws KeyUnavailable, StoreUnavailable
 */
export async function teamMembershipChanges(
  { keyring, table }: Pick<PatientAccessParts, 'keyring' | 'table'>,
  tenant: TenantId,
  memberships: readonly TeamMembership[],
): Promise<readonly MembershipChange[]> {
  const byMember = Map.groupBy(memberships, (one) => `${one.patient} ${membershipName(one)}`)
  const members = [...byMember.values()]
  const byPatient = Map.groupBy(memberships, ({ patient }) => patient)
  const wanted = new Map([...byPatient].map(([patient, own]) => [patient, own.map(membershipName)]))
  const reads = await readPatientAccess({ keyring, table }, tenant, wanted)
  return members.flatMap((parts) => {
    const [first] = parts
    if (first === undefined) return []
    const { kind, patient, subject } = first
    const read = reads.get(patient)
    const before = read?.kind === 'FOUND' ? (read.members.get(membershipName(first)) ?? null) : null
    const content = withTeams(before, parts)
    if (before === null ? content.periods.length === 0 : canonicalText(before) === canonicalText(content)) return []
    return [{ kind, patient, subject, content, before }]
  })
}

/** A membership without teams was written by an earlier version, or not by an import: the teams replace it. */
function withTeams(before: Json, parts: readonly TeamMembership[]): { periods: Json[]; team?: string; teams?: Json } {
  const stored = before === null ? undefined : MembershipContent.safeParse(before).data
  const earlier = Object.entries(stored?.teams ?? (stored?.team === undefined ? {} : { [stored.team]: stored.periods }))
  const teams = new Map(earlier.map(([team, own]) => [team, own.map(definedTimes)]))
  for (const { team, periods: own } of parts) teams.set(team, mergedPeriods(own.map(timesOf)))
  const giving = [...teams].filter(([, own]) => own.length > 0).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const merged = mergedPeriods(giving.flatMap(([, own]) => own)) as Json[]
  if (giving.length > 1) return { periods: merged, teams: Object.fromEntries(giving) }
  return { periods: merged, ...(giving[0] !== undefined && { team: giving[0][0] }) }
}

export const definedTimes = ({ since: from, until: to }: { since?: number | undefined; until?: number | undefined }) => ({
  ...(from !== undefined && { since: from }),
  ...(to !== undefined && { until: to }),
})

/** Returns the changes that end memberships. A membership that is not stored, or that has ended, needs none. @throws as `membershipChanges` */
export async function endedMemberships(
  { keyring, table }: Pick<PatientAccessParts, 'keyring' | 'table'>,
  tenant: TenantId,
  keys: readonly AccessKey[],
): Promise<readonly MembershipChange[]> {
  const wanted = new Map(
    [...Map.groupBy(keys, ({ patient }) => patient)].map(([patient, own]) => [patient, own.map(membershipName)]),
  )
  const reads = await readPatientAccess({ keyring, table }, tenant, wanted)
  const content = { periods: [] }
  return keys.flatMap((key) => {
    const read = reads.get(key.patient)
    const stored = read?.kind === 'FOUND' ? read.members.get(membershipName(key)) : undefined
    return stored === undefined || canonicalText(stored) === canonicalText(content) ? [] : [{ ...key, content }]
  })
}

/** The key of a membership in the access manifest of its patient. @throws KeyUnavailable */
export async function membershipKey(
  keyring: Keyring,
  tenant: TenantId,
  { patient, relationship, fhirUser }: Pick<Membership, 'patient' | 'relationship' | 'fhirUser'>,
): Promise<AccessKey> {
  return { kind: relationship, patient, subject: subjectToken(await keyring.purposeKey(tenant, 'lookup'), fhirUser) }
}

function contentOf({ periods }: Membership): Json {
  const limited = periods.flatMap((period) => {
    const { scope: within } = period
    return within === undefined
      ? []
      : [{ ...timesOf(period), scope: { categories: [...within.categories], labeled: within.labeled } }]
  })
  const whole = periods.filter((period) => period.scope === undefined).map(timesOf)
  return { periods: whole, ...(limited.length > 0 && { limited }) }
}

const timesOf = (period: Pick<MembershipPeriod, 'since' | 'until'>): { readonly since?: Instant; readonly until?: Instant } => ({
  ...(period.since !== undefined && { since: instantOf(period.since, 'since') }),
  ...(period.until !== undefined && { until: instantOf(period.until, 'until') }),
})

/** Parses a time of the import, in UTC, `until` exclusive. An invalid `since` never begins, and an invalid `until` has passed. */
function instantOf(text: string, edge: 'since' | 'until'): Instant {
  const at = Date.parse(text)
  return (Number.isNaN(at) ? (edge === 'since' ? Number.MAX_SAFE_INTEGER : 0) : at) as Instant
}
