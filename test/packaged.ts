import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Entry from '../gateway/index.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { openImporter } from '../gateway/admin/open-importer.ts'
import { seedDemo } from '../infra/local/demo/seed.ts'
import { type Handler, startHttpApi } from '../infra/local/api-gateway.ts'
import { startStack } from '../infra/local/stack.ts'
import { fetchToken } from '../infra/local/token.ts'

// Run after `npm run build`: the deployed file must answer like the source. It runs in plain Node, as on Lambda.

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
