import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import type { OperationUse, OperationUses } from '../gateway/model/operation-use.ts'
import type { RegisteredClient, RegisteredOperation } from '../gateway/model/registered-operation.ts'
import { contractJson } from '../gateway/operations/contracts/contract-text.ts'
import { DAY_MS, operationHash, staleOperations } from '../gateway/operations/persisted/registry-admin.ts'
import { counted } from '../gateway/model/counted.ts'
import { unknownClient, unknownOperation } from './known-operations.ts'
import { OperationsRefused, withAdmin } from './operation-session.ts'
import { wholeOption } from './operations-propose.ts'
import { usesOrUnknown } from './operations-versions.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine, printText } from './terminal.ts'

interface ListOptions {
  readonly tenant: TenantId
  readonly client?: string
  readonly json?: true
}

/** `phi operations list`: the clients of a tenant with their contracts and versions. */
export function listCommand(): Command {
  return ofTenant('list', 'print the clients with their contracts and versions')
    .option('--client <client>', 'only this client')
    .action(async ({ tenant, client: only, json }: ListOptions) => {
      await withAdmin(tenant, async ({ decisions }) => {
        const all = await decisions.list(tenant)
        const clients = all.filter(({ client }) => only === undefined || client === only)
        if (only !== undefined && clients.length === 0) throw unknownClient(only, all)
        if (json) {
          printJson(clients.map(clientJson))
          return
        }
        if (clients.length === 0) printLine('no clients')
        for (const client of clients) for (const line of clientLines(client)) printLine(line)
      })
    })
}

/** `phi operations show`: the operations of a client, or one of them with its text. */
export function showCommand(): Command {
  return ofTenant('show', 'print the operations of a client with their approvals and uses, or one of them with its text')
    .argument('[id]', 'the id of an operation')
    .requiredOption('--client <client>', 'the client id, as tokens name it')
    .action(async (id: string | undefined, { tenant, client, json }: ListOptions & { readonly client: string }) => {
      await withAdmin(tenant, async (admin) => {
        const details = await admin.decisions.show({ tenant, client })
        if (details === undefined) throw unknownClient(client, await admin.decisions.list(tenant))
        const operations = details.operations.filter((operation) => id === undefined || operation.id === id)
        if (id !== undefined && operations.length === 0) throw unknownOperation(id, details.operations)
        const uses = await usesOrUnknown(admin)
        const shown = operations.map((operation) => ({ operation, use: useOf(uses, client, operation) }))
        if (json) {
          printJson({ ...clientJson(details.client), operations: shown.map(operationJson) })
          return
        }
        for (const line of clientLines(details.client)) printLine(line)
        for (const one of shown) for (const line of operationLines(one, uses !== undefined)) printLine(line)
        if (id !== undefined) for (const { operation } of shown) printText(`\n${operation.text}\n`)
      })
    })
}

/** `phi operations stale`: the operations that were not used lately. Exit code 1 if the uses are not known. */
export function staleCommand(): Command {
  return ofTenant('stale', 'print the operations that were approved, and not used, before the last days')
    .option('--client <client>', 'only this client')
    .requiredOption('--days <number>', 'the number of days', wholeOption)
    .addHelpText('after', '\nUses come from the audit tables, which lag by about two minutes.')
    .action(async ({ tenant, client: only, days, json }: ListOptions & { readonly days: number }) => {
      await withAdmin(tenant, async (admin) => {
        const from = Date.now() - days * DAY_MS
        const uses = await usesOrUnknown(admin, from)
        if (uses?.until === undefined)
          throw new OperationsRefused([
            'The uses of the operations are not known. Run the command again when the audit tables can be read.',
          ])
        const all = await admin.decisions.list(tenant)
        if (only !== undefined && !all.some(({ client }) => client === only)) throw unknownClient(only, all)
        const stale: { client: string; id: string; name: string; approvedAt: string }[] = []
        for (const { client } of all) {
          const details = only === undefined || client === only ? await admin.decisions.show({ tenant, client }) : undefined
          const found = details === undefined ? [] : staleOperations(details, uses, from)
          stale.push(...found.map(({ id, name, approval }) => ({ client, id, name, approvedAt: timeText(approval.at) })))
        }
        if (json) {
          printJson({ until: timeText(uses.until), operations: stale })
          return
        }
        if (stale.length === 0) printLine('no stale operations')
        for (const { client, id, name, approvedAt } of stale) printLine(`${client}  ${id}  ${name}  approved ${approvedAt}`)
      })
    })
}

function ofTenant(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--tenant <tenant>', 'the tenant of the clients', tenantOption)
    .option('--json', 'print JSON')
}

const timeText = (time: number): string => new Date(time).toISOString()
const printJson = (value: unknown): void => printText(`${JSON.stringify(value, null, 2)}\n`)

const clientJson = ({ client, version, contract, approval, apps }: RegisteredClient) => ({
  client,
  version,
  ...(contract && { contract: contractJson(contract), contractDigest: contract.digest }),
  ...(approval && { approval: { ...approval, at: timeText(approval.at) } }),
  apps,
})

function clientLines({ client, contract, approval, apps }: RegisteredClient): readonly string[] {
  const terms =
    contract === undefined
      ? 'no contract'
      : `contract ${contract.digest.slice(0, 12)} of ${counted(contract.paths.size, 'path')} until ${timeText(contract.expiresAt)}`
  const by = approval === undefined ? '' : `, approved by ${approval.by} at ${timeText(approval.at)}`
  const versions = Object.entries(apps).flatMap(([app, states]) =>
    Object.entries(states).map(([version, state]) => `  ${app} ${version}  ${state}`),
  )
  return [`${client}  ${terms}${by}`, ...versions]
}

interface Shown {
  readonly operation: RegisteredOperation
  readonly use: OperationUse | undefined
}

function useOf(uses: OperationUses | undefined, client: string, { text }: RegisteredOperation): OperationUse | undefined {
  const digest = operationHash(text)
  return uses?.uses.find((use) => use.client === client && use.operationHash === digest)
}

const operationJson = ({ operation: { approval, revoked, ...operation }, use }: Shown) => ({
  ...operation,
  approval: { ...approval, at: timeText(approval.at) },
  ...(revoked && { revoked: { ...revoked, at: timeText(revoked.at) } }),
  ...(use && { requests: use.requests, lastUse: timeText(use.last) }),
})

function operationLines({ operation, use }: Shown, isKnown: boolean): readonly string[] {
  const { id, name, versions, approval, revoked } = operation
  const used =
    use === undefined ? (isKnown ? 'not used' : 'use not known') : `${counted(use.requests, 'request')}, last ${timeText(use.last)}`
  const end = revoked === undefined ? '' : `, revoked by ${revoked.by} at ${timeText(revoked.at)}`
  return [
    `${id}  ${name}  ${used}`,
    `  in ${versions.map(({ app, version }) => `${app} ${version}`).join(', ') || 'no version'}; approved by ${approval.by} at ${timeText(approval.at)}${end}`,
  ]
}
