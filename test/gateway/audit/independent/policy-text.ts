import type { AuditEntry } from '../../../../gateway/audit/entry.ts'

/** The rules of a policy lock that decide an access, read from the text of the lock alone: `docs/directives.md`. */
export interface PolicyText {
  readonly roles: ReadonlyMap<string, RoleLine>
  readonly fields: ReadonlyMap<string, FieldLines>
  /** The roles that may call a root, by root. */
  readonly calls: ReadonlyMap<string, readonly string[]>
}

interface RoleLine {
  readonly kind: string
  readonly mayClaim: readonly string[]
  readonly mfa: boolean
}

export interface FieldLines {
  readonly path: string
  /** VALUE or EDGE. */
  readonly class: string
  readonly category: string
  readonly isSensitive: boolean
  readonly grants: readonly GrantLine[]
}

export interface GrantLine {
  readonly roles: readonly string[]
  readonly purposes: readonly string[]
  readonly relationship: string
  readonly actions: readonly string[]
  readonly view: string
  readonly breakGlass: boolean
  readonly rule: string
}

export function readPolicyText(lock: string): PolicyText {
  const roles = new Map<string, RoleLine>()
  const fields = new Map<string, FieldLines & { grants: GrantLine[] }>()
  const calls = new Map<string, readonly string[]>()
  for (const line of lock.split('\n')) {
    const [kind, subject = '', ...members] = line.split(' ')
    const values = new Map(members.map((member) => [member.slice(0, member.indexOf('=')), member.slice(member.indexOf('=') + 1)]))
    const value = (name: string): string => values.get(name) ?? ''
    const list = (name: string): string[] => value(name).split(',')
    if (kind === 'role') roles.set(subject, { kind: value('kind'), mayClaim: list('mayClaim'), mfa: value('mfa') === 'yes' })
    if (kind === 'call') calls.set(subject, list('roles'))
    if (kind === 'phi')
      fields.set(subject, {
        path: subject,
        class: value('class'),
        category: value('category'),
        isSensitive: value('sensitivity') !== '-',
        grants: [],
      })
    if (kind === 'grant')
      fields.get(subject)?.grants.push({
        roles: list('roles'),
        purposes: list('purposes'),
        relationship: value('relationship'),
        actions: list('actions'),
        view: value('view'),
        breakGlass: value('breakGlass') === 'yes',
        rule: value('rule'),
      })
  }
  return { roles, fields, calls }
}

/**
 * Whether the policy could have allowed a disclosure, as far as the record itself shows it: by role, purpose, relationship, limits,
 * second factor, study and view. Labels and consents may still have closed it. An access that the policy could have allowed is no
 * over-grant, so the generator plants none of these.
 */
export function couldBeAllowed({ roles, fields, calls }: PolicyText, record: AuditEntry): boolean {
  // a relationship that begins later does not hold yet
  if (record.since !== undefined && record.since > record.time) return false
  const known = record.roles.flatMap((name) => roles.get(name) ?? [])
  if (known.some(({ mfa }) => mfa) && !record.mfa) return false
  if (!known.some(({ mayClaim }) => mayClaim.includes(record.purpose))) return false
  // a plan is for every caller, and its record names no rule
  if (record.path === PLAN) return record.rule === undefined
  const call = calls.get(record.path) ?? (OF_GRANTS.test(record.path) ? [...calls].flatMap(callersOfGrants) : undefined)
  if (call !== undefined) return record.roles.some((name) => call.includes(name))
  const field = fields.get(record.path)
  const grant = field?.grants.find(({ rule }) => rule === record.rule)
  if (field === undefined || grant === undefined) return false
  if (record.view !== grant.view || record.outcome !== (grant.view === 'FULL' ? 'DISCLOSED' : 'MASKED')) return false
  // a search compares the value in full, so that READ in full includes it
  const isSearchByRead = record.action === 'SEARCH' && grant.view === 'FULL' && grant.actions.includes('READ')
  if (!grant.actions.includes(record.action) && !isSearchByRead) return false
  const isResearch = known.some(({ kind, mayClaim }) => kind === 'RESEARCH' && mayClaim.includes(record.purpose))
  const acting = record.roles.filter((name) => (roles.get(name)?.kind === 'RESEARCH') === isResearch)
  if (!acting.some((name) => grant.roles.includes(name))) return false
  return isBasis(record, field, grant, isResearch)
}

/** The path of a plan, which is for every caller. */
export const PLAN = 'Query.explainAccess'
/** Reason and note of a grant, which are opened for the callers of the roots that return grants: `docs/break-glass.md`. */
const OF_GRANTS = /^BreakGlass(?:Grant|Renewal)\.(?:reason|note)$/
const callersOfGrants = ([root, roles]: readonly [string, readonly string[]]): readonly string[] =>
  /breakGlass/i.test(root) ? roles : []

function isBasis(record: AuditEntry, field: FieldLines, grant: GrantLine, isResearch: boolean): boolean {
  const { basis, basisId, limits, purpose, study } = record
  // only a sensitivity requires a consent, of the field or of the record. The log holds no labels, so any record may have one
  const isConsent = basis === 'CONSENT' && basisId !== undefined
  const isTreatment = grant.relationship === 'CARE_TEAM' && grant.purposes.includes('TREAT')
  if (purpose === 'BTG' && !grant.purposes.includes('BTG'))
    return grant.breakGlass && isTreatment && !isResearch && ((basis === 'BREAK_GLASS' && basisId !== undefined) || isConsent)
  if (!grant.purposes.includes(purpose)) return false
  if (
    limits?.some(({ categories, labeled }) => categories.includes(field.category as never) && (labeled || !field.isSensitive)) ===
    false
  )
    return false
  if (isResearch) return study !== undefined && ((basis === 'STUDY' && basisId === study) || isConsent)
  return study === undefined && (basis === grant.relationship || isConsent)
}
