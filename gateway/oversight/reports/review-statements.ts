import type { PurposeOfUse, Role } from '../../../directives/policy.ts'
import type { Statement } from '../tables/statements/statement.ts'

/** Roles that may claim the same purposes. */
interface RoleClaims {
  readonly roles: readonly Role[]
  readonly purposes: readonly PurposeOfUse[]
}

/** The question of an access review. */
export interface ReviewQuestion {
  /** Digest of the policy in force. */
  readonly policy: string
  /** The reviewed roles by their purposes, at least one. */
  readonly claims: readonly RoleClaims[]
  /** The reviewed roles whose users are compared. */
  readonly compared: readonly Role[]
  /** The purposes that these roles may claim. */
  readonly comparedPurposes: readonly PurposeOfUse[]
}

/**
 * The kinds of rows in an answer:
 * - POLICY: records by `policy`.
 * - USE: records by `path`, `rule` and `role`, under the policy in force. Without `path`: by rule and role, with the number of users.
 * - PATHS: searches and retractions by each of their paths, by `action`, `role` and `purpose`. A search names no rule, and a retraction names
 *   one of the rules that it needs.
 * - DENIAL: the most frequent denials by `role`, `path`, `action` and `refusal`.
 * - USER: records and paths of a `user` that gave something, by `role`. PATIENTS: the number of patients of a `user`, in any role.
 * - SOLE: records by `role` and `path` that one `user` of the role read alone.
 */
export type ReviewFacet = 'POLICY' | 'USE' | 'PATHS' | 'DENIAL' | 'USER' | 'PATIENTS' | 'SOLE'

/** More users than this are too many to compare in one review. */
export const MAX_USERS = 50_000
const MAX_DENIALS = 50
const MAX_SOLE_PATHS = 200
const MAX_POLICIES = 200

/** No value has the empty text, so an empty list selects nothing. */
const marks = (values: readonly unknown[]): string => (values.length === 0 ? `''` : values.map(() => '?').join(', '))

/** The columns of an answer. A part of the statement gives those that it has. */
const COLUMNS = {
  policy: 'VARCHAR',
  rule: 'VARCHAR',
  path: 'VARCHAR',
  role: 'VARCHAR',
  user: 'VARCHAR',
  action: 'VARCHAR',
  refusal: 'VARCHAR',
  purpose: 'VARCHAR',
  records: 'BIGINT',
  disclosed: 'BIGINT',
  masked: 'BIGINT',
  written: 'BIGINT',
  glass: 'BIGINT',
  users: 'BIGINT',
  different: 'BIGINT',
  earliest: 'TIMESTAMP',
  latest: 'TIMESTAMP',
} as const satisfies Readonly<Record<string, string>>

const row = (facet: ReviewFacet, given: Partial<Record<keyof typeof COLUMNS, string>>): string =>
  [
    `SELECT '${facet}' AS facet`,
    ...Object.entries(COLUMNS).map(
      ([column, type]) => `${given[column as keyof typeof COLUMNS] ?? `CAST(NULL AS ${type})`} AS "${column}"`,
    ),
  ].join(', ')

const GAVE = `outcome IN ('DISCLOSED', 'MASKED')`
/** A retraction leaves one record with the rule of its first path, but needs a grant for each path. */
const RETRACTED = `action = 'DELETE' AND outcome = 'WRITTEN'`
/** A search leaves a record of its root field, whatever it finds. This record is no denial: a denied argument has the path of its field. */
const REFUSED = `outcome = 'DENIED' AND NOT (action = 'SEARCH' AND path LIKE 'Query.%')`
const total = (where?: string): string =>
  `CAST(COALESCE(sum(n)${where === undefined ? '' : ` FILTER (WHERE ${where})`}, 0) AS BIGINT)`
const TIMES = { earliest: 'min(earliest)', latest: 'max(latest)' }

/**
 * One statement for a whole review, so that it reads the log once: records are counted by everything that matters, and all facets are made
 * of these counts. Only patients need a second pass, because there are too many of them to count by.
 */
