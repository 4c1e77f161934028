import { hash } from 'node:crypto'
import { parse } from 'graphql'
import type { Contract } from '../../model/contract.ts'
import { VersionConflict } from '../../model/failures.ts'
import type { Instant, TenantId } from '../../model/ids.ts'
import type { OperationUses } from '../../model/operation-use.ts'
import type { Clock } from '../../model/record.ts'
import type { AppVersion, Approval, RegisteredClient, RegisteredOperation } from '../../model/registered-operation.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { checkClients, type ClientCheck, exceedingOperations } from '../contracts/check-clients.ts'
import { ContractRefused } from '../contracts/contract-faults.ts'
import { type ContractReport, contractReport } from '../contracts/contract-report.ts'
import { admitContract } from '../contracts/contract-text.ts'
import type { EvolvingClient } from '../contracts/evolving-client.ts'
import type { Prover } from '../contracts/prove.ts'
import { type PublicationReport, publicationReport } from '../contracts/report.ts'
import type { AdminRefusal } from './admin-refusal.ts'
import { documentHash } from './document-hash.ts'
import { ManifestRefused, type ManifestOperation, readManifest } from './manifest.ts'
import type { ClientOf } from './operation-registry.ts'
import type { OperationRegistrar } from './registrar.ts'
import { type Change, type Changes, isRefused } from './registry-change.ts'

export interface RegistryAdminParts {
  readonly registrar: OperationRegistrar
  /** Of the schema and policy that the deployment runs. */
  readonly prover: Prover
  readonly now: Clock
}

/** A decision with the changes that carry it out. They are committed in their order, each in one transaction with its record. */
export interface Decided<Report = undefined> {
  readonly refused?: undefined
  readonly report: Report
  /** Empty if the registry already has all of it. */
  readonly changes: readonly Change[]
}

/** A client with all of its operations. */
export interface ClientDetails {
  readonly client: RegisteredClient
  readonly operations: readonly RegisteredOperation[]
}

export interface PublicationRequest {
  /** The text of the manifest. */
  readonly manifest: string
  /** Without it, the operations become part of the version `current` of the application `default`, and are served at once. */
  readonly appVersion?: AppVersion
  /** Whether the version becomes active with the publication. An active version stays active. */
  readonly isActive?: boolean
  /** The user id of the administrator, or `os:` and the account of the operating system. */
  readonly by: string
}

/** How a version is retired. */
export interface RetirementRequest {
  /** Undefined if the audit could not be read. Uses up to more than an hour ago count as unknown. */
  readonly uses: OperationUses | undefined
  /** Days that a use counts. */
  readonly days: number
  readonly isForced: boolean
}

/** The version of clients that publish without versions. */
export const DEFAULT_VERSION: AppVersion = { app: 'default', version: 'current' }
/** Days that a use counts for a retirement, unless given. */
export const DEFAULT_USE_DAYS = 30
/** The path of a forced retirement in the audit. No path of a schema begins with `#`. */
const FORCED = '#operation.forced' as SchemaPath
/** The tables lag by two minutes, or by the time in which the tenant had no request. */
const MAX_LAG_MS = 60 * 60_000
export const DAY_MS = 24 * 60 * 60_000

/**
 * The decisions of administrators on the registry, for the command and the mutations. Nothing is written here: a decision has the
 * changes, which the caller commits. A commit fails with VersionConflict if another writer changed the client in the meantime.
 *
 * Each method throws StoreUnavailable, KeyUnavailable and IntegrityFailure. A method with changes also throws VersionConflict if the
 * client changed while it was read, and ValueNotSealable if its entry becomes too large.
 */
export class RegistryAdmin {
  readonly #parts: RegistryAdminParts

  constructor(parts: RegistryAdminParts) {
    this.#parts = parts
  }

  /** Returns the clients of a tenant, by id. */
  async list(tenant: TenantId): Promise<readonly RegisteredClient[]> {
    return await this.#parts.registrar.clients(tenant)
  }

  /** Returns undefined if the tenant has no such client. */
  async show(of: ClientOf): Promise<ClientDetails | undefined> {
    const { registrar } = this.#parts
    const client = await registrar.client(of)
    return client && { client, operations: await registrar.operations(of) }
  }

