import { createHash } from 'node:crypto'
import { parse } from 'graphql'
import type { Contract } from '../../gateway/model/contract.ts'
import type { RegisteredOperation } from '../../gateway/model/registered-operation.ts'
import { documentHash } from '../../gateway/operations/persisted/document-hash.ts'
import type {
  AutomaticQueries,
  ClientOf,
  OperationRegistry,
  Registered,
} from '../../gateway/operations/persisted/operation-registry.ts'

const APPROVAL = { by: 'os:test', at: 0, policy: '0'.repeat(64) } as RegisteredOperation['approval']

interface MemoryClient {
  contract: Contract | undefined
  readonly operations: Map<string, RegisteredOperation>
  readonly automatic: Map<string, string>
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A registry in memory that counts its calls and that a test can make fail. */
export class MemoryOperations implements OperationRegistry, AutomaticQueries {
  /** The method and the argument of each call, in order. */
  readonly calls: (readonly [method: 'byId' | 'byText' | 'find' | 'store', value: string])[] = []
  /** Each call fails with this error. */
  failure: Error | undefined
  readonly #clients = new Map<string, MemoryClient>()

  /** Sets the contract of a client; without one, the client is registered without a contract. */
  admit(of: ClientOf, contract?: Contract): void {
    this.#client(of).contract = contract
  }

  /** Registers an operation, and returns its id. Default: the SHA-256 of the text. */
  register(of: ClientOf, text: string, id = sha256(text)): string {
    this.#client(of).operations.set(id, { id, name: 'Test', text, versions: [], approval: APPROVAL })
    return id
  }

  revoke(of: ClientOf, id: string): void {
    const operation = this.#client(of).operations.get(id)
    if (operation === undefined) throw new Error('the fixture has no such operation')
    this.#client(of).operations.set(id, { ...operation, revoked: APPROVAL })
  }

  /** Puts a text where a client registered another one, as a writer of the database could. */
  replaceAutomatic(of: ClientOf, hash: string, text: string): void {
    this.#client(of).automatic.set(hash, text)
  }

  byId(of: ClientOf, id: string): Promise<Registered> {
    return this.#called('byId', id, () => this.#found(of, (operation) => operation.id === id))
  }

  byText(of: ClientOf, hash: string): Promise<Registered> {
    return this.#called('byText', hash, () => this.#found(of, ({ text }) => documentHash(parse(text)) === hash))
  }

  find(of: ClientOf, hash: string): Promise<string | undefined> {
    return this.#called('find', hash, () => this.#client(of).automatic.get(hash))
  }

  store(of: ClientOf, hash: string, text: string): Promise<void> {
    return this.#called('store', hash, () => void this.#client(of).automatic.set(hash, text))
  }

  #called<Result>(method: (typeof this.calls)[number][0], value: string, result: () => Result): Promise<Result> {
    this.calls.push([method, value])
    return this.failure === undefined ? Promise.resolve(result()) : Promise.reject(this.failure)
  }

  #found(of: ClientOf, test: (operation: RegisteredOperation) => boolean): Registered {
    const known = this.#clients.get(nameOf(of))
    if (known === undefined) return { status: 'NONE', client: undefined, operation: undefined }
    const { contract, operations } = known
    const operation = [...operations.values()].find((one) => one.revoked === undefined && test(one))
    return { status: 'REGISTERED', client: { client: of.client, version: 1, ...(contract && { contract }), apps: {} }, operation }
  }

  #client(of: ClientOf): MemoryClient {
    const known = this.#clients.get(nameOf(of)) ?? { contract: undefined, operations: new Map(), automatic: new Map() }
    this.#clients.set(nameOf(of), known)
    return known
  }
}

const nameOf = ({ tenant, client }: ClientOf): string => JSON.stringify([tenant, client])
