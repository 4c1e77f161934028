import { ItemPacker } from '../audit/item-packer.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import { type ComparedValues, comparisonTokens } from '../crypto/comparison-tokens.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { ComparisonKind } from '../model/comparison.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import { type NamedWorkforceRow, openWorkforceRow, sealWorkforceRow } from '../store/stored-workforce.ts'
import type { StoredWorkforceRow, WorkforceWrite } from '../store/workforce.ts'
import { UnknownTenant } from './open-store.ts'
import { operatorContext } from './operator-context.ts'

/** A user of the workforce, or a person of public interest, with values in plain. The values are not stored. */
export interface WorkforceEntry {
  /** As the audit log names the user. Undefined for a person of public interest who is no user. */
  readonly user: string | undefined
  /** The display name. */
  readonly name: string | undefined
  readonly vip: boolean
  readonly values: ComparedValues
}

/** Rows by the change that an import made, and entries with a value that gives no token. */
export interface WorkforceCounts {
  readonly added: number
  readonly changed: number
  readonly unchanged: number
  readonly removed: number
  readonly addressesWithoutToken: number
  readonly phonesWithoutToken: number
}

/** A row of the table as an operator sees it. */
export interface ListedWorker {
  readonly user: string | undefined
  readonly name: string | undefined
  /** The row does not open, because another writer changed it. The next import replaces it. */
  readonly isDamaged: boolean
  readonly vip: boolean
  /** The kinds of tokens of the row. */
  readonly kinds: readonly ComparisonKind[]
}

/** The tenant is older than comparisons, or its key is not available at the moment. */
export class ComparisonKeyMissing extends Error {
  override readonly name = 'ComparisonKeyMissing'
  constructor(options?: ErrorOptions) {
    super(
      'The key for comparisons is not available. If the tenant is older than this version, run: phi keys create TENANT',
      options,
    )
  }
}

export interface WorkforceAdmin {
  /**
   * Makes the workforce of the tenant equal to these entries: it adds, changes and removes rows. Each transaction has its audit record. A
   * repeated call changes nothing, and continues an interrupted one.
   *
   * @throws UnknownTenant, ComparisonKeyMissing before anything is written
   * @throws VersionConflict if another import changed a row in the meantime; StoreUnavailable, AuditUnavailable, KeyUnavailable
   */
  put(entries: readonly WorkforceEntry[]): Promise<WorkforceCounts>
  /** The rows of the tenant. @throws UnknownTenant, StoreUnavailable, KeyUnavailable */
  list(): Promise<readonly ListedWorker[]>
  close(): void
}

/** The path of changed rows in the audit. No path of a schema begins with `#`. */
const PATH = '#workforce' as SchemaPath
const DEADLINE_MS = 30_000
/** Room for the audit items of a transaction. */
const ROWS_AT_ONCE = MAX_ACTIONS - 10

/**
 * Opens the workforce of a tenant for administration. The audit names the operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @throws ZodError for a missing variable
 */
export function openWorkforceAdmin(tenant: TenantId, policy: string, env: Env): WorkforceAdmin {
  const services = openServices(env)
  return { ...workforceAdmin(services, tenant, policy), close: () => services.close() }
}

/** The administration of a tenant's workforce over the services of a process. */
export function workforceAdmin(services: Services, tenant: TenantId, policy: string): Omit<WorkforceAdmin, 'close'> {
  const { keyring, workforceRows: table } = services
  return {
    async put(entries) {
      if (!(await keyring.hasTenant(tenant))) throw new UnknownTenant()
      const comparison = await keyring.purposeKey(tenant, 'comparison').catch((cause: unknown) => {
        throw cause instanceof KeyUnavailable ? new ComparisonKeyMissing({ cause }) : cause
      })
      const access = await keyring.purposeKey(tenant, 'access')
      const rows = entries.map(({ user, name, vip, values }) => {
        return { user, name, vip, tokens: comparisonTokens(comparison, tenant, values) }
      })
      const wanted = new Map(rows.map((row) => [table.keyOf(tenant, row).sk, row]))
      const stored = new Map((await table.rows(tenant)).map((row) => [row.key.sk, row]))
      const changes: Change[] = []
      for (const [sk, row] of wanted) {
        const before = stored.get(sk)
        if (before !== undefined && isEqual(access, tenant, before, row)) continue
        const item = table.put(tenant, sealWorkforceRow(access, table, tenant, row), before)
        changes.push({ action: before === undefined ? 'CREATE' : 'UPDATE', item })
      }
      for (const [sk, before] of stored) if (!wanted.has(sk)) changes.push({ action: 'DELETE', item: table.remove(before) })
      for (let start = 0; start < changes.length; start += ROWS_AT_ONCE) {
        await commit(services, tenant, policy, changes.slice(start, start + ROWS_AT_ONCE))
      }
      const count = (action: Change['action']): number => changes.filter((change) => change.action === action).length
      const [added, changed, removed] = [count('CREATE'), count('UPDATE'), count('DELETE')]
      const without = (given: keyof ComparedValues, kind: ComparisonKind): number =>
        entries.filter(({ values }, at) => values[given] !== undefined && !rows[at]?.tokens.some((token) => token.kind === kind))
          .length
      return {
        added,
        changed,
        removed,
        unchanged: wanted.size - added - changed,
        addressesWithoutToken: without('street', 'ADDRESS'),
        phonesWithoutToken: without('phone', 'PHONE'),
      }
    },
    async list() {
      if (!(await keyring.hasTenant(tenant))) throw new UnknownTenant()
      const rows = await table.rows(tenant)
      if (rows.length === 0) return []
      const access = await keyring.purposeKey(tenant, 'access')
      return rows.map((row) => {
        const opened = openedRow(access, tenant, row)
        const { tokens, vip } = opened ?? row
        return {
          user: row.user,
          name: opened?.name,
          isDamaged: opened === undefined,
          vip,
          kinds: [...new Set(tokens.map(({ kind }) => kind))],
        }
      })
    },
  }
}

interface Change {
  readonly action: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly item: WorkforceWrite
}

/** One transaction stores the changes and their audit record. */
async function commit(services: Services, tenant: TenantId, policy: string, changes: readonly Change[]): Promise<void> {
  const { audit, now } = services
  const at = now() as Instant
  const context = operatorContext(services, { tenant, client: 'phi-workforce', operation: 'import', policy })
  const records = [...Map.groupBy(changes, ({ action }) => action)].map(([action, some]) => {
    return { path: PATH, action, outcome: 'WRITTEN', at, count: some.length } as const
  })
  const items = changes.map(({ item }) => item)
  await audit.commit(items, new ItemPacker(context).ofWrite(records), at + DEADLINE_MS)
}

/** Whether a stored row has the content of another one, both under its seal and beside it. */
function isEqual(key: PurposeKey<'access'>, tenant: TenantId, stored: StoredWorkforceRow, row: NamedWorkforceRow): boolean {
  const opened = openedRow(key, tenant, stored)
  if (opened === undefined) return false
  const contentOf = ({ vip, tokens }: Pick<NamedWorkforceRow, 'vip' | 'tokens'>): string =>
    JSON.stringify([vip, tokens.map(({ kind, token }) => `${kind}#${token}`).toSorted()])
  return opened.name === row.name && [opened, stored].every((one) => contentOf(one) === contentOf(row))
}

/** Undefined for a row that another writer changed. */
function openedRow(key: PurposeKey<'access'>, tenant: TenantId, row: StoredWorkforceRow): NamedWorkforceRow | undefined {
  try {
    return openWorkforceRow(key, tenant, row)
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}