export function reviewQuestion({ policy, claims, compared, comparedPurposes }: ReviewQuestion): Statement {
  const reviewed = claims.flatMap(({ roles }) => roles)
  // a record belongs to each role of its user that may claim the purpose of the request
  const isClaimed = claims
    .map(({ roles, purposes }) => `(role IN (${marks(roles)}) AND purpose IN (${marks(purposes)}))`)
    .join(' OR ')
  const claimed = claims.flatMap(({ roles, purposes }) => [...roles, ...purposes])
  const counted = { records: total() }
  const sql = `WITH counts AS (
SELECT policy, rule, path, action, outcome, COALESCE(reason, '') AS refusal, purpose, COALESCE(basis, '') AS basis, "user", roles, count(*) AS n, min("time") AS earliest, max("time") AS latest
FROM accesses WHERE action <> 'REVIEW'
GROUP BY policy, rule, path, action, outcome, COALESCE(reason, ''), purpose, COALESCE(basis, ''), "user", roles),
byrole AS (SELECT counts.*, role FROM counts CROSS JOIN UNNEST(roles) AS t(role)),
reached AS (SELECT DISTINCT "user", patient FROM accesses
WHERE ${GAVE} AND action <> 'REVIEW' AND patient IS NOT NULL AND purpose IN (${marks(comparedPurposes)})),
listed AS (SELECT roles, paths, purpose, action, "time" FROM accesses
WHERE policy = ? AND paths IS NOT NULL AND (action = 'SEARCH' OR (${RETRACTED} AND rule IS NOT NULL)))
SELECT * FROM (${row('POLICY', { policy: 'policy', ...counted, ...TIMES })} FROM counts GROUP BY policy ORDER BY records DESC, policy LIMIT ${MAX_POLICIES})
UNION ALL
${row('USE', {
  rule: 'rule',
  path: 'path',
  role: 'role',
  ...counted,
  disclosed: total(`outcome = 'DISCLOSED'`),
  masked: total(`outcome = 'MASKED'`),
  written: total(`outcome = 'WRITTEN'`),
  glass: total(`basis = 'BREAK_GLASS'`),
  users: 'count(DISTINCT "user")',
  ...TIMES,
})} FROM byrole
WHERE policy = ? AND rule IS NOT NULL AND outcome <> 'DENIED' AND NOT (${RETRACTED}) AND (${isClaimed})
GROUP BY GROUPING SETS ((path, rule, role), (rule, role))
UNION ALL
${row('PATHS', { path: 'one', role: 'role', action: 'action', purpose: 'purpose', records: 'count(*)', latest: 'max("time")' })}
FROM listed CROSS JOIN UNNEST(roles) AS t(role) CROSS JOIN UNNEST(paths) AS s(one)
WHERE ${isClaimed} GROUP BY one, role, action, purpose
UNION ALL
SELECT * FROM (${row('DENIAL', {
    role: 'role',
    path: 'path',
    action: 'action',
    refusal: 'refusal',
    ...counted,
    users: 'count(DISTINCT "user")',
    ...TIMES,
  })} FROM byrole WHERE ${REFUSED} AND role IN (${marks(reviewed)})
GROUP BY role, path, action, refusal ORDER BY records DESC, role, path, action, refusal LIMIT ${MAX_DENIALS})
UNION ALL
SELECT * FROM (${row('USER', { role: 'role', user: '"user"', ...counted, different: 'count(DISTINCT path)' })} FROM byrole
WHERE ${GAVE} AND role IN (${marks(compared)}) GROUP BY role, "user" LIMIT ${MAX_USERS + 1})
UNION ALL
SELECT * FROM (${row('PATIENTS', { user: '"user"', different: 'count(*)' })} FROM reached GROUP BY "user" LIMIT ${MAX_USERS + 1})
UNION ALL
SELECT * FROM (${row('SOLE', { role: 'role', path: 'path', user: 'min("user")', ...counted })} FROM byrole
WHERE ${GAVE} AND role IN (${marks(compared)})
GROUP BY role, path HAVING count(DISTINCT "user") = 1 ORDER BY records DESC, role, path LIMIT ${MAX_SOLE_PATHS})`
  const values = [...comparedPurposes, policy, ...[policy, ...claimed], ...claimed, ...reviewed, ...compared, ...compared]
  return { sql, values }
}
