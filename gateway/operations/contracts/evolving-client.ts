import type { Contract } from '../../model/contract.ts'
import type { RegisteredOperation } from '../../model/registered-operation.ts'

/** A client with its operations, as the registry has them. */
export interface EvolvingClient {
  readonly client: string
  readonly contract?: Contract
  readonly operations: readonly Pick<RegisteredOperation, 'id' | 'name' | 'text'>[]
}
