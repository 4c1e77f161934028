import * as z from 'zod'
import { firstDetail, CURSOR_DETAIL } from '../../model/limit-details.ts'
import { BadUserInput, FilterTooBroad } from '../../model/failures.ts'
import { listDigest } from '../access-cursor.ts'
import type { AccessFilter } from '../access-filter.ts'
import type { AuditRoot } from '../audit-reader.ts'
import { timesOf } from '../audit-times.ts'
import { findAnomalies, idOf, THRESHOLD } from './find-anomalies.ts'
import type { AnomalyKind, Finding } from './finding.ts'
import { DAY_MS } from './local-day.ts'

const MAX_PAGE = 500

interface Arguments {
  readonly from: string
  readonly to: string
  readonly kinds?: readonly AnomalyKind[] | null
  readonly minScore?: number | null
  readonly first: number
  readonly after?: string | null
}

/** `anomalies`: the findings of a span, and its granted accesses by class. */
export const anomalies: AuditRoot<Arguments> = async (args, { reader, anomalies: settings, now, deadline }) => {
  const { kinds, first, after } = args
  const minScore = args.minScore ?? THRESHOLD
  if (!Number.isSafeInteger(first) || first < 1 || first > MAX_PAGE)
    throw new BadUserInput({ detail: () => firstDetail(first, MAX_PAGE) })
  if (!(minScore >= 0 && minScore <= 1)) throw new BadUserInput({ detail: '`minScore` is a number from 0 to 1.' })
  const { from, to } = timesOf(args)
  if (from === undefined || to === undefined || from > to || from > now)
    throw new BadUserInput({ detail: '`from` and `to` are required. `from` is not after `to`, and not in the future.' })
  const until = Math.min(to, now)
  if (until - from > settings.maxDays * DAY_MS) throw new FilterTooBroad(['from', 'to'])
  const list = listDigest(reader.tenant, 'anomalies', { from: args.from, to: args.to, kinds: kinds ?? null, minScore })
  const position = typeof after === 'string' ? positionIn(list, after) : undefined
  const { findings, classes, aggregates } = await findAnomalies(
    reader.tables,
    reader.workforce,
    { from, to: until },
    settings,
    deadline,
  )
  const wanted = findings.filter(
    ({ kind, score }) => score >= minScore && (kinds === null || kinds === undefined || kinds.includes(kind)),
  )
  const rest = position === undefined ? wanted : wanted.filter((finding) => isAfter(finding, position))
  const edges = rest.slice(0, first).map((finding) => ({ cursor: cursorOf(list, finding), node: nodeOf(finding) }))
  return {
    value: {
      edges,
      examined: aggregates.examined,
      accesses: classes,
      pageInfo: {
        hasNextPage: rest.length > first,
        hasPreviousPage: position !== undefined,
        startCursor: edges[0]?.cursor ?? null,
        endCursor: edges.at(-1)?.cursor ?? null,
      },
    },
    count: edges.length,
  }
}

/** A finding as the type `Anomaly` of the schema. */
export function nodeOf(finding: Finding): object {
  const { kind, score, user, client, from, to, explanation, evidence, patients, filter } = finding
  return {
    id: idOf(finding),
    kind,
    score,
    userId: user,
    clientId: client ?? null,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    explanation,
    evidence: Object.entries(evidence).map(([name, value]) => ({ name, value: Math.round(value * 1_000) / 1_000 })),
    patientIds: patients,
    accesses: filterArguments(filter),
  }
}

/** The filter as the argument `filter` of `fieldAccesses`. */
function filterArguments({ user, patient, path, outcomes, reason, action, basis, from = 0, to = 0 }: AccessFilter): object {
  return {
    userId: user ?? null,
    patientId: patient ?? null,
    path: path ?? null,
    outcome: outcomes === undefined ? null : [...outcomes],
    reason: reason ?? null,
    action: action ?? null,
    basis: basis ?? null,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
  }
}

/** The place of a finding in the order of the list. */
const Position = z.tuple([z.string(), z.number(), z.number(), z.string().max(64)])
type Position = z.infer<typeof Position>

const cursorOf = (list: string, finding: Finding): string =>
  Buffer.from(JSON.stringify([list, finding.score, finding.from, idOf(finding)])).toString('base64url')

/** @throws BadUserInput for a text that is no cursor, and for the cursor of another list */
function positionIn(list: string, text: string): Position {
  if (text.length > 256) throw new BadUserInput({ detail: CURSOR_DETAIL })
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    throw new BadUserInput({ detail: CURSOR_DETAIL })
  }
  const position = Position.safeParse(parsed)
  if (!position.success || position.data[0] !== list) throw new BadUserInput({ detail: CURSOR_DETAIL })
  return position.data
}

/** Findings can appear and disappear between two pages: a page continues behind a place, not behind a number of findings. */
function isAfter(finding: Finding, [, score, from, id]: Position): boolean {
  if (finding.score !== score) return finding.score < score
  if (finding.from !== from) return finding.from > from
  return idOf(finding) > id
}