  /**
   * Proves the operations of a manifest against the contract of the client and the policy, and registers them if all are proved.
   * Without a contract only the documents, their costs and page sizes are checked.
   */
  async publish(of: ClientOf, request: PublicationRequest): Promise<Decided<PublicationReport> | AdminRefusal> {
    const operations = manifestOf(request.manifest)
    if ('refused' in operations) return operations
    const { registrar, prover, now } = this.#parts
    const { policy } = prover.parts
    return await this.#onUnchanged(of, async (client) => {
      const { contract } = client ?? {}
      if (contract !== undefined && contract.expiresAt <= now()) return { refused: 'CONTRACT_EXPIRED' }
      const { appVersion: app = DEFAULT_VERSION, isActive = request.appVersion === undefined, by } = request
      const approval = this.#approval(by, contract)
      const proofs = operations.map((operation) => ({ operation, proof: prover.prove(operation.text, contract) }))
      const publication = { client: of.client, contract, policy, app, operations: proofs }
      if (proofs.some(({ proof }) => proof.faults.length > 0)) {
        return { refused: 'OPERATIONS', report: publicationReport(publication) }
      }
      const published = operations.map((operation) => ({ ...operation, textHash: canonicalHash(operation.text) }))
      const changes = await registrar.publication(of, published, app, approval, isActive ? 'ACTIVE' : 'PENDING')
      return isRefused(changes) ? changes : { report: publicationReport({ ...publication, approval }), changes }
    })
  }

  /**
   * Puts a contract in force, and proves the registered operations of its client again. Operations beyond a narrowed contract are named
   * in the report. They are no reason to refuse it: they fail from the next request on.
   */
  async approveContract(tenant: TenantId, text: string, by: string): Promise<Decided<ContractReport> | AdminRefusal> {
    const { registrar, prover, now } = this.#parts
    const contract = contractOf(text, prover, now() as Instant)
    if ('refused' in contract) return contract
    const of = { tenant, client: contract.client }
    return await this.#onUnchanged(of, async (client) => {
      const approval = this.#approval(by, contract)
      const operations = client === undefined ? [] : liveOperations({ client, operations: await registrar.operations(of) })
      const exceeding = exceedingOperations(prover, { client: of.client, contract, operations })
      const { policy } = prover.parts
      const report = contractReport({
        former: client?.contract,
        contract,
        policy,
        operations: operations.length,
        exceeding,
        approval,
      })
      return decided(await registrar.contractChange(of, contract, approval), report)
    })
  }

  /** Serves the operations of a version from now on. */
  async activate(of: ClientOf, appVersion: AppVersion): Promise<Decided | AdminRefusal> {
    return decided(await this.#parts.registrar.versionChange(of, appVersion, 'ACTIVE'), undefined)
  }

  /**
   * Retires a version. Operations in another active version are served on. Refuses if an operation that would no longer be served was
   * used lately, or if its use is not known, unless the retirement is forced. The audit then records that it was forced.
   */
  async retire(of: ClientOf, appVersion: AppVersion, request: RetirementRequest): Promise<Decided | AdminRefusal> {
    const { registrar } = this.#parts
    return await this.#onUnchanged(of, async (client) => {
      const changes = await registrar.versionChange(of, appVersion, 'RETIRED')
      if (isRefused(changes) || client === undefined) return decided(changes, undefined)
      const ended = endedBy(appVersion, { client, operations: await registrar.operations(of) })
      const refusal = this.#useRefusal(of, ended, request)
      if (refusal === undefined) return { report: undefined, changes }
      if (!request.isForced) return refusal
      return { report: undefined, changes: changes.map((change) => ({ ...change, record: { ...change.record, path: FORCED } })) }
    })
  }

  /** Revokes an operation in all versions, for good. */
  async revoke(of: ClientOf, id: string, by: string): Promise<Decided | AdminRefusal> {
    return decided(await this.#parts.registrar.revocation(of, id, by), undefined)
  }

  /** Proves all operations of all clients again. */
  async check(tenant: TenantId): Promise<ClientCheck> {
    return checkClients(this.#parts.prover, await this.evolvingClients(tenant), this.#parts.now() as Instant)
  }

  /** Returns all clients of a tenant with the operations that are served, or can be. */
  async evolvingClients(tenant: TenantId): Promise<readonly EvolvingClient[]> {
    const { registrar } = this.#parts
    const evolving: EvolvingClient[] = []
    for (const client of await registrar.clients(tenant)) {
      const operations = liveOperations({ client, operations: await registrar.operations({ tenant, client: client.client }) })
      evolving.push({ client: client.client, ...(client.contract && { contract: client.contract }), operations })
    }
    return evolving
  }

  #approval(by: string, contract: Contract | undefined): Approval {
    const { prover, now } = this.#parts
    const { digest: policy } = prover.parts.policy
    return { by, at: now() as Instant, policy, ...(contract && { contract: contract.digest }) }
  }

  #useRefusal(
    { client }: ClientOf,
    ended: readonly RegisteredOperation[],
    { uses, days }: RetirementRequest,
  ): AdminRefusal | undefined {
    if (ended.length === 0) return undefined
    const now = this.#parts.now()
    // tables that are behind say nothing about the latest requests
    if (uses?.until === undefined || uses.until < now - MAX_LAG_MS)
      return { refused: 'USE_UNKNOWN', ids: ended.map(({ id }) => id) }
    const used = new Set(usedSince(uses, client, now - days * DAY_MS))
    const ids = ended.filter(({ text }) => used.has(operationHash(text))).map(({ id }) => id)
    return ids.length === 0 ? undefined : { refused: 'IN_USE', ids }
  }

  /**
   * Decides on a client that is read once before and once after. The changes depend on the version between both, so that they never
   * carry out a decision on another contract than the stored one.
   */
  async #onUnchanged<T extends object>(of: ClientOf, decide: (client: RegisteredClient | undefined) => Promise<T>): Promise<T> {
    const { registrar } = this.#parts
    const before = await registrar.client(of)
    const decision = await decide(before)
    if ((await registrar.client(of))?.version !== before?.version) throw new VersionConflict()
    return decision
  }
}

