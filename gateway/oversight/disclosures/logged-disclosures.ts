import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PolicyTable, Role } from '../../../directives/policy.ts'
import { describedAs } from '../../model/accounting/information.ts'
import type { RecordedAccess } from '../recorded-access.ts'
import type { Exclusion } from './bases.ts'
import type { StudyDisclosures } from './ledger-entry.ts'

/** The values of one patient that one request received on one basis. */
export interface LoggedGroup {
  readonly requestId: string
  /** The first access, in milliseconds since the epoch. */
  readonly at: number
  readonly user: string
  readonly client?: string
  /** Digest of the client's contract. */
  readonly contract?: string
  readonly roles: readonly string[]
  readonly purpose: string
  readonly study?: string
  /** Whether a consent of the patient was the basis of the decisions. */
  readonly byConsent: boolean
  readonly paths: ReadonlySet<string>
}

const isByConsent = ({ basis }: Pick<RecordedAccess, 'basis'>): boolean => basis === 'CONSENT'

/** Equal for the accesses of one group. */
export const groupKey = (access: Pick<RecordedAccess, 'requestId' | 'basis'>): string =>
  groupKeyOf({ requestId: access.requestId, byConsent: isByConsent(access) })

export const groupKeyOf = ({ requestId, byConsent }: Pick<LoggedGroup, 'requestId' | 'byConsent'>): string =>
  JSON.stringify([requestId, byConsent])

/** Collects the accesses of a patient into groups. Accesses that gave nothing are left out. */
export class LoggedGroups {
  readonly #groups = new Map<string, LoggedGroup & { at: number; readonly paths: Set<string> }>()

  add(access: RecordedAccess): void {
    const { time, requestId, user, client, contract, roles, purpose, study, path, paths = [path], outcome } = access
    if (outcome !== 'DISCLOSED' && outcome !== 'MASKED') return
    const at = Date.parse(time)
    const key = groupKey(access)
    const known = this.#groups.get(key)
    if (known !== undefined) {
      known.at = Math.min(known.at, at)
      for (const one of paths) known.paths.add(one)
      return
    }
    this.#groups.set(key, {
      requestId,
      at,
      user,
      ...(client !== undefined && { client }),
      ...(contract !== undefined && { contract }),
      roles,
      purpose,
      ...(study !== undefined && { study }),
      byConsent: isByConsent(access),
      // a search by values names their fields in `paths`
      paths: new Set(paths),
    })
  }

  /** The groups, the earliest first. */
  all(): readonly LoggedGroup[] {
    return [...this.#groups.values()].toSorted((one, other) => one.at - other.at)
  }
}

/** How an accounting treats a group. */
export type LoggedRule =
  | { readonly kind: 'EXCLUDED'; readonly exclusion: Exclusion; readonly decide?: Decision }
  | { readonly kind: 'COUNTED'; readonly basis: 'PUBLIC_HEALTH' | 'RESEARCH' | 'OTHER'; readonly decide?: Decision }

/** A decision that the log leaves to the privacy officer. */
export type Decision =
  /** Research by a person of the workforce is use. If the person belongs to another entity, it is a disclosure. */
  | 'RESEARCHER_OF_OTHER_ENTITY'
  /** Research by a partner counts, unless an authorization permits it or it is a limited data set. */
  | 'FACTS_OF_STUDY'
  /** The policy in force does not have the role, so that the access counts. */
  | 'UNKNOWN_ROLE'

/**
 * Whether a group is a disclosure, and which exclusion applies. An unknown role or purpose counts.
 *
 * @source 45 CFR 164.528(a)(1); 160.103 (disclosure)
 */
export function ruleOf(
  group: LoggedGroup,
  { roles }: Pick<PolicyTable, 'roles'>,
  studies: ReadonlyMap<string, StudyDisclosures>,
): LoggedRule {
  const study = group.study === undefined ? undefined : studies.get(group.study)
  const kinds = group.roles.map((role) => roles.get(role as Role)?.kind)
  const isPartner = group.contract !== undefined || kinds.includes('PARTNER')
  const isUnknown = kinds.length === 0 || kinds.includes(undefined)
  if (!isPartner && !isUnknown) {
    if (kinds.every((kind) => kind === 'PATIENT')) return { kind: 'EXCLUDED', exclusion: 'TO_INDIVIDUAL' }
    if (!kinds.includes('RESEARCH') || study?.standing === 'WORKFORCE') return { kind: 'EXCLUDED', exclusion: 'USE_BY_WORKFORCE' }
    if (study === undefined) return { kind: 'EXCLUDED', exclusion: 'USE_BY_WORKFORCE', decide: 'RESEARCHER_OF_OTHER_ENTITY' }
  }
  const rule = outsideRule(group, study)
  return isUnknown && !isPartner && rule.decide === undefined ? { ...rule, decide: 'UNKNOWN_ROLE' } : rule
}

/** The rule for a group that left the entity. */
function outsideRule({ purpose, byConsent }: LoggedGroup, study: StudyDisclosures | undefined): LoggedRule {
  switch (purpose) {
    case 'TREAT':
    case 'ETREAT':
    case 'BTG':
    case 'HPAYMT':
    case 'HOPERAT':
      return { kind: 'EXCLUDED', exclusion: 'TREATMENT_PAYMENT_OPERATIONS' }
    case 'PATRQT':
      return { kind: 'EXCLUDED', exclusion: 'TO_INDIVIDUAL' }
    case 'PUBHLTH':
      return { kind: 'COUNTED', basis: 'PUBLIC_HEALTH' }
    case 'HRESCH':
      if (byConsent || study?.standing === 'AUTHORIZATION') return { kind: 'EXCLUDED', exclusion: 'AUTHORIZATION' }
      if (study?.standing === 'LIMITED_DATA_SET') return { kind: 'EXCLUDED', exclusion: 'LIMITED_DATA_SET' }
      return { kind: 'COUNTED', basis: 'RESEARCH', ...(study?.standing !== 'OTHER_ENTITY' && { decide: 'FACTS_OF_STUDY' }) }
    default:
      return { kind: 'COUNTED', basis: 'OTHER' }
  }
}

/** The kinds of information of paths, as a brief description. */
export const describe = (paths: Iterable<string>, { phi }: Pick<PolicyTable, 'phi'>): string =>
  describedAs([...paths].map((path) => phi.get(path as SchemaPath)?.category))
