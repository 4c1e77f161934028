import { createHash } from 'node:crypto'
import { OperationTypeNode } from 'graphql'
import type { PolicyTable } from '../../../directives/policy.ts'
import type { GraphQLRequest, OperationId } from '../../http/graphql-request.ts'
import type { Deadline } from '../../model/deadline.ts'
import type { Caller } from '../../model/decision.ts'
import { OperationsUnavailable } from '../../model/failures.ts'
import type { Instant, RequestId } from '../../model/ids.ts'
import type { RegisteredClient, RegisteredOperation } from '../../model/registered-operation.ts'
import type { EventSink } from '../../telemetry/events.ts'
import type { DocumentRefusal } from '../documents.ts'
import { admit, isPartner } from './admission.ts'
import { AutomaticLookup } from './automatic-lookup.ts'
import type { AdoptionMode, OperationParts } from './adoption.ts'
import type { Registered } from './operation-registry.ts'
import { RegistryLookup } from './registry-lookup.ts'
import { codeOfUnknown, idHash, SELECTION_DETAILS, type SelectionRefusal } from './selection-refusal.ts'
import type { PreparedDocument } from './prepared-document.ts'
import type { PreparedDocuments } from './prepared-documents.ts'

/** A request whose operation is to be found. */
export interface SelectionRequest {
  readonly caller: Caller
  readonly body: GraphQLRequest
  readonly isGet: boolean
  readonly sourceIp: string | undefined
  readonly requestId: RequestId
  readonly deadline: Deadline
}

/** The operation of a request. */
export interface SelectedOperation {
  /** A refusal follows from the text and the schema alone. */
  readonly prepared: PreparedDocument | DocumentRefusal
  /** Whether an administrator registered the operation for the client. */
  readonly isPersisted: boolean
  /** The caller as the contract of its client narrows it. */
  readonly caller: Caller
}

interface SelectorParts {
  readonly policy: PolicyTable
  readonly documents: PreparedDocuments
  /** Left out: no operation is registered, and partners receive nothing. */
  readonly operations?: OperationParts
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly events: EventSink
}

/** `free`: any text, without a look at the registry. */
type Mode = AdoptionMode | 'free'

/** The rules for one client. */
interface ClientRules {
  readonly mode: Mode
  readonly needsContract: boolean
  readonly mayRegister: boolean
}

/**
 * Finds the operation of a request: a text, or the id of a registered operation. The client is the one of the token. Nothing of the
 * request names another one.
 *
 * Within one form of request, each refusal has the same code and the same requests to the registry, whether the id is unknown, is of
 * another client, was revoked, or the contract does not admit the request.
 */
export class OperationSelector {
  readonly #parts: SelectorParts
  readonly #registry: RegistryLookup
  readonly #automatic: AutomaticLookup

  constructor(parts: SelectorParts) {
    this.#parts = parts
    this.#registry = new RegistryLookup(parts)
    this.#automatic = new AutomaticLookup(parts)
  }

  /** @throws OperationsUnavailable if the registry cannot be read */
  async select(request: SelectionRequest): Promise<SelectedOperation | SelectionRefusal> {
    const rules = this.#rulesOf(request.caller)
    const { query, id } = request.body
    if (query !== undefined) return await this.#byText(request, query, rules)
    // a body has a text or an id
    return id === undefined ? { refused: 'BAD_REQUEST' } : await this.#byId(request, id, rules)
  }

