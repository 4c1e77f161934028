import type { Identifier, PolicyTable, PurposeOfUse, View } from '../vocabulary/policy.ts'
import { inOrder } from './lock.ts'

/** Who may read one path, one row for each role: the form in which compliance people compare policies. */
export interface GrantRow {
  readonly role: string
  /** Space separated, in the order TREAT ETREAT BTG HPAYMT HOPERAT HRESCH PATRQT PUBHLTH. */
  readonly purposes: string
  readonly relationship: string
  readonly path: string
  readonly view: View
}

/** Every grant of READ, sorted by role, purposes, relationship and path. */
export function grantRows(policy: Pick<PolicyTable, 'phi'>): readonly GrantRow[] {
  const rows = [...policy.phi.values()].flatMap(({ path, grants }) =>
    grants
      .filter(({ actions }) => actions.has('READ'))
      .flatMap(({ roles, purposes, relationship, view }) =>
        [...roles].map((role) => ({ role, purposes: purposeText(purposes), relationship, path, view })),
      ),
  )
  const key = ({ role, purposes, relationship, path, view }: GrantRow) => [role, purposes, relationship, path, view].join(',')
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** The table for people: each PHI path with its class and its grants, then what is not PHI and why. Ends with a newline. */
export function renderTable(policy: PolicyTable): string {
  const rows = [['path', 'category', 'Safe Harbor', 'roles', 'purposes', 'relationship', 'view']]
  for (const { path, category, identifier, grants } of [...policy.phi.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    for (const [index, { roles, purposes, relationship, view }] of grants.entries()) {
      const head = index === 0 ? [path, category, safeHarborClass(identifier)] : ['', '', '']
      rows.push([...head, [...roles].join(' '), purposeText(purposes), relationship, view])
    }
  }
  const reasons = [...policy.notPhi].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([coordinate, because]) => [coordinate, because])
  return `${columns(rows)}\n${columns([['not PHI', 'because'], ...reasons])}`
}

/** `(C) DATE`: the letter of 45 CFR 164.514(b)(2)(i) and our name for it; `-` for what identifies nobody by itself. */
function safeHarborClass(identifier: Identifier | undefined): string {
  return identifier === undefined ? '-' : `(${LETTERS[identifier]}) ${identifier}`
}

const LETTERS: Readonly<Record<Identifier, string>> = {
  NAME: 'A',
  GEOGRAPHIC: 'B',
  DATE: 'C',
  PHONE: 'D',
  FAX: 'E',
  EMAIL: 'F',
  SSN: 'G',
  MRN: 'H',
  PLAN_ID: 'I',
  ACCOUNT: 'J',
  LICENSE: 'K',
  VEHICLE: 'L',
  DEVICE: 'M',
  URL: 'N',
  IP: 'O',
  BIOMETRIC: 'P',
  PHOTO: 'Q',
  OTHER: 'R',
}

function purposeText(purposes: ReadonlySet<PurposeOfUse>): string {
  return inOrder(purposes).join(' ')
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<readonly number[]>((known, row) => row.map((cell, i) => Math.max(known[i] ?? 0, cell.length)), [])
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
