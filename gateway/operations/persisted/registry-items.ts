import * as z from 'zod'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from '../../crypto/access-seal.ts'
import type { PurposeKey } from '../../crypto/tenant-keys.ts'
import type { Contract } from '../../model/contract.ts'
import { IntegrityFailure } from '../../model/failures.ts'
import type { Instant, TenantId } from '../../model/ids.ts'
import type { Json } from '../../model/record.ts'
import type { Approval, RegisteredClient, RegisteredOperation } from '../../model/registered-operation.ts'
import type { Key } from '../../store/batch-get.ts'
import type { OperationItem } from '../../store/operations.ts'
import { byApplication, type PublishedIn, publishedIn, type VersionStates } from './version-states.ts'

/** The sealed content of a client. */
export interface ClientContent {
  readonly client: string
  readonly version: number
  readonly contract?: Contract
  /** The approval of the contract. */
  readonly approval?: Approval
  readonly versions: VersionStates
}

/** The sealed content of an operation. */
export interface OperationContent {
  readonly id: string
  readonly name: string
  readonly text: string
  /** The canonical hash of the text. */
  readonly textHash: string
  readonly publications: readonly PublishedIn[]
  readonly approval: Approval
  readonly revoked?: Pick<Approval, 'by' | 'at'>
}

/** A contract that was in force from its approval on. */
export interface ApprovedContract {
  readonly contract: Contract
  readonly approval: Approval
}

const text = z.string()
const number = z.number()
const Approved = z.strictObject({ by: text, at: number, policy: text, contract: text.optional() })
const Terms = z.strictObject({
  client: text,
  recipient: z.strictObject({ name: text, address: text, reference: text.optional() }),
  roles: z.array(text),
  purposes: z.array(text),
  paths: z.array(text),
  categories: z.array(text),
  sensitivities: z.array(text),
  maxPage: number,
  valuesPerDay: number,
  expiresAt: number,
  networks: z.array(text),
  digest: text,
})
const Client = z.strictObject({
  client: text,
  version: number,
  contract: Terms.optional(),
  approval: Approved.optional(),
  apps: z.array(z.tuple([text, text, z.enum(['PENDING', 'ACTIVE', 'RETIRED']), number])),
  unfinished: z.array(number),
})
const Operation = z.strictObject({
  id: text,
  name: text,
  text,
  textHash: text,
  publications: z.array(z.tuple([text, text, number])),
  approval: Approved,
  revoked: z.strictObject({ by: text, at: number }).optional(),
})
const Listed = z.strictObject({ client: text })
const AgreedContract = z.strictObject({ contract: Terms, approval: Approved })

/** The key that seals the items of a tenant. */
export type RegistryKey = PurposeKey<'access'>

const placeOf = (tenant: TenantId, { pk, sk }: Key): AccessItemPlace => ({ table: 'operations', tenant, pk, sk })

/**
 * Seals the content of an item at its place, so that a writer of the database can neither register an operation nor widen a contract:
 * `docs/sealed-field.md` section 7.
 *
 * @throws ValueNotSealable
 */
const seal = (key: RegistryKey, tenant: TenantId, at: Key, content: unknown): Uint8Array =>
  sealAccessItem(key, placeOf(tenant, at), content as Json)

/** @throws IntegrityFailure, KeyUnavailable */
function open<T>(key: RegistryKey, tenant: TenantId, item: OperationItem, form: z.ZodType<T>): T {
  const content = form.safeParse(openAccessItem(key, placeOf(tenant, item.key), item.sealed))
  // the parser's error names the content
  if (!content.success) throw new IntegrityFailure()
  return content.data
}

export function sealClient(key: RegistryKey, tenant: TenantId, at: Key, content: ClientContent): Uint8Array {
  const { client, version, contract, approval, versions } = content
  return seal(key, tenant, at, {
    client,
    version,
    ...(contract && { contract: termsOf(contract) }),
    ...(approval && { approval }),
    apps: versions.entries.map(({ app, version: of, state, since }) => [app, of, state, since]),
    unfinished: versions.unfinished,
  })
}

/** @throws IntegrityFailure, KeyUnavailable */
export function openClient(key: RegistryKey, tenant: TenantId, item: OperationItem): ClientContent {
  const { client, version, contract, approval, apps, unfinished } = open(key, tenant, item, Client)
  // the next change has the condition that this version is stored
  if (version !== item.version) throw new IntegrityFailure()
  const entries = apps.map(([app, of, state, since]) => ({ app, version: of, state, since }))
  return {
    client,
    version,
    ...(contract && { contract: contractOf(contract) }),
    ...(approval && { approval: approval as Approval }),
    versions: { entries, unfinished },
  }
}

export const sealOperation = (key: RegistryKey, tenant: TenantId, at: Key, content: OperationContent): Uint8Array =>
  seal(key, tenant, at, content)

/** @throws IntegrityFailure, KeyUnavailable */
export const openOperation = (key: RegistryKey, tenant: TenantId, item: OperationItem): OperationContent =>
  open(key, tenant, item, Operation) as unknown as OperationContent

export const sealContract = (key: RegistryKey, tenant: TenantId, at: Key, { contract, approval }: ApprovedContract): Uint8Array =>
  seal(key, tenant, at, { contract: termsOf(contract), approval })

/** @throws IntegrityFailure, KeyUnavailable */
export function openContract(key: RegistryKey, tenant: TenantId, item: OperationItem): ApprovedContract {
  const { contract, approval } = open(key, tenant, item, AgreedContract)
  return { contract: contractOf(contract), approval: approval as Approval }
}

export const sealListed = (key: RegistryKey, tenant: TenantId, at: Key, client: string): Uint8Array =>
  seal(key, tenant, at, { client })

/** Returns the id of a client in the list of its tenant. @throws IntegrityFailure, KeyUnavailable */
export const openListed = (key: RegistryKey, tenant: TenantId, item: OperationItem): string =>
  open(key, tenant, item, Listed).client

/** The client in the form of the model. */
export function registeredClient({ client, version, contract, approval, versions }: ClientContent): RegisteredClient {
  return { client, version, ...(contract && { contract }), ...(approval && { approval }), apps: byApplication(versions) }
}

/** The operation in the form of the model, with the versions that finished publications added it to. */
export function registeredOperation(content: OperationContent, states: VersionStates): RegisteredOperation {
  const { id, name, text: body, publications, approval, revoked } = content
  const versions = publications.flatMap((one) => {
    const entry = publishedIn(states, one)
    return entry === undefined ? [] : { app: entry.app, version: entry.version }
  })
  return { id, name, text: body, versions, approval, ...(revoked && { revoked }) }
}

/** Sorted, so that a set has one form. */
const listOf = (values: ReadonlySet<string>): readonly string[] => [...values].toSorted()

const termsOf = (contract: Contract) => ({
  ...contract,
  roles: listOf(contract.roles),
  purposes: listOf(contract.purposes),
  paths: listOf(contract.paths),
  categories: listOf(contract.categories),
  sensitivities: listOf(contract.sensitivities),
})

/** The parts were checked before they were sealed. A part that the policy no longer has admits nothing. */
const contractOf = (terms: z.infer<typeof Terms>): Contract =>
  ({
    ...terms,
    roles: new Set(terms.roles),
    purposes: new Set(terms.purposes),
    paths: new Set(terms.paths),
    categories: new Set(terms.categories),
    sensitivities: new Set(terms.sensitivities),
    expiresAt: terms.expiresAt as Instant,
  }) as unknown as Contract
