/**
 * The questions of the detection, in the SQL that DuckDB and Amazon Athena have in common. Each gives at most `MAX_ROWS` rows. A statement
 * depends on the offset of local time only, a number of minutes.
 */

/** A larger answer is refused: the span must be shorter. */
export const MAX_ROWS = 250_000

const LIMIT = `LIMIT ${MAX_ROWS + 1}`

/** An outcome that discloses a value. */
const GRANTED = `outcome IN ('DISCLOSED', 'MASKED')`
/** Accesses of the workforce. Patients and proxies read their own records at any hour, and partners have a kind of their own. */
const STAFF = `contract IS NULL AND (basis IS NULL OR basis NOT IN ('SELF', 'PROXY'))`

const local = (offset: number): string => `("time" ${offset < 0 ? '-' : '+'} INTERVAL '${Math.trunc(Math.abs(offset))}' MINUTE)`
const day = (offset: number): string => `CAST(CAST(${local(offset)} AS DATE) AS VARCHAR)`
const FIRST_LAST = `min("time") AS first_at, max("time") AS last_at`

/** A time as both databases read it: `2026-03-01 12:00:00.000`, in UTC. @param at milliseconds since the epoch */
export const sqlTime = (at: number): string => new Date(at).toISOString().replace('T', ' ').replace('Z', '')
const literal = (at: number): string => `TIMESTAMP '${sqlTime(at)}'`

export type Statement = (offset: number) => string

/** The roles of each user. Partners have a contract. */
export const ROLES: Statement = () => `
SELECT g.user_id, r.role AS role, sum(g.records) AS records, max(g.is_partner) AS is_partner FROM (
  SELECT "user" AS user_id, roles, count(*) AS records, max(CASE WHEN contract IS NULL THEN 0 ELSE 1 END) AS is_partner
  FROM accesses WHERE action <> 'REVIEW' AND (basis IS NULL OR basis NOT IN ('SELF', 'PROXY')) GROUP BY "user", roles
) AS g CROSS JOIN UNNEST(g.roles) AS r(role) GROUP BY 1, 2 ${LIMIT}`

/** The values and patients that each user read on each day. */
export const DAYS: Statement = (offset) => `
SELECT "user" AS user_id, ${day(offset)} AS day, count(*) AS records, count(DISTINCT patient) AS patients, ${FIRST_LAST}
FROM accesses WHERE ${GRANTED} AND ${STAFF} GROUP BY 1, 2 ${LIMIT}`

/** The number of days on which each user worked in an hour. */
export const HABITS: Statement = (offset) => `
SELECT user_id, is_weekend, hour_of_day, count(DISTINCT day) AS days FROM (
  SELECT "user" AS user_id, ${day(offset)} AS day, extract(HOUR FROM ${local(offset)}) AS hour_of_day,
    CASE WHEN mod(date_diff('day', DATE '2001-01-01', CAST(${local(offset)} AS DATE)), 7) >= 5 THEN 1 ELSE 0 END AS is_weekend
  FROM accesses WHERE ${GRANTED} AND (basis IS NULL OR basis NOT IN ('SELF', 'PROXY'))
) AS habits GROUP BY 1, 2, 3 ${LIMIT}`

/** The requests, values and patients of each user in each hour. */
export const HOURS: Statement = (offset) => `
SELECT "user" AS user_id, ${day(offset)} AS day, extract(HOUR FROM ${local(offset)}) AS hour_of_day, count(*) AS records,
  count(DISTINCT requestId) AS requests, count(DISTINCT patient) AS patients, ${FIRST_LAST}
FROM accesses WHERE ${GRANTED} AND ${STAFF} GROUP BY 1, 2, 3 ${LIMIT}`

/** Denials of each user on each day: patients without a relationship, requests refused by another rule, and ids that lead to nothing. */
export const DENIALS: Statement = (offset) => `
SELECT "user" AS user_id, ${day(offset)} AS day,
  count(DISTINCT CASE WHEN reason = 'RELATIONSHIP' THEN patient END) AS strangers,
  count(DISTINCT CASE WHEN reason NOT IN ('RELATIONSHIP', 'NOT_FOUND', 'CONSENT', 'SIZE') THEN requestId END) AS refused,
  count(DISTINCT CASE WHEN reason = 'NOT_FOUND' THEN patient END) AS missing, ${FIRST_LAST}
FROM accesses WHERE outcome = 'DENIED' AND action NOT IN ('SEARCH', 'REVIEW') GROUP BY 1, 2 ${LIMIT}`

/**
 * Searches of each user on each day. Every search leaves one record about patients that are not found, under a keyed hash. It is a miss
 * unless its request also leaves the disclosure of a searched value.
 */
