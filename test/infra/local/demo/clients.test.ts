import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getOperationAST, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import type { PurposeOfUse, Role } from '../../../../directives/policy.ts'
import { possibleViewInputs } from '../../../../gateway/decide/view-inputs.ts'
import { MAX_PAGE } from '../../../../gateway/model/list.ts'
import { costOf } from '../../../../gateway/operations/cost.ts'
import { readDocument } from '../../../../gateway/operations/documents.ts'
import { footprint } from '../../../../gateway/operations/footprint.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const FOLDER = 'infra/local/demo/clients'

interface Manifest {
  readonly format: string
  readonly version: number
  readonly operations: readonly { readonly id: string; readonly name: string; readonly type: string; readonly body: string }[]
}

interface ContractFile {
  readonly client: string
  readonly roles: readonly Role[]
  readonly purposes: readonly PurposeOfUse[]
  readonly paths: readonly SchemaPath[]
  readonly categories: readonly string[]
  readonly sensitivities: readonly string[]
  readonly maxPage: number
}

const read = (...names: string[]): string => readFileSync(join(FOLDER, ...names), 'utf8')
const manifestOf = (client: string) => JSON.parse(read(client, 'manifest.json')) as Manifest
const CLIENTS = readdirSync(FOLDER)
const OPERATIONS = CLIENTS.flatMap((client) => manifestOf(client).operations.map((operation) => ({ client, ...operation })))

/** A value for each variable, so that every argument counts as given. Pages have their maximum size. */
function allGiven(body: string): Record<string, number> {
  const { variableDefinitions = [] } = getOperationAST(parse(body)) ?? {}
  return Object.fromEntries(variableDefinitions.map(({ variable }) => [variable.name.value, MAX_PAGE]))
}

describe('the demo clients', () => {
  it('are acme and portal, each with an operation in each file that is not a fragment', () => {
    expect(CLIENTS).toEqual(['acme', 'portal'])
    for (const client of CLIENTS) {
      const files = readdirSync(join(FOLDER, client, 'operations')).map((file) => read(client, 'operations', file))
      const named = files.flatMap((text) => /^(?:query|mutation) (\w+)/m.exec(text)?.[1] ?? [])
      expect(manifestOf(client).operations.map(({ name }) => name)).toEqual(named.toSorted())
    }
  })

  it.each(CLIENTS)('%s: the generator gives the committed manifest', (client) => {
    const folder = mkdtempSync(join(tmpdir(), 'phi-manifest-'))
    try {
      const [config, output] = [join(folder, 'config.json'), join(folder, 'manifest.json')]
      const committed = JSON.parse(read(client, 'manifest.config.json')) as { readonly documents: unknown; readonly output: string }
      expect(committed.output).toBe(`${FOLDER}/${client}/manifest.json`)
      writeFileSync(config, JSON.stringify({ ...committed, output }))
      execFileSync('node_modules/.bin/generate-persisted-query-manifest', ['-c', config], { stdio: 'pipe' })
      expect(readFileSync(output, 'utf8')).toBe(read(client, 'manifest.json'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each(OPERATIONS)('$client: $name is valid, within the limits, and has its SHA-256 as its id', ({ id, body }) => {
    const document = readDocument(schema, body)
    if ('refused' in document) throw new Error(`The operation is refused: ${document.refused}`)
    expect(id).toBe(createHash('sha256').update(body).digest('hex'))
    const { values, places } = costOf(schema, policy, { document, name: undefined, variables: allGiven(body) })
    expect(values).toBeLessThanOrEqual(DEFAULT_LIMITS.operation.PARTNER)
    expect(places).toBeLessThanOrEqual(DEFAULT_LIMITS.answer.places)
  })
})

describe('the contract of acme', () => {
  const contract = JSON.parse(read('acme', 'contract.json')) as ContractFile
  const needed = new Set<SchemaPath>()
  for (const { body } of manifestOf('acme').operations) {
    const { paths, reads } = footprint(schema, policy, parse(body), undefined, allGiven(body))
    for (const path of [...paths, ...reads]) {
      needed.add(path)
      for (const input of policy.computed.get(path) ?? []) needed.add(input)
      for (const input of possibleViewInputs(policy, path, new Set(contract.roles))) needed.add(input)
    }
  }

  it('has exactly the paths that the operations need, and their categories', () => {
    expect(contract.paths).toEqual([...needed].toSorted())
    const policies = contract.paths.flatMap((path) => policy.phi.get(path) ?? [])
    expect(contract.categories).toEqual([...new Set(policies.map(({ category }) => category))].toSorted())
    expect(contract.sensitivities).toEqual([...new Set(policies.flatMap(({ sensitivity }) => [...sensitivity]))].toSorted())
  })

  it('names only paths that the policy grants to a partner in full for its purpose', () => {
    expect([contract.client, contract.roles, contract.purposes]).toEqual(['acme', ['PARTNER'], ['HPAYMT']])
    const isGranted = (path: SchemaPath) =>
      policy.phi
        .get(path)
        ?.grants.some(
          ({ roles, purposes, view, actions }) =>
            view === 'FULL' &&
            actions.has('READ') &&
            contract.roles.some((role) => roles.has(role)) &&
            contract.purposes.every((purpose) => purposes.has(purpose)),
        ) === true
    expect(contract.paths.filter((path) => !isGranted(path))).toEqual([])
  })

  it('allows the pages of the operations', () => {
    const sizes = [...read('acme', 'manifest.json').matchAll(/first: (?:Int = )?(\d+)/g)].map(([, size]) => Number(size))
    expect(Math.max(...sizes)).toBe(contract.maxPage)
  })
})