/** SHA-256 of an operation's text, by which the audit names it. */
export const operationHash = (text: string): string => hash('sha256', text, 'hex')

/** The operations that are served, or will be once their version is activated: not revoked, and in a version that is not retired. */
function liveOperations({ client, operations }: ClientDetails): readonly RegisteredOperation[] {
  return operations.filter(({ revoked, versions }) => {
    const states = versions.map(({ app, version }) => client.apps[app]?.[version])
    return revoked === undefined && states.some((state) => state === 'ACTIVE' || state === 'PENDING')
  })
}

/** The live operations without a use in the last days, that were approved before. @param from milliseconds since the epoch */
export function staleOperations(details: ClientDetails, uses: OperationUses, from: number): readonly RegisteredOperation[] {
  const used = new Set(usedSince(uses, details.client.client, from))
  return liveOperations(details).filter(({ text, approval }) => approval.at < from && !used.has(operationHash(text)))
}

const usedSince = ({ uses }: OperationUses, client: string, from: number): readonly string[] =>
  uses.filter((use) => use.client === client && use.last >= from).map((use) => use.operationHash)

/** The operations that are served, and are not once this version is retired. */
function endedBy(appVersion: AppVersion, { client, operations }: ClientDetails): readonly RegisteredOperation[] {
  return operations.filter(({ revoked, versions }) => {
    const active = versions.filter(({ app, version }) => client.apps[app]?.[version] === 'ACTIVE')
    const isOnly = active.every(({ app, version }) => app === appVersion.app && version === appVersion.version)
    return revoked === undefined && active.length > 0 && isOnly
  })
}

function decided<Report>(changes: Changes, report: Report): Decided<Report> | AdminRefusal {
  return isRefused(changes) ? changes : { report, changes }
}

function manifestOf(text: string): readonly ManifestOperation[] | AdminRefusal {
  try {
    return readManifest(text)
  } catch (error) {
    if (error instanceof ManifestRefused) return { refused: 'MANIFEST', faults: error.faults }
    throw error
  }
}

function contractOf(text: string, prover: Prover, now: Instant): Contract | AdminRefusal {
  try {
    return admitContract(text, prover.parts.policy, now)
  } catch (error) {
    if (error instanceof ContractRefused) return { refused: 'CONTRACT', faults: error.faults }
    throw error
  }
}

/** @param text of a manifest, which was parsed once */
const canonicalHash = (text: string): string => documentHash(parse(text, { noLocation: true }))