export const SEARCHES: Statement = (offset) => `
SELECT user_id, day, count(*) AS searches, sum(CASE WHEN unfound > found THEN unfound - found ELSE 0 END) AS misses,
  sum(refused) AS refused, min(first_at) AS first_at, max(last_at) AS last_at FROM (
  SELECT "user" AS user_id, ${day(offset)} AS day, requestId,
    count(DISTINCT CASE WHEN outcome = 'ABSENT' OR reason = 'NOT_FOUND' THEN patient END) AS unfound,
    count(DISTINCT CASE WHEN outcome = 'DISCLOSED' THEN patient END) AS found,
    max(CASE WHEN reason = 'BUDGET' THEN 1 ELSE 0 END) AS refused, ${FIRST_LAST}
  FROM accesses WHERE action = 'SEARCH' GROUP BY 1, 2, 3
) AS requests GROUP BY 1, 2 ${LIMIT}`

/** The values that each break-glass grant opened, and its first review with a final finding. */
export const BREAK_GLASS: Statement = () => `
SELECT u.grant_id, u.user_id, u.patient, u.records, u.first_at, u.last_at, v.reviewed_at FROM (
  SELECT basisId AS grant_id, "user" AS user_id, patient, count(*) AS records, ${FIRST_LAST}
  FROM accesses WHERE basis = 'BREAK_GLASS' AND ${GRANTED} AND basisId IS NOT NULL GROUP BY 1, 2, 3
) AS u LEFT JOIN (
  SELECT basisId AS grant_id, min("time") AS reviewed_at
  FROM accesses WHERE path = 'Mutation.reviewBreakGlass' AND outcome = 'WRITTEN'
    AND (others IS NULL OR others NOT LIKE '%"finding":"FOLLOW_UP"%') GROUP BY 1
) AS v ON v.grant_id = u.grant_id ${LIMIT}`

/**
 * Days on which a user read a patient after a pause by an old membership, while no other member of the workforce read the patient in the
 * days around it; and days on which a user read a patient by a membership that had not begun.
 *
 * Values: the first judged day, the pause in days, the age in days.
 */
export const MEMBERSHIPS = (offset: number, around: number): string => `
SELECT user_id, patient, day, records, since, basis_id, first_at, last_at, age, pause FROM (
  SELECT user_id, patient, day_number, CAST(day AS VARCHAR) AS day, records, since, basis_id, first_at, last_at,
    date_diff('day', CAST(since AS DATE), day) AS age,
    day_number - lag(day_number) OVER (PARTITION BY patient, user_id ORDER BY day_number) AS pause,
    count(*) OVER (PARTITION BY patient ORDER BY day_number ${within(around)}) AS all_reads,
    count(*) OVER (PARTITION BY patient, user_id ORDER BY day_number ${within(around)}) AS own_reads
  FROM (
    SELECT "user" AS user_id, patient, CAST(${local(offset)} AS DATE) AS day,
      date_diff('day', DATE '2001-01-01', CAST(${local(offset)} AS DATE)) AS day_number, count(*) AS records, min(since) AS since,
      max(basisId) AS basis_id, ${FIRST_LAST}
    FROM accesses WHERE ${GRANTED} AND ${STAFF} AND patient IS NOT NULL AND purpose <> 'HPAYMT' AND purpose <> 'HRESCH'
    GROUP BY 1, 2, 3, 4
  ) AS read_days
) AS reads
WHERE since IS NOT NULL AND day >= ?
  AND (since > last_at OR (all_reads = own_reads AND (pause IS NULL OR pause > ?) AND age > ?)) ${LIMIT}`

const within = (days: number): string => `RANGE BETWEEN ${Math.trunc(days)} PRECEDING AND ${Math.trunc(days)} FOLLOWING`

/** The values that each user read on each day on a basis without a membership, consent, grant or study. */
export const BASES: Statement = (offset) => `
SELECT "user" AS user_id, ${day(offset)} AS day, basis, count(*) AS records, count(DISTINCT patient) AS patients, ${FIRST_LAST}
FROM accesses WHERE ${GRANTED} AND ${STAFF} AND basis IS NOT NULL AND basisId IS NULL GROUP BY 1, 2, 3 ${LIMIT}`

/** The grants that each user used, by path: before a time, and since. Records of partners have their own kind. */
export const RULES = (from: number): string => `
SELECT "user" AS user_id, rule, path, CASE WHEN "time" >= ${literal(from)} THEN 1 ELSE 0 END AS is_judged, count(*) AS records, ${FIRST_LAST}
FROM accesses WHERE ${GRANTED} AND ${STAFF} AND rule IS NOT NULL GROUP BY 1, 2, 3, 4 ${LIMIT}`

