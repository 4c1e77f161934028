import type { Trail } from '../audit/trail.ts'
import type { FailureReasons } from '../disclosure/failure-reasons.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { textDetail } from '../model/limit-details.ts'
import { BadUserInput, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { AppVersion } from '../model/registered-operation.ts'
import type { AdminRefusal } from '../operations/persisted/admin-refusal.ts'
import { newNameRefusal } from '../operations/persisted/new-names.ts'
import type { ClientOf } from '../operations/persisted/operation-registry.ts'
import { type Decided, DEFAULT_USE_DAYS, type RegistryAdmin } from '../operations/persisted/registry-admin.ts'
import type { OperationAdministration } from './operation-administration.ts'
import {
  type Args,
  changePayload,
  type ChangePayload,
  checkPayload,
  type CheckPayload,
  clientPayload,
  type ClientPayload,
  contractPayload,
  publicationPayload,
  refusedPayload,
} from './registry-payloads.ts'

interface RegistryMutationParts {
  readonly caller: Caller
  readonly trail: Trail
  readonly failures: FailureReasons
  readonly deadline: Deadline
  readonly operations?: OperationAdministration
}

/** Characters of a client id, as in a contract. */
const MAX_CLIENT = 256

type Decision<Report> = Decided<Report> | AdminRefusal

/**
 * The registry of operations, for administrators. A refusal is a result. Each change commits with its audit record.
 *
 * Each method throws StoreUnavailable, KeyUnavailable, IntegrityFailure and BadUserInput. A change also throws VersionConflict if
 * another writer changed the client in the meantime, ValueNotSealable if the entry of the client becomes too large, and
 * AuditUnavailable. The same change can then be requested again.
 */
export class RegistryMutations {
  readonly #parts: RegistryMutationParts

  constructor(parts: RegistryMutationParts) {
    this.#parts = parts
  }

  /** Returns the clients of the caller's tenant, by id. */
  async clients(): Promise<readonly ClientPayload[]> {
    const { tenant } = this.#parts.caller
    const clients = await this.#ask((admin) => admin.list(tenant))
    return clients.map((client) => clientPayload(client, () => this.#operations(this.#clientOf(client.client))))
  }

  /** Returns null if the tenant has no such client. */
  async client({ clientId }: Args): Promise<ClientPayload | null> {
    const of = this.#clientOf(clientId)
    const shown = await this.#ask((admin) => admin.show(of))
    return shown === undefined ? null : clientPayload(shown.client, () => Promise.resolve(shown.operations))
  }

  /** Proves all operations of the caller's tenant again. */
  async check(): Promise<CheckPayload> {
    return checkPayload(await this.#ask((admin) => admin.check(this.#parts.caller.tenant)))
  }

  async approveContract({ contract, newClient, dryRun }: Args): Promise<ChangePayload> {
    const { tenant, user } = this.#parts.caller
    const text = textOf(contract)
    const decided = await this.#ask((admin) => admin.approveContract(tenant, text, user))
    if (decided.refused !== undefined) return refusedPayload(decided)
    const of = this.#clientOf(decided.report.client)
    const refused = await this.#ask((admin) => newNameRefusal(admin, of, { newClient }))
    if (refused !== undefined) return refusedPayload(refused)
    const done = await this.#carryOut(of, decided, dryRun)
    return contractPayload(decided.report, done)
  }

  async publish({ clientId, manifest, app, version, newClient, newApp, dryRun }: Args): Promise<ChangePayload> {
    const of = this.#clientOf(clientId)
    const isVersioned = app !== undefined && app !== null
    if (isVersioned !== (version !== undefined && version !== null))
      throw new BadUserInput({ detail: '`app` and `version` belong together. Send both, or none.' })
    const request = {
      manifest: textOf(manifest),
      by: this.#parts.caller.user,
      ...(isVersioned && { appVersion: versionOf({ app, version }) }),
    }
    const stated = { newClient, newApp, app: request.appVersion?.app }
    const refused = await this.#ask((admin) => newNameRefusal(admin, of, stated))
    if (refused !== undefined) return refusedPayload(refused)
    const decided = await this.#ask((admin) => admin.publish(of, request))
    if (decided.refused !== undefined) return refusedPayload(decided)
    return publicationPayload(decided.report, await this.#carryOut(of, decided, dryRun))
  }

  async activate(args: Args): Promise<ChangePayload> {
    const appVersion = versionOf(args)
    return await this.#change(args, (admin, of) => admin.activate(of, appVersion))
  }

  /** The function cannot read the tables of the audit, so the last use of an operation is never known here. */
  async retire(args: Args): Promise<ChangePayload> {
    const request = { uses: undefined, days: DEFAULT_USE_DAYS, isForced: args['force'] === true }
    const appVersion = versionOf(args)
    return await this.#change(args, (admin, of) => admin.retire(of, appVersion, request))
  }

  async revoke(args: Args): Promise<ChangePayload> {
    const id = textOf(args['operationId'])
    return await this.#change(args, (admin, of) => admin.revoke(of, id, this.#parts.caller.user))
  }

  async #change(
    { clientId }: Args,
    decide: (admin: RegistryAdmin, of: ClientOf) => Promise<Decision<undefined>>,
  ): Promise<ChangePayload> {
    const of = this.#clientOf(clientId)
    const decided = await this.#ask((admin) => decide(admin, of))
    return decided.refused === undefined ? changePayload(await this.#carryOut(of, decided, false)) : refusedPayload(decided)
  }

  /** Commits the changes in their order, unless it is a dry run. Returns whether the registry has them. */
  async #carryOut(of: ClientOf, { changes }: Decided<unknown>, dryRun: unknown): Promise<boolean> {
    if (dryRun === true) return false
    const { trail } = this.#parts
    try {
      for (const { writes, record } of changes) await trail.commit(writes, record)
    } finally {
      // also after a failure, because it is unknown whether the change is stored
      this.#administration().cache.forget(of)
    }
    return true
  }

  async #operations(of: ClientOf) {
    const shown = await this.#ask((admin) => admin.show(of))
    return shown?.operations ?? []
  }

  async #ask<T>(work: (admin: RegistryAdmin) => Promise<T>): Promise<T> {
    const { deadline, failures } = this.#parts
    const { admin } = this.#administration()
    try {
      return await deadline.wait(() => work(admin), storeOverdue)
    } catch (error) {
      // reports an outage or an altered entry to the operators, and throws every other error
      failures.classify(error)
      throw error
    }
  }

  /** @throws StoreUnavailable if the deployment has no registry */
  #administration(): OperationAdministration {
    const { operations } = this.#parts
    if (operations === undefined) throw new StoreUnavailable()
    return operations
  }

  #clientOf(client: unknown): ClientOf {
    const id = textOf(client)
    if (id.length > MAX_CLIENT || /\p{C}/u.test(id)) throw new BadUserInput({ detail: textDetail('clientId', MAX_CLIENT) })
    return { tenant: this.#parts.caller.tenant, client: id }
  }
}

/** @throws BadUserInput */
function textOf(value: unknown): string {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed())
    throw new BadUserInput({ detail: 'A text of the mutation is empty, or has half of a surrogate pair.' })
  return value
}

const versionOf = ({ app, version }: Args): AppVersion => ({ app: textOf(app), version: textOf(version) })
