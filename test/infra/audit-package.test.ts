import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleAudit } from '../../infra/bundle.ts'
import { LIBRARY_FILES, ownLibrary } from './native-library.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-audit-package-'))
const output = join(folder, 'audit')
let sources: readonly string[]
beforeAll(async () => {
  sources = await bundleAudit(pathToFileURL(`${output}/`), ownLibrary())
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package of the function that answers auditors', () => {
  it('has the library of DuckDB and the files of both schemas beside it', () => {
    expect(readdirSync(output)).toEqual(
      expect.arrayContaining(['index.mjs', ...LIBRARY_FILES, 'policy.lock', 'directives.graphql', 'audit', 'clinical']),
    )
    expect(readFileSync(join(output, 'audit/query.graphql'), 'utf8')).toContain('@mayCall')
    expect(existsSync(join(output, 'clinical/patient.graphql'))).toBe(true)
  })

  it('C28: contains no code that opens or changes a value, nor a client of KMS', () => {
    expect(sources).toContain('gateway/create-audit-api.ts')
    expect(sources.filter((file) => /^gateway\/(?:disclosure|mutations|crypto|admin)\//.test(file))).toEqual([])
    expect(sources.filter((file) => /@aws-sdk\/client-kms|^resolvers\/|^fhir\//.test(file))).toEqual([])
    // a cipher of Node is the one other way to open a value
    const own = sources.filter((file) => /^(?:gateway|functions|directives|schema)\//.test(file))
    const ciphers = own.filter((file) => /createDecipheriv|createCipheriv|subtle\.(?:en|de)crypt/.test(readFileSync(file, 'utf8')))
    expect(ciphers).toEqual([])
  })
})
