import type { TenantId } from '../gateway/model/ids.ts'
import type { RegisteredClient, RegisteredOperation } from '../gateway/model/registered-operation.ts'
import type { OperationAdmin } from '../gateway/admin/operation-admin.ts'
import type { ClientOf } from '../gateway/operations/persisted/operation-registry.ts'
import { newNameRefusal } from '../gateway/operations/persisted/new-names.ts'
import { type Choices, unknownText } from './choices.ts'
import { Refused } from './refused.ts'

/** The tenant has no such client. The message has its clients, which the operator of the tenant may know. */
export const unknownClient = (
  given: string,
  all: readonly Pick<RegisteredClient, 'client'>[],
  words: Partial<Pick<Choices, 'option' | 'otherwise'>> = {},
): Refused =>
  new Refused(
    unknownText(given, {
      noun: 'client',
      of: 'the tenant',
      known: all.map(({ client }) => client),
      option: '--client',
      list: 'phi operations list --tenant TENANT',
      ...words,
    }),
  )

/** The client has no such operation. */
export const unknownOperation = (given: string, all: readonly Pick<RegisteredOperation, 'id' | 'name'>[]): Refused => {
  const named = all.find(({ name }) => name === given)
  if (named !== undefined) return new Refused(`<id> is the id of an operation, and this is its name. The id is ${named.id}.`)
  const known = all.map(({ id }) => id)
  const words = { noun: 'operation', of: 'the client', option: '<id>', list: 'phi operations show --tenant TENANT --client CLIENT' }
  return new Refused(unknownText(given, { ...words, known }))
}

/** The client, application and version that a command names. */
interface NamedVersion {
  readonly client: string
  readonly app?: string
  readonly version?: string
  /** The id of an operation. */
  readonly id?: string
}

/** Checks the names of a command on a client, so that a refusal has the choices. @throws Refused */
export async function requireClient(
  { decisions }: Pick<OperationAdmin, 'decisions'>,
  tenant: TenantId,
  { client, app, version, id }: NamedVersion,
): Promise<void> {
  const details = await decisions.show({ tenant, client })
  if (details === undefined) throw unknownClient(client, await decisions.list(tenant))
  if (id !== undefined && !details.operations.some((one) => one.id === id)) throw unknownOperation(id, details.operations)
  if (app === undefined || version === undefined) return
  const { apps } = details.client
  const of = 'the client'
  const versions = Object.hasOwn(apps, app) ? apps[app] : undefined
  if (versions === undefined)
    throw new Refused(unknownText(app, { noun: 'application', of, known: Object.keys(apps), option: '--app' }))
  if (!Object.hasOwn(versions, version))
    throw new Refused(
      unknownText(version, { noun: 'version', of: 'the application', known: Object.keys(versions), option: '--version' }),
    )
}

/** The name of a client or an application that a command may register. */
interface NewName {
  readonly name: string
  /** Whether the administrator states that the name may be new. */
  readonly isNew: boolean
  /** The option or argument that has the name. */
  readonly option: string
}

/**
 * Checks the client of a command that registers. A misspelled name would register another client, and leave the one that was meant
 * unchanged.
 *
 * @throws Refused with the choices, unless the client may be new
 */
export async function requireRegistered(
  { decisions }: Pick<OperationAdmin, 'decisions'>,
  tenant: TenantId,
  { name, isNew, option }: NewName,
): Promise<void> {
  const refused = await newNameRefusal(decisions, { tenant, client: name }, { newClient: isNew })
  if (refused === undefined) return
  const otherwise = 'If the client is new, add --new-client.'
  const known = refused.known.map((client) => ({ client }))
  throw unknownClient(name, known, { option, otherwise })
}

/**
 * Checks the application of a publication, as `requireRegistered` checks its client. The first application of a client needs no word.
 *
 * @throws Refused with the choices, unless the application may be new
 */
export async function requireApplication(
  { decisions }: Pick<OperationAdmin, 'decisions'>,
  of: ClientOf,
  { name, isNew, option }: NewName,
): Promise<void> {
  const refused = await newNameRefusal(decisions, of, { newClient: true, app: name, newApp: isNew })
  if (refused === undefined) return
  const { known } = refused
  const otherwise = 'If the application is new, add --new-app.'
  throw new Refused(unknownText(name, { noun: 'application', of: 'the client', known, option, otherwise }))
}
