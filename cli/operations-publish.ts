import { createInterface } from 'node:readline/promises'
import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { contractChangeText } from '../gateway/operations/contracts/contract-diff.ts'
import { type ContractReport, contractReportMarkdown } from '../gateway/operations/contracts/contract-report.ts'
import type { PublicationReport } from '../gateway/operations/contracts/report.ts'
import { reportMarkdown } from '../gateway/operations/contracts/report-markdown.ts'
import { counted } from '../gateway/model/counted.ts'
import { requireApplication, requireRegistered } from './known-operations.ts'
import { readText, writeReport } from './operation-files.ts'
import { admitted, OperationsRefused, withAdmin } from './operation-session.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

interface WriteOptions {
  readonly tenant: TenantId
  readonly dryRun?: true
  readonly out?: string
  readonly newClient?: true
}

interface PublishOptions extends WriteOptions {
  readonly newApp?: true
  readonly client: string
  readonly app?: string
  readonly version?: string
  readonly activate?: true
}

/** `phi operations contract`: puts a contract in force. */
export function contractCommand(): Command {
  return writing('contract', 'put the contract of a client in force')
    .argument('<file>', 'the contract as JSON: docs/contracts.md')
    .option('--yes', 'approve a contract that widens, without a question')
    .action(async (file: string, { tenant, dryRun, out, newClient, yes }: WriteOptions & { readonly yes?: true }) => {
      await withAdmin(tenant, async (admin) => {
        const { decisions, by, commit } = admin
        const { report, changes } = admitted(await decisions.approveContract(tenant, readText(file), by))
        await requireRegistered(admin, tenant, { name: report.client, isNew: newClient === true, option: '"client" of <file>' })
        printContract(report)
        if (dryRun) {
          printLine('dry run: nothing is written')
          return
        }
        if (changes.length > 0 && report.widened.length > 0 && yes !== true) await confirmWidening()
        await commit('contract', changes)
        reportTo(out, report, contractReportMarkdown(report))
        printLine(changes.length === 0 ? 'already in force' : `in force: contract ${report.contractDigest}`)
      })
    })
}

/** `phi operations publish`: proves the operations of a manifest, and registers them. */
export function publishCommand(): Command {
  return writing('publish', 'prove the operations of a manifest against the contract of their client, and register them')
    .argument('<manifest>', 'a manifest of Apollo (format 1) or of Relay')
    .requiredOption('--client <client>', 'the client id, as tokens name it')
    .option('--app <name>', 'the application; its version is served after: phi operations activate')
    .option('--version <version>', 'the version of the application')
    .option('--new-app', 'register the first version of another application')
    .option('--activate', 'serve the version from now on')
    .action(async (file: string, options: PublishOptions) => {
      await withAdmin(options.tenant, async (admin) => {
        const { decisions, by, commit } = admin
        const { tenant, client, app, version, activate, dryRun, out, newClient, newApp } = options
        if ((app === undefined) !== (version === undefined))
          throw new OperationsRefused(['Give both --app and --version, or none.'])
        const manifest = readText(file)
        await requireRegistered(admin, tenant, { name: client, isNew: newClient === true, option: '--client' })
        if (app !== undefined)
          await requireApplication(admin, { tenant, client }, { name: app, isNew: newApp === true, option: '--app' })
        const decision = await decisions.publish(
          { tenant, client },
          {
            manifest,
            ...(app !== undefined && version !== undefined && { appVersion: { app, version } }),
            ...(activate && { isActive: true }),
            by,
          },
        )
        if (decision.refused === 'OPERATIONS') reportTo(out, decision.report, reportMarkdown(decision.report))
        const { report, changes } = admitted(decision)
        if (dryRun) {
          printLine(`${proved(report)}; dry run: nothing is written`)
          return
        }
        await commit('publish', changes)
        reportTo(out, report, reportMarkdown(report))
        printLine(`${proved(report)}; ${changes.length === 0 ? 'already registered' : 'registered'}`)
      })
    })
}

function writing(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--tenant <tenant>', 'the tenant of the client', tenantOption)
    .option('--new-client', 'register a client that the tenant does not have')
    .option('--dry-run', 'write nothing to the registry')
    .option('--out <folder>', 'write report.md and report.json to this folder')
}

const proved = ({ operations, contractDigest }: PublicationReport): string =>
  `${counted(operations.length, 'operation')} proved under ${contractDigest === undefined ? 'no contract' : `contract ${contractDigest}`}`

function reportTo(out: string | undefined, report: PublicationReport | ContractReport, markdown: string): void {
  if (out !== undefined) writeReport(out, { 'report.md': markdown, 'report.json': `${JSON.stringify(report, null, 2)}\n` })
}

function printContract({ widened, narrowed, exceeding, operations }: ContractReport): void {
  for (const change of widened) printLine(`widened   ${contractChangeText(change)}`)
  for (const change of narrowed) printLine(`narrowed  ${contractChangeText(change)}`)
  printLine(
    `${counted(operations, 'registered operation')}, of which ${counted(exceeding.length, 'exceeds', 'exceed')} the contract`,
  )
  for (const { name, id, faults } of exceeding) {
    printLine(`${name} (${id}) will fail:`)
    for (const { message } of faults) printLine(`  ${message}`)
  }
}

/** @throws OperationsRefused */
async function confirmWidening(): Promise<void> {
  if (!process.stdin.isTTY) throw new OperationsRefused(['The contract widens. Review it, then approve it with --yes.'])
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    if ((await terminal.question('The contract widens. Approve it? (yes/no) ')) === 'yes') return
  } finally {
    terminal.close()
  }
  throw new OperationsRefused(['Not approved. Nothing is written.'])
}
