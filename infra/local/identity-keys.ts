import { generateKeyPair, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JWK } from 'oidc-provider'
import { z } from 'zod'
import { writePrivateFile } from './private-file.ts'
import { DataUnreadable } from './start-refused.ts'

/** The signing keys of the local identity provider, and the secrets of its machine clients. */
export interface IdentityKeys {
  readonly jwks: { readonly keys: JWK[] }
  /** By client id. */
  readonly clientSecrets: Readonly<Record<string, string>>
}

const stored = z.object({
  jwks: z.object({
    keys: z.array(z.looseObject({ kty: z.literal('RSA'), use: z.literal('sig'), alg: z.literal('RS256') })).min(1),
  }),
  clientSecrets: z.record(z.string(), z.string().min(32)),
})

/**
 * Reads the keys of a data folder, and creates those that are missing. Tokens from before a restart stay valid after it.
 *
 * @param dataFolder if undefined, all keys are new and not stored
 * @param clients ids of the machine clients
 */
export async function identityKeys(dataFolder: string | undefined, clients: readonly string[]): Promise<IdentityKeys> {
  const file = dataFolder === undefined ? undefined : join(dataFolder, 'identity.json')
  const existing = file === undefined ? undefined : await read(file)
  if (existing && clients.every((client) => existing.clientSecrets[client] !== undefined)) return existing

  const keys: IdentityKeys = {
    jwks: existing?.jwks ?? { keys: [await signingKey()] },
    clientSecrets: Object.fromEntries(
      clients.map((client) => [client, existing?.clientSecrets[client] ?? randomBytes(32).toString('base64url')]),
    ),
  }
  if (file !== undefined) writePrivateFile(file, JSON.stringify(keys, null, 2))
  return keys
}

async function signingKey(): Promise<JWK> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kty: 'RSA', use: 'sig', alg: 'RS256' }
}

async function read(file: string): Promise<IdentityKeys | undefined> {
  try {
    return stored.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new DataUnreadable('the keys of the local identity provider', { cause: error })
  }
}
