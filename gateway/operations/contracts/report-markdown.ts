import type { PublicationReport, ReportedOperation, ReportedPath } from './report.ts'

/**
 * The report of a publication as GitHub flavored Markdown. No text of the client can end its cell or its fence, or become markup.
 * Ends with a newline.
 */
export function reportMarkdown(report: PublicationReport): string {
  const refused = report.operations.filter(({ verdict }) => verdict === 'REFUSED')
  const sections = [
    `# Operations of ${text(report.client)}`,
    verdict(report, refused.length),
    facts(report),
    ...contract(report),
    ...(refused.length === 0 ? [] : ['## Refused operations', ...refused.map(refusal)]),
    '## Operations',
    ...report.operations.map(operation),
  ]
  return `${sections.join('\n\n')}\n`
}

function verdict({ verdict: found, operations }: PublicationReport, refused: number): string {
  switch (found) {
    case 'APPROVED':
      return `**Approved.** All ${operations.length} operations are within the contract and the policy.`
    case 'PROVED':
      return `**Proved, not yet approved.** All ${operations.length} operations are within the contract and the policy.`
    case 'REFUSED':
      return `**Refused.** ${refused} of ${operations.length} operations exceed the contract or the policy. Nothing was published.`
  }
  return found satisfies never
}

function facts({ app, approvedBy, approvedAt, policyDigest, contractDigest }: PublicationReport): string {
  return table(
    ['', ''],
    [
      ...(app === undefined ? [] : [['Application', `${text(app.app)} ${text(app.version)}`]]),
      ...(approvedBy === undefined ? [] : [['Approved by', text(approvedBy)]]),
      ...(approvedAt === undefined ? [] : [['Approved at', text(approvedAt)]]),
      ['Policy', code(policyDigest)],
      ['Contract', contractDigest === undefined ? 'none' : code(contractDigest)],
    ],
  )
}

function contract({ contract: terms, paths }: PublicationReport): readonly string[] {
  if (terms === undefined) return []
  const { recipient, roles, purposes, categories, sensitivities, maxPage, valuesPerDay, expires, networks } = terms
  const list = (names: readonly string[]) => names.map(code).join(', ') || 'none'
  return [
    '## Contract',
    table(
      ['', ''],
      [
        ['Client', text(terms.client)],
        ['Recipient', text(recipient.name)],
        ['Address', text(recipient.address)],
        ...(recipient.reference === undefined ? [] : [['Reference in consents', code(recipient.reference)]]),
        ['Roles', list(roles)],
        ['Purposes', list(purposes)],
        ['Categories', list(categories)],
        ['Sensitivities', list(sensitivities)],
        ['Largest page', String(maxPage)],
        ['PHI values a day', String(valuesPerDay)],
        ['Expires', text(expires)],
        ['Networks', list(networks)],
      ],
    ),
    '### Paths',
    table(
      ['path', 'category', 'Safe Harbor', 'sensitivity', 'granted by', 'relationship', 'view'],
      paths.flatMap(pathRows),
    ),
  ]
}

function pathRows({ path, category, safeHarbor, sensitivities, grants }: ReportedPath): readonly (readonly string[])[] {
  const head = [code(path), text(category), text(safeHarbor), sensitivities.map(text).join(' ') || '-']
  if (grants.length === 0) return [[...head, 'no grant', '-', '-']]
  return grants.map(({ rule, relationship, view, actions }) => {
    // a grant of SEARCH without READ must not look like a grant of READ
    const shown = actions.length === 1 && actions[0] === 'READ' ? view : `${view} (${actions.join(' ')})`
    return [...head, code(rule), text(relationship), text(shown)]
  })
}

function refusal({ name, id, faults }: ReportedOperation): string {
  return [`### ${text(name)}`, code(id), faults.map(({ message }) => `- ${text(message)}`).join('\n')].join('\n\n')
}

function operation({ id, name, text: body, verdict: found, paths, reads, inputs, pages }: ReportedOperation): string {
  const list = (names: readonly string[]) => names.map(code).join(', ') || 'none'
  return [
    `### ${text(name)}`,
    table(
      ['', ''],
      [
        ['Id', code(id)],
        ['Verdict', found === 'PROVED' ? 'proved' : 'refused'],
        ['Paths', list(paths)],
        ['Read by arguments', list(reads)],
        ['Opened for computed values and views', list(inputs)],
        ['Largest pages', pages.map(({ field, size }) => `${code(field)} ${size}`).join(', ') || 'none'],
      ],
    ),
    fenced(body),
  ].join('\n\n')
}

/** @param rows cells of Markdown */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** A name as a code span, if it has only characters that mean nothing there and in a cell. */
function code(name: string): string {
  return /^[A-Za-z0-9_.:#/+=()@-]+$/.test(name) ? `\`${name}\`` : text(name)
}

/** Text of one line without markup. Each punctuation character is escaped, which CommonMark allows for all of ASCII. */
function text(raw: string): string {
  const line = visible(raw.replaceAll(/\s+/g, ' ').trim())
  // GitHub makes a link of a name that starts with www.
  return line.replaceAll(/[!"#$%&'*+/<=>?@[\\\]^_`{|}~]/g, '\\$&').replaceAll(/\bwww\./gi, (www) => `${www.slice(0, -1)}\\.`)
}

/** A body in a fence that is longer than any run of backticks in it. */
function fenced(body: string): string {
  const longest = Math.max(2, ...[...body.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const lines = body.replaceAll('\r\n', '\n').split('\n').map(visible)
  return [`${fence}graphql`, ...lines, fence].join('\n')
}

/** Shows control and format characters as escapes: a character that reverses the text would show another operation. */
function visible(line: string): string {
  return line.replaceAll(/[\p{C}\u2028\u2029]/gu, (character) =>
    character === '\t' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
