import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type CompiledPolicy, compilePolicy } from '../directives/compile.ts'
import type { EvolvingClient } from '../gateway/operations/contracts/evolving-client.ts'
import { ContractRefused } from '../gateway/operations/contracts/contract-faults.ts'
import { parseContractText } from '../gateway/operations/contracts/contract-text.ts'
import { ManifestRefused, MAX_MANIFEST_BYTES, readManifest } from '../gateway/operations/persisted/manifest.ts'
import { OperationsRefused } from './operation-session.ts'

/** Reads a manifest or a contract. @throws OperationsRefused */
export function readText(file: string): string {
  try {
    if (statSync(file).size <= MAX_MANIFEST_BYTES) return readFileSync(file, 'utf8')
  } catch {
    throw new OperationsRefused(['Cannot read the file. Check its path.'])
  }
  throw new OperationsRefused(['The file is too large.'])
}

/**
 * Writes the files of a report. Existing files stay: someone may have changed or signed them.
 *
 * @throws OperationsRefused
 */
export function writeReport(folder: string, files: Readonly<Record<string, string>>): void {
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { flag: 'wx' })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new OperationsRefused([
      code === 'EEXIST'
        ? 'The folder of --out already has a report. Choose another folder.'
        : 'Cannot write to the folder of --out.',
    ])
  }
}

/**
 * Reads the clients of a folder: a subfolder for each, with `manifest.json` and, if the client has a contract, `contract.json`.
 *
 * @throws OperationsRefused
 */
export function readClients(folder: string): readonly EvolvingClient[] {
  const names = namesIn(folder).filter((name) => namesIn(join(folder, name)).includes('manifest.json'))
  if (names.length === 0) throw new OperationsRefused(['The folder of --files has no client: no subfolder with a manifest.json.'])
  return names.map((name) => {
    try {
      const hasContract = namesIn(join(folder, name)).includes('contract.json')
      const contract = hasContract ? parseContractText(readText(join(folder, name, 'contract.json'))) : undefined
      const operations = readManifest(readText(join(folder, name, 'manifest.json')))
      return { client: contract?.client ?? name, ...(contract && { contract }), operations }
    } catch (error) {
      if (!(error instanceof ContractRefused || error instanceof ManifestRefused)) throw error
      throw new OperationsRefused([`The files of ${name} are refused:`, ...error.message.split('\n')])
    }
  })
}

/** Compiles the schema files of a folder. @throws OperationsRefused, PolicyFaults */
export function compileFolder(folder: string): CompiledPolicy {
  const files = namesIn(folder).filter((name) => name.endsWith('.graphql'))
  if (files.length === 0) throw new OperationsRefused(['The folder of --schema has no .graphql file.'])
  const sources = files.map((name) => ({ name: `${basename(folder)}/${name}`, sdl: readText(join(folder, name)) }))
  return compilePolicy(sources, { relationships: 'unchecked' })
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}
