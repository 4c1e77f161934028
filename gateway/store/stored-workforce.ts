import * as z from 'zod'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { COMPARISON_KINDS } from '../model/comparison.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { WorkforceDirectory } from './patient-access-source.ts'
import type { StoredWorkforceRow, WorkforceRow, WorkforceTable } from './workforce.ts'

/** A row of the workforce with its display name. Without a name, the user is shown by role and organization. */
export interface NamedWorkforceRow extends Omit<WorkforceRow, 'sealed'> {
  readonly name: string | undefined
}

const Content = z.strictObject({
  name: z.string().optional(),
  vip: z.boolean(),
  tokens: z.array(z.strictObject({ kind: z.enum(COMPARISON_KINDS), token: z.string() })),
})

/** Names of the workforce table. A name that another writer put there does not open: patients see these names. */
export class StoredWorkforce implements WorkforceDirectory {
  readonly #table: WorkforceTable
  readonly #keyring: Keyring

  constructor(table: WorkforceTable, keyring: Keyring) {
    this.#table = table
    this.#keyring = keyring
  }

  /** @throws StoreUnavailable, KeyUnavailable; IntegrityFailure for a row that the gateway did not write */
  async namesOf(tenant: TenantId, users: readonly string[], { signal }: Deadline): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#table.rowsOf(tenant, users, signal)
    if (rows.length === 0) return new Map()
    const key = await this.#keyring.purposeKey(tenant, 'access')
    return new Map(
      rows.flatMap((row) => {
        const name = openWorkforceRow(key, tenant, row).name
        if (row.user === undefined) throw new IntegrityFailure()
        return name === undefined ? [] : [[row.user, name] as const]
      }),
    )
  }
}

/** Returns a row with its seal. */
export function sealWorkforceRow(
  key: PurposeKey<'access'>,
  table: WorkforceTable,
  tenant: TenantId,
  { name, ...row }: NamedWorkforceRow,
): WorkforceRow {
  const { vip, tokens } = row
  const content = { vip, tokens: tokens.map(({ kind, token }) => ({ kind, token })), ...(name !== undefined && { name }) }
  return { ...row, sealed: sealAccessItem(key, { table: 'workforce', tenant, ...table.keyOf(tenant, row) }, content) }
}

/** @throws IntegrityFailure if the seal is not of this row; KeyUnavailable */
export function openWorkforceRow(key: PurposeKey<'access'>, tenant: TenantId, row: StoredWorkforceRow): NamedWorkforceRow {
  const content = Content.safeParse(openAccessItem(key, { table: 'workforce', tenant, ...row.key }, row.sealed))
  if (!content.success) throw new IntegrityFailure()
  const { name, vip, tokens } = content.data
  return { user: row.user, name, vip, tokens }
}
