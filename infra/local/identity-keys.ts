import { generateKeyPair, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JWK } from 'oidc-provider'
import { z } from 'zod'
import { writePrivateFile } from './private-file.ts'

/** What the local identity provider signs with, and the secrets of its machine clients. */
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
 * The keys of a data folder, made when they are not there yet: a token from before a restart still verifies after it.
 *
 * @param dataFolder keys are made anew and not kept when it is left out
 * @param clients ids of the machine clients
 */
export async function identityKeys(dataFolder: string | undefined, clients: readonly string[]): Promise<IdentityKeys> {
  const file = dataFolder === undefined ? undefined : join(dataFolder, 'identity.json')
  const kept = file === undefined ? undefined : await read(file)
  if (kept && clients.every((client) => kept.clientSecrets[client] !== undefined)) return kept

  const made: IdentityKeys = {
    jwks: kept?.jwks ?? { keys: [await signingKey()] },
    clientSecrets: Object.fromEntries(
      clients.map((client) => [client, kept?.clientSecrets[client] ?? randomBytes(32).toString('base64url')]),
    ),
  }
  if (file !== undefined) writePrivateFile(file, JSON.stringify(made, null, 2))
  return made
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
    throw new Error('The keys of the local identity provider cannot be read. Forget them with: npm start -- --fresh', {
      cause: error,
    })
  }
}
