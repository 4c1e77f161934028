import type { Keyring } from '../../crypto/keyring.ts'
import type { Contract } from '../../model/contract.ts'
import { IntegrityFailure } from '../../model/failures.ts'
import type { Instant, TenantId } from '../../model/ids.ts'
import type { Clock } from '../../model/record.ts'
import type { AppVersion, Approval, RegisteredClient, RegisteredOperation, VersionState } from '../../model/registered-operation.ts'
import { clientKey, contractKey, operationKey } from '../../store/operation-keys.ts'
import type { OperationTable } from '../../store/operations.ts'
import type { RecipientTable } from '../../store/recipients.ts'
import { canonicalContract } from '../contracts/contract-text.ts'
import type { ClientOf } from './operation-registry.ts'
import { publicationChanges, type PublishedOperation } from './publication.ts'
import { changeRecord, type Changes, ClientEntry, refusal } from './registry-change.ts'
import {
  type ApprovedContract,
  openClient,
  openContract,
  openListed,
  openOperation,
  registeredClient,
  registeredOperation,
  type RegistryKey,
  sealContract,
  sealOperation,
} from './registry-items.ts'
import { entryOf, withState } from './version-states.ts'

export interface RegistrarParts {
  readonly table: OperationTable
  /** The recipients of contracts, for the accounting of disclosures. */
  readonly recipients: Pick<RecipientTable, 'put'>
  readonly keyring: Pick<Keyring, 'purposeKey'>
  readonly now: Clock
}

/**
 * Administration of the registry. Nothing is written here: each method returns the changes, which the caller commits in their order, each
 * in one transaction with its audit record. A change fails with VersionConflict if another writer changed the client in the meantime; the
 * changes are then made again.
 *
 * Each method throws StoreUnavailable, KeyUnavailable and IntegrityFailure. A change throws ValueNotSealable if the entry of a client
 * becomes too large for its item.
 */
export class OperationRegistrar {
  readonly #parts: RegistrarParts

  constructor(parts: RegistrarParts) {
    this.#parts = parts
  }

  /** Returns the clients of a tenant, by id. */
  async clients(tenant: TenantId): Promise<readonly RegisteredClient[]> {
    const { table } = this.#parts
    const [key, listed] = await Promise.all([this.#key(tenant), table.clientsOf(tenant)])
    const ids = listed.map((item) => openListed(key, tenant, item))
    const items = await table.load(ids.map((id) => clientKey(tenant, id)))
    const clients = items.map((item) => {
      // both items are written in one transaction, and neither is ever removed
      if (item === undefined) throw new IntegrityFailure()
      return registeredClient(openClient(key, tenant, item))
    })
    return clients.toSorted((one, other) => (one.client < other.client ? -1 : 1))
  }

  /** Returns undefined if the tenant has no such client. */
  async client(of: ClientOf): Promise<RegisteredClient | undefined> {
    const entry = await this.#entry(of)
    return entry.exists ? registeredClient(entry.content) : undefined
  }

  /** Returns all operations of a client, with those that are revoked or in no active version, by id. */
  async operations(of: ClientOf): Promise<readonly RegisteredOperation[]> {
    const [{ key, content }, items] = await Promise.all([this.#entry(of), this.#parts.table.operationsOf(of.tenant, of.client)])
    return items.map((item) => registeredOperation(openOperation(key, of.tenant, item), content.versions))
  }

  /** Returns every contract that a client ever had, for the accounting of disclosures. */
  async contracts(of: ClientOf): Promise<readonly ApprovedContract[]> {
    const [key, items] = await Promise.all([this.#key(of.tenant), this.#parts.table.contractsOf(of.tenant, of.client)])
    return items.map((item) => openContract(key, of.tenant, item))
  }

  /** Puts a contract in force, instead of the former one. Adds the client if the tenant has no such client. */
  async contractChange(of: ClientOf, contract: Contract, approval: Approval): Promise<Changes> {
    if (contract.client !== of.client) return refusal('INVALID')
    const { table, recipients } = this.#parts
    const at = contractKey(of.tenant, of.client, contract.digest)
    const [entry, [agreed]] = await Promise.all([this.#entry(of), table.load([at])])
    const { contract: former, approval: formerApproval } = entry.content
    if (agreed !== undefined) openContract(entry.key, of.tenant, agreed)
    if (former?.digest === contract.digest && formerApproval?.policy === approval.policy) return []
    // a contract that comes into force again has its first approval
    const writes =
      agreed === undefined ? [table.put({ key: at, sealed: sealContract(entry.key, of.tenant, at, { contract, approval }) })] : []
    return [
      {
        writes: [
          ...entry.next({ contract, approval }),
          ...writes,
          // also for a contract that comes into force again: it may be older than the accounting
          recipients.put(of.tenant, contract.digest, canonicalContract(contract)),
        ],
        record: changeRecord(of, 'CONTRACT', former === undefined ? 'CREATE' : 'UPDATE'),
      },
    ]
  }

  /**
   * Adds operations to a version of an application. An active version stays active, whatever `state` is. The operations of a version are
   * all served at once, from the last change on.
   */
  async publication(
    of: ClientOf,
    operations: readonly PublishedOperation[],
    appVersion: AppVersion,
    approval: Approval,
    state: 'PENDING' | 'ACTIVE',
  ): Promise<Changes> {
    const entry = await this.#entry(of)
    return await publicationChanges(this.#parts.table, entry, { operations, appVersion, approval, state })
  }

  /** Activates or retires a version of an application. */
  async versionChange(of: ClientOf, appVersion: AppVersion, state: VersionState): Promise<Changes> {
    const entry = await this.#entry(of)
    if (!entry.exists) return refusal('UNKNOWN_CLIENT')
    const versions = withState(entry.content.versions, appVersion, state)
    if (versions === undefined) return refusal('UNKNOWN_VERSION')
    if (entryOf(entry.content.versions, appVersion)?.state === state) return []
    return [{ writes: entry.next({ versions }), record: changeRecord(of, 'OPERATION', 'UPDATE') }]
  }

  /**
   * Revokes an operation in all versions, for good.
   *
   * @param by the user id of the administrator, or `os:` and the account of the operating system
   */
  async revocation(of: ClientOf, id: string, by: string): Promise<Changes> {
    const { table, now } = this.#parts
    const at = operationKey(of.tenant, of.client, id)
    const [entry, [item]] = await Promise.all([this.#entry(of), table.load([at])])
    if (!entry.exists) return refusal('UNKNOWN_CLIENT')
    if (item === undefined) return refusal('UNKNOWN_OPERATION', [id])
    const content = openOperation(entry.key, of.tenant, item)
    if (content.revoked !== undefined && item.isRevoked === true) return []
    const revoked = content.revoked ?? { by, at: now() as Instant }
    const sealed = sealOperation(entry.key, of.tenant, at, { ...content, revoked })
    return [
      {
        writes: [...entry.next(), table.put({ key: at, sealed, isRevoked: true })],
        record: changeRecord(of, 'OPERATION', 'DELETE', 1),
      },
    ]
  }

  async #entry(of: ClientOf): Promise<ClientEntry> {
    return await ClientEntry.load(this.#parts.table, of, await this.#key(of.tenant))
  }

  #key(tenant: TenantId): Promise<RegistryKey> {
    return this.#parts.keyring.purposeKey(tenant, 'access')
  }
}
