import { expect, it } from 'vitest'
import type { Publication } from '../../../../gateway/operations/contracts/report.ts'
import { publicationReport } from '../../../../gateway/operations/contracts/report.ts'
import { reportMarkdown } from '../../../../gateway/operations/contracts/report-markdown.ts'
import { clinic, clinicProver, contractOf, dental, dentalProver, NOW, operations, PAYER } from './fixtures.ts'

const contract = contractOf({ paths: [...PAYER.paths, 'Claim.created', 'Patient.ssn'] })

const MANIFEST = operations({
  claims: `query Claims($id: ID!, $since: DateTime) {
  patient(id: $id) { mrn claims(first: 20, since: $since) { edges { node { status total } } } }
}`,
})

function publication(changes: Partial<Publication> = {}, manifest = MANIFEST): Publication {
  const of = changes.contract ?? contract
  return {
    client: 'acme',
    contract: of,
    policy: clinic.policy,
    app: { app: 'claims-desk', version: '2.1' },
    operations: manifest.map((operation) => ({ operation, proof: clinicProver.prove(operation.text, of) })),
    approval: { by: 'ada', at: NOW },
    ...changes,
  }
}

function unapproved(of: Publication): Publication {
  const { client, contract: terms, policy, operations: proved } = of
  return { client, contract: terms, policy, operations: proved }
}

it('P10: the report has contract, grants, operations and approval', () => {
  const report = publicationReport(publication())
  expect(report).toMatchObject({
    client: 'acme',
    verdict: 'APPROVED',
    approvedBy: 'ada',
    approvedAt: '2026-06-01T00:00:00.000Z',
    policyDigest: clinic.policy.digest,
    contractDigest: contract.digest,
    contract: { recipient: PAYER.recipient },
  })
  expect(report.paths.map(({ path }) => path)).toEqual([
    ...['Claim.status', 'Claim.created', 'Claim.total', 'Patient.mrn', 'Patient.ssn', 'Patient.claims'],
  ])
  expect(report.paths.find(({ path }) => path === 'Claim.created')).toEqual({
    path: 'Claim.created',
    category: 'FINANCIAL',
    safeHarbor: '(C) DATE',
    sensitivities: [],
    grants: [{ rule: 'Claim#3', relationship: 'ORGANIZATION', view: 'FULL', actions: ['READ'] }],
  })
  expect(report.operations).toEqual([
    {
      ...MANIFEST[0],
      verdict: 'PROVED',
      paths: ['Claim.status', 'Claim.total', 'Patient.mrn', 'Patient.claims'],
      reads: ['Claim.created'],
      inputs: [],
      pages: [{ field: 'Patient.claims', size: 20 }],
      faults: [],
    },
  ])
})

it('P10: the Markdown is readable for a privacy officer', () => {
  const markdown = reportMarkdown(publicationReport(publication()))
  expect(markdown).toContain('# Operations of acme\n\n**Approved.** The operation is within the contract and the policy.')
  expect(markdown).toContain('| Application | claims-desk 2.1 |\n| Approved by | ada |\n| Approved at | 2026-06-01T00:00:00.000Z |')
  expect(markdown).toContain('| `Claim.created` | FINANCIAL | (C) DATE | - | `Claim#3` | ORGANIZATION | FULL |')
  expect(markdown).toContain('| `Patient.ssn` | IDENTITY | (G) SSN | - | no grant | - | - |')
  expect(markdown).toContain('| Read by arguments | `Claim.created` |')
  expect(markdown).toContain(`\`\`\`graphql\n${MANIFEST[0]?.text}\n\`\`\`\n`)
})

it('P10: a refusal names for each operation the paths that exceed and why', () => {
  const manifest = operations({ a: 'query A($id: ID!) { patient(id: $id) { mrn gender ssn } }' })
  const report = publicationReport(unapproved(publication({}, manifest)))
  expect(report.verdict).toBe('REFUSED')
  expect(report.operations[0]?.faults).toEqual([
    {
      kind: 'PATH',
      path: 'Patient.ssn',
      reason: 'NO_GRANT',
      message: 'Patient.ssn has no grant for the roles and purposes of the contract.',
    },
    { kind: 'PATH', path: 'Patient.gender', reason: 'NOT_IN_CONTRACT', message: 'Patient.gender is not a path of the contract.' },
    {
      kind: 'PATH',
      path: 'Patient.gender',
      reason: 'CATEGORY',
      lacks: 'DEMOGRAPHIC',
      message: 'Patient.gender has the category DEMOGRAPHIC, which the contract lacks.',
    },
  ])
  const markdown = reportMarkdown(report)
  expect(markdown).toContain('**Refused.** 1 of 1 operation exceeds the contract or the policy. Nothing was published.')
  expect(markdown).toContain('## Refused operations\n\n### A\n\n`a`\n\n- Patient.ssn has no grant')
  expect(markdown).not.toContain('Approved')
})

