import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { operationId } from '../../../../gateway/model/operation-id.ts'
import {
  manifestFaultText,
  ManifestRefused,
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_OPERATIONS,
  readManifest,
} from '../../../../gateway/operations/persisted/manifest.ts'

const A = 'query A { viewer { userId } }'
const B = 'query B($id: ID!) { patient(id: $id) { mrn } }'

const apollo = (operations: readonly unknown[]) =>
  JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations })

/** The faults of a manifest as `index reason`. */
function faultsOf(text: string): readonly string[] {
  try {
    readManifest(text)
    return []
  } catch (error) {
    if (!(error instanceof ManifestRefused)) throw error
    return error.faults.map(({ index, reason }) => [...(index === undefined ? [] : [index]), reason].join(' '))
  }
}

it('P10: reads the manifest that the generator of Apollo writes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'manifest-'))
  try {
    writeFileSync(join(folder, 'a.graphql'), 'fragment Caller on Viewer { userId }\nquery A { viewer { ...Caller } }\n')
    writeFileSync(join(folder, 'b.graphql'), B)
    writeFileSync(join(folder, 'c.graphql'), 'mutation End($id: ID!) { endBreakGlass(id: $id) { id } }')
    writeFileSync(join(folder, 'persisted-query-manifest.config.json'), '{"documents": "*.graphql", "output": "manifest.json"}')
    const generator = fileURLToPath(new URL('../../../../node_modules/.bin/generate-persisted-query-manifest', import.meta.url))
    execFileSync(process.execPath, [generator], { cwd: folder, stdio: 'pipe' })
    const operations = readManifest(readFileSync(join(folder, 'manifest.json'), 'utf8'))
    expect(operations.map(({ name }) => name)).toEqual(['A', 'B', 'End'])
    for (const { id, text } of operations) expect(id).toBe(createHash('sha256').update(text).digest('hex'))
    expect(operations[0]?.text).toContain('fragment Caller on Viewer')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('P10: reads both forms of Relay', () => {
  const expected = [
    { id: '1f0a', name: 'A', text: A },
    { id: '2b3c', name: 'B', text: B },
  ]
  expect(readManifest(JSON.stringify({ '1f0a': A, '2b3c': B }, null, 2))).toEqual(expected)
  expect(
    readManifest(
      JSON.stringify([
        ['1f0a', A],
        ['2b3c', B],
      ]),
    ),
  ).toEqual(expected)
})

it('P10: an id is bare or has the prefix sha256:, and is never computed', () => {
  expect(readManifest(JSON.stringify([['sha256:00', A]]))).toEqual([{ id: '00', name: 'A', text: A }])
  expect(operationId('sha256:sha256:00')).toBe('sha256:00')
  expect(['', 'sha256:', 'two words', 'ü', 'x'.repeat(257), '\n'].filter((id) => operationId(id) !== undefined)).toEqual([])
})

it('P10: one id names one text', () => {
  expect(
    faultsOf(
      JSON.stringify([
        ['1', A],
        ['sha256:1', B],
      ]),
    ),
  ).toEqual(['1 DUPLICATE_ID'])
  expect(
    readManifest(
      JSON.stringify([
        ['1', A],
        ['1', A],
      ]),
    ),
  ).toHaveLength(1)
  expect(
    readManifest(
      JSON.stringify([
        ['1', A],
        ['2', A],
      ]),
    ),
  ).toHaveLength(2)
  // JSON.parse drops the first of these members
  const twice = `{"1": ${JSON.stringify(A)}, "1": ${JSON.stringify(B)}}`
  expect(faultsOf(twice)).toEqual(['1 DUPLICATE_ID'])
  expect(faultsOf(twice.replace('"1"', '"\\u0031"'))).toEqual(['1 DUPLICATE_ID'])
})

it('names each operation that cannot be registered', () => {
  const texts = [
    '',
    '{ viewer { userId } }',
    `${A} ${B}`,
    'fragment F on Viewer { userId }',
    'subscription S { x }',
    'query A { viewer { userId }',
    '\uD800',
    `query Deep ${'{ a '.repeat(300)} ${'}'.repeat(300)}`,
    `query Large { viewer { userId } } # ${'x'.repeat(110_000)}`,
    A,
  ]
  expect(faultsOf(JSON.stringify(texts.map((text, place) => [`${place}`, text])))).toEqual([
    '0 NOT_PARSED',
    '1 ANONYMOUS',
    '2 SEVERAL_OPERATIONS',
    '3 NO_OPERATION',
    '4 SUBSCRIPTION',
    '5 NOT_PARSED',
    '6 NOT_PARSED',
    '7 NOT_PARSED',
    '8 BODY_TOO_LARGE',
  ])
  expect(faultsOf(JSON.stringify([['no id', A], ['1'], null, ['1', 2], ['1', A, A]]))).toEqual([
    '0 INVALID_ID',
    '1 INVALID_OPERATION',
    '2 INVALID_OPERATION',
    '3 INVALID_OPERATION',
    '4 INVALID_OPERATION',
  ])
})

it('the members of Apollo agree with the text', () => {
  const good = { id: '1', name: 'A', type: 'query', body: A }
  expect(faultsOf(apollo([good]))).toEqual([])
  expect(
    faultsOf(
      apollo([
        { ...good, name: 'B' },
        { ...good, type: 'mutation' },
        { ...good, extra: 1 },
        { ...good, body: undefined },
      ]),
    ),
  ).toEqual(['0 NAME_MISMATCH', '1 TYPE_MISMATCH', '2 INVALID_OPERATION', '3 INVALID_OPERATION'])
})

it('refuses files that are no manifest', () => {
  for (const text of [
    '',
    'null',
    '1',
    '"text"',
    '{"1": 1}',
    '{"1": {"body": "x"}}',
    '{"1": ["x", "y"]}',
    '[',
    apollo([]).replace('1', '2'),
  ])
    expect(faultsOf(text), text).toEqual(['NOT_A_MANIFEST'])
  for (const text of ['{}', '[]', apollo([])]) expect(faultsOf(text), text).toEqual(['EMPTY'])
})

it('refuses manifests above the limits', () => {
  const many = (count: number) => JSON.stringify(Array.from({ length: count }, (_, place) => [`${place}`, A]))
  expect(readManifest(many(MAX_MANIFEST_OPERATIONS))).toHaveLength(MAX_MANIFEST_OPERATIONS)
  expect(faultsOf(many(MAX_MANIFEST_OPERATIONS + 1))).toEqual(['TOO_MANY_OPERATIONS'])
  expect(faultsOf(' '.repeat(MAX_MANIFEST_BYTES + 1))).toEqual(['MANIFEST_TOO_LARGE'])
  expect(faultsOf(JSON.stringify({ 1: '\n'.repeat(MAX_MANIFEST_BYTES / 4) }))).toEqual(['0 BODY_TOO_LARGE'])
})

it('P8: describes a fault without the text of the operation', () => {
  try {
    readManifest(JSON.stringify([['1', 'query A { secret_text ']]))
    expect.unreachable()
  } catch (error) {
    expect(String(error)).not.toContain('secret')
    expect((error as ManifestRefused).faults.map(manifestFaultText)).toEqual([
      'Operation 1 (1) cannot be parsed. Line 1, column 23.',
    ])
  }
})
