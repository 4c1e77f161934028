import { counted } from '../../model/counted.ts'
import type { ContractJson } from './contract-text.ts'
import { code, fenced, table, text } from './markdown.ts'
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
    ...(report.contract === undefined ? [] : contractSections(report.contract, report.paths)),
    ...(refused.length === 0 ? [] : ['## Refused operations', ...refused.map(refusal)]),
    '## Operations',
    ...report.operations.map(operation),
  ]
  return `${sections.join('\n\n')}\n`
}

function verdict({ verdict: found, operations }: PublicationReport, refused: number): string {
  switch (found) {
    case 'APPROVED':
      return `**Approved.** ${within(operations.length)}`
    case 'PROVED':
      return `**Proved, not yet approved.** ${within(operations.length)}`
    case 'REFUSED':
      return `**Refused.** ${refused} of ${counted(operations.length, 'operation')} ${refused === 1 ? 'exceeds' : 'exceed'} the contract or the policy. Nothing was published.`
  }
  return found satisfies never
}

const within = (operations: number): string =>
  `${operations === 1 ? 'The operation is' : `All ${counted(operations, 'operation')} are`} within the contract and the policy.`

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

/** The terms of a contract and its paths. */
export function contractSections(terms: ContractJson, paths: readonly ReportedPath[]): readonly string[] {
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
    table(['path', 'category', 'Safe Harbor', 'sensitivity', 'granted by', 'relationship', 'view'], paths.flatMap(pathRows)),
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
