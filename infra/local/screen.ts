import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { StackUser } from './users.ts'

export interface ScreenOptions {
  /** The GraphQL endpoint of the callers. */
  readonly url: string
  /** The endpoint of auditors, if the stack has one. */
  readonly auditUrl?: string
  readonly users: readonly StackUser[]
  /** Absolute path. */
  readonly dataFolder: string
  /** One line for a shell that sends a first query. */
  readonly command: string
  /** Sentences after the command. */
  readonly hints?: readonly string[]
  /** The columns of the terminal. Undefined for a file. */
  readonly columns?: number | undefined
}

/** The most columns of the screen. Only the command and hints may be longer. */
const WIDTH = 100
/** The narrowest last column that reads well. */
const LAST_COLUMN = 24
const GAP = '  '

/** The text of a stack that is ready: its addresses, its users, and one line to copy. It is plain text for terminals and files. */
export function screen({ url, auditUrl, users, dataFolder, command, hints = [], columns = WIDTH }: ScreenOptions): string {
  const width = Math.min(columns, WIDTH)
  const addresses = [
    ['GraphQL', `${url} - open it in a browser`],
    ...(auditUrl === undefined ? [] : [['for auditors', auditUrl]]),
    ['data', relative('.', dataFolder) || '.'],
  ]
  return [
    table(addresses, width),
    table(userRows(users, width), width),
    'Copy this line into another terminal, in this folder:',
    command,
    ...(hints.length === 0 ? [] : [hints.join('\n')]),
  ].join('\n\n')
}

/**
 * A column without any content is left out, and so is the tenant if all users have the same. On a narrow terminal, the patients are left
 * out, because the last column says more.
 */
function userRows(users: readonly StackUser[], width: number): string[][] {
  const tenants = new Set(users.map(({ tenant }) => tenant))
  const columns: readonly (readonly [title: string, cell: (user: StackUser) => string])[] = [
    ['USER', ({ name }) => name],
    ['ROLE', ({ role }) => role],
    ['TENANT', ({ tenant }) => (tenants.size > 1 ? tenant : '')],
    ['PATIENTS', ({ patients = '' }) => patients],
    ['TRY', ({ toTry, description }) => toTry ?? description],
  ]
  const filled = columns.filter(([, cell]) => users.some((user) => cell(user) !== ''))
  const widths = filled.slice(0, -1).map(([title, cell]) => Math.max(title.length, ...users.map((user) => cell(user).length)))
  const isNarrow = width - widths.reduce((sum, one) => sum + one + GAP.length, 0) < LAST_COLUMN
  const used = isNarrow ? filled.filter(([title]) => title !== 'PATIENTS') : filled
  return [used.map(([title]) => title), ...users.map((user) => used.map(([, cell]) => cell(user)))]
}

/** Pads all columns but the last one. The last one is wrapped, so that no line is longer than the screen. */
function table(rows: readonly (readonly string[])[], width: number): string {
  const plain = rows.map((row) =>
    row.map((cell) =>
      stripVTControlCharacters(cell)
        .replace(/[\s\p{Cc}]+/gu, ' ')
        .trim(),
    ),
  )
  const widths = (plain[0] ?? []).slice(0, -1).map((_, column) => Math.max(...plain.map((row) => row[column]?.length ?? 0)))
  const indent = widths.reduce((sum, width) => sum + width + GAP.length, 0)
  return plain
    .map((row) => {
      const first = widths.map((one, column) => (row[column] ?? '').padEnd(one) + GAP).join('')
      return first + wrap(row.at(-1) ?? '', width - indent).join(`\n${' '.repeat(indent)}`)
    })
    .map((line) => line.trimEnd())
    .join('\n')
}

/** The lines of a text, broken between words. A word that is longer than the width has its own line. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
