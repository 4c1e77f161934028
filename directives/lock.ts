import { ACTIONS } from './actions.ts'
import type { SchemaPath } from './coordinates.ts'
import { PURPOSES_OF_USE } from './policy.ts'
import type { FreeTextInside, Grant, PhiPolicy, PolicyTable, PurposeOfUse } from './policy.ts'
import { freeTextPaths } from './free-text-paths.ts'

const KINDS = [
  'role',
  'consent',
  'confidentiality',
  'notice',
  'call',
  'record',
  'class',
  'phi',
  'grant',
  'reads',
  'searchable',
  'comparison',
  'notPhi',
] as const

/** One line of a lock: `grant Patient.ssn roles=BILLING ...` is kind, subject and values. */
export interface LockLine {
  readonly kind: (typeof KINDS)[number]
  readonly subject: string
  readonly values: ReadonlyMap<string, string>
  /** The whole line. */
  readonly text: string
}

/** The text is not a lock of format 1. */
export class LockUnreadable extends Error {
  override readonly name = 'LockUnreadable'
  /** From 1. */
  readonly line: number
  constructor(line: number) {
    super(`The policy lock cannot be read at line ${line}.`)
    this.line = line
  }
}

const HEADER = 'format 1'

/**
 * Prints the compiled table: one self-contained line for each fact, so that a diff in version control shows each change. Lines are
 * sorted by code units, so that the same table gives the same bytes on every machine. Ends with a newline.
 *
 * @param reads the value path of each argument with `@reads`: `Patient.observations(code:)` to `Observation.code`
 */
export function renderLock(table: Omit<PolicyTable, 'digest'>, reads: ReadonlyMap<string, SchemaPath>): string {
  const lines = [
    HEADER,
    ...sorted(table.roles).map(
      ([role, { kind, mayClaim, mfa, seesExistence }]) =>
        `role ${role} kind=${kind} mayClaim=${list(mayClaim)} mfa=${yesNo(mfa)} seesExistence=${yesNo(seesExistence)}`,
    ),
    ...sorted(table.consent).flatMap(([sensitivity, { rule, breakGlass, ownAccess, opensTo }]) =>
      opensTo === 'ANY'
        ? [`consent ${sensitivity} rule=${rule} breakGlass=${yesNo(breakGlass)} ownAccess=${yesNo(ownAccess)}`]
        : [],
    ),
    ...sorted(table.consent).flatMap(([confidentiality, { opensTo, breakGlass }]) =>
      opensTo === 'ANY'
        ? []
        : [`confidentiality ${confidentiality} opensTo=${list([...opensTo].toSorted())} breakGlass=${yesNo(breakGlass)}`],
    ),
    ...sorted(table.consent).flatMap(([sensitivity, { notice }]) =>
      notice === undefined ? [] : [`notice ${sensitivity} text=${JSON.stringify(notice)}`],
    ),
    ...sorted(table.calls).map(
      ([coordinate, { roles, stepUp }]) => `call ${coordinate} roles=${list([...roles].toSorted())} stepUp=${yesNo(stepUp)}`,
    ),
    ...sorted(table.records).map(([type, { patient, source }]) => `record ${type} patient=${patient} source=${source}`),
    ...sorted(table.classes).map(([coordinate, found]) => `class ${coordinate} is=${found}`),
    ...sorted(table.phi).flatMap(([, policy]) => [
      phiLine(policy, table.computed.get(policy.path), table.freeText.get(policy.path)),
      ...policy.grants.map((grant) => grantLine(policy, grant)),
    ]),
    ...sorted(reads).map(([argument, field]) => `reads ${argument} field=${field}`),
    ...sorted(table.searchable).map(
      ([path, { with: others, normalize, alone }]) =>
        `searchable ${path} normalize=${normalize} with=${list(others)} alone=${alone ? 'yes' : 'no'}`,
    ),
    ...sorted(table.comparisons).map(([path, part]) => `comparison ${path} as=${part}`),
    ...sorted(table.notPhi).map(([coordinate, because]) => `notPhi ${coordinate} because=${JSON.stringify(because)}`),
  ]
  return `${lines.join('\n')}\n`
}

/**
 * Parses a lock. Returns its lines, without the header.
 *
 * @throws LockUnreadable for another format, an unknown kind of line or an incomplete line
 */
export function parseLock(text: string): readonly LockLine[] {
  const [header, ...lines] = text.split('\n')
  if (header !== HEADER || lines.pop() !== '') throw new LockUnreadable(1)
  return lines.map((line, index) => parseLine(line, index + 2))
}

/** Purposes in the order of the schema: `TREAT ETREAT`. */
export function inOrder(purposes: ReadonlySet<PurposeOfUse>): readonly PurposeOfUse[] {
  return PURPOSES_OF_USE.filter((purpose) => purposes.has(purpose))
}

// a reason or a notice can contain spaces, so it is the only value of its line
const LINE = /^(?<kind>\w+) (?<subject>\S+) (?<values>\w+=(?:".*"|\S+(?: \w+=\S+)*))$/

function parseLine(text: string, number: number): LockLine {
  const { kind, subject, values } = LINE.exec(text)?.groups ?? {}
  const known = KINDS.find((name) => name === kind)
  if (!known || subject === undefined || values === undefined) throw new LockUnreadable(number)
  const parts = known === 'notPhi' || known === 'notice' ? [values] : values.split(' ')
  const pairs = parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const)
  return { kind: known, subject, values: new Map(pairs), text }
}

function phiLine(
  { path, coordinate, class: kind, category, identifier, sensitivity }: PhiPolicy,
  computed: readonly SchemaPath[] | undefined,
  freeText: FreeTextInside | undefined,
): string {
  const inputs = computed === undefined ? '' : ` computed=${list(computed)}`
  const texts = freeText === undefined ? '' : ` freeText=${list(freeTextPaths(freeText))}`
  return `phi ${path} class=${kind} category=${category} identifier=${identifier ?? '-'} sensitivity=${list([...sensitivity].toSorted())} at=${coordinate}${inputs}${texts}`
}

function grantLine({ path }: PhiPolicy, { roles, purposes, relationship, actions, view, breakGlass, rule }: Grant): string {
  const who = `roles=${list([...roles].toSorted())} purposes=${list(inOrder(purposes))} relationship=${relationship}`
  const what = `actions=${list(ACTIONS.filter((action) => actions.has(action)))} view=${view} breakGlass=${yesNo(breakGlass)}`
  return `grant ${path} ${who} ${what} rule=${rule}`
}

function sorted<Key extends string, Value>(map: ReadonlyMap<Key, Value>): readonly (readonly [Key, Value])[] {
  // keys are unique, and localeCompare would sort by the machine's language
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '-' : items.join(',')
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}
