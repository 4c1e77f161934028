import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleGateway } from '../../infra/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-delivery-package-'))
let sources: readonly string[]
beforeAll(async () => {
  sources = await bundleGateway('functions/delivery.ts', pathToFileURL(`${folder}/`))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package of the function that delivers to a SIEM', () => {
  it('C28: contains no code that opens a value or a key of a tenant, no client of DynamoDB and no DuckDB', () => {
    expect(sources).toContain('gateway/oversight/delivery/delivery.ts')
    expect(sources.filter((file) => /^gateway\/(?:disclosure|mutations|admin)\/|^resolvers\/|^fhir\//.test(file))).toEqual([])
    // it derives a key, and opens none
    expect(sources.filter((file) => file.startsWith('gateway/crypto/'))).toEqual(['gateway/crypto/kms-mac.ts'])
    expect(sources.filter((file) => /@aws-sdk\/client-dynamodb|@duckdb/.test(file))).toEqual([])
    const own = sources.filter((file) => /^(?:gateway|functions|directives|schema)\//.test(file))
    const ciphers = own.filter((file) => /createDecipheriv|createCipheriv|subtle\.(?:en|de)crypt/.test(readFileSync(file, 'utf8')))
    expect(ciphers).toEqual([])
  })
})