  #rulesOf(caller: Caller): ClientRules {
    const { policy, operations } = this.#parts
    if (isPartner(caller, policy)) return { mode: 'only', needsContract: true, mayRegister: false }
    const { client } = caller
    const mode = (client === undefined ? undefined : operations?.modes.get(client)) ?? 'free'
    const listed = client !== undefined && operations?.register.has(client) === true
    return { mode, needsContract: false, mayRegister: listed && (mode === 'free' || mode === 'log') }
  }

  async #byText(request: SelectionRequest, text: string, rules: ClientRules): Promise<SelectedOperation | SelectionRefusal> {
    const { body, isGet } = request
    if (isGet) return { refused: 'BAD_REQUEST', status: 405, detail: SELECTION_DETAILS.TEXT_BY_GET }
    if (rules.mode === 'only') {
      const refused = 'PERSISTED_DOCUMENT_ID_REQUIRED'
      return { refused, detail: SELECTION_DETAILS[refused], recorded: { operationHash: sha256(text) } }
    }
    const prepared = this.#parts.documents.read(text)
    if (rules.mayRegister && body.id?.form === 'persistedQuery') {
      if (body.id.id !== hashOf(prepared, text)) return { refused: 'BAD_REQUEST', detail: SELECTION_DETAILS.HASH_DIFFERS }
      if (!('refused' in prepared)) await this.#automatic.store(request, body.id.id, text)
    }
    return await this.#matched(request, prepared, text, rules.mode)
  }

  /** Compares a text with the registered ones, if the mode of the client requires it. */
  async #matched(
    request: SelectionRequest,
    prepared: PreparedDocument | DocumentRefusal,
    text: string,
    mode: Mode,
  ): Promise<SelectedOperation | SelectionRefusal> {
    const free = { prepared, isPersisted: false, caller: request.caller }
    if (mode === 'free' || (mode === 'log' && 'refused' in prepared)) return free
    const refusal = (client?: RegisteredClient): SelectionRefusal => ({
      refused: 'PERSISTED_DOCUMENT_NOT_FOUND',
      detail: SELECTION_DETAILS.PERSISTED_DOCUMENT_NOT_FOUND,
      recorded: { operationHash: hashOf(prepared, text), ...contractOf(client) },
    })
    // a text that the schema refuses is no registered one, and the answer reveals nothing of the schema
    if ('refused' in prepared) return refusal()
    let found: Registered
    try {
      found = await this.#registry.byText(request, prepared.canonicalHash)
    } catch (error) {
      if (mode !== 'log' || !(error instanceof OperationsUnavailable)) throw error
      return free
    }
    const { status, client, operation } = found
    if (status === 'EXPIRED' || (operation === undefined && mode !== 'log')) return refusal(client)
    if (operation === undefined) this.#reportUnregistered(request, prepared)
    const caller = this.#admitted(request, client, prepared)
    return caller === undefined ? refusal(client) : { prepared, isPersisted: operation !== undefined, caller }
  }

  async #byId(request: SelectionRequest, id: OperationId, rules: ClientRules): Promise<SelectedOperation | SelectionRefusal> {
    const { status, client, operation } = await this.#registry.byId(request, id.id)
    const hasContract = status === 'EXPIRED' || client?.contract !== undefined
    const selected = operation && this.#registered(request, client, operation, rules)
    if (selected !== undefined) return selected
    // a client with a contract runs what was proved against it, and its refusals cost the same
    if (rules.mayRegister && !hasContract && !request.isGet && id.form === 'persistedQuery') {
      const prepared = await this.#automatic.find(request, id.id)
      if (prepared !== undefined) return await this.#matched(request, prepared, prepared.text, rules.mode)
    }
    const refused = codeOfUnknown(id.form, rules)
    // without a contract, the next step of a client's protocol is no refusal
    const isProtocol = !hasContract && (refused === 'PERSISTED_QUERY_NOT_FOUND' || refused === 'PERSISTED_QUERY_NOT_SUPPORTED')
    const detail = refused in SELECTION_DETAILS ? SELECTION_DETAILS[refused as keyof typeof SELECTION_DETAILS] : undefined
    return {
      refused,
      ...(detail && { detail }),
      ...(!isProtocol && { recorded: { operationHash: idHash(id.id), ...contractOf(client) } }),
    }
  }

  /** Undefined if the operation is not for this caller. */
  #registered(
    request: SelectionRequest,
    client: RegisteredClient | undefined,
    { text }: RegisteredOperation,
    { needsContract }: ClientRules,
  ): SelectedOperation | SelectionRefusal | undefined {
    if (needsContract && client?.contract === undefined) return undefined
    const prepared = this.#parts.documents.readRegistered(text)
    const caller = this.#admitted(request, client, prepared)
    if (caller === undefined) return undefined
    if ('refused' in prepared) return { prepared, isPersisted: true, caller }
    // the registry proved the one operation of the text
    if (prepared.operation === undefined) return undefined
    const isSafe = prepared.operation.operation === OperationTypeNode.QUERY && prepared.isUrlSafe
    if (request.isGet && !isSafe) return { refused: 'BAD_REQUEST', status: 405, detail: SELECTION_DETAILS.NOT_SAFE }
    return { prepared, isPersisted: true, caller }
  }

  /** The caller, narrowed to the contract if the client has one. Undefined if the contract does not admit the request. */
  #admitted(
    { caller, sourceIp }: SelectionRequest,
    client: RegisteredClient | undefined,
    prepared: PreparedDocument | DocumentRefusal,
  ): Caller | undefined {
    const contract = client?.contract
    if (contract === undefined) return caller
    const { policy, now } = this.#parts
    const admitted = admit(caller, contract, policy, { sourceIp, now: now() as Instant })
    return admitted !== undefined && ('refused' in prepared || prepared.isWithin(contract)) ? admitted : undefined
  }

  #reportUnregistered({ requestId, caller }: SelectionRequest, { canonicalHash }: PreparedDocument): void {
    const { tenant, client = '' } = caller
    this.#parts.events({ event: 'UNREGISTERED_OPERATION', requestId, tenant, client, hash: canonicalHash })
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const hashOf = (prepared: PreparedDocument | DocumentRefusal, text: string): string =>
  'refused' in prepared ? sha256(text) : prepared.textHash

const contractOf = (client: RegisteredClient | undefined): { readonly contract?: string } =>
  client?.contract === undefined ? {} : { contract: client.contract.digest }
