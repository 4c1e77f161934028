import { type PolicySheet, policySheet } from '../directives/table.ts'
import type { PolicyTable } from '../directives/policy.ts'

/** The policy table as GitHub flavored Markdown: one row for each grant of a path. Ends with a newline. */
export function renderMarkdown(policy: PolicyTable): string {
  const { phi, reads, notPhi, digest } = policySheet(policy)
  const sections = [
    '# Who may see what',
    `Policy \`${digest}\`. A field without a grant is denied. If several grants apply, the most revealing view wins.`,
    '## Protected health information',
    table(
      ['path', 'category', 'Safe Harbor', 'roles', 'purposes', 'relationship', 'view', 'break-glass'],
      phi.flatMap((row) => row.grants.map((grant) => [code(row.path), row.category, row.safeHarbor, ...readers(grant)])),
    ),
    ...(reads.length === 0
      ? []
      : [
          '## Arguments that read',
          'An argument needs the right to the field that it reads.',
          table(
            ['argument', 'reads'],
            reads.map(({ argument, field }) => [code(argument), code(field)]),
          ),
        ]),
    '## Not protected health information',
    table(
      ['field', 'because'],
      notPhi.map(({ coordinate, because }) => [code(coordinate), because]),
    ),
  ]
  return `${sections.join('\n\n')}\n`
}

function readers({ roles, purposes, relationship, view, breakGlass }: PolicySheet['phi'][number]['grants'][number]): string[] {
  return [roles.join(', '), purposes, relationship, view, breakGlass ? 'break-glass' : '']
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escape).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** A path has only letters, digits, `.`, `(`, `)` and `:`, so it needs no escaping between its backticks. */
function code(path: string): string {
  return `\`${path}\``
}

/** Text of a reason must neither end a cell nor become markup. */
function escape(text: string): string {
  return text
    .replaceAll(/[\\|<>]/g, (character) => `\\${character}`)
    .replaceAll(/\s+/g, ' ')
    .trim()
}
