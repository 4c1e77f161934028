import type { Contract } from '../../model/contract.ts'
import type { Approval } from '../../model/registered-operation.ts'
import type { PolicyTable } from '../../../directives/policy.ts'
import type { ExceedingOperation } from './check-clients.ts'
import { contractChangeText, type ContractDiff, diffContracts } from './contract-diff.ts'
import { type ContractJson, contractJson } from './contract-text.ts'
import { code, table, text } from './markdown.ts'
import { type ReportedPath, reportedPaths } from './report.ts'
import { contractSections } from './report-markdown.ts'

/** The report of an approved contract, as JSON. The privacy officer keeps it on file (45 CFR 164.316(b)(1)). */
export interface ContractReport extends ContractDiff {
  readonly client: string
  readonly approvedBy: string
  /** ISO 8601. */
  readonly approvedAt: string
  readonly policyDigest: string
  readonly contractDigest: string
  readonly formerDigest?: string
  readonly contract: ContractJson
  /** The paths of the contract, in the order of the schema. */
  readonly paths: readonly ReportedPath[]
  /** The number of registered operations that were proved again. */
  readonly operations: number
  /** The operations that exceed the contract. They fail from the next request on. */
  readonly exceeding: readonly ExceedingOperation[]
}

interface ContractApproval {
  readonly former: Contract | undefined
  readonly contract: Contract
  readonly policy: PolicyTable
  readonly operations: number
  readonly exceeding: readonly ExceedingOperation[]
  readonly approval: Pick<Approval, 'by' | 'at'>
}

export function contractReport({ former, contract, policy, operations, exceeding, approval }: ContractApproval): ContractReport {
  return {
    client: contract.client,
    approvedBy: approval.by,
    approvedAt: new Date(approval.at).toISOString(),
    policyDigest: policy.digest,
    contractDigest: contract.digest,
    ...(former !== undefined && { formerDigest: former.digest }),
    ...diffContracts(former, contract),
    contract: contractJson(contract),
    paths: reportedPaths(policy, contract),
    operations,
    exceeding,
  }
}

/** The report of a contract as GitHub flavored Markdown. Ends with a newline. */
export function contractReportMarkdown(report: ContractReport): string {
  const { client, approvedBy, approvedAt, policyDigest, contractDigest, formerDigest, operations, exceeding } = report
  const sections = [
    `# Contract of ${text(client)}`,
    exceeding.length === 0
      ? `All ${operations} registered operations are within the contract and the policy.`
      : `**${exceeding.length} of ${operations} registered operations exceed the contract or the policy.** They fail from the next request on.`,
    table(
      ['', ''],
      [
        ['Approved by', text(approvedBy)],
        ['Approved at', text(approvedAt)],
        ['Policy', code(policyDigest)],
        ['Contract', code(contractDigest)],
        ['Former contract', formerDigest === undefined ? 'none' : code(formerDigest)],
      ],
    ),
    ...changes('Widened', report.widened),
    ...changes('Narrowed', report.narrowed),
    ...(exceeding.length === 0 ? [] : ['## Operations that fail', ...exceeding.map(failing)]),
    ...contractSections(report.contract, report.paths),
  ]
  return `${sections.join('\n\n')}\n`
}

const changes = (title: string, all: ContractReport['widened']): readonly string[] =>
  all.length === 0 ? [] : [`## ${title}`, all.map((change) => `- ${text(contractChangeText(change))}`).join('\n')]

const failing = ({ id, name, faults }: ExceedingOperation): string =>
  [`### ${text(name)}`, code(id), faults.map(({ message }) => `- ${text(message)}`).join('\n')].join('\n\n')
