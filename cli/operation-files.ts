import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type CompiledPolicy, compilePolicy } from '../directives/compile.ts'
import type { EvolvingClient } from '../gateway/operations/contracts/evolving-client.ts'
import { ContractRefused } from '../gateway/operations/contracts/contract-faults.ts'
import { parseContractText } from '../gateway/operations/contracts/contract-text.ts'
import { ManifestRefused, MAX_MANIFEST_BYTES, readManifest } from '../gateway/operations/persisted/manifest.ts'
import { namesIn, readInputText, requireFolder, writeNewFile } from './files.ts'
import { OperationsRefused } from './operation-session.ts'
import { Refused } from './refused.ts'

/** Reads a manifest or a contract. @throws Refused */
export function readText(file: string): string {
  const text = readInputText(file, '<file>')
  if (Buffer.byteLength(text) <= MAX_MANIFEST_BYTES) return text
  throw new Refused(
    `${file} (<file>) has more than ${MAX_MANIFEST_BYTES.toLocaleString('en-US')} bytes. Divide the manifest into several.`,
  )
}

/**
 * Writes the files of a report. Existing files stay: someone may have changed or signed them.
 *
 * @throws Refused
 */
export function writeReport(folder: string, files: Readonly<Record<string, string>>): void {
  requireFolder(folder, '--out')
  for (const [name, text] of Object.entries(files)) writeNewFile(join(folder, name), '--out', text)
}

/**
 * Reads the clients of a folder: a subfolder for each, with `manifest.json` and, if the client has a contract, `contract.json`.
 *
 * @throws OperationsRefused, Refused
 */
export function readClients(folder: string): readonly EvolvingClient[] {
  const names = namesIn(folder, '--files').filter((name) => existsSync(join(folder, name, 'manifest.json')))
  if (names.length === 0)
    throw new Refused(
      `${folder} (--files) has no client. Name a folder with a subfolder for each client, which has a manifest.json.`,
    )
  return names.map((name) => {
    try {
      const hasContract = existsSync(join(folder, name, 'contract.json'))
      const contract = hasContract ? parseContractText(readText(join(folder, name, 'contract.json'))) : undefined
      const operations = readManifest(readText(join(folder, name, 'manifest.json')))
      return { client: contract?.client ?? name, ...(contract && { contract }), operations }
    } catch (error) {
      if (!(error instanceof ContractRefused || error instanceof ManifestRefused)) throw error
      throw new OperationsRefused([`The files of ${name} are refused:`, ...error.message.split('\n')])
    }
  })
}

/** Compiles the schema files of a folder. @throws Refused, PolicyFaults */
export function compileFolder(folder: string): CompiledPolicy {
  const files = namesIn(folder, '--schema').filter((name) => name.endsWith('.graphql'))
  if (files.length === 0) throw new Refused(`${folder} (--schema) has no .graphql file. Name the folder of the changed schema.`)
  const sources = files.map((name) => ({ name: `${basename(folder)}/${name}`, sdl: readText(join(folder, name)) }))
  return compilePolicy(sources, { relationships: 'unchecked' })
}