it('a dry run is proved, not approved', () => {
  const dry = unapproved(publication())
  expect(publicationReport(dry).verdict).toBe('PROVED')
  expect(reportMarkdown(publicationReport(dry))).toContain('**Proved, not yet approved.**')
})

it('shows sensitivities, inputs of computed values, and grants of SEARCH', () => {
  const manifest = operations({ a: 'query A($id: ID!) { client(id: $id) { age anxiety } }' })
  const dentist = contractOf({ roles: ['DENTIST'], purposes: ['TREAT'], paths: ['Client.anxiety'] })
  const proofs = manifest.map((operation) => ({ operation, proof: dentalProver.prove(operation.text, dentist) }))
  const report = publicationReport(publication({ contract: dentist, policy: dental.policy, operations: proofs }))
  expect(report.paths[0]?.sensitivities).toEqual(['DENTAL_ANXIETY'])
  expect(report.operations[0]?.inputs).toEqual(['Client.birthDate'])
  const desk = contractOf({ roles: ['FRONT_DESK'], purposes: ['HOPERAT'], paths: ['Patient.ssn'] })
  expect(reportMarkdown(publicationReport(publication({ contract: desk })))).toContain(
    '| `Patient.ssn#3` | ORGANIZATION | FULL (SEARCH) |',
  )
})

it('a client without a contract has no table of paths', () => {
  const of = { ...publication(), contract: undefined }
  const report = publicationReport(of)
  expect([report.contract, report.contractDigest, report.paths]).toEqual([undefined, undefined, []])
  expect(reportMarkdown(report)).toContain('| Contract | none |')
})

it('P8: no text of a client leaves its cell or its fence', () => {
  const hostile = 'x | y\n# Approved <img src=x> [a](b) `c` ![d](e) **f** www.g.example https://h.example \u202Ei'
  const body = 'query A {\n````\n# Approved\n```\n"\u202E" \r\n````` viewer { userId } }'
  const operation = { id: hostile, name: hostile, text: body }
  const proof = { faults: [{ kind: 'ROOT', root: hostile as never } as const] }
  const report = publicationReport(
    publication({
      client: hostile,
      app: { app: hostile, version: hostile },
      contract: { ...contract, client: hostile, recipient: { name: hostile, address: hostile } },
      approval: { by: hostile, at: NOW },
      operations: [{ operation, proof }],
    }),
  )
  const markdown = reportMarkdown(report)
  expect(markdown).toContain('\n``````graphql\nquery A {\n````\n# Approved\n')
  expect(markdown).toMatch(/`{5} viewer \{ userId \} \}\n`{6}\n$/)
  expect(markdown).not.toMatch(/[\u202E\r]/u)
  const [outside = ''] = markdown.split('\n``````graphql')
  // every line is a heading, a row, an entry of a list or a sentence that the report wrote
  for (const line of outside.split('\n'))
    expect(line).toMatch(/^($|#+ (Operations|Contract|Paths|Refused|x)|\| |\|( --- \|)+$|- x|\*\*Refused|`|x )/)
  const escaped = outside.replaceAll(/\\[!-/:-@[-`{-~]/g, '')
  for (const markup of ['<img', '](b)', '![', '**f', 'www.g', 'https://h']) expect(escaped, markup).not.toContain(markup)
  const rows = outside.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('|  |') && line.includes('Approved'))
  for (const row of rows) expect(row.replaceAll('\\|', '').match(/\|/g), row).toHaveLength(3)
  expect(outside).toContain('# Operations of x \\| y \\# Approved')
  // the JSON keeps the exact text
  expect((JSON.parse(JSON.stringify(report)) as typeof report).operations[0]?.text).toBe(body)
})
