import { columns } from '../directives/table.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { AccessReview, UnusedGrant } from '../gateway/oversight/reports/access-review.ts'
import { counted } from '../gateway/model/counted.ts'

/** Rows of a table that are printed. `--json` has all. */
const MAX_PRINTED = 50

/** An access review as text for people. */
export function reviewText(review: AccessReview): string {
  const { from, to, role, policy, policies, decidedByAnotherPolicy: others, attributedFrom, outliers } = review
  const inForce = policies.find((one) => one.inForce)
  return [
    `Access review of ${role ?? 'all roles'}, ${from} to ${to}\n`,
    `Policy in force: ${policy}, ${counted(inForce?.records ?? 0, 'record')}${attributedFrom === undefined ? '' : ` since ${attributedFrom}`}\n`,
    ...(others === 0 ? [] : [`Decided by another policy, and attributed to no grant: ${counted(others, 'record')}\n`]),
    '\nUsed grants\n',
    usedGrants(review),
    '\nGrants that a role did not use\n',
    unusedGrants(review.neverUsed),
    '\nMost frequent denials\n',
    table(
      ['role', 'path', 'action', 'reason', 'records', 'users'],
      review.denials.map((one) => [one.role, one.path, one.action, one.reason ?? '', number(one.records), number(one.users)]),
    ),
    '\nUsers outside their peers\n',
    table(
      ['role', 'user', 'evidence'],
      outliers.map((one) => [one.role, one.userId, one.evidence]),
    ),
    '\nThe SDL that narrows unused grants: phi policy narrow, with the same time\n',
  ].join('')
}

/** The digest of a review, and the command that signs it. */
export function signOffHint({ from, to, role, digest }: AccessReview, { tenant }: { readonly tenant: TenantId }): string {
  const words = ['--tenant', tenant, '--from', from, '--to', to, ...(role === undefined ? [] : ['--role', role])]
  return `\nDigest of this review: ${digest}\nTo sign it: phi audit review ${words.join(' ')} --sign-off KEEP --digest ${digest}\n`
}

function usedGrants({ grants }: AccessReview): string {
  const rows = grants.flatMap(({ rule, actions, view, roles }) =>
    roles.flatMap((use) =>
      use.used
        ? [
            [
              rule,
              use.role,
              actions.join(' '),
              view,
              number(use.disclosed + use.masked),
              number(use.searches),
              number(use.written),
              number(use.retractions),
              number(use.users),
              use.lastUsedAt ?? '',
            ],
          ]
        : [],
    ),
  )
  return table(
    ['rule', 'role', 'actions', 'view', 'disclosed', 'searches', 'written', 'retracted', 'users', 'last use'],
    rows,
    rows.length,
  )
}

function unusedGrants(unused: readonly UnusedGrant[]): string {
  const rows = unused.map(({ rule, roles, file, line, remove, narrowed }) => [
    rule,
    roles.join(' '),
    `${file}:${line}`,
    narrowed ?? (remove ? 'remove the line' : 'last grant: decide by hand'),
  ])
  return table(['rule', 'unused by', 'line', 'change'], rows, rows.length)
}

function table(head: readonly string[], rows: readonly (readonly string[])[], max = MAX_PRINTED): string {
  if (rows.length === 0) return '  none\n'
  const more = rows.length > max ? `  ${number(rows.length - max)} more: use --json\n` : ''
  return columns([head, ...rows.slice(0, max)]).replaceAll(/^(?=.)/gm, '  ') + more
}

const number = (value: number): string => value.toLocaleString('en-US')
