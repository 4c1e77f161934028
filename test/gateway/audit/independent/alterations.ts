import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import type { FieldLines, GrantLine, PolicyText } from './policy-text.ts'

/** The records of one item, in the order of their index, in the form of an export. */
export type AuditItem = readonly AuditEntry[]

/** A number below the bound. */
export type Random = (bound: number) => number

/** A change of one record. */
export interface Change {
  readonly index: number
  /** An undefined member is removed. */
  readonly members: Partial<Record<keyof AuditEntry, unknown>>
}

export interface Place {
  readonly record: AuditEntry
  readonly item: AuditItem
  readonly policy: PolicyText
  readonly random: Random
}

/** How to make an over-grant of a record. */
export interface Alteration {
  /** Whether it changes what all records of an item share: the caller, the purpose, the study. It needs an item of one record. */
  readonly changesCaller: boolean
  /** The changes, first that of the over-grant; undefined if the record does not suit. The caller checks that it is an over-grant. */
  readonly change: (place: Place) => readonly Change[] | undefined
}

export type Members = Change['members'] | undefined

export const VIEWS_OF_ONE_RANK = ['LAST4', 'YEAR', 'ZIP3']
export const RELATIONSHIPS = ['CARE_TEAM', 'SELF', 'PROXY', 'ORGANIZATION', 'AUTHOR']
export const NO_GROUND = { basisId: undefined, since: undefined, limits: undefined }
export const FULL = { outcome: 'DISCLOSED', view: 'FULL', reason: undefined }

const isOpened = ({ outcome, action, rule }: AuditEntry): boolean =>
  (outcome === 'DISCLOSED' || outcome === 'MASKED') && (action === 'READ' || action === 'SEARCH') && rule !== undefined
export const hasRole = ({ roles }: AuditEntry, name: string): boolean => roles.includes(name)
export const typeOf = (path: string): string => path.slice(0, path.indexOf('.'))
export const pick = <T>(values: readonly T[], random: Random): T | undefined => values[random(Math.max(1, values.length))]

/** A name that nothing has, or another spelling of one that something has. */
export const misspelled = (name: string, real = name): readonly string[] => [
  name,
  real.toLowerCase(),
  `${real} `,
  `${real}\u200b`,
  `${real}0`,
  '',
]

/** A kind that suits records that were disclosed or masked. */
export const opened = (change: (place: Place) => Members): Alteration => ({
  changesCaller: false,
  change: (place) => (isOpened(place.record) ? single(place, change(place)) : undefined),
})
export const openedCaller = (change: (place: Place) => Members): Alteration => ({ ...opened(change), changesCaller: true })

export function single({ record }: Place, members: Members): readonly Change[] | undefined {
  return members && [{ index: record.index, members }]
}

/** Another field of the same record type that has a grant, with the members that a disclosure by this grant would have. */
export function anotherField(
  { record, policy, random }: Place,
  suits: (field: FieldLines, grant: GrantLine) => boolean,
  basis: (grant: GrantLine) => Change['members'] = ({ relationship }) => ({ basis: relationship }),
): Members {
  const all = [...policy.fields.values()].filter(({ path }) => path !== record.path && typeOf(path) === typeOf(record.path))
  const found = pick(
    all.flatMap((field) => field.grants.filter((grant) => suits(field, grant)).map((grant) => ({ field, grant }))),
    random,
  )
  if (found === undefined) return undefined
  const { field, grant } = found
  const outcome = grant.view === 'FULL' ? 'DISCLOSED' : 'MASKED'
  const count = field.class === 'EDGE' ? 1 + random(5) : undefined
  return { path: field.path, rule: grant.rule, view: grant.view, outcome, count, ...basis(grant) }
}

export const isGrantOf = (grant: GrantLine, { roles }: AuditEntry): boolean => grant.roles.some((name) => roles.includes(name))
export const keepBasis = (): Change['members'] => ({})
export const fieldWithout =
  ({ record }: Place, className: string): ((field: FieldLines) => boolean) =>
  (field) =>
    field.class === className && !field.grants.some((grant) => isGrantOf(grant, record))

/** A value of a record that may not be opened, disclosed with all members that its closest grant would give. */
export function openDenied({ record, policy }: Place, reasons: readonly string[], withBasis: boolean): Members {
  if (record.outcome !== 'DENIED' || record.action !== 'READ' || !reasons.includes(record.reason ?? '')) return undefined
  const grants = policy.fields.get(record.path)?.grants ?? []
  const grant = grants.find(({ rule }) => rule === record.rule) ?? grants[0]
  return grant && { ...FULL, rule: grant.rule, ...(withBasis && { basis: grant.relationship }) }
}

/** Two records of an item exchange their outcomes; their fields, rules and bases stay. */
export function swapped({ record, item, random }: Place): readonly Change[] | undefined {
  if (record.outcome !== 'DENIED' || record.action !== 'READ' || record.reason !== 'ROLE') return undefined
  const other = pick(
    item.filter((one) => isOpened(one) && one.count === undefined),
    random,
  )
  if (other === undefined) return undefined
  const outcomeOf = ({ outcome, view, reason }: AuditEntry): Change['members'] => ({ outcome, view, reason })
  return [
    { index: record.index, members: outcomeOf(other) },
    { index: other.index, members: outcomeOf(record) },
  ]
}

export const isResearch = (record: AuditEntry): boolean => hasRole(record, 'RESEARCHER')
