import { isChange, permitsChange, type ChangeAction } from './actions.ts'
import type { Grant, Identifier, PolicyTable, PurposeOfUse, View } from './policy.ts'
import { inOrder } from './lock.ts'

/** One role that may read one path. Compliance staff compare policies row by row. */
export interface GrantRow {
  readonly role: string
  /** Space separated, in the order TREAT ETREAT BTG HPAYMT HOPERAT HRESCH PATRQT PUBHLTH. */
  readonly purposes: string
  readonly relationship: string
  readonly path: string
  readonly view: View
}

/** One role that may change one path. */
export interface ChangeRow extends Omit<GrantRow, 'view'> {
  readonly action: ChangeAction
}

/** Every grant of CREATE, UPDATE or DELETE, sorted by role, purposes, relationship, action and path. */
export function changeRows(policy: Pick<PolicyTable, 'phi'>): readonly ChangeRow[] {
  const rows = [...policy.phi.values()].flatMap(({ path, grants }) =>
    grants.flatMap(({ roles, purposes, relationship, actions }) =>
      [...actions]
        .filter(isChange)
        .flatMap((action) => [...roles].map((role) => ({ role, purposes: purposeText(purposes), relationship, action, path }))),
    ),
  )
  const key = ({ role, purposes, relationship, action, path }: ChangeRow) => [role, purposes, relationship, action, path].join(',')
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
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

/** One grant of a PHI path, as text for people. */
interface SheetGrant {
  readonly roles: readonly string[]
  readonly purposes: string
  readonly relationship: string
  /** `FULL` for a grant of READ only. Another grant to read adds its actions: `FULL (SEARCH)`. A change grant has actions only: `no read: CREATE UPDATE`. */
  readonly view: string
  /** Whether break-glass can replace membership of the care team. */
  readonly breakGlass: boolean
}

/**
 * The compiled table as text for people: PHI with its grants, the paths that arguments read, and the fields that are not PHI
 * with their reasons.
 */
export interface PolicySheet {
  readonly phi: readonly {
    readonly path: string
    /** `CLINICAL`, or with its sensitivities: `NOTE, protected as PSY`. */
    readonly category: string
    /** `(C) DATE`: the letter of 45 CFR 164.514(b)(2)(i) and the name of the class; `-` for a value that identifies no person by itself. */
    readonly safeHarbor: string
    readonly grants: readonly SheetGrant[]
  }[]
  readonly reads: readonly { readonly argument: string; readonly field: string }[]
  readonly notPhi: readonly { readonly coordinate: string; readonly because: string }[]
  readonly roles: readonly string[]
  readonly digest: string
}

/** The compiled table as a sheet. `phi`, `reads` and `notPhi` are sorted by path, argument and coordinate. */
export function policySheet({ phi, reads, notPhi, roles, digest }: PolicyTable): PolicySheet {
  return {
    phi: byKey(phi).map(([path, { category, identifier, sensitivity, grants }]) => ({
      path,
      category: sensitivity.size === 0 ? category : `${category}, protected as ${[...sensitivity].join(' ')}`,
      safeHarbor: safeHarborClass(identifier),
      grants: grants.map(sheetGrant),
    })),
    reads: byKey(reads).map(([argument, field]) => ({ argument, field })),
    notPhi: byKey(notPhi).map(([coordinate, because]) => ({ coordinate, because })),
    roles: [...roles.keys()],
    digest,
  }
}

function sheetGrant({ roles, purposes, relationship, view, actions, breakGlass }: Grant): SheetGrant {
  return {
    roles: [...roles],
    purposes: purposeText(purposes),
    relationship,
    view: viewText(actions, view),
    breakGlass: breakGlass && relationship === 'CARE_TEAM' && purposes.has('TREAT'),
  }
}

/** A grant of another action must not look like a grant of READ. */
function viewText(actions: Grant['actions'], view: View): string {
  if (permitsChange({ actions })) return `no read: ${[...actions].join(' ')}`
  return actions.size === 1 && actions.has('READ') ? view : `${view} (${[...actions].join(' ')})`
}

function byKey<Key extends string, Value>(map: ReadonlyMap<Key, Value>): readonly (readonly [Key, Value])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * The table as plain text in columns. Ends with a newline.
 *
 * @param width the columns of the terminal. A part that is wider has another form: details are below the name that they belong to
 */
export function renderTable(policy: PolicyTable, width = Number.POSITIVE_INFINITY): string {
  const { phi, reads, notPhi } = policySheet(policy)
  const fitting = (wide: string, narrow: string): string => (wide.split('\n').every((line) => line.length <= width) ? wide : narrow)
  const pairs = (rows: readonly (readonly [string, string])[]): string => fitting(columns(rows), below(rows))
  return [
    fitting(grantsBeside(phi), grantsBelow(phi)),
    ...(reads.length === 0
      ? []
      : [pairs([['argument', 'reads'], ...reads.map(({ argument, field }) => [argument, field] as const)])]),
    pairs([['not PHI', 'because'], ...notPhi.map(({ coordinate, because }) => [coordinate, because] as const)]),
  ].join('\n')
}

const GRANT_TITLES = ['roles', 'purposes', 'relationship', 'view', 'break-glass']

function grantsBeside(phi: PolicySheet['phi']): string {
  const rows = phi.flatMap(({ path, category, safeHarbor, grants }) =>
    grants.map((grant, index) => [...(index === 0 ? [path, category, safeHarbor] : ['', '', '']), ...grantCells(grant)]),
  )
  return columns([['path', 'category', 'Safe Harbor', ...GRANT_TITLES], ...rows])
}

function grantsBelow(phi: PolicySheet['phi']): string {
  // only a grant to read has the mark of break-glass, so that both fit into one column
  const cells = [GRANT_TITLES, ...phi.flatMap(({ grants }) => grants.map(grantCells))].map((row) => [
    ...row.slice(0, 3),
    row.slice(3).join('  ').trimEnd(),
  ])
  const [titles = '', ...rows] = columns(cells)
    .split('\n')
    .map((row) => `  ${row}\n`)
  const named = phi.map(({ path, category, safeHarbor, grants }) => {
    const harbor = safeHarbor === '-' ? '' : `  ${safeHarbor}`
    return `${path}  ${category}${harbor}\n${rows.splice(0, grants.length).join('')}`
  })
  return `path  category  Safe Harbor\n${titles}\n${named.join('')}`
}

const below = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([first, second]) => `${first}\n  ${second}\n`).join('')

const grantCells = ({ roles, purposes, relationship, view, breakGlass }: SheetGrant): readonly string[] => [
  roles.join(' '),
  purposes,
  relationship,
  view,
  breakGlass ? 'break-glass' : '',
]

/** `(C) DATE`: the letter of 45 CFR 164.514(b)(2)(i) and the name of the class; `-` for a value that identifies no person by itself. */
export function safeHarborClass(identifier: Identifier | undefined): string {
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

/** Rows of cells as lines of text, each column as wide as its widest cell. Ends with a newline. */
export function columns(rows: readonly (readonly string[])[]): string {
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
