import type { NewNameRefusal } from './admin-refusal.ts'
import type { ClientOf } from './operation-registry.ts'
import { DEFAULT_VERSION, type RegistryAdmin } from './registry-admin.ts'

/** What the administrator states about the names of a request. */
export interface StatedNames {
  readonly newClient?: unknown
  /** The application of a publication. */
  readonly app?: string | undefined
  readonly newApp?: unknown
}

/**
 * Refuses a client or an application that the registry does not have, unless the administrator states that it is new. A misspelled name
 * would register another client, and leave the one that was meant unchanged. The first application of a client needs no statement.
 *
 * @returns undefined if both names are registered or stated as new
 */
export async function newNameRefusal(
  admin: Pick<RegistryAdmin, 'list' | 'show'>,
  of: ClientOf,
  { newClient, app, newApp }: StatedNames,
): Promise<NewNameRefusal | undefined> {
  const details = await admin.show(of)
  if (details === undefined && newClient !== true)
    return { refused: 'NEW_CLIENT', known: (await admin.list(of.tenant)).map(({ client }) => client) }
  if (app === undefined || newApp === true) return undefined
  const known = Object.keys(details?.client.apps ?? {}).filter((one) => one !== DEFAULT_VERSION.app)
  return known.length === 0 || known.includes(app) ? undefined : { refused: 'NEW_APPLICATION', known }
}
