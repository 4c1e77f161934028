import { type ContractFault, faultText } from '../contracts/contract-faults.ts'
import type { PublicationReport } from '../contracts/report.ts'
import { type ManifestFault, manifestFaultText } from './manifest.ts'
import type { RegistryRefusal } from './registry-change.ts'

/** Why an administrator's change of the registry is not made. */
export type AdminRefusal =
  | { readonly refused: 'MANIFEST'; readonly faults: readonly ManifestFault[] }
  | { readonly refused: 'CONTRACT'; readonly faults: readonly ContractFault[] }
  /** The contract in force is over: nothing can be published under it. */
  | { readonly refused: 'CONTRACT_EXPIRED' }
  /** Some operations exceed the contract or the policy. */
  | { readonly refused: 'OPERATIONS'; readonly report: PublicationReport }
  /** The version has operations that were used lately and would no longer be served. */
  | { readonly refused: 'IN_USE'; readonly ids: readonly string[] }
  /** The version has operations that would no longer be served, and their use is not known. */
  | { readonly refused: 'USE_UNKNOWN'; readonly ids: readonly string[] }
  | NewNameRefusal
  | RegistryRefusal

/** The name is not registered, and the administrator did not state that it is new. */
export interface NewNameRefusal {
  readonly refused: 'NEW_CLIENT' | 'NEW_APPLICATION'
  /** The registered names. */
  readonly known: readonly string[]
}

/** Registered names that a message lists. */
const MAX_KNOWN = 20

const MESSAGES: Readonly<Record<Exclude<AdminRefusal['refused'], 'MANIFEST' | 'CONTRACT' | 'OPERATIONS'>, string>> = {
  CONTRACT_EXPIRED: 'The contract of the client is over. Approve a new contract first.',
  IN_USE: 'The version has operations that were used lately. Activate another version that has them, or force the retirement:',
  USE_UNKNOWN: 'The audit could not show whether the operations of the version are used. Force the retirement, or try again:',
  INVALID: 'An id, a name, an application or a version is empty, too long or malformed. Correct it.',
  TEXT_CHANGED: 'An id is registered with another text. Give the changed operation another id:',
  REVOKED: 'An operation is revoked. Remove it from the manifest:',
  TOO_MANY_VERSIONS: 'The client has the maximum of versions. Retire one first.',
  NEW_CLIENT: 'The tenant has no such client. Correct the name. If the client is new, set `newClient` to true.',
  NEW_APPLICATION: 'The client has no such application. Correct the name. If the application is new, set `newApp` to true.',
  UNKNOWN_CLIENT: 'The tenant has no such client.',
  UNKNOWN_VERSION: 'The client has no such version of this application.',
  UNKNOWN_OPERATION: 'The client has no such operation.',
}

/** Lines for a person. They have names of the registry and of the schema, ids of operations, and nothing else of the input. */
export function adminRefusalText(refusal: AdminRefusal): readonly string[] {
  switch (refusal.refused) {
    case 'MANIFEST':
      return refusal.faults.map(manifestFaultText)
    case 'CONTRACT':
      return refusal.faults.map(faultText)
    case 'OPERATIONS':
      return refusal.report.operations
        .filter(({ verdict }) => verdict === 'REFUSED')
        .flatMap(({ id, name, faults }) => [`${name} (${id}) is refused:`, ...faults.map(({ message }) => `  ${message}`)])
    case 'CONTRACT_EXPIRED':
    case 'UNKNOWN_CLIENT':
    case 'UNKNOWN_VERSION':
    case 'UNKNOWN_OPERATION':
    case 'INVALID':
      // without the ids, which can be any text
      return [MESSAGES[refusal.refused]]
    case 'NEW_CLIENT':
    case 'NEW_APPLICATION':
      return [MESSAGES[refusal.refused], ...knownLines(refusal.known)]
    case 'IN_USE':
    case 'USE_UNKNOWN':
    case 'TEXT_CHANGED':
    case 'REVOKED':
    case 'TOO_MANY_VERSIONS':
      return [MESSAGES[refusal.refused], ...refusal.ids.map((id) => `  ${id}`)]
  }
  return refusal satisfies never
}

/** The registered names that a caller of the registry may read anyway. */
function knownLines(known: readonly string[]): readonly string[] {
  if (known.length === 0) return ['None is registered.']
  const rest = known.length - MAX_KNOWN
  const more = rest > 0 ? [`  and ${rest} more, which \`registeredClients\` lists`] : []
  return ['Registered:', ...known.slice(0, MAX_KNOWN).map((name) => `  ${name}`), ...more]
}
