import { Command, InvalidArgumentError } from 'commander'
import type { PolicyTable } from '../directives/policy.ts'
import { type ProposalTerms, proposeContract } from '../gateway/operations/contracts/propose.ts'
import { ContractRefused } from '../gateway/operations/contracts/contract-faults.ts'
import { contractText, parseContract } from '../gateway/operations/contracts/contract-text.ts'
import { contractJson } from '../gateway/operations/contracts/contract-text.ts'
import { isNetwork } from '../gateway/operations/contracts/network.ts'
import { Prover } from '../gateway/operations/contracts/prove.ts'
import { publicationReport } from '../gateway/operations/contracts/report.ts'
import { reportMarkdown } from '../gateway/operations/contracts/report-markdown.ts'
import { ManifestRefused, readManifest } from '../gateway/operations/persisted/manifest.ts'
import { adminRefusalText } from '../gateway/operations/persisted/admin-refusal.ts'
import { proofLimits } from '../gateway/admin/operation-admin.ts'
import type { Instant } from '../gateway/model/ids.ts'
import { counted } from '../gateway/model/counted.ts'
import { chosen } from './choices.ts'
import { readText, writeReport } from './operation-files.ts'
import { compileProject, OperationsRefused, reporting } from './operation-session.ts'
import { printLine } from './terminal.ts'
import { fromOption } from './time-option.ts'

interface ProposeOptions {
  readonly client: string
  readonly recipientName: string
  readonly recipientAddress: string
  readonly recipientReference?: string
  readonly role: readonly string[]
  readonly purpose: readonly string[]
  readonly network: readonly string[]
  readonly expires: number
  readonly page?: number
  readonly valuesPerDay?: number
  readonly out: string
}

const several = (value: string, before: readonly string[]): readonly string[] => [...before, value]

/** `phi operations propose`: the smallest contract for a manifest. Needs no running stack. */
export function proposeCommand(): Command {
  return new Command('propose')
    .description('write the smallest contract for the operations of a manifest, with a report for the privacy officer')
    .argument('<manifest>', 'a manifest of Apollo (format 1) or of Relay')
    .requiredOption('--client <client>', 'the client id, as tokens name it')
    .requiredOption('--recipient-name <name>', 'the organization that receives the data')
    .requiredOption('--recipient-address <address>', 'its address, for the accounting of disclosures')
    .option('--recipient-reference <reference>', 'its FHIR reference in consents: Organization/acme')
    .option('--role <role>', 'a role to choose from; repeatable; all roles of partners by default', several, [])
    .option('--purpose <purpose>', 'a purpose to choose from; repeatable; all purposes of the roles by default', several, [])
    .requiredOption('--network <cidr>', 'a network of the client: 192.0.2.0/24; repeatable', networkOption, [])
    .requiredOption('--expires <time>', 'the end of the contract: a date or an RFC 3339 time', fromOption)
    .option('--page <size>', 'the largest page, if not that of the operations', wholeOption)
    .option('--values-per-day <count>', 'the PHI values that the client may receive in a day', wholeOption)
    .requiredOption('--out <folder>', 'the folder for contract.json, report.md and report.json')
    .action(async (manifest: string, options: ProposeOptions) => {
      await reporting(() => propose(readText(manifest), options))
    })
}

function propose(text: string, options: ProposeOptions): void {
  const { schema, policy } = compileProject()
  requirePartnerTerms(options, policy)
  const prover = new Prover({ schema, policy, limits: proofLimits(process.env) })
  try {
    const operations = readManifest(text)
    const { contract: smallest, refused } = proposeContract(prover, operations, termsOf(options))
    const { page: maxPage = smallest.maxPage } = options
    const contract = parseContract({ ...contractJson(smallest), maxPage })
    const proofs = operations.map((operation) => ({ operation, proof: prover.prove(operation.text, contract) }))
    const report = publicationReport({ client: options.client, contract, policy, operations: proofs })
    writeReport(options.out, {
      'contract.json': contractText(contract),
      'report.md': reportMarkdown(report),
      'report.json': `${JSON.stringify(report, null, 2)}\n`,
    })
    const { roles, purposes, paths } = contract
    printLine(
      `${counted(operations.length - refused.length, 'operation needs', 'operations need')} ${counted(paths.size, 'path')} as ${[...roles, ...purposes].join(' ')}`,
    )
    if (report.verdict === 'REFUSED') {
      throw new OperationsRefused([
        'No contract with these roles, purposes and pages admits some operations. The contract is without them:',
        ...adminRefusalText({ refused: 'OPERATIONS', report }),
      ])
    }
  } catch (error) {
    if (error instanceof ManifestRefused || error instanceof ContractRefused) throw new OperationsRefused(error.message.split('\n'))
    throw error
  }
}

/** @throws Refused with the roles of partners, and the purposes of these roles */
function requirePartnerTerms({ role: roles, purpose: purposes }: ProposeOptions, policy: PolicyTable): void {
  const partners = [...policy.roles.values()].filter(({ kind }) => kind === 'PARTNER')
  const known = partners.map(({ role }) => role)
  for (const role of roles)
    chosen(role, { noun: 'role of a partner', nouns: 'roles of partners', of: 'the schema', known, option: '--role' })
  const mayClaim = partners.filter(({ role }) => roles.length === 0 || roles.includes(role)).flatMap((one) => one.mayClaim)
  const words = { noun: 'purpose of use', nouns: 'purposes of use', of: 'the role', option: '--purpose' }
  for (const purpose of purposes) chosen(purpose, { ...words, known: mayClaim })
}

function termsOf(options: ProposeOptions): ProposalTerms {
  const { client, recipientName: name, recipientAddress: address, recipientReference: reference, valuesPerDay } = options
  const { roles, purposes } = { roles: new Set(options.role), purposes: new Set(options.purpose) } as unknown as Required<
    Pick<ProposalTerms, 'roles' | 'purposes'>
  >
  return {
    client,
    recipient: { name, address, ...(reference !== undefined && { reference }) },
    networks: options.network,
    expiresAt: options.expires as Instant,
    ...(roles.size > 0 && { roles }),
    ...(purposes.size > 0 && { purposes }),
    ...(valuesPerDay !== undefined && { valuesPerDay }),
  }
}

/** Parses the value of one `--network` and appends it to those before it. @throws InvalidArgumentError */
function networkOption(text: string, before: readonly string[]): readonly string[] {
  if (!isNetwork(text))
    throw new InvalidArgumentError('Write a network in CIDR notation, with zeros after the prefix: 192.0.2.0/24.')
  return [...before, text]
}

/** Parses a whole number from 1. @throws InvalidArgumentError */
export function wholeOption(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.')
  return Number(text)
}
