import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { REVIEWED_TYPE } from '../../model/access-record.ts'
import type { RelationshipScope } from '../../model/record.ts'
import { MOST_FREQUENT_OUTCOME } from './item-members.ts'
import { longPath } from './member-forms.ts'

// What an item claims about its disclosures, in types of the decision. The text may hold anything: no claim is trusted beyond its facts.

type Members = Readonly<Record<string, unknown>>

/** The facts that all records of an item share. */
export interface ClaimedContext {
  readonly roles: readonly string[]
  /** Undefined for a member that is no text. */
  readonly purpose: string | undefined
  readonly mfa: boolean
  readonly study: string | undefined
  readonly hasAuthTime: boolean
  readonly hasContract: boolean
}

/** The facts that the records of one group share. */
export interface ClaimedBasis {
  readonly recordType: TypeName | undefined
  readonly basis: string | undefined
  /** STUDY: it is the study of the request. */
  readonly basisId: 'ABSENT' | 'STUDY' | 'OTHER'
  readonly hasSince: boolean
  readonly limits: readonly RelationshipScope[] | 'NONE' | 'MALFORMED'
  readonly listed: boolean
}

/** One disclosure or change. */
export interface ClaimedAccess {
  readonly path: SchemaPath
  readonly action: unknown
  readonly outcome: 'DISCLOSED' | 'MASKED' | 'WRITTEN'
  readonly view: string | undefined
  readonly rule: string | undefined
}

export const claimedContext = ({ at, ct, m, pu, ro, st }: Members): ClaimedContext => ({
  roles: Array.isArray(ro) ? ro.filter((role): role is string => typeof role === 'string') : [],
  purpose: textOf(pu),
  mfa: m === true,
  study: textOf(st),
  hasAuthTime: Number.isSafeInteger(at),
  hasContract: ct !== undefined,
})

export const claimedBasis = ({ b, bi, li, ls, rt, si }: Members, study: unknown): ClaimedBasis => ({
  recordType: textOf(rt) as TypeName | undefined,
  basis: textOf(b),
  basisId: typeof bi !== 'string' || bi === '' ? 'ABSENT' : bi === study ? 'STUDY' : 'OTHER',
  hasSince: si !== undefined,
  limits: li === undefined ? 'NONE' : isLimits(li) ? li : 'MALFORMED',
  listed: ls === true,
})

/** Outcomes of records that gave and changed nothing. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['DENIED', 'ABSENT', 'ERASED', 'UNAVAILABLE'])
/** The outcome of a query of the log itself. A record of a field that claims it is malformed. */
const REVIEWED = 'REVIEWED'

/** The disclosure or change of a shape. NONE: the record gave and changed nothing. MALFORMED: no gateway records such an outcome. */
export function claimedAccess(shape: Members | string, recordType: string | undefined): ClaimedAccess | 'NONE' | 'MALFORMED' {
  const { a, o = MOST_FREQUENT_OUTCOME, p, re, ru = '#1' } = typeof shape === 'string' ? ({ p: shape } as Members) : shape
  if (typeof o !== 'string' || typeof p !== 'string') return 'MALFORMED'
  const [outcome = '', view, ...more] = o.split(' ')
  if (more.length > 0) return 'MALFORMED'
  if (WITHOUT_EFFECT.has(outcome)) return 'NONE'
  if (outcome === REVIEWED) return a === 'REVIEW' && p.startsWith(`${REVIEWED_TYPE}.`) ? 'NONE' : 'MALFORMED'
  if ((outcome !== 'DISCLOSED' && outcome !== 'MASKED' && outcome !== 'WRITTEN') || re !== undefined) return 'MALFORMED'
  if (ru !== null && typeof ru !== 'string') return 'MALFORMED'
  const path = longPath(p, recordType) as SchemaPath
  const rule = ru === null ? undefined : ru.startsWith('#') ? `${path}${ru}` : ru
  return { path, action: a ?? 'READ', outcome, view, rule }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function isLimits(value: unknown): value is readonly RelationshipScope[] {
  return Array.isArray(value) && value.every(isScope)
}

function isScope(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { categories, labeled } = value as Members
  return Array.isArray(categories) && categories.every((one) => typeof one === 'string') && typeof labeled === 'boolean'
}
