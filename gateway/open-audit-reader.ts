import * as z from 'zod'
import { AuditHistory } from './audit/history.ts'
import { CheckpointTable } from './audit/notary/checkpoint-table.ts'
import { LaneReader } from './audit/notary/lane-reader.ts'
import type { TenantId } from './model/ids.ts'
import type { ObjectStore, RemovableObjects } from './model/object-store.ts'
import type { Clock } from './model/record.ts'
import type { AuditReader } from './oversight/audit-reader.ts'
import { DisclosureBook } from './oversight/disclosures/disclosure-book.ts'
import { IndexedAccesses } from './oversight/history/indexed-accesses.ts'
import { type AthenaParts, AthenaTables } from './oversight/tables/athena-tables.ts'
import { DuckDbTables } from './oversight/tables/duckdb-tables.ts'
import { StoredLog } from './oversight/log/stored-log.ts'
import { SignOffBook } from './oversight/reviews/sign-off-book.ts'
import type { TenantClients } from './oversight/tenant-clients.ts'
import { LogTail } from './oversight/tables/log-tail.ts'
import type { Turns } from './oversight/tables/turns.ts'
import { TokenRelations } from './oversight/workforce/token-relations.ts'
import { unavailableOnFailure } from './store/batch-get.ts'
import { ComparisonTable } from './store/comparisons.ts'
import { DisclosureTable } from './store/disclosures.ts'
import { RecipientTable } from './store/recipients.ts'
import { WorkforceTable } from './store/workforce.ts'

const name = z.string().min(1)

/** The settings that name the tables of a reader, for the environment of a function or command. */
export const ReaderTables = {
  PHI_TABLE_AUDIT: name,
  PHI_TABLE_CHECKPOINTS: name,
  PHI_TABLE_DISCLOSURES: name,
  PHI_TABLE_COMPARISONS: name,
  PHI_TABLE_WORKFORCE: name,
} as const

/** The names of the tables of a reader. */
export const readerTables = (settings: Readonly<Record<keyof typeof ReaderTables, string>>): ReaderServices['names'] => ({
  audit: settings.PHI_TABLE_AUDIT,
  checkpoints: settings.PHI_TABLE_CHECKPOINTS,
  disclosures: settings.PHI_TABLE_DISCLOSURES,
  comparisons: settings.PHI_TABLE_COMPARISONS,
  workforce: settings.PHI_TABLE_WORKFORCE,
})

/** The services with the audit data of one tenant. Their credentials can be those of the tenant alone. */
export interface ReaderServices {
  readonly dynamodb: TenantClients['dynamodb']
  /** The names of the tables. */
  readonly names: Readonly<Record<'audit' | 'checkpoints' | 'disclosures' | 'comparisons' | 'workforce', string>>
  /** The sealed log. */
  readonly log: ObjectStore
  readonly tables: RemovableObjects
  readonly athena?: Pick<AthenaParts, 'client' | 'names'>
  /** Of the process, for all tenants. */
  readonly turns: Turns
  readonly now: Clock
}

/** The reader of one tenant's audit data. */
export function openAuditReader(tenant: TenantId, services: ReaderServices): AuditReader {
  const { dynamodb, names, log, tables, athena, turns, now } = services
  const lanes = new LaneReader(dynamodb, names.audit)
  const checkpoints = new CheckpointTable(dynamodb, names.checkpoints)
  const tail = new LogTail({ tenant, log, lanes, checkpoints, now })
  const history = new IndexedAccesses(new AuditHistory(dynamodb, names.audit), tenant)
  const disclosures = new DisclosureTable(dynamodb, names.disclosures)
  const beyond = athena && new AthenaTables({ tenant, tables, tail, turns, now, ...athena })
  return {
    tenant,
    log: new StoredLog(log, tenant),
    disclosures: new DisclosureBook(disclosures, new RecipientTable(dynamodb, names.disclosures), tenant),
    signOffs: new SignOffBook(disclosures, history, tenant),
    workforce: new TokenRelations(
      new WorkforceTable(dynamodb, names.workforce),
      new ComparisonTable(dynamodb, names.comparisons),
      tenant,
    ),
    logBegan: async () => await firstSealed(checkpoints, tenant),
    history,
    tables: new DuckDbTables({ tenant, tables, tail, turns, ...(beyond !== undefined && { beyond }) }),
  }
}

/** @throws StoreUnavailable */
async function firstSealed(checkpoints: CheckpointTable, tenant: TenantId): Promise<number | undefined> {
  const seconds = await unavailableOnFailure(checkpoints.firstTime(tenant))
  return seconds === undefined ? undefined : seconds * 1000
}
