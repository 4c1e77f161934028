import { Command } from 'commander'
import { proofLimits } from '../gateway/admin/operation-admin.ts'
import type { Instant, TenantId } from '../gateway/model/ids.ts'
import { checkClients, type ClientCheck, isSound } from '../gateway/operations/contracts/check-clients.ts'
import { type Evolution, evolve } from '../gateway/operations/contracts/evolution.ts'
import type { EvolvingClient } from '../gateway/operations/contracts/evolving-client.ts'
import { Prover } from '../gateway/operations/contracts/prove.ts'
import { compileFolder, readClients } from './operation-files.ts'
import { checkLines, evolutionLines } from './operation-check-text.ts'
import { compileProject, OperationsRefused, reporting, withAdmin } from './operation-session.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine, printText } from './terminal.ts'

interface CheckOptions {
  readonly tenant?: TenantId
  readonly files?: string
  readonly schema?: string
  readonly json?: true
}

/**
 * `phi operations check`: proves all operations again.
 *
 * @param enterSystem enters the environment of a running system. A check of files needs none
 */
export function checkCommand(enterSystem: (command: Command) => Promise<void>): Command {
  return new Command('check')
    .description('prove all operations of all clients against the schema, or against a changed one')
    .option('--tenant <tenant>', 'the tenant whose clients are checked', tenantOption)
    .option('--files <folder>', 'check the folders of clients, each with manifest.json and contract.json; needs no stack')
    .option(
      '--schema <folder>',
      'the .graphql files of a changed schema; its differences from the schema of the project are checked',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit code: 1 if an operation or a contract is refused, or would be.')
    .action(async ({ tenant, files, schema, json }: CheckOptions, command: Command) => {
      const check = async (clients: readonly EvolvingClient[]): Promise<void> => {
        const { isGood, lines, report } = await checkOf(clients, schema)
        if (json) printText(`${JSON.stringify(report, null, 2)}\n`)
        else for (const line of lines) printLine(line)
        if (!isGood) process.exitCode = 1
      }
      if (files !== undefined) {
        await reporting(() => check(readClients(files)))
        return
      }
      if (tenant === undefined) {
        await reporting(() => Promise.reject(new OperationsRefused(['Give --tenant, or --files with the folder of clients.'])))
        return
      }
      await enterSystem(command)
      await withAdmin(tenant, async ({ decisions }) => check(await decisions.evolvingClients(tenant)))
    })
}

interface Checked {
  readonly isGood: boolean
  readonly lines: readonly string[]
  readonly report: ClientCheck | Evolution
}

async function checkOf(clients: readonly EvolvingClient[], schemaFolder: string | undefined): Promise<Checked> {
  const [before, limits, now] = [compileProject(), proofLimits(process.env), Date.now() as Instant]
  if (schemaFolder === undefined) {
    const report = checkClients(new Prover({ ...before, limits }), clients, now)
    return { isGood: isSound(report), lines: checkLines(report), report }
  }
  const report = await evolve({ before, after: compileFolder(schemaFolder), clients, limits, now })
  return { isGood: report.broken.length === 0 && report.contracts.length === 0, lines: evolutionLines(report), report }
}
