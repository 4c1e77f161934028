import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openPromise } from 'yauzl'
import type * as Entry from '../gateway/index.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { openImporter } from '../gateway/admin/open-importer.ts'
import { seedDemo } from '../infra/local/demo/seed.ts'
import { type Handler, startHttpApi } from '../infra/local/api-gateway.ts'
import { startStack } from '../infra/local/stack.ts'
import { fetchToken } from '../infra/local/token.ts'
import { LIBRARY_FILES, processorOf } from './infra/native-library.ts'

// Run after `npm run build`: the deployed file must answer like the source. It runs in plain Node, as on Lambda.

/** The maximum of Lambda for an unpacked package. */
const MAX_PACKAGE_BYTES = 262_144_000

interface Answer {
  readonly data: {
    readonly patients: { readonly edges: readonly { readonly node: { readonly familyName: unknown; readonly ssn: unknown } }[] }
  }
  readonly extensions: { readonly phi: { readonly resolved: number } }
}

const dataFolder = mkdtempSync(join(tmpdir(), 'phi-packaged-'))
const stack = await startStack({ dataFolder, port: 0 })
try {
  await seedDemo({
    stage: stack.env.PHI_STAGE,
    openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'),
    riverside: 2,
    lakeside: 1,
    log: () => undefined,
  })
  const bundle = (await import(new URL('../dist/graphql/index.mjs', import.meta.url).href)) as { handler: Handler }
  const api = await startHttpApi({ port: 0, routes: { 'POST /graphql': bundle.handler } })
  try {
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await fetchToken(stack, 'physician')}` },
      body: JSON.stringify({ query: '{ patients { edges { node { familyName ssn } } } }' }),
    })
    const answer = (await response.json()) as Answer
    assert.equal(response.status, 200)
    assert.equal(answer.data.patients.edges.length, 2)
    for (const { node } of answer.data.patients.edges) {
      assert.equal(typeof node.familyName, 'string')
      assert.equal(node.ssn, null)
    }
    assert.equal(answer.extensions.phi.resolved, 2)
  } finally {
    await api.stop()
  }
  console.log('the packaged function answers')

  // the archives that are deployed, not the folders that they are made from
  for (const name of ['tables', 'audit']) {
    const archive = await membersOf(fileURLToPath(new URL(`../.serverless/${name}.zip`, import.meta.url)))
    for (const file of LIBRARY_FILES) assert.equal(processorOf(archive.get(`dist/${name}/${file}`) ?? Buffer.alloc(0)), 'arm64')
    assert.ok(archive.has(`dist/${name}/index.mjs`))
    assert.ok([...archive.values()].reduce((sum, { length }) => sum + length, 0) < MAX_PACKAGE_BYTES)
    if (name === 'audit')
      for (const file of ['audit/query.graphql', 'clinical/patient.graphql', 'policy.lock', 'directives.graphql'])
        assert.ok(archive.has(`dist/audit/${file}`))
  }
  console.log('the packages of tables and audit have their library for arm64, and audit has both schemas')

  // the package for other deployments has the same entry point as its sources, bundled
  const [built, source] = await Promise.all([
    import(new URL('../dist/package/index.mjs', import.meta.url).href) as Promise<typeof Entry>,
    import('../gateway/index.ts'),
  ])
  assert.deepEqual(Object.keys(built).toSorted(), Object.keys(source).toSorted())
  const compile = ({ compilePolicy }: typeof Entry): string => compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' }).lock
  assert.equal(compile(built), compile(source))
  console.log('the package compiles the same policy')
} finally {
  await stack.stop()
  rmSync(dataFolder, { recursive: true, force: true })
}

async function membersOf(file: string): Promise<Map<string, Buffer>> {
  const archive = await openPromise(file)
  const members = new Map<string, Buffer>()
  for await (const entry of archive.eachEntry())
    members.set(entry.fileName, await buffer(await archive.openReadStreamPromise(entry)))
  return members
}