/** The requests of each partner in each hour, by operation. */
export const PARTNER_HOURS: Statement = (offset) => `
SELECT "user" AS user_id, max(client) AS client, ${day(offset)} AS day, extract(HOUR FROM ${local(offset)}) AS hour_of_day,
  coalesce(operation, '') AS operation, count(*) AS records, count(DISTINCT requestId) AS requests,
  sum(CASE WHEN ${GRANTED} THEN 1 ELSE 0 END) AS granted, ${FIRST_LAST}
FROM accesses WHERE contract IS NOT NULL GROUP BY 1, 3, 4, 5 ${LIMIT}`

/** The paths that each partner read. */
export const PARTNER_PATHS: Statement = (offset) => `
SELECT "user" AS user_id, path, ${day(offset)} AS day, count(*) AS records
FROM accesses WHERE contract IS NOT NULL AND ${GRANTED} GROUP BY 1, 2, 3 ${LIMIT}`

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ')
/** Accesses that name a membership. A study, a consent and break-glass are no care of a team. */
const BY_CARE_TEAM = `basisId IS NOT NULL AND basis NOT IN ('STUDY', 'CONSENT', 'BREAK_GLASS')`

/**
 * The values of some patients that each user read on each day, by basis. Values: the patients, then the users.
 *
 * @param users left out: of all users
 */
export const RELATED_READS = (offset: number, patients: number, users?: number): string => `
SELECT "user" AS user_id, patient, ${day(offset)} AS day, coalesce(basis, '') AS basis,
  CASE WHEN basis = 'BREAK_GLASS' THEN basisId END AS grant_id, CASE WHEN basisId IS NULL THEN 0 ELSE 1 END AS is_named,
  count(*) AS records, ${FIRST_LAST}
FROM accesses WHERE ${GRANTED} AND ${STAFF} AND patient IN (${marks(patients)})${users === undefined ? '' : ` AND "user" IN (${marks(users)})`}
GROUP BY 1, 2, 3, 4, 5, 6 ${LIMIT}`

/** The days on which a member of a care team read some patients. Values: the patients. */
export const CARE_DAYS = (offset: number, patients: number): string => `
SELECT patient, ${day(offset)} AS day
FROM accesses WHERE ${GRANTED} AND ${STAFF} AND ${BY_CARE_TEAM} AND patient IN (${marks(patients)}) GROUP BY 1, 2 ${LIMIT}`

/** The number of days on which each user read a patient without a membership, by the number of values. */
export const HANDLINGS: Statement = (offset) => `
SELECT user_id, records, count(*) AS days FROM (
  SELECT "user" AS user_id, patient, ${day(offset)} AS day, count(*) AS records
  FROM accesses WHERE ${GRANTED} AND ${STAFF} AND basisId IS NULL AND patient IS NOT NULL GROUP BY 1, 2, 3
) AS handled GROUP BY 1, 2 ${LIMIT}`

/** The values of a filter of a finding, as a condition. Each is a `?`. */
export interface Condition {
  readonly sql: string
  readonly values: readonly (string | number | boolean)[]
}

/** Granted accesses by the facts that explain them. @param selected only those of a condition */
export const EXPLANATIONS = (selected?: Condition): string => `
SELECT a.basis AS basis, CASE WHEN a.basisId IS NULL THEN 0 ELSE 1 END AS is_named,
  CASE WHEN a.basis = 'BREAK_GLASS' THEN a.basisId END AS grant_id,
  CASE WHEN a.contract IS NOT NULL THEN a."user" END AS partner,
  CASE WHEN a.contract IS NOT NULL THEN coalesce(a.operation, '') END AS operation,
  CASE WHEN t.treated IS NULL THEN 0 ELSE 1 END AS is_treated, count(*) AS records
FROM accesses a
LEFT JOIN (SELECT DISTINCT patient AS treated FROM accesses WHERE basis = 'CARE_TEAM' AND ${GRANTED}) AS t ON t.treated = a.patient
WHERE a.outcome IN ('DISCLOSED', 'MASKED')${selected === undefined ? '' : ` AND (${selected.sql})`}
GROUP BY 1, 2, 3, 4, 5, 6 ${LIMIT}`

/** Every statement, for a test that parses each with the grammar of Trino. */
export const ANOMALY_STATEMENTS: readonly string[] = [
  ...[ROLES, DAYS, HABITS, HOURS, DENIALS, SEARCHES, BREAK_GLASS, BASES, HANDLINGS, PARTNER_HOURS, PARTNER_PATHS].flatMap(
    (statement) => [statement(-300), statement(330)],
  ),
  MEMBERSHIPS(-300, 3),
  RULES(0),
  RELATED_READS(-300, 2),
  RELATED_READS(330, 2, 3),
  CARE_DAYS(-300, 2),
  EXPLANATIONS(),
  EXPLANATIONS({ sql: `a."user" = ? AND a."time" BETWEEN CAST(? AS TIMESTAMP) AND CAST(? AS TIMESTAMP)`, values: [] }),
]
